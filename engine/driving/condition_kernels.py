"""Loops that tell a painter what an engine's maps say: conditions and the believed past, folded 2 x 2, as bfloat16.

They say again what `models.painter_conditions` and `models.warp` say in torch, which is the readable twin and decides;
what each number means stands there.
"""

from __future__ import annotations

import math

import numpy as np

from .painting_kernels import half, inlined, serial

_TURN = 4096  # steps in the sine's table; the error is below 8e-4 and bfloat16's is 2e-3
_SINE = np.sin(2 * math.pi * np.arange(_TURN + _TURN // 4 + 1) / _TURN).astype(np.float32)
_QUARTER = _TURN // 4
_UNMIXED = np.float32(1 / 64)


@serial
def survey(labels, instances, normals, flat, key):
    """Writes each pixel's surface key; returns the least and greatest label and the sum of level surfaces' normals.

    Args:
        labels: [H, W] uint8.
        instances: [H, W] integers.
        normals: [H, W, 3] float32, or of no pixels.
        flat: [29], 1 for tags of what lies level.
        key: [H, W] int64 is written.
    """
    height, width = labels.shape
    low, high = 255, 0
    x, y, z = 0.0, 0.0, 0.0
    for row in range(height):
        for column in range(width):
            tag = np.int64(labels[row, column])
            low, high = min(low, tag), max(high, tag)
            key[row, column] = (tag << 32) + np.int64(instances[row, column])
            if normals.shape[0] and tag < 29 and flat[tag] > 0:
                x += _known(normals[row, column, 0])
                y += _known(normals[row, column, 1])
                z += _known(normals[row, column, 2])
    return low, high, x, y, z


@serial
def describe(
    key, tags, tints, starts, at, depth, heights, storey, bay, normals, shadow, ground, level, pitch, sun, made
):
    """Writes all channels that differ from pixel to pixel; those of parts that are not there are left as they are.

    Args:
        key: [H, W] int64, surface keys; labels were checked.
        tags: [29, classes], each tag's row of the one-hot map, bits.
        tints: [IDS groups, STYLES], bits.
        starts: [29], first row of each tag's group in `tints`.
        at: [7] first channels of depth, height, storey, bay, normals, shadow, ground; -1: not read or not there.
        depth, heights, storey, bay, shadow: [H, W].
        normals: [H, W, 3].
        ground: [H, W, 2].
        level: [3, 3]: from the camera's axes to levelled ones.
        pitch: how far the camera looks down.
        sun: [3].
        made: [H/2, W/2, 2, 2, C] bits, is written.
    """
    height, width = key.shape
    classes, styles = tags.shape[1], tints.shape[1]
    first = classes + 1 + styles  # of sun and position
    light = half(sun[0]), half(sun[1]), half(sun[2])
    pitched = half(pitch)
    east, north = ground[..., 0], ground[..., 1]
    for row in range(height):
        down = half(np.float32(2.0 * row / (height - 1) - 1.0))
        for column in range(width):
            out = made[row >> 1, column >> 1, row & 1, column & 1]
            here = key[row, column]
            tag = here >> 32
            for c in range(classes):
                out[c] = tags[tag, c]
            edge = column > 0 and key[row, column - 1] != here
            edge = edge or (column + 1 < width and key[row, column + 1] != here)
            edge = edge or (row > 0 and key[row - 1, column] != here)
            edge = edge or (row + 1 < height and key[row + 1, column] != here)
            out[classes] = half(np.float32(1.0)) if edge else np.uint16(0)
            tint = starts[tag] + (here & 0xFFFF)
            for c in range(styles):
                out[classes + 1 + c] = tints[tint, c]
            out[first], out[first + 1], out[first + 2] = light
            out[first + 3] = down
            out[first + 4] = half(np.float32(2.0 * column / (width - 1) - 1.0))
            if at[0] >= 0:
                metres = depth[row, column]
                near = min(max(metres, np.float32(1.0)), np.float32(300.0))
                far = half(np.log(near) / np.float32(3.0) - np.float32(1.0))
                out[at[0]] = far if metres == metres else np.uint16(0)
            if at[1] >= 0:
                metres = _known(heights[row, column])
                out[at[1]] = half(min(max(metres / np.float32(12.0), np.float32(-1.0)), np.float32(2.0)))
                out[at[1] + 1] = half(min(max(metres / np.float32(2.0), np.float32(0.0)), np.float32(1.0)))
            of_storey = np.float32(0.0)
            if at[2] >= 0:
                value = storey[row, column]
                if value == value:
                    of_storey = _wave(value, _pace(storey, row, column), np.float32(1.0), out, at[2], 1)
                else:
                    out[at[2]], out[at[2] + 1] = np.uint16(0), np.uint16(0)
                ramp = min(max(value, np.float32(0.0)), np.float32(2.0)) - np.float32(1.0)
                out[at[2] + 2] = half(ramp) if value == value else np.uint16(0)
            if at[3] >= 0:
                value, of_bay = bay[row, column], np.float32(0.0)
                if value == value:
                    pace = _pace(bay, row, column)
                    _wave(value, pace, np.float32(1 / 4), out, at[3], 1)
                    _wave(value, pace, np.float32(1 / 3), out, at[3] + 2, 1)
                    of_bay = _wave(value, pace, np.float32(1.0), out, at[3] + 4, 1)
                else:
                    out[at[3] : at[3] + 6] = 0
                out[at[3] + 6] = half(-max(of_bay, of_storey)) if at[2] >= 0 else np.uint16(0)
            facing = min(max(sun[2], np.float32(0.0)), np.float32(1.0))
            if at[4] >= 0:
                towards = normals[row, column]
                x, y, z = _known(towards[0]), _known(towards[1]), _known(towards[2])
                facing = np.float32(0.0)
                for c in range(3):
                    value = x * level[0, c] + y * level[1, c] + z * level[2, c]
                    facing += value * sun[c]
                    out[at[4] + c] = half(value)
                facing = max(facing, np.float32(0.0))
                out[at[4] + 3] = pitched
            if at[5] >= 0:
                dark = shadow[row, column]
                out[at[5]] = half(_known(dark))
                out[at[5] + 1] = half(_known((np.float32(1.0) - dark) * facing))
            if at[6] >= 0:
                for axis in range(2):
                    plane = east if axis == 0 else north
                    value = plane[row, column]
                    if value != value:
                        for c in range(axis, 12, 2):
                            out[at[6] + c] = np.uint16(0)
                        continue
                    pace = _pace(plane, row, column)
                    _wave(value, pace, np.float32(1 / 64), out, at[6] + axis, 2)
                    _wave(value, pace, np.float32(1 / 16), out, at[6] + 4 + axis, 2)
                    _wave(value, pace, np.float32(1 / 4), out, at[6] + 8 + axis, 2)


@serial
def recall(motion, key, before, expected, depth, picture, past, made):
    """Writes the last picture as seen from here where it can be believed, else zeros, and where that is.

    Args:
        motion: [H, W, 2].
        key: [H, W] int64.
        before: [H, W] int64: the last frame's.
        expected: [H, W]; of no pixels: depths are not compared.
        depth: [H, W], the last frame's.
        picture: [3, H, W], the last frame's, -1..1.
        past: [H/2, W/2, 2, 2, 4] float32, is written.
        made: the same as bfloat16's bits, is written.
    """
    height, width = key.shape
    for row in range(height):
        for column in range(width):
            out = past[row >> 1, column >> 1, row & 1, column & 1]
            bits = made[row >> 1, column >> 1, row & 1, column & 1]
            x, y = motion[row, column, 0] + np.float32(column), motion[row, column, 1] + np.float32(row)
            valid = x >= -0.5 and x <= width - 0.5 and y >= -0.5 and y <= height - 0.5
            valid = valid and _same_surface(x, y, key[row, column], before)
            if valid and expected.shape[0]:
                valid = _same_depth(x, y, expected[row, column], depth)
            if not valid:
                for c in range(4):
                    out[c], bits[c] = np.float32(0.0), np.uint16(0)
                continue
            x = min(max(x, np.float32(0.0)), np.float32(width - 1))
            y = min(max(y, np.float32(0.0)), np.float32(height - 1))
            left, top = int(x), int(y)
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            u, v = x - np.float32(left), y - np.float32(top)
            for c in range(3):
                above = picture[c, top, left] + u * (picture[c, top, right] - picture[c, top, left])
                below = picture[c, bottom, left] + u * (picture[c, bottom, right] - picture[c, bottom, left])
                out[c] = above + v * (below - above)
                bits[c] = half(out[c])
            out[3], bits[3] = np.float32(1.0), np.uint16(0x3F80)


@inlined
def _known(value):
    """0 where there is no number."""
    return value if abs(value) < np.float32(np.inf) else np.float32(0.0)


@inlined
def _pace(values, row, column):
    """By how much values [H, W] change from here to the next pixel; as `painter_conditions._pace`. NaN: unknown."""
    height, width = values.shape
    here = values[row, column]
    pace = here * np.float32(0.0)
    if 0 < column < width - 1:
        pace = _lesser(abs(values[row, column + 1] - here), abs(here - values[row, column - 1]))
    if 0 < row < height - 1:
        down = _lesser(abs(values[row + 1, column] - here), abs(here - values[row - 1, column]))
        if not pace >= down and down == down:
            pace = down
    return pace


@inlined
def _lesser(a, b):
    """The smaller one; of a number and NaN, the number."""
    return a if a <= b or b != b else b


@inlined
def _wave(value, pace, frequency, out, at, apart):
    """Writes sine and cosine of a phase, as loud as pixels can show it; returns the cosine."""
    loud = np.float32(1.0) - pace * frequency
    if not loud > 0:  # also of NaN
        out[at], out[at + apart] = np.uint16(0), np.uint16(0)
        return np.float32(0.0)
    turns = value * frequency
    step = int((turns - np.floor(turns)) * np.float32(_TURN) + np.float32(0.5))
    cosine = loud * _SINE[step + _QUARTER]
    out[at], out[at + apart] = half(loud * _SINE[step]), half(cosine)
    return cosine


@inlined
def _same_surface(x, y, key, before):
    """As `warp.same_surface`, of one pixel whose motion is finite."""
    height, width = before.shape
    right, left = int(np.floor(x + _UNMIXED)), int(np.ceil(x - _UNMIXED))
    bottom, top = int(np.floor(y + _UNMIXED)), int(np.ceil(y - _UNMIXED))
    right, left = min(max(right, 0), width - 1), min(max(left, 0), width - 1)
    bottom, top = min(max(bottom, 0), height - 1), min(max(top, 0), height - 1)
    same = before[bottom, right] == key and before[bottom, left] == key
    return same and before[top, right] == key and before[top, left] == key


@inlined
def _same_depth(x, y, expected, depth):
    """As `warp.same_depth`, of one pixel."""
    height, width = depth.shape
    column, row = min(max(int(np.rint(x)), 0), width - 1), min(max(int(np.rint(y)), 0), height - 1)
    there = depth[row, column]
    if not (expected > 0 and abs(there - expected) < np.float32(0.08) * expected + np.float32(0.3)):
        return False
    near, far = there, there
    for r in range(max(row - 1, 0), min(row + 2, height)):
        for c in range(max(column - 1, 0), min(column + 2, width)):
            value = depth[r, c]
            if value != value:
                return False
            near, far = min(near, value), max(far, value)
    slack = np.float32(0.05)
    return expected > near * np.float32(0.97) - slack and expected < far * np.float32(1.03) + slack
