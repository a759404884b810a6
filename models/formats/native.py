"""Our own checkpoints: `<name>.safetensors` with the tensors and `<name>.json` beside it with all that is not a tensor.

Neither can hold code. The JSON is {"format": "neuroview-1", "family", "name", "config", "camera", "card": title,
summary, licence and how it was trained}. For family "eg3d" the config has the fields of `EG3DConfig`,
"rendering_kwargs" the same under official names, "camera" is as in `camera_json`, and there are "geometry_layers" and
"appearance_layers"; for the others see `native_families`. Tensor names are the official ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..base import CameraDefaults, FirstIdentity, Generator, ModelCard
from ..eg3d import TriPlaneGenerator
from ..eg3d_config import EG3DConfig
from ..eg3d_generator import EG3DGenerator, default_camera, fingerprint
from ..eg3d_official import official_rendering_kwargs, rendering_of_official
from ..eg3d_weights import network_of
from ..errors import CheckpointError
from .camera_json import camera_from_json, camera_to_json
from .native_families import FAMILIES, put_together, take_apart
from .plain_json import from_plain, to_plain

FORMAT = "neuroview-1"
MOST_JSON = 4 << 20  # bytes; a description is a few thousand
_CARD_TEXT = ("title", "summary", "licence")


def sniff(path: Path) -> bool:
    """Whether the file is one of ours: a safetensors file with a description of our format beside it."""
    description = path.with_suffix(".json")
    with open(path, "rb") as file:
        head = file.read(9)
    # Eight bytes of header length, then the header's opening brace.
    if len(head) < 9 or head[8:] != b"{" or not description.is_file():
        return False
    with open(description, "rb") as file:
        return FORMAT.encode() in file.read(MOST_JSON)


def save(
    path: str | Path,
    network: TriPlaneGenerator,
    *,
    name: str,
    geometry_layers: Sequence[int] = (),
    appearance_layers: Sequence[int] = (),
    camera: CameraDefaults | None = None,
    card: Mapping[str, Any] | None = None,
    first_identity: FirstIdentity | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Writes a generator as `path` (.safetensors) and its .json.

    What can be rebuilt is left out: low-pass filters, and constant noise whose strength is zero.

    Args:
        path: of the .safetensors file.
        network: the generator.
        name: short, as in `neuroview <name>`.
        geometry_layers: indices into ws that decide the shape; empty for the default.
        appearance_layers: indices into ws that decide the colour; empty for the default.
        camera: first view and ranges; None derives them from the rendering settings.
        card: title, summary, licence, training.
        first_identity: seeds and truncation to open with.
        dtype: of the stored tensors; float16 halves the file.
    """
    path = Path(path)
    state = network.state_dict()
    kept = {key: value.detach().to("cpu", dtype).contiguous() for key, value in state.items() if _kept(key, state)}
    description: dict[str, Any] = {
        "format": FORMAT,
        "family": "eg3d",
        "name": name,
        "config": network.config.to_dict(),
        "rendering_kwargs": official_rendering_kwargs(network.config),
        "geometry_layers": list(geometry_layers),
        "appearance_layers": list(appearance_layers),
        "camera": camera_to_json(camera or default_camera(network.config)),
        "card": dict(card or {}),
    }
    if first_identity is not None:
        description["first_identity"] = _first_to_json(first_identity)
    save_file(kept, str(path), metadata={"format": FORMAT, "name": name})
    path.with_suffix(".json").write_text(json.dumps(description, indent=1) + "\n", "utf-8")


def load(path: str | Path) -> TriPlaneGenerator:
    """The network alone.

    Raises:
        CheckpointError: the pair is incomplete, damaged, or its tensors do not fit its configuration.
    """
    return _load(Path(path), _description(Path(path)))


def open_generator(path: Path) -> Generator:
    """Opens one of our checkpoints for viewing; see `load` for errors."""
    path = Path(path)
    description = _description(path)
    card = _card(path, description)
    if description["family"] != "eg3d":
        try:
            given = description.get("camera")
            camera = None if given is None else from_plain(CameraDefaults, given, "camera")
            config = description.get("config")
            made = put_together(description["family"], _tensors(path), config, camera, card)
            first = _first_identity(description)
        except CheckpointError as error:
            raise CheckpointError(f"{path.name}: {error}") from error
        if first is not None:
            made.first_identity = first  # type: ignore[attr-defined]
        return made
    network = _load(path, description)
    count = network.config.num_ws
    generator = EG3DGenerator(
        network,
        replace(card, configuration=network.config.to_dict()),
        camera=camera_from_json(description.get("camera", {}), default_camera(network.config)),
        geometry_layers=_layers(description, "geometry_layers", count),
        appearance_layers=_layers(description, "appearance_layers", count),
    )
    generator.first_identity = _first_identity(description)
    return generator


