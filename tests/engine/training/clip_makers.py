"""Tiny clips of a world of boxes, whose pictures follow from their maps: what a painter can learn in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from neuroview.engine.training.translator.clips import ClipWriter

HEIGHT, WIDTH = 32, 64


def frame(step: int, seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> dict[str, np.ndarray]:
    """A road below, a sky above, and a house that moves two pixels to the right a step."""
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    labels = np.where(rows < height // 2, 11, 1).astype(np.uint8)
    left = 4 + 7 * seed % 20 + 2 * step
    house = (columns >= left) & (columns < left + 20) & (rows >= 6) & (rows < height // 2 + 4)
    labels[house] = 3
    depth = np.where(labels == 11, np.inf, np.where(house, 20.0, 1000.0 / (rows + 1))).astype(np.float32)
    phase = np.where(house, (columns - left) / 5, np.nan).astype(np.float32)
    storey = np.where(house, (height // 2 + 4 - rows) / 5, np.nan).astype(np.float32)
    motion = np.zeros((height, width, 2), np.float32)
    motion[house, 0] = -2
    normals = np.full((height, width, 3), np.nan, np.float32)
    normals[labels == 1] = (0, -1, 0)
    normals[house] = (0, 0, -1)
    colours = {1: (90, 90, 95), 3: (180, 120, 90), 11: (120, 170, 230)}
    photo = np.zeros((height, width, 3), np.uint8)
    for label, colour in colours.items():
        photo[labels == label] = colour
    window = house & (np.mod(phase, 1) > 0.3) & (np.mod(storey, 1) > 0.3)
    photo[window] = (40, 45, 60)
    return {
        "labels": labels,
        "instances": np.where(house, 40 + seed, 0).astype(np.uint16),
        "photo": photo,
        "motion": motion,
        "depth": depth,
        "expected_depth": depth,
        "height": np.where(house, storey * 3, 0).astype(np.float32),
        "storey": storey,
        "bay": phase,
        "normals": normals,
        "shadow": np.where(labels == 11, np.nan, columns < 20).astype(np.float32),
        "ground": np.stack([columns / 3 + 100.0, rows / 2 - 70.0], -1).astype(np.float32),
        "sun": np.array([0.3, 0.2, 0.9], np.float32),
    }


def write(folder: Path, clips: int = 3, frames: int = 8, height: int = HEIGHT, width: int = WIDTH, **notes) -> Path:
    """Clips of such frames."""
    writer = ClipWriter(folder, height, width, clips * frames, notes=notes)
    for clip in range(clips):
        writer.add([frame(step, clip, height, width) for step in range(frames)])
    writer.close()
    return folder
