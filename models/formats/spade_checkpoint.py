"""Official SPADE generators (`latest_net_G.pth`): a bare state dict, from which every size is inferred.

Beside it lies `opt.pkl`, a pickled object of the training program, which is never read. What only it says, the number
of labels and 'normal' against 'more' up-sampling, is taken from the published layouts or from the caller.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from ..base import LabelSet, ModelCard
from ..eg3d_generator import fingerprint
from ..errors import CheckpointError
from ..frames import FrameError, channels_of_labels
from ..spade import SPADEConfig, SPADEGenerator, Upsampling, spectral_weights
from ..spade_folded import SPADETranslator
from ..weights import filled
from .state_dicts import wanted
from .torch_file import names_in_head, read_state_dict

LICENCE = "CC BY-NC-SA 4.0 (non-commercial), for NVIDIA's released models"


def sniff(path: Path) -> bool:
    """Whether a file holds a SPADE generator, by the names in it; nothing is unpickled."""
    head = names_in_head(path)
    return b"head_0.norm_0.mlp_shared.0.weight" in head and b"up_3.conv_0" in head


def config_of(
    tensors: dict[str, Tensor], where: str, labels: int | None = None, upsampling: Upsampling | None = None
) -> SPADEConfig:
    """Sizes of a network, from its tensors by official name.

    Args:
        tensors: spectral weights evaluated.
        where: what to call the file in errors.
        labels: channels of the one-hot map; None: as `frames.channels_of_labels`.
        upsampling: None: 'most' where there is a block for it, 'more' for Cityscapes' channels, else 'normal'.

    Raises:
        CheckpointError: the tensors that tell are missing or of impossible shapes.
    """
    first = tensors.get("fc.weight")
    if first is not None and first.ndim == 2:
        raise CheckpointError(f"{where} was made with --use_vae: it starts from an encoded picture. Take one without")
    channels = int(wanted(tensors, "fc.weight", (None, None, 3, 3), where).shape[1])
    shared = wanted(tensors, "head_0.norm_0.mlp_shared.0.weight", (None, channels, None, None), where)
    most = any(name.startswith("up_4.") for name in tensors)
    last = wanted(tensors, "conv_img.weight", (3, None, 3, 3), where)
    try:
        labels, edges = channels_of_labels(channels, labels)
    except FrameError as error:
        raise CheckpointError(f"{where}: {error}") from error
    if upsampling is None:
        upsampling = "most" if most else "more" if channels in (20, 36) else "normal"
    if most != (upsampling == "most"):
        raise CheckpointError(
            f"{where} has {'a' if most else 'no'} block 'up_4': its up-sampling is not {upsampling!r}"
        )
    return SPADEConfig(
        labels,
        edges,
        width=int(last.shape[1]) * (2 if most else 1),
        upsampling=upsampling,
        kernel=int(shared.shape[-1]),
        running="head_0.norm_0.param_free_norm.running_mean" in tensors,
        hidden=int(shared.shape[0]),
    )


def load(path: Path | str, *, labels: int | None = None, upsampling: Upsampling | None = None) -> SPADEGenerator:
    """The network of a file, in evaluation mode on the CPU; arguments as `config_of`.

    Raises:
        CheckpointError: it is no such file, or a tensor is missing, left over, of a wrong shape, or not finite.
    """
    path = Path(path)
    tensors = spectral_weights(read_state_dict(path))
    config = config_of(tensors, path.name, labels, upsampling)
    for name, tensor in tensors.items():
        if name.endswith("running_var") and bool((tensor < 0).any()):
            raise CheckpointError(f"{path.name}: '{name}' holds negative variances; the file is damaged.")
    try:
        return filled(lambda: SPADEGenerator(config), tensors)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error


def open_translator(
    path: Path | str,
    *,
    labels: int | None = None,
    upsampling: Upsampling | None = None,
    label_set: LabelSet = "cityscapes_ids",
) -> SPADETranslator:
    """Opens a file for painting; see `load`."""
    path = Path(path)
    network = load(path, labels=labels, upsampling=upsampling)
    name = path.resolve().parent.name or path.stem
    card = ModelCard(
        name=name,
        family="spade",
        title=f"{name} (SPADE)",
        summary="Official SPADE generator: paints one label map, remembers nothing.",
        licence=LICENCE,
        fingerprint=fingerprint(path),
        configuration=asdict(network.config),
    )
    cityscapes = network.config.channels in (20, 36) and network.config.upsampling == "more"
    return SPADETranslator(network, card, label_set, (256, 512) if cityscapes else None)
