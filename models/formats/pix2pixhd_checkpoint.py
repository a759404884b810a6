"""Official pix2pixHD generators (`latest_net_G.pth`): a bare state dict, from which every size is inferred.

The networks that paint vid2vid's first frames ('label2city_single') are the same, without instance edges.
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
from ..pix2pixhd import GlobalGenerator, Pix2PixHDConfig, Pix2PixHDTranslator
from ..weights import filled
from .state_dicts import wanted
from .torch_file import names_in_head, read_state_dict

LICENCE = "CC BY-NC-SA 4.0 (non-commercial), for NVIDIA's released models"
RUNNING = ("running_mean", "running_var")
"""Averages that norms of old torch versions store and the official programs never read."""
MOST_HALVINGS = 8
_MOST_LAYERS = 200


def sniff(path: Path) -> bool:
    """Whether a file holds such a generator, by the names in it; nothing is unpickled."""
    head = names_in_head(path)
    return b"model.1.weight" in head and b".conv_block." in head and b"model_down_seg" not in head


def config_of(tensors: Mapping[str, Tensor], where: str, labels: int | None = None) -> Pix2PixHDConfig:
    """Sizes of a network, from its tensors by official name; `labels` as `frames.channels_of_labels`.

    Raises:
        CheckpointError: the tensors that tell are missing or of impossible shapes.
    """
    if any(name.startswith("model2_") for name in tensors):
        raise CheckpointError(f"{where} has two local enhancers; one at most is read.")
    enhanced = any(name.startswith("model1_") for name in tensors)
    first = wanted(tensors, "model1_1.1.weight" if enhanced else "model.1.weight", (None, None, 7, 7), where)
    channels = int(first.shape[1])
    if channels == 39:
        raise CheckpointError(f"{where} was made with --label_feat: it reads 3 features of a real picture as well.")
    try:
        labels, edges = channels_of_labels(channels, labels)
    except FrameError as error:
        raise CheckpointError(f"{where}: {error}") from error
    residuals = blocks_of(tensors, "model")
    if not residuals:
        raise CheckpointError(f"{where} has no residual blocks 'model.*.conv_block'; it is no such generator.")
    # Four layers of entry, then three for each halving, then the blocks.
    downsamples, odd = divmod(residuals[0] - 4, 3)
    if odd or not 0 <= downsamples <= MOST_HALVINGS:
        raise CheckpointError(
            f"{where}: the residual blocks begin at 'model.{residuals[0]}'; expected 4 + 3 for each of at most "
            f"{MOST_HALVINGS} halvings."
        )
    return Pix2PixHDConfig(
        labels,
        edges,
        width=int(first.shape[0]),
        downsamples=downsamples,
        residuals=len(residuals),
        local_residuals=len(blocks_of(tensors, "model1_2")) if enhanced else 0,
        affine="model.2.weight" in tensors,
    )


def blocks_of(tensors: Mapping[str, Tensor], prefix: str) -> list[int]:
    """Places of the residual blocks in `prefix`, ascending."""
    pattern = re.compile(rf"{re.escape(prefix)}\.(\d{{1,3}})\.conv_block\.1\.weight")
    found = sorted(int(match[1]) for match in map(pattern.fullmatch, tensors) if match)
    return [place for place in found if place < _MOST_LAYERS]


def load(path: Path | str, *, labels: int | None = None) -> GlobalGenerator:
    """The network of a file, in evaluation mode on the CPU; `labels` as `config_of`.

    Raises:
        CheckpointError: it is no such file, or a tensor is missing, left over, of a wrong shape, or not finite.
    """
    path = Path(path)
    tensors = read_state_dict(path)
    config = config_of(tensors, path.name, labels)
    try:
        return filled(lambda: GlobalGenerator(config), tensors, ignored=RUNNING)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error


def open_translator(
    path: Path | str, *, labels: int | None = None, label_set: LabelSet = "cityscapes_ids"
) -> Pix2PixHDTranslator:
    """Opens a file for painting; see `load`."""
    path = Path(path)
    network = load(path, labels=labels)
    name = path.resolve().parent.name or path.stem
    card = ModelCard(
        name=name,
        family="pix2pixhd",
        title=f"{name} (pix2pixHD)",
        summary="Official pix2pixHD generator: paints one label map, remembers nothing.",
        licence=LICENCE,
        fingerprint=fingerprint(path),
        configuration=asdict(network.config),
    )
    return Pix2PixHDTranslator(network, card, label_set)
