"""`neuroview train eg3d|pigan --data FOLDER_OR_ZIP`: adversarial training from pictures alone."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from .task import TrainingError


def add_gan_options(parser: argparse.ArgumentParser) -> None:
    """Adds what only training from pictures reads; `--data` and the run's own options stand elsewhere."""
    group = parser.add_argument_group("training from pictures (--data FOLDER or FILE.zip)")
    group.add_argument(
        "--preset",
        choices=("tiny", "small", "official"),
        default="tiny",
        help="sizes of the networks: for a CPU, for a small GPU, or EG3D's and pi-GAN's own (tiny)",
    )
    group.add_argument("--size", type=_size, help="side that pictures are reduced to, a power of two (their own)")
    group.add_argument("--batch", type=_batch, help="pictures a step of each process (by preset)")
    group.add_argument("--r1", type=_length, help="weight of the gradient penalty (by preset and size)")
    group.add_argument("--mirror", action="store_true", help="also learn from mirrored pictures, with mirrored cameras")
    group.add_argument(
        "--background", choices=("auto", "white", "black"), default="auto", help="behind the scene (auto)"
    )
    group.add_argument("--box", type=_length, help="side of the cube that holds the scene, in the cameras' units")
    group.add_argument(
        "--prior",
        type=_prior,
        metavar="KIND:YAW,PITCH",
        help="where cameras stand if the pictures do not say: gaussian or uniform with spreads in degrees, or sphere",
    )
    group.add_argument("--prior-fov", type=_degrees, default=13.4, metavar="DEGREES", help="its lens (13.4)")


def gan_task(options: argparse.Namespace, family: str) -> Any:
    """The task that the options describe.

    Args:
        options: with what `add_gan_options` adds, `data` and `seed`.
        family: eg3d or pigan.

    Raises:
        NeuroviewError: the pictures or cameras cannot be learned from; the message says why.
    """
    import dataclasses

    import torch

    from .gan_eg3d import EG3DGan
    from .gan_pigan import PiGANGan
    from .gan_poses import PosePrior, camera_of
    from .gan_recipe import eg3d_recipe, pigan_recipe
    from .gan_task import GanTask
    from .image_folder import ImageFolder, border_is_white

    data = ImageFolder(Path(options.data), size=options.size, mirror=options.mirror)
    if data.size & (data.size - 1) or data.size < 32:
        raise TrainingError(
            f"The pictures have {data.size} x {data.size} pixels; expected a power of two of at least 32. Give --size "
            f"{1 << (data.size.bit_length() - 1)}."
            if data.size > 32
            else f"The pictures have {data.size} x {data.size} pixels; at least 32 x 32 are needed."
        )
    data.verify()
    prior = None
    if not data.posed:
        if options.prior is None:
            raise TrainingError(
                f"{options.data} has no cameras (dataset.json with labels). Say where they stand, such as "
                "--prior gaussian:17,9 for portraits or --prior sphere for objects."
            )
        kind, yaw, pitch = options.prior
        focal = 0.5 / math.tan(0.5 * math.radians(options.prior_fov))
        prior = PosePrior(radius=2.7, focal=focal, yaw=yaw, pitch=pitch, spread=kind)
    torch.manual_seed(options.seed)
    camera = camera_of(data.labels if prior is None else prior.draw(4096))
    white = border_is_white(data) if options.background == "auto" else options.background == "white"
    made = {"white": white, "box": options.box, "seed": options.seed}
    if family == "eg3d":
        recipe: Any = eg3d_recipe(options.preset, data.size, camera, posed=data.posed, **made)
    else:
        recipe = pigan_recipe(options.preset, data.size, camera, **made)
    if options.batch is not None:
        recipe = dataclasses.replace(recipe, batch=options.batch)
    if options.r1 is not None:
        recipe = dataclasses.replace(recipe, adversary=dataclasses.replace(recipe.adversary, r1=options.r1))
    torch.manual_seed(options.seed)
    made_family = EG3DGan(recipe, camera) if family == "eg3d" else PiGANGan(recipe, camera)
    return GanTask(recipe, data, made_family, prior)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All options of a run from pictures, where a command has no others."""
    from .command import add_run_options

    parser.add_argument(
        "--data", required=True, metavar="PATH", help="a folder or .zip of pictures, laid out as EG3D's"
    )
    add_gan_options(parser)
    add_run_options(parser, minutes=110.0)


def main(options: argparse.Namespace) -> int:
    """Trains; `options.what` is the family.

    Raises:
        NeuroviewError: the pictures cannot be learned from, or the run went wrong.
    """
    from .command import run_task

    return run_task(gan_task(options, options.what), options)


def _size(text: str) -> int:
    value = int(text)
    if value not in (32, 64, 128, 256, 512, 1024):
        raise argparse.ArgumentTypeError(f"{text} is none of 32, 64, 128, 256, 512, 1024")
    return value


def _batch(text: str) -> int:
    value = int(text)
    if not 2 <= value <= 4096:
        raise argparse.ArgumentTypeError(f"{text} is outside 2..4096")
    return value


def _length(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not more than 0")
    return value


def _degrees(text: str) -> float:
    value = float(text)
    if not 1 <= value <= 150:
        raise argparse.ArgumentTypeError(f"{text} is outside 1..150 degrees")
    return value


def _prior(text: str) -> tuple[str, float, float]:
    kind, _, spreads = text.partition(":")
    if kind == "sphere" and not spreads:
        return kind, 0.0, 0.0
    parts = spreads.split(",")
    if kind not in ("gaussian", "uniform") or len(parts) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is no prior such as gaussian:17,9 or uniform:30,20 or sphere")
    yaw, pitch = (math.radians(float(part)) for part in parts)
    if not (0 <= yaw <= math.pi and 0 <= pitch <= 1.5):
        raise argparse.ArgumentTypeError(f"{text!r} has a spread outside 0..180 or 0..85 degrees")
    return kind, yaw, pitch
