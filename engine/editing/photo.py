"""`Photo`: any picture a person brings, cut to a square, its subject told from what is behind it where it can be.

Nothing here knows what a face is. The subject is what differs from the picture's border: an alpha channel says so
outright, a plain backdrop by its colour, anything else by GrabCut (Rother et al. 2004) started from a centred oval.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

from .errors import EditError

LEAST_SIDE = 32
"""Pixels; a smaller picture says too little about anything."""
MOST_PIXELS = 100_000_000
WORKING_SIDE = 1024
"""Larger pictures are brought down to this first: no generator here draws larger ones."""
PLAIN = 0.03
"""Spread of the border's colours (median distance from their median, 0..1) up to which a backdrop is plain."""
STANDS_OUT = 0.055
"""Distance from a plain backdrop's colour, 0..1, at which something is not backdrop."""
ALIKE = 0.15
"""How far, in parts of the picture, a square picture's subject may be from where a generator puts it to be left so."""
SEGMENT_SIDE = 256


@dataclass(frozen=True)
class Box:
    """A square in a picture: pixels of its left upper corner and its side; it may reach over the edge."""

    left: float
    top: float
    side: float


@dataclass(frozen=True)
class Photo:
    """A square picture and what in it is the subject."""

    rgb: Tensor
    """[3, S, S], sRGB 0..1."""
    subject: Tensor | None
    """[S, S] in 0..1, 1 where the subject is; None: it cannot be told from what is behind."""
    box: Box
    """Where in the original picture it was."""

    def resized(self, side: int) -> Tensor:
        """The picture [3, side, side], averaged over pixels that become one."""
        return _resize(self.rgb, side)

    def subject_at(self, side: int) -> Tensor | None:
        """The subject's mask [side, side]."""
        return None if self.subject is None else _resize(self.subject[None], side)[0]

    def over(self, backdrop: float) -> Photo:
        """The same subject before plain grey (0 black, 1 white), as generators without a background draw it."""
        if self.subject is None:
            return self
        rgb = self.rgb * self.subject + backdrop * (1 - self.subject)
        return Photo(rgb, self.subject, self.box)


@dataclass(frozen=True)
class Picture:
    """A picture as it was read, upright."""

    rgb: Tensor
    """[3, H, W], sRGB 0..1."""
    subject: Tensor | None
    """[H, W] in 0..1."""

    def cut(self, box: Box | None = None) -> Photo:
        """A square of it; beyond the edge the border goes on.

        Args:
            box: what a person marked; None: the middle square.

        Raises:
            EditError: the box holds next to nothing of the picture.
        """
        height, width = self.rgb.shape[1:]
        if box is None:
            side = float(min(height, width))
            box = Box((width - side) / 2, (height - side) / 2, side)
        across = min(box.left + box.side, width) - max(box.left, 0.0)
        down = min(box.top + box.side, height) - max(box.top, 0.0)
        if min(across, down) < LEAST_SIDE:
            raise EditError(
                f"The marked square holds {max(across, 0):.0f} x {max(down, 0):.0f} pixels of the picture; at least "
                f"{LEAST_SIDE} x {LEAST_SIDE} are needed. Mark a larger one."
            )
        side = min(max(round(box.side), LEAST_SIDE), WORKING_SIDE)
        step = (torch.arange(side) + 0.5) / side * box.side
        x, y = (box.left + step) / width * 2 - 1, (box.top + step) / height * 2 - 1
        grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)[None]  # [1, S, S, 2]: across, down
        layers = self.rgb if self.subject is None else torch.cat([self.rgb, self.subject[None]])
        found = F.grid_sample(layers[None], grid, padding_mode="border", align_corners=False)[0].clamp(0, 1)
        return Photo(found[:3], None if self.subject is None else found[3], box)

    def framed(self, occupied: tuple[float, float, float]) -> Box:
        """The square in which the subject stands as a generator's own pictures show theirs.

        Args:
            occupied: (middle across, top, height) of the generator's subject in its own picture, 0..1.
        """
        if self.subject is None:
            height, width = self.rgb.shape[1:]
            side = float(min(height, width))
            return Box((width - side) / 2, (height - side) / 2, side)
        middle, top, tall = extent(self.subject)
        height, width = self.subject.shape
        alike = abs(tall - occupied[2]) < ALIKE and abs(middle - occupied[0]) < ALIKE and abs(top - occupied[1]) < ALIKE
        if height == width and alike:  # already framed so: what differs is the subject's own size
            return Box(0.0, 0.0, float(width))
        side = tall * height / max(occupied[2], 0.1)
        return Box(middle * width - occupied[0] * side, top * height - occupied[1] * side, side)


