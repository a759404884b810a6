"""Official vid2vid generators: `latest_net_G0.pth` and, for finer scales, `latest_net_G1.pth`, ... beside it.

Each is a bare state dict, from which every size is inferred. The running averages of its norms are left out, because
the official program never reads them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from ..base import LabelSet, ModelCard
from ..eg3d_generator import fingerprint
from ..errors import CheckpointError
from ..frames import FrameError, channels_of_labels
from ..labels import label_named, number
from ..vid2vid import Vid2VidConfig, Vid2VidScale
from ..vid2vid_translator import Vid2VidInput, Vid2VidTranslator
from ..weights import filled
from . import pix2pixhd_checkpoint
from .pix2pixhd_checkpoint import MOST_HALVINGS, RUNNING, blocks_of
from .state_dicts import wanted
from .torch_file import names_in_head, read_state_dict

LICENCE = "CC BY-NC-SA 4.0 (non-commercial), for NVIDIA's released models"
MOST_SCALES = 4


def sniff(path: Path) -> bool:
    """Whether a file holds one scale of a vid2vid generator, by the names in it; nothing is unpickled."""
    head = names_in_head(path)
    return b"model_down_seg.1.weight" in head and b"model_final_img.1.weight" in head


def config_of(tensors: Mapping[str, Tensor], where: str, scale: int = 0) -> Vid2VidConfig:
    """Sizes of one scale's network, from its tensors by official name.

    Args:
        tensors: names and tensors.
        where: what to call the file in errors.
        scale: the file's number; 0: the coarsest.

    Raises:
        CheckpointError: the tensors that tell are missing, of impossible shapes, or of another scale.
    """
    maps = wanted(tensors, "model_down_seg.1.weight", (None, None, 7, 7), where)
    pictures = wanted(tensors, "model_down_img.1.weight", (len(maps), None, 7, 7), where)
    frames, odd = divmod(int(pictures.shape[1]), 3)
    frames += 1
    if odd or maps.shape[1] % frames:
        raise CheckpointError(
            f"{where} reads {maps.shape[1]} channels of maps and {pictures.shape[1]} of pictures; "
            f"expected k times as many channels as labels beside 3 (k - 1)."
        )
    before, after = blocks_of(tensors, "model_down_seg"), blocks_of(tensors, "model_res_img")
    local = blocks_of(tensors, "model_up_img")
    if bool(local) != (scale > 0):
        kind = "a finer scale (G1, G2, ...)" if local else "the coarsest scale (G0)"
        raise CheckpointError(f"{where} is {kind}, but was given as number {scale}; the files are numbered from 0.")
    widths = [tensors.get(f"model_down_seg.{4 + 3 * n}.weight") for n in range(MOST_HALVINGS)]
    halvings = next((n for n, found in enumerate(widths) if found is None or found.ndim != 4), MOST_HALVINGS)
    foreground = tensors.get("indv_final.1.weight")
    return Vid2VidConfig(
        channels=int(maps.shape[1]) // frames,
        frames=frames,
        width=len(maps),
        downsamples=halvings,
        residuals=len(local) if scale else len(before) + len(after),
        scale=scale,
        flow="model_final_flow.1.weight" in tensors,
        foreground_width=0 if foreground is None or foreground.ndim != 4 else int(foreground.shape[1]),
        affine="model_down_seg.2.weight" in tensors,
    )


def load(path: Path | str, scale: int = 0) -> Vid2VidScale:
    """The network of one file, in evaluation mode on the CPU.

    Raises:
        CheckpointError: it is no such file, or a tensor is missing, left over, of a wrong shape, or not finite.
    """
    path = Path(path)
    tensors = read_state_dict(path)
    config = config_of(tensors, path.name, scale)
    try:
        return filled(lambda: Vid2VidScale(config), tensors, ignored=RUNNING)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error


def scales_beside(path: Path) -> list[Path]:
    """All scales' files, coarsest first, of the model that `path` belongs to: the same name with G0, G1, ..."""
    found = re.search(r"(?<=G)\d(?=\.[^.]*$)", path.name)
    if not found:
        return [path]
    named = [path.with_name(path.name[: found.start()] + str(n) + path.name[found.end() :]) for n in range(MOST_SCALES)]
    if not named[0].is_file():
        raise CheckpointError(f"{path.name} is a finer scale; {named[0].name}, which it refines, is not beside it.")
    count = next((n for n, file in enumerate(named) if not file.is_file()), MOST_SCALES)
    return named[:count]


def open_translator(
    path: Path | str,
    *,
    labels: int | None = None,
    first: Path | str | None = None,
    label_set: LabelSet = "cityscapes_ids",
    foreground: tuple[int, ...] | None = None,
) -> Vid2VidTranslator:
    """Opens a model for painting: any one of its files brings the others.

    Args:
        path: of one scale's file.
        labels: channels of the one-hot map; None: as `frames.channels_of_labels`.
        first: a pix2pixHD file that paints the first frames; None: start from grey.
        label_set: the numbering that it was trained in.
        foreground: labels that the foreground branch paints; None: cars.

    Raises:
        CheckpointError: as `load`; or the scales do not belong together.
    """
    files = scales_beside(Path(path))
    networks = [load(file, scale) for scale, file in enumerate(files)]
    for file, coarse, fine in zip(files[1:], networks, networks[1:], strict=False):
        a, b = coarse.config, fine.config
        if (a.channels, a.frames, a.width, a.flow) != (b.channels, b.frames, 2 * b.width, b.flow):
            raise CheckpointError(f"{file.name} does not refine the file before it: {b} after {a}.")
    config = networks[0].config
    try:
        labels, edges = channels_of_labels(config.channels, labels)
        painter = None if first is None else pix2pixhd_checkpoint.load(first, labels=labels)
    except FrameError as error:
        raise CheckpointError(f"{files[0].name}: {error}") from error
    if painter is not None and painter.config.edges:
        raise CheckpointError(f"{Path(str(first)).name} reads instance edges; vid2vid's first frames are made without.")
    foreground = (number(label_named("car"), label_set),) if foreground is None else foreground
    if config.foreground_width and not all(0 <= label < labels for label in foreground):
        raise CheckpointError(f"foreground labels {foreground} are not among 0..{labels - 1}.")
    name = files[0].resolve().parent.name or files[0].stem
    card = ModelCard(
        name=name,
        family="vid2vid",
        title=f"{name} (vid2vid)",
        summary=f"Official vid2vid generator of {len(files)} scale{'s' * (len(files) > 1)}: paints a label video.",
        licence=LICENCE,
        fingerprint=fingerprint(files[0]),
        configuration={f"scale {n}": asdict(network.config) for n, network in enumerate(networks)},
    )
    return Vid2VidTranslator(networks, card, Vid2VidInput(labels, edges, foreground), painter, label_set)
