"""What runs without a window: `neuroview render`, `--screenshot`, and the tour where there is no display."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track

from ..engine.state import Conditioning, ViewState, first_state
from ..engine.statefile import read_camera, read_state

if TYPE_CHECKING:
    from ..engine.model import Model

console = Console(stderr=True, highlight=False)


def state_from_options(options: argparse.Namespace, model: Model) -> ViewState:
    """The model's first view (or `--state`) with everything that was typed put on top."""
    state = replace(read_state(options.state)[0], model=model.reference) if options.state else model.first_state()
    state = with_typed_options(state, options, model)
    camera, latents = state.camera, state.latents
    typed = {n: math.radians(v) for n in ("yaw", "pitch", "roll", "fov") if (v := getattr(options, n)) is not None}
    if options.radius is not None:
        typed["radius"] = options.radius
    if typed:
        camera = replace(camera, cam2world=None, intrinsics=None, **typed)
    if options.camera:
        cam2world, intrinsics = read_camera(options.camera)
        camera = replace(camera, cam2world=cam2world, intrinsics=intrinsics)
    names = {"seed": "seed_a", "seed_b": "seed_b", "mix_geometry": "mix_geometry", "mix_appearance": "mix_appearance"}
    names |= {"truncation": "truncation", "cutoff": "cutoff", "noise": "noise"}
    chosen = {field: v for option, field in names.items() if (v := getattr(options, option)) is not None}
    conditioning = latents.conditioning
    if options.conditioning_yaw is not None:
        conditioning = Conditioning(math.radians(options.conditioning_yaw), conditioning.pitch)
    if options.conditioning_pitch is not None:
        conditioning = Conditioning(conditioning.yaw, math.radians(options.conditioning_pitch))
    latents = replace(latents, conditioning=conditioning, **chosen)
    quality = replace(state.quality, rung=options.quality or ("exact" if not options.state else state.quality.rung))
    output = replace(state.output, kind=options.output or state.output.kind, size=options.size or state.output.size)
    return replace(state, camera=camera, latents=latents, quality=quality, output=output)


def with_typed_options(state: ViewState, options: argparse.Namespace, model: Model) -> ViewState:
    """The state with every `--option`, and the camera that goes with them where the view was not given.

    Raises:
        CheckpointError: the model has no such option or choice; the message lists what there is.
    """
    if not options.option:
        return state
    state = replace(state, options=tuple(sorted({**dict(state.options), **dict(options.option)}.items())))
    usual = model.describe(state).camera
    return state if options.state else replace(first_state(model.reference, usual, state), options=state.options)


def render(options: argparse.Namespace) -> int:
    """`neuroview render`."""
    from ..engine.export.image import ExportError, save_npz, save_png

    suffix = Path(options.out).suffix.lower()
    if suffix not in (".png", ".npz"):
        raise ExportError(f"--out {options.out}: expected a name that ends in .png or .npz.")
    model = _open(options.model, options.device)
    state = state_from_options(options, model)
    with console.status(f"Rendering {Path(model.reference).name}"):
        frame = model.render(state)
    if suffix == ".npz":
        path = save_npz(options.out, frame)
    else:
        path = save_png(options.out, frame, model.info.card.fingerprint)
    height, width = frame.pixels.shape[:2] if suffix == ".png" else frame.rgb.shape[:2]
    console.print(f"{path}  {width} x {height}, {frame.detail}, {frame.milliseconds:.0f} ms")
    return 0


def screenshot(options: argparse.Namespace) -> int:
    """`neuroview [MODEL] --screenshot FILE.png`."""
    from ..engine.export.image import ExportError, save_png

    if Path(options.screenshot).suffix.lower() != ".png":
        raise ExportError(f"--screenshot {options.screenshot}: expected a name that ends in .png.")
    saved = read_state(options.state)[0] if options.state else None
    model = _open(options.model or (saved.model if saved else "heads"), options.device)
    state = replace(saved, model=model.reference) if saved else model.first_state()
    state = with_typed_options(state, options, model)
    state = replace(state, quality=replace(state.quality, rung="exact"))
    if options.size:
        state = replace(state, output=replace(state.output, size=options.size))
    with console.status("Rendering"):
        frame = model.render(state)
    console.print(f"{save_png(options.screenshot, frame, model.info.card.fingerprint)}")
    return 0


def tour(reference: str, reason: str, device: str = "auto", folder: Path | None = None) -> int:
    """Where no window can open: say so in one line and render a short tour to files instead."""
    from PIL import Image

    from ..engine.export.image import save_png

    folder = folder or Path("neuroview-tour")
    console.print(f"{reason} No window can open; rendering a short tour of {reference} to {folder}/ instead.")
    model = _open(reference, device)
    frames = []
    for name, state in track(_stops(model), "Touring", console=console, transient=True):
        frame = model.render(state)
        save_png(folder / f"{name}.png", frame, model.info.card.fingerprint)
        frames.append(Image.fromarray(frame.pixels[..., :3].cpu().numpy()).resize((256, 256)))
    columns = min(4, len(frames))
    sheet = Image.new("RGB", (256 * columns, 256 * math.ceil(len(frames) / columns)), "white")
    for i, picture in enumerate(frames):
        sheet.paste(picture, (256 * (i % columns), 256 * (i // columns)))
    sheet.save(folder / "tour.png")
    console.print(f"{len(frames)} pictures and {folder / 'tour.png'}, which shows them all.")
    return 0


def _stops(model: Model) -> list[tuple[str, ViewState]]:
    first = model.first_state()
    quality = replace(first.quality, rung="occupancy" if model.info.has_upsampler else "baked")
    first = replace(first, quality=quality)
    low, high = model.info.camera.yaw_range
    middle, reach = first.camera.yaw, min((high - low) / 2, math.pi / 2) * 0.7
    stops: list[tuple[str, ViewState]] = []
    for i in range(4):
        turned = replace(first.camera, yaw=middle + reach * (i / 1.5 - 1))
        stops.append((f"orbit_{i}", replace(first, camera=turned)))
    if model.info.layer_names:
        for seed in (1, 2):
            stops.append((f"seed_{seed}", replace(first, latents=replace(first.latents, seed_a=seed))))
        for name in ("mix_geometry", "mix_appearance"):
            stops.append((name, replace(first, latents=replace(first.latents, **{name: 1.0}))))
    stops.append(("depth", replace(first, output=replace(first.output, kind="depth"))))
    stops.append(("normals", replace(first, output=replace(first.output, kind="normals"))))
    return stops


def _open(reference: str, device: str) -> Model:
    with console.status(f"Opening {Path(reference).name}"):
        from ..engine.model import open_model
        from ..engine.process import prepare_process
        from ..engine.warmup import load_kept

        prepare_process()
        load_kept()
        return open_model(reference, device)
