"""The painter's own files: `<name>.safetensors` with the tensors and `<name>.json` beside it with all that is not.

Neither can hold code. The JSON is {"format": "neuroview-translator-1", "family": "vid2vid+spade", "name", "config": the
fields of `PainterConfig`, "resolution": [height, width] or null, "card": title, summary, licence, training}. Tensors
are the painter's, and under `flow.` those of the network that guesses motion, when there is one.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..base import ModelCard
from ..eg3d_generator import fingerprint
from ..errors import CheckpointError, NeuroviewError
from ..painter import Painter, PainterConfig
from ..weights import filled
from .plain_json import from_plain, to_plain

FORMAT = "neuroview-translator-1"
FAMILY = "vid2vid+spade"
FLOW = "flow."
_MOST_JSON = 4 << 20  # bytes; a description is a few thousand
_CARD_TEXT = ("title", "summary", "licence")


def sniff(path: Path) -> bool:
    """Whether the file is a painter: a safetensors file with a description of this format beside it."""
    description = path.with_suffix(".json")
    with open(path, "rb") as file:
        head = file.read(9)
    # Eight bytes of header length, then the header's opening brace.
    if len(head) < 9 or head[8:] != b"{" or not description.is_file():
        return False
    with open(description, "rb") as file:
        return FORMAT.encode() in file.read(_MOST_JSON)


def save(path: Path | str, painter: Painter, *, kind: torch.dtype = torch.float16) -> None:
    """Writes a painter as `path` (.safetensors) and its .json.

    Args:
        path: of the .safetensors file.
        painter: what to write; its card's texts and training go along.
        kind: of the stored tensors.

    Raises:
        CheckpointError: the files cannot be written.
    """
    path, card = Path(path), painter.card
    tensors = dict(painter.network.state_dict())
    if painter.flow is not None:
        tensors |= {FLOW + name: tensor for name, tensor in painter.flow.state_dict().items()}
    plain = {name: tensor.detach().to("cpu", kind).contiguous() for name, tensor in tensors.items()}
    description = {
        "format": FORMAT,
        "family": FAMILY,
        "name": path.stem,
        "config": to_plain(painter.config),
        "resolution": None if painter.resolution is None else list(painter.resolution),
        "card": {**{key: getattr(card, key) for key in _CARD_TEXT}, "training": card.training},
    }
    text = json.dumps(description, indent=1) + "\n"
    try:
        save_file(plain, str(path), metadata={"format": FORMAT, "name": path.stem})
        path.with_suffix(".json").write_text(text, "utf-8")
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be written: {str(error)[:200]}.") from error


def open_translator(path: Path | str) -> Painter:
    """Opens a painter, fp32 on the CPU.

    Raises:
        CheckpointError: the pair is incomplete or damaged, or its tensors do not fit its configuration.
    """
    path = Path(path)
    try:
        return _painter(path, _description(path), _tensors(path))
    except NeuroviewError as error:
        raise CheckpointError(f"{path.name}: {error}") from error


def _painter(path: Path, description: dict[str, Any], tensors: dict[str, Tensor]) -> Painter:
    config: PainterConfig = from_plain(PainterConfig, description.get("config"), "config")
    own = {name: tensor for name, tensor in tensors.items() if not name.startswith(FLOW)}
    guess = {name.removeprefix(FLOW): tensor for name, tensor in tensors.items() if name.startswith(FLOW)}
    network = filled(config.network, own)
    flow = None
    if config.flow_width:
        flow = filled(lambda: _present(config.flow_network()), guess)
    elif guess:
        raise CheckpointError(f"unknown tensor '{FLOW}{next(iter(guess))}': the configuration has no flow network")
    told = description.get("card")
    told = told if isinstance(told, dict) else {}
    name, training = description.get("name"), told.get("training")
    card = ModelCard(
        name=name if isinstance(name, str) else path.stem,
        family=FAMILY,
        **{"title": path.stem, **{key: told[key] for key in _CARD_TEXT if isinstance(told.get(key), str)}},
        fingerprint=fingerprint(path),
        configuration=asdict(config),
        training=training if isinstance(training, dict) else {},
    )
    return Painter(network, config, card, flow, _resolution(description.get("resolution")))


def _present(network: Any) -> Any:
    assert network is not None
    return network


def _resolution(given: Any) -> tuple[int, int] | None:
    if given is None:
        return None
    if not isinstance(given, list) or len(given) != 2 or not all(type(n) is int and 0 < n <= 8192 for n in given):
        raise CheckpointError(f"resolution is {str(given)[:80]}; expected [height, width] in pixels, or null")
    return given[0], given[1]


def _description(path: Path) -> dict[str, Any]:
    beside = path.with_suffix(".json")
    try:
        with open(beside, "rb") as file:
            raw = file.read(_MOST_JSON + 1)
        found = json.loads(raw) if len(raw) <= _MOST_JSON else None
    except OSError as error:
        raise CheckpointError(f"{beside.name}, which describes it, cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{beside.name} is no valid JSON ({str(error)[:100]}); fetch it again") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT or found.get("family") != FAMILY:
        raise CheckpointError(f"{beside.name} does not describe a {FAMILY!r} of format {FORMAT!r}; fetch it again")
    return found


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - a file, not a dict
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"no readable safetensors file ({str(error)[:200]}); fetch it again") from error
