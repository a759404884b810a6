"""Official EG3D checkpoints (.pkl): recognised by content, read without running anything, checked tensor by tensor.

The file is a pickle of {training_set_kwargs, G, D, G_ema, augment_pipe}; `G_ema` is the generator to look at. Sizes are
taken from its tensors, settings from its attributes and `rendering_kwargs`, with the official defaults where a key is
missing, since some released files predate the public code.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ..base import Generator, ModelCard
from ..cards import EG3D_LICENCE, camera_facts
from ..eg3d import TriPlaneGenerator
from ..eg3d_config import EG3DConfig
from ..eg3d_generator import EG3DGenerator, default_camera, fingerprint
from ..eg3d_official import config_of_official
from ..eg3d_weights import network_of
from ..errors import CheckpointError
from ..unpickle import PERSISTENCE, Stub, is_pickle_with, module_tensors, stubs, unpickle

ALLOWED = {
    **PERSISTENCE,
    **stubs(
        "torch.nn.modules.container.Sequential",
        "torch.nn.modules.activation.Softplus",
        "training.triplane.OSGDecoder",
        "training.volumetric_rendering.renderer.ImportanceRenderer",
        "training.volumetric_rendering.ray_sampler.RaySampler",
        "training.volumetric_rendering.ray_marcher.MipRayMarcher2",
    ),
}
"""Everything that released EG3D files name, beyond containers and tensors."""


def sniff(path: Path) -> bool:
    """Whether the file is a pickle that holds an EG3D generator, whatever it is called."""
    return is_pickle_with(path, b"G_ema", b"TriPlaneGenerator")


def read(path: Path) -> tuple[EG3DConfig, dict[str, Tensor]]:
    """The configuration and the named tensors of `G_ema`.

    Raises:
        UnsafePickle: the file names something that no EG3D checkpoint needs.
        CheckpointError: it is damaged, or holds no EG3D generator.
    """
    content = unpickle(path, ALLOWED)
    generator = content.get("G_ema") if isinstance(content, dict) else None
    if not isinstance(generator, Stub) or generator.name != "TriPlaneGenerator":
        found = f"a {generator.name}" if isinstance(generator, Stub) else "nothing of use"
        raise CheckpointError(f"{path.name}: G_ema holds {found}; expected EG3D's TriPlaneGenerator")
    tensors = dict(module_tensors(generator))
    return config_of_official(generator, tensors), tensors


def load(path: str | Path) -> TriPlaneGenerator:
    """The network of an official checkpoint; its configuration is its `config`.

    Raises:
        CheckpointError: as `read`; or a tensor is missing, of a wrong shape, or not finite.
    """
    path = Path(path)
    config, tensors = read(path)
    try:
        return network_of(config, tensors)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error


def open_generator(path: Path) -> Generator:
    """Opens an official checkpoint for viewing; see `load` for errors."""
    network = load(path)
    card = ModelCard(
        name=path.stem,
        family="eg3d",
        title=f"{path.stem} (EG3D)",
        summary="Official EG3D checkpoint: tri-planes drawn by StyleGAN2, volume rendering, super-resolution.",
        licence=EG3D_LICENCE,
        fingerprint=fingerprint(path),
        configuration=network.config.to_dict(),
        training=camera_facts(default_camera(network.config)),
    )
    return EG3DGenerator(network, card)