def read_picture(source: str | Path) -> Picture:
    """Reads a picture file: turned as its EXIF says, any mode as sRGB, alpha as the subject.

    Raises:
        EditError: it is missing, not a picture, too small or absurdly large.
    """
    path = Path(source)
    try:
        with Image.open(path) as file:
            width, height = file.size
            if min(width, height) < LEAST_SIDE:
                raise EditError(
                    f"{path.name} has {width} x {height} pixels; at least {LEAST_SIDE} x {LEAST_SIDE} are needed."
                )
            if width * height > MOST_PIXELS:
                raise EditError(f"{path.name} has {width} x {height} pixels; at most {MOST_PIXELS // 10**6} million.")
            file.draft("RGB", (WORKING_SIDE, WORKING_SIDE))  # a large JPEG need not be decoded whole
            upright = ImageOps.exif_transpose(file)
            transparent = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
            picture = upright.convert("RGBA" if transparent else "RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise EditError(f"{path.name} is not a picture that can be read. Expected a PNG, JPEG or WebP file.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise EditError(
            f"{path.name} cannot be read as a picture ({reason}). Copy it again or choose another."
        ) from error
    picture.thumbnail((2 * WORKING_SIDE, 2 * WORKING_SIDE))
    values = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).permute(2, 0, 1).contiguous()
    alpha = values[3] if transparent else None
    if alpha is not None and float(alpha.min()) > 0.99:  # an alpha channel that says nothing
        alpha = None
    return Picture(values[:3], alpha if alpha is not None else find_subject(values[:3]))


def picture_of(rgb: Tensor) -> Picture:
    """A picture that is in memory: [3, H, W], sRGB 0..1."""
    return Picture(rgb, find_subject(rgb))


def find_subject(rgb: Tensor) -> Tensor | None:
    """A mask [H, W] in 0..1 of what is not backdrop in a picture [3, H, W]; None where nothing sensible is found."""
    height, width = rgb.shape[1:]
    scale = SEGMENT_SIDE / max(height, width)
    small = F.interpolate(rgb[None], size=(max(8, round(height * scale)), max(8, round(width * scale))), mode="area")[0]
    # The lower edge is left out: portraits are cut off there.
    edge = max(2, SEGMENT_SIDE // 64)
    border = torch.cat([small[:, :edge].flatten(1), small[:, :, :edge].flatten(1), small[:, :, -edge:].flatten(1)], 1)
    middle = border.median(1).values
    distance = (border - middle[:, None]).abs().amax(0)
    if float(distance.quantile(0.6)) < PLAIN:
        away = (rgb - middle[:, None, None]).abs().amax(0)
        mask = ((away - 0.5 * STANDS_OUT) / STANDS_OUT).clamp(0, 1)
        mask = _filled(mask)
    else:
        mask = F.interpolate(_grab_cut(small)[None, None], size=(height, width), mode="bilinear")[0, 0]
    share = float(mask.mean())
    return mask if 0.03 < share < 0.95 else None


def extent(mask: Tensor) -> tuple[float, float, float]:
    """Where a mask [H, W] is: (middle across, top, height), as parts of the width and the height."""
    solid = mask > 0.5
    rows, columns = solid.any(1).nonzero()[:, 0], solid.any(0).nonzero()[:, 0]
    if len(rows) == 0:
        return 0.5, 0.0, 1.0
    top, bottom = int(rows[0]) / len(mask), (int(rows[-1]) + 1) / len(mask)
    middle = (int(columns[0]) + int(columns[-1]) + 1) / 2 / mask.shape[1]
    return middle, top, bottom - top


def _filled(mask: Tensor) -> Tensor:
    """The mask with its holes closed: white teeth before a white wall are no backdrop."""
    solid = (mask.numpy() > 0.5).astype(np.uint8)
    solid = cv2.morphologyEx(solid, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    large = [outline for outline in outlines if cv2.contourArea(outline) > 0.002 * solid.size]
    filled = cv2.drawContours(np.zeros_like(solid), large, -1, 1, cv2.FILLED)
    inside = cv2.erode(filled, np.ones((3, 3), np.uint8), borderValue=1)
    kept = np.where(inside > 0, 1.0, np.where(filled > 0, mask.numpy(), 0.0))
    return torch.from_numpy(kept.astype(np.float32))


def _grab_cut(small: Tensor) -> Tensor:
    """GrabCut from a centred oval: a mask [h, w] of 0 and 1."""
    height, width = small.shape[1:]
    pixels = (small.permute(1, 2, 0).numpy()[:, :, ::-1] * 255).astype(np.uint8).copy()
    guess = np.full((height, width), cv2.GC_BGD, np.uint8)
    centre = (width // 2, round(0.55 * height))
    cv2.ellipse(guess, centre, (round(0.44 * width), round(0.52 * height)), 0, 0, 360, int(cv2.GC_PR_FGD), -1)
    cv2.ellipse(guess, centre, (round(0.12 * width), round(0.16 * height)), 0, 0, 360, int(cv2.GC_FGD), -1)
    cv2.setRNGSeed(0)
    cv2.grabCut(pixels, guess, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    found = np.isin(guess, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    return torch.from_numpy(found)


def _resize(layers: Tensor, side: int) -> Tensor:
    if layers.shape[-1] == side:
        return layers
    smaller = side < layers.shape[-1]
    mode = "bilinear"
    return F.interpolate(layers[None], size=(side, side), mode=mode, antialias=smaller, align_corners=False)[0].clamp(
        0, 1
    )
