"""Reads checkpoints of stevliu/editnerf (`model.tar`, `NNNNNN.tar`); every size is inferred from the tensors.

Such a file is a `torch.save` of `{global_step, network_fn_state_dict, network_fine_state_dict, optimizer_state_dict,
styles, style_optimizer}`: the outer names of yenchenlin's NeRFs, other layers, and one row of `styles` an instance, the
shape code and then the colour code. Camera and sampling lie beside it or nowhere: `editnerf_beside.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from ..base import Generator, ModelCard
from ..cards import camera_facts
from ..editnerf import EditNeRFLayout, EditNeRFNetwork
from ..editnerf_generator import EditNeRFGenerator
from ..eg3d_generator import fingerprint
from ..errors import CheckpointError
from ..nerf import Encoding
from ..unpickle import Limits, unpickle
from ..weights import filled
from .editnerf_beside import find_setting
from .state_dicts import checked_tensor, checked_tensors, wanted
from .torch_file import names_in_head

COARSE, FINE, STYLES = "network_fn_state_dict", "network_fine_state_dict", "styles"
LICENCE = "MIT (code); the weights' terms are not stated"
# Generous: the published networks and their optimiser take 20 MB, a code 256 bytes.
_LIMITS = Limits(file_bytes=1 << 30)


def sniff(path: Path) -> bool:
    """Whether a file looks like such a checkpoint, by its bytes and never by its name; nothing is unpickled."""
    head = names_in_head(path)
    return COARSE.encode() in head and b"instance_to_fusion.weight" in head


def read(path: Path) -> dict[str, Any]:
    """The checkpoint's dictionary.

    Raises:
        UnsafePickle: it names something else than tensors and containers; nothing was run.
        CheckpointError: it is damaged, or holds no network or no codes.
    """
    content = unpickle(path, {}, _LIMITS)
    if not isinstance(content, dict) or not {COARSE, STYLES} <= content.keys():
        found = sorted(map(str, content))[:6] if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(f"{path.name} holds {found}, expected '{COARSE}' and '{STYLES}' as EditNeRF writes them.")
    return content


def open_generator(path: Path) -> Generator:
    """Opens a checkpoint for viewing.

    Raises:
        CheckpointError: as `read`; or a tensor is missing, of a wrong shape, or not finite; or something that lies
            beside the file is damaged.
    """
    path = Path(path)
    content = read(path)
    coarse = _network(content[COARSE], COARSE)
    fine = None if content.get(FINE) is None else _network(content[FINE], FINE)
    styles = _codes(content[STYLES], coarse.layout)
    if fine is not None and fine.layout.code != coarse.layout.code:
        raise CheckpointError(
            f"'{FINE}' reads codes of {fine.layout.code} numbers and '{COARSE}' of {coarse.layout.code}; "
            "expected the same. The file is damaged."
        )
    setting = find_setting(path, len(styles))
    # Published files are all called 'model'; their folder is the experiment.
    name = path.resolve().parent.name or path.stem
    step = content.get("global_step")
    count = "one instance" if len(styles) == 1 else f"{len(styles)} instances"
    card = ModelCard(
        name=name,
        family="editnerf",
        title=f"{name} (EditNeRF)",
        summary=f"A NeRF told of a shape and a colour, of {count}; seeds choose among them.",
        licence=LICENCE,
        fingerprint=fingerprint(path),
        configuration={**asdict((fine or coarse).layout), "instances": len(styles), "camera of": setting.name},
        training={**({"iterations": step} if isinstance(step, int) else {}), **camera_facts(setting.camera)},
    )
    return EditNeRFGenerator(coarse, fine, styles, card, setting)


def _network(tensors: Any, where: str) -> EditNeRFNetwork:
    state = checked_tensors(tensors, where)
    layout = layout_of(state, where)
    try:
        return filled(lambda: EditNeRFNetwork(layout), state)
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error}") from error


def _codes(tensor: Any, layout: EditNeRFLayout) -> Tensor:
    """[n, 2, code] from rows of the official file; a run without separate codes has one for both, told twice."""
    styles = checked_tensor(tensor, STYLES, "the checkpoint")
    width = layout.code
    if styles.ndim != 2 or not len(styles) or styles.shape[1] not in (width, 2 * width):
        raise CheckpointError(
            f"'{STYLES}' has shape {list(styles.shape)}, expected [instances, {2 * width}] (or {width}, where shape "
            "and colour share a code) as 'style_linears' reads them."
        )
    return styles.reshape(len(styles), -1, width).expand(-1, 2, -1).contiguous()


def layout_of(state: Mapping[str, Tensor], where: str) -> EditNeRFLayout:
    """The sizes that tensors of the official names have.

    Args:
        state: `mean_network.0.weight` and so on.
        where: what to call them in errors.

    Raises:
        CheckpointError: a tensor that tells a size is missing or no matrix; or this is a variant that is not supported.
    """

    def size(name: str) -> tuple[int, int]:
        outputs, inputs = wanted(state, f"{name}.weight", (None, None), where).shape
        return outputs, inputs

    if "output_linear.weight" in state:
        raise CheckpointError(f"{where} was trained without directions (no use_viewdirs), which is not supported.")
    embedding, code = size("style_linears.0.mlp.0")
    instance_width, seen = size("instance_network.0.0")
    shared = _count(state, "mean_network")
    shared_width, point = size("mean_network.0") if shared else (EditNeRFLayout.shared_width, seen - embedding)
    if seen == point:
        raise CheckpointError(f"{where} reads no codes (trained without use_styles), which is not supported.")
    bottleneck, fusion_width = size("bottleneck_linear")
    colour_width, told = size("rgb_network.0.0")
    density = 1 if "sigma_linear.weight" in state else _count(state, "sigma_linear")
    return EditNeRFLayout(
        points=_encoding(point, f"{where}: 'instance_network.0.0.weight'"),
        directions=_encoding(told - bottleneck - embedding, f"{where}: 'rgb_network.0.0.weight'"),
        code=code,
        embedding=embedding,
        embedding_depth=_count(state, "style_linears.0.mlp"),
        shared_depth=shared + 1 if shared else 0,
        shared_width=shared_width,
        instance_depth=_count(state, "instance_network"),
        instance_width=instance_width,
        fusion_depth=1 + _count(state, "fusion_network"),
        fusion_width=fusion_width,
        density_depth=max(density, 1),
        density_width=EditNeRFLayout.density_width if density < 2 else size("sigma_linear.0.0")[0],
        bottleneck=bottleneck,
        colour_depth=1 + _count(state, "rgb_network"),
        colour_width=colour_width,
    )


def _count(state: Mapping[str, Tensor], branch: str) -> int:
    """Layers `branch.0...`, `branch.1...`: one more than the greatest index, so that a gap is noticed later."""
    found = [int(m[1]) for m in (re.match(rf"{re.escape(branch)}\.(\d{{1,3}})\.", key) for key in state) if m]
    return 1 + max(found, default=-1)


def _encoding(width: int, what: str) -> Encoding:
    """The encoding that turns three coordinates into `width` numbers: themselves, and 6 more an octave."""
    if width < 3 or (width - 3) % 6:
        raise CheckpointError(f"{what} leaves {width} inputs for an encoding; expected 3, and 6 more an octave.")
    return Encoding(octaves=(width - 3) // 6)
