"""Official pi-GAN checkpoints: a pickled generator, and beside it the moving average of its weights.

`generator.pth` is a whole `ImplicitGenerator3d` as `torch.save` wrote it, `ema.pth` a whole `ExponentialMovingAverage`
of torch_ema, whose tensors have no names: they are the generator's parameters in order. The official evaluation always
applies it. Both go through the one unpickler; the classes become stubs, and every size is inferred from tensors.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..base import Generator, ModelCard
from ..cards import PIGAN_LICENCE
from ..eg3d_generator import fingerprint
from ..errors import CheckpointError
from ..pigan import PiGANLayout, PiGANNetwork
from ..pigan_generator import PiGANGenerator, PiGANOptions, Weights
from ..pigan_presets import MODELS, PRESETS, default_preset
from ..unpickle import Stub, module_tensors, stubs, unpickle

GENERATOR, AVERAGE = "generators.generators.ImplicitGenerator3d", "torch_ema.ema.ExponentialMovingAverage"
ALLOWED = stubs(
    GENERATOR,
    AVERAGE,
    *(f"siren.siren.{name}" for name in (*MODELS, "FiLMLayer", "CustomMappingNetwork", "UniformBoxWarp")),
    "torch.device",
    "torch.nn.modules.activation.LeakyReLU",
    "torch.nn.modules.activation.Sigmoid",
    "torch.nn.modules.container.ModuleList",
    "torch.nn.modules.container.Sequential",
    "torch.nn.modules.linear.Linear",
)
"""Everything that released pi-GAN files name, beyond containers and tensors."""

# Generous: the official networks have 1.9 million numbers.
MOST_PARAMETERS = 1 << 28
_HEAD = 1 << 16  # bytes; the class's name stands at the very start of either file's pickle
_EMA_FILE = re.compile(r"ema\d*(?=\.\w+$)")


@dataclass(frozen=True)
class PiGANCheckpoint:
    """Networks on the CPU, and what the files say of their training."""

    raw: PiGANNetwork
    """Weights of the last training step."""
    ema: PiGANNetwork | None
    """Averaged weights; None: there was no such file."""
    average: Tensor | None
    """[layers, 2 width]: the average code that the generator held when it was saved."""
    step: int | None
    epoch: int | None
    decay: float | None
    """Of the moving average, per training step."""


def sniff(path: Path) -> bool:
    """Whether a file holds pi-GAN's generator, or a moving average that lies beside one; nothing is unpickled."""
    if _names(path, "ImplicitGenerator3d"):
        return True
    if not _names(path, "ExponentialMovingAverage"):
        return False
    generator, average = pair_of(path)
    return average == path and generator.is_file() and _names(generator, "ImplicitGenerator3d")


def pair_of(path: Path) -> tuple[Path, Path]:
    """The generator's file and its average's, given either: names differ as the official scripts' do.

    'x_generator.pth' belongs with 'x_ema.pth'. Given another average, as 'ema2.pth', that one is taken.
    """
    if _EMA_FILE.search(path.name) and _names(path, "ExponentialMovingAverage"):
        return path.with_name(_EMA_FILE.sub("generator", path.name)), path
    before, found, _ = path.name.partition("generator")
    return path, path.with_name(f"{before if found else ''}ema.pth")


def load(path: Path | str, raw: bool = False) -> PiGANCheckpoint:
    """The networks behind a path to either file.

    Args:
        path: of the generator, or of an average with the generator beside it.
        raw: do not look for an average.

    Raises:
        UnsafePickle: a file names something that no pi-GAN needs; nothing was run.
        CheckpointError: damaged, not a pi-GAN, of an unknown class; or a tensor is missing, of another shape, or not
            finite, in which case it is named.
    """
    given = Path(path)
    file, ema_file = pair_of(given)
    if not file.is_file():
        raise CheckpointError(
            f"{given.name} holds averaged weights alone; put {file.name} beside it, which says what they belong to."
        )
    content = unpickle(file, ALLOWED)
    siren = _child(content, "siren") if isinstance(content, Stub) and content.name == GENERATOR else None
    if siren is None:
        found = content.name if isinstance(content, Stub) else type(content).__name__
        raise CheckpointError(f"{file.name} holds a {found}; expected pi-GAN's ImplicitGenerator3d with its siren.")
    tensors = dict(module_tensors(siren))
    layout = _layout(siren, tensors, file.name)
    network = _filled(layout, tensors, file.name)
    ema = decay = None
    if not raw and ema_file.is_file():
        shadows, decay = _shadows(unpickle(ema_file, ALLOWED), network, ema_file.name)
        ema = _filled(layout, shadows, ema_file.name)
    return PiGANCheckpoint(
        raw=network,
        ema=ema,
        average=_average(content, layout, file.name),
        step=_number(content.state.get("step"), int),
        epoch=_number(content.state.get("epoch"), int),
        decay=decay,
    )


