"""Loops that tell a painter what an engine's maps say: conditions and the believed past, folded 2 x 2, as bfloat16.

They say again what `models.painter_conditions` and `models.warp` say in torch, which is the readable twin and decides;
what each number means stands there.
"""

from __future__ import annotations

import math

import numpy as np

from .painting_kernels import half, inlined, serial, wide

# sin(2 pi t) of a quarter of a turn either way by its series: 4e-6 off at most, where bfloat16 is 2e-3.
_SERIES = tuple(np.float32((-1) ** k * (2 * math.pi) ** (2 * k + 1) / math.factorial(2 * k + 1)) for k in range(5))
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
    key, classes, tints, starts, at, depth, heights, storey, bay, normals, shadow, ground, level, pitch, sun, made
):
    """Writes all channels that differ from pixel to pixel; those of parts that are not there are left as they are.

    Args:
        key: [H, W] int64, surface keys; labels were checked.
        classes: [29], each tag's channel of the one-hot map, and at the end how many such channels there are.
        tints: [IDS groups, STYLES] float32.
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
    count, styles = classes[29], tints.shape[1]
    first = count + 1 + styles  # of sun and position
    one, zero = np.float32(1.0), np.float32(0.0)
    # A pixel's channels as numbers; they become bits all at once, which takes a tenth of doing it one by one.
    line = np.zeros(made.shape[4], np.float32)
    for c in range(made.shape[4]):  # what is the same in every frame stands there
        line[c] = wide(made[0, 0, 0, 0, c])
    line[:first] = zero
    line[first : first + 3] = sun
    if at[4] >= 0:
        line[at[4] + 3] = pitch
    facing, last, tag = min(max(sun[2], zero), one), np.int64(-1), np.int64(0)
    # A row's waves at once, as vectors: pixel by pixel they took most of the time.
    across = ground.reshape(ground.shape[0], 2 * ground.shape[1])
    pace = np.zeros(2 * width, np.float32)
    storeys, bays, metre = (
        np.zeros((2, width), np.float32),
        np.zeros((6, width), np.float32),
        np.zeros((6, 2 * width), np.float32),
    )
    for row in range(height):
        line[first + 3] = np.float32(2.0 * row / (height - 1) - 1.0)
        if at[2] >= 0:
            _paces(storey, row, 1, pace)
            _waves(storey[row], pace, one, storeys[0], storeys[1])
        if at[3] >= 0:
            _paces(bay, row, 1, pace)
            _waves(bay[row], pace, np.float32(1 / 4), bays[0], bays[1])
            _waves(bay[row], pace, np.float32(1 / 3), bays[2], bays[3])
            _waves(bay[row], pace, one, bays[4], bays[5])
        if at[6] >= 0:
            _paces(across, row, 2, pace)
            _waves(across[row], pace, np.float32(1 / 64), metre[0], metre[1])
            _waves(across[row], pace, np.float32(1 / 16), metre[2], metre[3])
            _waves(across[row], pace, np.float32(1 / 4), metre[4], metre[5])
        for column in range(width):
            here = key[row, column]
            if here != last:
                line[classes[tag]], last = zero, here
                tag = here >> 32
                line[classes[tag]] = one
                tint = starts[tag] + (here & 0xFFFF)
                for c in range(styles):
                    line[count + 1 + c] = tints[tint, c]
            edge = column > 0 and key[row, column - 1] != here
            edge = edge or (column + 1 < width and key[row, column + 1] != here)
            edge = edge or (row > 0 and key[row - 1, column] != here)
            edge = edge or (row + 1 < height and key[row + 1, column] != here)
            line[count] = one if edge else zero
            line[first + 4] = np.float32(2.0 * column / (width - 1) - 1.0)
            if at[0] >= 0:
                metres = depth[row, column]
                near = min(max(metres, one), np.float32(300.0))
                line[at[0]] = np.log(near) / np.float32(3.0) - one if metres == metres else zero
            if at[1] >= 0:
                metres = _known(heights[row, column])
                line[at[1]] = min(max(metres / np.float32(12.0), -one), np.float32(2.0))
                line[at[1] + 1] = min(max(metres / np.float32(2.0), zero), one)
            if at[2] >= 0:
                value = storey[row, column]
                line[at[2]], line[at[2] + 1] = storeys[0, column], storeys[1, column]
                line[at[2] + 2] = min(max(value, zero), np.float32(2.0)) - one if value == value else zero
            if at[3] >= 0:
                for k in range(6):
                    line[at[3] + k] = bays[k, column]
                line[at[3] + 6] = -max(bays[5, column], storeys[1, column]) if at[2] >= 0 else zero
            if at[4] >= 0:
                x, y, z = normals[row, column, 0], normals[row, column, 1], normals[row, column, 2]
                x, y, z = _known(x), _known(y), _known(z)
                facing = zero
                for c in range(3):
                    value = x * level[0, c] + y * level[1, c] + z * level[2, c]
                    facing += value * sun[c]
                    line[at[4] + c] = value
                facing = max(facing, zero)
            if at[5] >= 0:
                dark = shadow[row, column]
                line[at[5]] = _known(dark)
                line[at[5] + 1] = _known((one - dark) * facing)
            if at[6] >= 0:
                for k in range(6):
                    line[at[6] + 2 * k], line[at[6] + 2 * k + 1] = metre[k, 2 * column], metre[k, 2 * column + 1]
            out = made[row >> 1, column >> 1, row & 1, column & 1]
            for c in range(np.uint64(line.size)):
                out[c] = half(line[c])


@serial
def extremes(depth, nearest, farthest):
    """Writes the least and greatest depth of each pixel and its neighbours; the least is -inf beside an unknown one.

    All are [H, W].
    """
    height, width = depth.shape
    endless = np.float32(np.inf)
    low, high = np.empty(width, np.float32), np.empty(width, np.float32)
    for row in range(height):
        above, here, below = depth[max(row - 1, 0)], depth[row], depth[min(row + 1, height - 1)]
        for n in range(width):
            known = (above[n] == above[n]) & (here[n] == here[n]) & (below[n] == below[n])
            low[n] = min(min(above[n], here[n]), below[n]) if known else -endless
            high[n] = max(max(above[n], here[n]), below[n]) if known else endless
        near, far = nearest[row], farthest[row]
        for n in range(1, width - 1):
            near[n] = min(min(low[n - 1], low[n]), low[n + 1])
            far[n] = max(max(high[n - 1], high[n]), high[n + 1])
        for n, other in ((0, min(1, width - 1)), (width - 1, max(width - 2, 0))):
            near[n], far[n] = min(low[n], low[other]), max(high[n], high[other])


@serial
def recall(motion, key, before, expected, depth, nearest, farthest, picture, past, made):
    """Writes the last picture as seen from here where it can be believed, else zeros, and where that is.

    Args:
        motion: [H, W, 2].
        key: [H, W] int64.
        before: [H, W] int64: the last frame's.
        expected: [H, W]; of no pixels: depths are not compared.
        depth: [H, W], the last frame's.
        nearest, farthest: [H, W] each, what `extremes` says of it.
        picture: [3, H, W], the last frame's, -1..1.
        past: [H/2, W/2, 2, 2, 4] float32, is written.
        made: the same as bfloat16's bits, is written.
    """
    height, width = key.shape
    endless, zero = np.float32(np.inf), np.float32(0.0)
    last_column, last_row = np.float32(width - 1), np.float32(height - 1)
    # Flat and in one piece: arrays handed on to functions, and a branch for each thing that may be wrong, take thrice
    # as long.
    keys, depths, near_of, far_of = before.reshape(-1), depth.reshape(-1), nearest.reshape(-1), farthest.reshape(-1)
    red, green, blue = picture[0].reshape(-1), picture[1].reshape(-1), picture[2].reshape(-1)
    for row in range(height):
        for column in range(width):
            out = past[row >> 1, column >> 1, row & 1, column & 1]
            bits = made[row >> 1, column >> 1, row & 1, column & 1]
            x, y = motion[row, column, 0] + np.float32(column), motion[row, column, 1] + np.float32(row)
            valid = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
            if not valid:  # also of NaN
                x, y = zero, zero
            inside_x, inside_y = min(max(x, zero), last_column), min(max(y, zero), last_row)
            here = key[row, column]
            # As `warp.same_surface`.
            right, left = np.floor(x + _UNMIXED), np.ceil(x - _UNMIXED)
            bottom, top = np.floor(y + _UNMIXED), np.ceil(y - _UNMIXED)
            right = np.int64(min(max(right, zero), last_column))
            left = np.int64(min(max(left, zero), last_column))
            bottom = np.int64(min(max(bottom, zero), last_row)) * width
            top = np.int64(min(max(top, zero), last_row)) * width
            valid &= (keys[bottom + right] == here) & (keys[bottom + left] == here)
            valid &= (keys[top + right] == here) & (keys[top + left] == here)
            if expected.shape[0]:  # as `warp.same_depth`
                metres, at = expected[row, column], np.int64(np.rint(inside_y)) * width + np.int64(np.rint(inside_x))
                near, far, slack = near_of[at], far_of[at], np.float32(0.05)
                valid &= (metres > zero) & (near > -endless)
                valid &= abs(depths[at] - metres) < np.float32(0.08) * metres + np.float32(0.3)
                valid &= (metres > near * np.float32(0.97) - slack) & (metres < far * np.float32(1.03) + slack)
            if not valid:
                for c in range(4):
                    out[c], bits[c] = zero, np.uint16(0)
                continue
            first, line = np.int64(inside_x), np.int64(inside_y)
            u, v = inside_x - np.float32(first), inside_y - np.float32(line)
            at = line * width + first
            beside, under = min(first + 1, width - 1) - first, (min(line + 1, height - 1) - line) * width
            for c in range(3):
                plane = red if c == 0 else green if c == 1 else blue
                above = plane[at] + u * (plane[at + beside] - plane[at])
                below = plane[at + under] + u * (plane[at + under + beside] - plane[at + under])
                value = above + v * (below - above)
                out[c], bits[c] = value, half(value)
            out[3], bits[3] = np.float32(1.0), np.uint16(0x3F80)


@inlined
def _known(value):
    """0 where there is no number."""
    return value if abs(value) < np.float32(np.inf) else np.float32(0.0)


@inlined
def _paces(values, row, step, pace):
    """Writes by how much values [H, N] change to the next pixel, `step` numbers on; as `painter_conditions._pace`.

    NaN: unknown. Without branches, so that it becomes vectors.
    """
    here = values[row]
    for n in range(here.size):
        pace[n] = here[n] * np.float32(0.0)
    for n in range(step, here.size - step):
        pace[n] = _lesser(abs(here[n + step] - here[n]), abs(here[n] - here[n - step]))
    if 0 < row < values.shape[0] - 1:
        above, below = values[row - 1], values[row + 1]
        for n in range(here.size):
            down = _lesser(abs(below[n] - here[n]), abs(here[n] - above[n]))
            pace[n] = down if (not pace[n] >= down) & (down == down) else pace[n]


@inlined
def _lesser(a, b):
    """The smaller one; of a number and NaN, the number."""
    return a if (a <= b) | (b != b) else b


@inlined
def _waves(values, pace, frequency, sine, cosine):
    """Writes sines and cosines of phases, as loud as pixels can show them; 0 where there is none."""
    quarter, zero = np.float32(0.25), np.float32(0.0)
    for n in range(values.size):
        loud = np.float32(1.0) - pace[n] * frequency
        loud = loud if loud > zero else zero  # also of NaN
        turns = values[n] * frequency
        turns -= np.floor(turns + np.float32(0.5))
        there = abs(turns)
        folded = quarter - abs(there - quarter)
        known = values[n] == values[n]
        sine[n] = loud * _sine(folded if turns >= zero else -folded) if known else zero
        cosine[n] = loud * _sine(quarter - there) if known else zero


@inlined
def _sine(turns):
    """sin(2 pi turns) for -1/4..1/4."""
    z = turns * turns
    sum_ = _SERIES[4]
    sum_ = sum_ * z + _SERIES[3]
    sum_ = sum_ * z + _SERIES[2]
    sum_ = sum_ * z + _SERIES[1]
    return (sum_ * z + _SERIES[0]) * turns