def convert(generator: Generator, path: str | Path, *, dtype: torch.dtype | None = None) -> None:
    """Writes an open generator as `path` (.safetensors) and its .json; opened again it renders the same.

    Args:
        generator: of a family that has a native form.
        path: of the .safetensors file.
        dtype: of the stored weights; None: as they are (float32 for EG3D). float16 halves the file.

    Raises:
        CheckpointError: the family has no native form, or the files cannot be written.
    """
    path, card = Path(path), generator.card
    told: dict[str, Any] = {key: getattr(card, key) for key in _CARD_TEXT}
    origin = {"converted from": card.name, "fingerprint of that file": card.fingerprint}
    told["training"] = {**card.training, **origin} if card.fingerprint else dict(card.training)
    try:
        if isinstance(generator, EG3DGenerator):
            save(
                path,
                generator.network,
                name=path.stem,
                geometry_layers=generator.geometry_layers,
                appearance_layers=generator.appearance_layers,
                camera=generator.camera,
                card=told,
                first_identity=generator.first_identity,
                dtype=torch.float32 if dtype is None else dtype,
            )
            return
        native = take_apart(generator)
        description = {
            "format": FORMAT,
            "family": native.family,
            "name": path.stem,
            "config": native.config,
            "camera": to_plain(native.camera),
            "card": told,
        }
        first: FirstIdentity | None = getattr(generator, "first_identity", None)
        if first is not None:
            description["first_identity"] = _first_to_json(first)
        text = json.dumps(description, indent=1, default=str) + "\n"
        tensors = {name: _stored(tensor, dtype) for name, tensor in native.tensors.items()}
        save_file(tensors, str(path), metadata={"format": FORMAT, "name": path.stem})
        path.with_suffix(".json").write_text(text, "utf-8")
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be written: {str(error)[:200]}.") from error


def describe(path: Path) -> dict[str, Any]:
    """The .json beside a file of ours.

    Raises:
        CheckpointError: it is missing, damaged, or of another format.
    """
    return _description(Path(path))


def _card(path: Path, description: Mapping[str, Any]) -> ModelCard:
    told = description.get("card", {})
    if not isinstance(told, dict):
        raise CheckpointError(f"{path.stem}.json: card is a {type(told).__name__}; expected an object")
    text = {key: told[key] for key in _CARD_TEXT if isinstance(told.get(key), str)}
    training = told.get("training")
    name = description.get("name")
    return ModelCard(
        name=name if isinstance(name, str) else path.stem,
        family=description["family"],
        **{"title": path.stem, **text},
        fingerprint=fingerprint(path),
        training=training if isinstance(training, dict) else {k: v for k, v in told.items() if k not in _CARD_TEXT},
    )


def _first_identity(description: Mapping[str, Any]) -> FirstIdentity | None:
    told = description.get("first_identity")
    if told is None:
        return None
    seeds, psi = (told.get("seeds"), told.get("truncation")) if isinstance(told, dict) else (None, None)
    match seeds, psi:
        case [int(a), int(b)], float() | int() if min(a, b) >= 0 and max(a, b) < 2**32 and abs(psi) <= 2:
            return FirstIdentity((a, b), float(psi))
    raise CheckpointError(f'first_identity is {told!r:.60}; expected {{"seeds": [a, b], "truncation": psi}}')


def _first_to_json(first: FirstIdentity) -> dict[str, Any]:
    return {**asdict(first), "seeds": list(first.seeds)}


def _stored(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    wanted = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to("cpu", wanted, copy=True).contiguous()


def _kept(key: str, state: Mapping[str, Tensor]) -> bool:
    layer, _, leaf = key.rpartition(".")
    if leaf == "noise_const":
        return bool(state[f"{layer}.noise_strength"].any())
    return leaf != "resample_filter"


def _description(path: Path) -> dict[str, Any]:
    beside = path.with_suffix(".json")
    try:
        with open(beside, "rb") as file:
            raw = file.read(MOST_JSON + 1)
        if len(raw) > MOST_JSON:
            raise CheckpointError(f"{beside.name} is larger than {MOST_JSON} bytes; it is no model description")
        found = json.loads(raw)
    except OSError as error:
        raise CheckpointError(
            f"{beside.name}, which describes {path.name}, cannot be read: {error.strerror}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{beside.name} is no valid JSON ({str(error)[:100]}); fetch it again") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        given = found.get("format") if isinstance(found, dict) else type(found).__name__
        raise CheckpointError(f"{beside.name} has format {given!r}; expected {FORMAT!r}")
    if found.get("family") not in ("eg3d", *FAMILIES):
        known = ", ".join(("eg3d", *FAMILIES))
        raise CheckpointError(f"{beside.name} has family {str(found.get('family'))[:80]!r}; known are {known}")
    return found


def _load(path: Path, description: Mapping[str, Any]) -> TriPlaneGenerator:
    if description["family"] != "eg3d":
        raise CheckpointError(f"{path.name} is of family {description['family']!r}; expected 'eg3d'")
    try:
        return network_of(_config(description), _tensors(path))
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error


def _config(description: Mapping[str, Any]) -> EG3DConfig:
    given = description.get("config")
    kwargs = description.get("rendering_kwargs")
    if isinstance(given, dict) and "rendering" not in given and isinstance(kwargs, dict):
        given = {**given, "rendering": rendering_of_official(kwargs)}
    return EG3DConfig.from_dict(given)  # type: ignore[arg-type]


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - a file, not a dict
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"no readable safetensors file ({str(error)[:200]}); fetch it again") from error


def _layers(description: Mapping[str, Any], key: str, count: int) -> tuple[int, ...] | None:
    given = description.get(key)
    if given is None or given == []:
        return None
    if not isinstance(given, list) or not all(type(index) is int and 0 <= index < count for index in given):
        raise CheckpointError(f"{key} is {str(given)[:100]}; expected a list of layer numbers from 0 to {count - 1}")
    return tuple(sorted(set(given)))