def open_generator(
    path: Path | str, raw: bool = False, *, preset: str | None = None, lock_view_dependence: bool = False
) -> Generator:
    """Opens a checkpoint for viewing; see `load` for errors.

    Args:
        path: of the generator, or of an average with the generator beside it.
        raw: leave an average beside the generator unread. Without this both are there to choose from, see
            `PiGANGenerator.with_options`.
        preset: 'celeba', 'cats' or 'carla'. None: the one that the file's or its folder's name contains, as those of
            the published archives do; else the usual one of its class.
        lock_view_dependence: see `PiGANOptions`.
    """
    path = Path(path)
    if preset is not None and preset not in PRESETS:
        raise CheckpointError(f"The preset is {preset!r}; expected one of {', '.join(PRESETS)}.")
    checkpoint = load(path, raw)
    layout = checkpoint.raw.layout
    file, ema_file = pair_of(path)
    folder = file.resolve().parent.name
    options = PiGANOptions(
        preset=preset or _preset_of(file, layout.model),
        weights="raw" if checkpoint.ema is None else "ema",
        lock_view_dependence=lock_view_dependence,
    )
    # Published files are all called 'generator', so the folder tells more.
    name = folder if file.stem == "generator" and folder else file.stem
    averaged = f"averaged as in {ema_file.name}" if checkpoint.ema else "as of the last training step"
    training = {"steps": checkpoint.step, "epochs": checkpoint.epoch, "decay of the average": checkpoint.decay}
    card = ModelCard(
        name=name,
        family="pigan",
        title=f"{name} (pi-GAN)",
        summary=f"Official pi-GAN checkpoint: a sinusoidal radiance field under FiLM, {averaged}.",
        licence=PIGAN_LICENCE,
        fingerprint=fingerprint(file),
        configuration=asdict(layout),
        training={key: value for key, value in training.items() if value is not None},
    )
    networks: dict[Weights, PiGANNetwork] = {"raw": checkpoint.raw}
    if checkpoint.ema is not None:
        networks["ema"] = checkpoint.ema
    return PiGANGenerator(networks, card, options, stored_average=checkpoint.average)


