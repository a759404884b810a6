"""Pictures that show no head: what an inversion must not pretend to have found. All drawn here, none from elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

SIDE = 256
Draw = ImageDraw.ImageDraw


def _drawn(ground: str, strokes: Callable[[Draw], None]) -> Tensor:
    """A drawing at four times the size, brought down: [3, 256, 256] in 0..1."""
    image = Image.new("RGB", (4 * SIDE, 4 * SIDE), ground)
    strokes(ImageDraw.Draw(image))
    small = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(small, np.float32) / 255).permute(2, 0, 1).contiguous()


def _grid() -> tuple[Tensor, Tensor]:
    y, x = torch.meshgrid(torch.linspace(0, 1, SIDE), torch.linspace(0, 1, SIDE), indexing="ij")
    return x, y


def stripes() -> Tensor:
    x, y = _grid()
    return torch.stack([0.5 + 0.5 * torch.sin(40 * x), y, 0.5 + 0.5 * torch.sin(30 * (x + y))])


def noise() -> Tensor:
    return torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def flat() -> Tensor:
    return torch.tensor([0.2, 0.5, 0.7])[:, None, None].expand(3, SIDE, SIDE).clone()


def white() -> Tensor:
    return torch.ones(3, SIDE, SIDE)


def gradient() -> Tensor:
    x, y = _grid()
    return torch.stack([x, y, 1 - x])


def checks() -> Tensor:
    x, y = _grid()
    return (((8 * x).floor() + (8 * y).floor()) % 2).expand(3, SIDE, SIDE).clone()


def clouds() -> Tensor:
    source = torch.Generator().manual_seed(3)
    total = torch.zeros(3, SIDE, SIDE)
    for octave in range(1, 6):
        coarse = torch.rand(1, 3, 2**octave + 1, 2**octave + 1, generator=source)
        total += torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic")[0] / 2**octave
    return total.clamp(0, 1)


def house() -> Tensor:
    def strokes(draw: Draw) -> None:
        draw.rectangle((200, 480, 820, 960), fill="#c8743c")
        draw.polygon(((140, 480), (510, 140), (880, 480)), fill="#7a2e20")
        draw.rectangle((450, 700, 590, 960), fill="#4a3020")
        for left in (270, 650):
            draw.rectangle((left, 560, left + 120, 670), fill="#9cd0e8", outline="white", width=12)

    return _drawn("white", strokes)


def car() -> Tensor:
    def strokes(draw: Draw) -> None:
        draw.polygon(((80, 620), (250, 420), (680, 420), (830, 600), (960, 640), (960, 760), (80, 760)), fill="#c02030")
        draw.polygon(((290, 460), (460, 460), (460, 590), (210, 590)), fill="#d8ecf4")
        draw.polygon(((500, 460), (660, 460), (760, 590), (500, 590)), fill="#d8ecf4")
        for middle in (280, 780):
            draw.ellipse((middle - 90, 670, middle + 90, 850), fill="#202020")
            draw.ellipse((middle - 40, 720, middle + 40, 800), fill="#b0b0b0")

    return _drawn("white", strokes)


def tree() -> Tensor:
    def strokes(draw: Draw) -> None:
        draw.rectangle((0, 760, 1024, 1024), fill="#58a048")
        draw.rectangle((460, 560, 560, 900), fill="#6a4424")
        for x, y in ((510, 330), (370, 450), (650, 450), (510, 500)):
            draw.ellipse((x - 190, y - 190, x + 190, y + 190), fill="#2e7a34")

    return _drawn("#a8d4f0", strokes)


def ball() -> Tensor:
    x, y = _grid()
    radius = ((x - 0.5) ** 2 + (y - 0.5) ** 2).sqrt()
    light = (1 - ((x - 0.38) ** 2 + (y - 0.36) ** 2).sqrt() / 0.7).clamp(0, 1)
    inside = ((0.34 - radius) * SIDE).clamp(0, 1)
    colour = torch.tensor([0.95, 0.45, 0.1])[:, None, None] * light
    return colour * inside + 1 - inside


def star() -> Tensor:
    def strokes(draw: Draw) -> None:
        angles = np.pi * (np.arange(10) / 5 - 0.5)
        radii = np.where(np.arange(10) % 2 == 0, 440, 180)
        points = [(512 + r * np.cos(a), 512 + r * np.sin(a)) for r, a in zip(radii, angles, strict=True)]
        draw.polygon(points, fill="#f0c020")

    return _drawn("#203060", strokes)


def page() -> Tensor:
    def strokes(draw: Draw) -> None:
        widths = np.random.RandomState(0).randint(20, 110, 400)
        x, y = 90, 90
        for width in widths.tolist():
            if x + width > 940:
                x, y = 90, y + 52
            if y > 940:
                break
            draw.rectangle((x, y, x + width, y + 22), fill="#303030")
            x += width + 22

    return _drawn("white", strokes)


def smiley() -> Tensor:
    def strokes(draw: Draw) -> None:
        draw.ellipse((120, 120, 904, 904), fill="#ffd830", outline="black", width=24)
        for x in (380, 644):
            draw.ellipse((x - 50, 350, x + 50, 480), fill="black")
        draw.arc((300, 380, 724, 760), 20, 160, fill="black", width=36)

    return _drawn("white", strokes)


def bottle() -> Tensor:
    def strokes(draw: Draw) -> None:
        draw.rounded_rectangle((380, 340, 644, 960), 60, fill="#2c8a5a")
        draw.rectangle((460, 120, 564, 380), fill="#2c8a5a")
        draw.rectangle((450, 80, 574, 140), fill="#c0a050")
        draw.rectangle((380, 520, 644, 760), fill="#f4ecd0")

    return _drawn("white", strokes)


def fish() -> Tensor:
    def strokes(draw: Draw) -> None:
        draw.ellipse((140, 330, 760, 700), fill="#f08030")
        draw.polygon(((700, 515), (940, 320), (940, 710)), fill="#f08030")
        draw.ellipse((240, 440, 310, 510), fill="white")
        draw.ellipse((262, 462, 298, 498), fill="black")

    return _drawn("#70b8d8", strokes)


OTHERS: dict[str, Callable[[], Tensor]] = {
    made.__name__: made
    for made in (
        stripes,
        noise,
        flat,
        white,
        gradient,
        checks,
        clouds,
        house,
        car,
        tree,
        ball,
        star,
        page,
        smiley,
        bottle,
        fish,
    )
}
"""Name: what draws it."""
