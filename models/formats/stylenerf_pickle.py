"""Official StyleNeRF checkpoints (.pkl): recognised by content, read without running anything, checked by tensor.

As EG3D's, the file is a pickle of {training_set_kwargs, G, D, G_ema, augment_pipe} whose modules are 'persistent'
objects; `G_ema` is the generator to look at, and `_init_kwargs` says how it was made. The official training is driven
by Hydra, so these arguments may be OmegaConf's objects, in parts or altogether.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from ..base import Generator, ModelCard
from ..cards import STYLENERF_LICENCE, camera_facts
from ..eg3d_generator import fingerprint
from ..errors import CheckpointError
from ..pickled_configs import CONFIGS, plain_settings
from ..stylenerf import StyleNeRFNetwork
from ..stylenerf_config import StyleNeRFConfig
from ..stylenerf_generator import StyleNeRFGenerator
from ..stylenerf_official import config_of_official
from ..unpickle import PERSISTENCE, Stub, is_pickle_with, module_tensors, stubs, unpickle
from ..weights import filled

ALLOWED = {
    **PERSISTENCE,
    **CONFIGS,
    **stubs("torch.nn.modules.container.ModuleList", "torch.nn.modules.container.Sequential"),
}
"""Everything that official StyleNeRF files name, beyond containers and tensors."""

# Low-pass filters are constants; ours are not stored.
IGNORED = ("resample_filter",)


def sniff(path: Path) -> bool:
    """Whether the file is a pickle that holds a StyleNeRF generator, whatever it is called."""
    return is_pickle_with(path, b"G_ema", b"NeRFSynthesisNetwork")


def read(path: Path) -> tuple[StyleNeRFConfig, dict[str, Tensor]]:
    """The configuration and the named tensors of `G_ema`.

    Raises:
        UnsafePickle: the file names something that no StyleNeRF checkpoint needs.
        CheckpointError: it is damaged, or holds no StyleNeRF generator.
    """
    content = unpickle(path, ALLOWED)
    generator = content.get("G_ema") if isinstance(content, dict) else None
    if not isinstance(generator, Stub) or generator.name != "Generator":
        found = f"a {generator.name[:80]}" if isinstance(generator, Stub) else "nothing of use"
        raise CheckpointError(f"{path.name}: G_ema holds {found}; expected StyleNeRF's Generator")
    try:
        tensors = dict(module_tensors(generator))
        return config_of_official(_arguments(generator), tensors), tensors
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error


def network_of(config: StyleNeRFConfig, tensors: dict[str, Tensor]) -> StyleNeRFNetwork:
    """The network of a configuration, holding copies of tensors by official name; errors as `weights.filled`."""
    return filled(lambda: StyleNeRFNetwork(config), tensors, ignored=IGNORED)


def open_generator(path: Path) -> Generator:
    """Opens an official checkpoint for viewing.

    Raises:
        CheckpointError: as `read`; or a tensor is missing, of a wrong shape, or not finite.
    """
    path = Path(path)
    config, tensors = read(path)
    try:
        network = network_of(config, tensors)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error
    card = ModelCard(
        name=path.stem,
        family="stylenerf",
        title=f"{path.stem} (StyleNeRF)",
        summary="Official StyleNeRF checkpoint: a styled radiance field over a background, and an up-sampler.",
        licence=STYLENERF_LICENCE,
        fingerprint=fingerprint(path),
        configuration=config.to_dict(),
    )
    generator = StyleNeRFGenerator(network, card)
    card.training.update(camera_facts(generator.camera))
    return generator


def _arguments(generator: Stub) -> dict[str, Any]:
    """What the generator was made with; the official code also calls it `init_kwargs`."""
    for name in ("_init_kwargs", "init_kwargs"):
        given = plain_settings(generator.state.get(name))
        if isinstance(given, dict) and given:
            return given
    raise CheckpointError("the generator lacks its _init_kwargs; the file is incomplete")