def _names(path: Path, name: str) -> bool:
    """Whether a pickle's first bytes hold a class's name: in torch's zip, whose first entry is the pickle, or bare."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return head.startswith((b"PK\x03\x04", b"\x80\x02")) and name.encode() in head


def _preset_of(file: Path, model: str) -> str:
    for text in (file.stem.lower(), file.resolve().parent.name.lower()):
        for name, preset in PRESETS.items():
            if name in text and preset.model == model:
                return name
    return default_preset(model)


def _child(module: Stub, name: str) -> Stub | None:
    children = module.state.get("_modules")
    child = children.get(name) if isinstance(children, dict) else None
    return child if isinstance(child, Stub) else None


def _layout(siren: Stub, tensors: dict[str, Tensor], where: str) -> PiGANLayout:
    """Sizes by shapes; what points are multiplied by from the module that does it."""
    model = siren.name.rpartition(".")[2]
    if model not in MODELS:
        raise CheckpointError(f"{where} is a pi-GAN of class {model}; expected {' or '.join(MODELS)}.")
    width, _ = _shape(tensors, "network.0.layer.weight", where)
    mapping_width, z_dim = _shape(tensors, "mapping_network.network.0.weight", where)
    layout = PiGANLayout(
        model=model,
        width=width,
        depth=1 + max(_indices(tensors, r"network\.(\d{1,3})\.layer\.weight")),
        z_dim=z_dim,
        mapping_width=mapping_width,
        mapping_depth=max(1, max(_indices(tensors, r"mapping_network\.network\.(\d{1,3})\.weight")) // 2),
        scale=2 / 0.24 if model == "SPATIALSIRENBASELINE" else 1.0,
    )
    warp = _child(siren, "gridwarper")
    scale = _number(warp.state.get("scale_factor"), float) if warp is not None else None
    if scale is not None and not 1e-3 <= abs(scale) <= 1e3:
        raise CheckpointError(f"{where}: gridwarper multiplies points by {scale}; expected 2 / 0.24, or a little else.")
    return layout if scale is None else replace(layout, scale=scale)


def _filled(layout: PiGANLayout, tensors: dict[str, Tensor], where: str) -> PiGANNetwork:
    """A network that holds copies of `tensors` (names within `siren`), after checking each."""
    with torch.device("meta"):
        network = PiGANNetwork(layout)
    wanted = network.state_dict()
    total = sum(tensor.numel() for tensor in wanted.values())
    if total > MOST_PARAMETERS:
        raise CheckpointError(f"{where} has {total:,} numbers; more than {MOST_PARAMETERS:,} are refused.")
    unknown = sorted(tensors.keys() - wanted.keys())
    if unknown:
        raise CheckpointError(f"{where} has a tensor 'siren.{unknown[0]}' that pi-GAN's {layout.model} does not know.")
    loaded = {}
    for name, expected in wanted.items():
        found = tensors.get(name)
        if found is None:
            raise CheckpointError(f"{where} lacks the tensor 'siren.{name}' of shape {list(expected.shape)}.")
        if found.shape != expected.shape:
            shapes = f"has shape {list(found.shape)}, expected {list(expected.shape)} beside the other tensors"
            raise CheckpointError(f"{where}: 'siren.{name}' {shapes}.")
        if not found.is_floating_point() or not bool(torch.isfinite(found).all()):
            raise CheckpointError(f"{where}: 'siren.{name}' holds numbers that are not finite; training has diverged.")
        loaded[name] = found.detach().to(torch.float32, copy=True).contiguous()
    network.load_state_dict(loaded, assign=True)
    return network.requires_grad_(False).eval()


def _shadows(content: Any, network: PiGANNetwork, where: str) -> tuple[dict[str, Tensor], float | None]:
    """Averaged weights by name: the moving average holds a list, in the order of the generator's parameters."""
    state = content.state if isinstance(content, Stub) and content.name == AVERAGE else {}
    shadows = state.get("shadow_params")
    if not isinstance(shadows, list) or not all(isinstance(tensor, Tensor) for tensor in shadows):
        raise CheckpointError(f"{where} holds no list of averaged tensors 'shadow_params', as torch_ema writes it.")
    names = [name for name, _ in network.named_parameters()]
    if len(shadows) != len(names):
        raise CheckpointError(
            f"{where} holds {len(shadows)} averaged tensors, but the generator beside it has {len(names)} parameters: "
            "they are of different models. Put the matching file there, or remove it to see the raw weights."
        )
    return dict(zip(names, shadows, strict=True)), _number(state.get("decay"), float)


def _average(generator: Stub, layout: PiGANLayout, where: str) -> Tensor | None:
    """[layers, 2 width] of the average frequencies and phases [1, layers width], if the file has both."""
    parts = []
    for name in ("avg_frequencies", "avg_phase_shifts"):
        value = generator.state.get(name)
        if not isinstance(value, Tensor):
            return None
        if value.numel() != layout.layers * layout.width or not value.is_floating_point():
            expected = [1, layout.layers * layout.width]
            raise CheckpointError(f"{where}: '{name}' has shape {list(value.shape)}, expected {expected}.")
        if not bool(torch.isfinite(value).all()):
            return None  # it is drawn again
        parts.append(value.float().reshape(layout.layers, layout.width))
    return torch.cat(parts, dim=1)


def _shape(tensors: dict[str, Tensor], name: str, where: str) -> tuple[int, int]:
    found = tensors.get(name)
    if found is None:
        raise CheckpointError(f"{where} lacks the tensor 'siren.{name}'; expected the layers of pi-GAN.")
    if found.ndim != 2 or 0 in found.shape:
        raise CheckpointError(f"{where}: 'siren.{name}' has shape {list(found.shape)}, expected a matrix.")
    return int(found.shape[0]), int(found.shape[1])


def _indices(tensors: dict[str, Tensor], pattern: str) -> list[int]:
    return [int(match[1]) for match in (re.fullmatch(pattern, name) for name in tensors) if match]


def _number(value: Any, kind: type) -> Any:
    return kind(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value else None
