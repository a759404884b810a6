"""Loops that tell a painter what an engine's maps say: the conditions, folded 2 x 2, as bfloat16.

They say again what `models.painter_conditions` says in torch, which is the readable twin and decides; what each number
means stands there. What the last picture says is told by `past_kernels.py`.
"""

from __future__ import annotations

import math

import numpy as np

from ..rendering.numba_setup import njit_serial
from .painting_kernels import bits_of, float_of, half, inlined, wide

# sin(2 pi t) of a quarter of a turn either way by its series: 4e-6 off at most, where bfloat16 is 2e-3.
_SERIES = tuple(np.float32((-1) ** k * (2 * math.pi) ** (2 * k + 1) / math.factorial(2 * k + 1)) for k in range(5))
# log2(1 + x) / x for 0..1 by the polynomial of its least squares: 2e-5 off at most.
_LOG = tuple(np.float32(term) for term in (0.0, 1.4418799, -0.7088652, 0.4152456, -0.1935165, 0.0452683))
_TOGETHER = 16
"""Pixels whose channels become bits together; even."""


@njit_serial
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


@njit_serial
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
    count, styles, channels = classes[29], tints.shape[1], made.shape[4]
    first = count + 1 + styles  # of sun and position
    one, zero = np.float32(1.0), np.float32(0.0)
    # Channels as numbers, of many pixels before they become bits: a number that is read as part of a vector just after
    # it was written alone is waited for.
    lines = np.zeros((_TOGETHER, channels), np.float32)
    for c in range(channels):  # what is the same in every frame stands there
        lines[:, c] = wide(made[0, 0, 0, 0, c])
    lines[:, :first] = zero
    for c in range(3):
        lines[:, first + c] = sun[c]
    if at[4] >= 0:
        lines[:, at[4] + 3] = pitch
    facing = min(max(sun[2], zero), one)
    shown, tags = np.full(_TOGETHER, -1, np.int64), np.zeros(_TOGETHER, np.int64)
    # A row's waves, logarithms and edges at once, as vectors: pixel by pixel they took most of the time.
    across = ground.reshape(ground.shape[0], 2 * ground.shape[1])
    pace = np.zeros(2 * width, np.float32)
    storeys, bays, metre = (
        np.zeros((2, width), np.float32),
        np.zeros((6, width), np.float32),
        np.zeros((6, 2 * width), np.float32),
    )
    edges, nears = np.zeros(width, np.float32), np.zeros(width, np.float32)
    # An index that may be negative is looked at before it is used.
    where, next_ = at.astype(np.uint64), np.uint64(1)
    edge_at, across_at, step = np.uint64(count), np.uint64(first + 4), np.float32(2.0 / (width - 1))
    halves = made.reshape(height // 2, width // 2, 2, 2 * channels)
    pairs = lines.reshape(_TOGETHER // 2, 2 * channels)
    for row in range(height):
        lines[:, first + 3] = np.float32(2.0 * row / (height - 1) - 1.0)
        _edges(key, row, edges)
        if at[0] >= 0:
            _nears(depth[row], nears)
        if at[2] >= 0:
            _paces(storey, row, 1, pace)
            _waves(storey[row], one, storeys[0], storeys[1])
            _fade(pace, one, storeys[0], storeys[1])
        if at[3] >= 0:
            _paces(bay, row, 1, pace)
            _waves(bay[row], np.float32(1 / 4), bays[0], bays[1])
            _four_times(bays[0], bays[1], bays[4], bays[5])
            _waves(bay[row], np.float32(1 / 3), bays[2], bays[3])
            _fade(pace, np.float32(1 / 4), bays[0], bays[1])
            _fade(pace, np.float32(1 / 3), bays[2], bays[3])
            _fade(pace, one, bays[4], bays[5])
        if at[6] >= 0:
            _paces(across, row, 2, pace)
            _waves(across[row], np.float32(1 / 64), metre[0], metre[1])
            _four_times(metre[0], metre[1], metre[2], metre[3])
            _four_times(metre[2], metre[3], metre[4], metre[5])
            _fade(pace, np.float32(1 / 64), metre[0], metre[1])
            _fade(pace, np.float32(1 / 16), metre[2], metre[3])
            _fade(pace, np.float32(1 / 4), metre[4], metre[5])
        for begin in range(0, width, _TOGETHER):
            several = min(_TOGETHER, width - begin)
            for n in range(np.uint64(several)):
                column, line = np.uint64(begin) + n, lines[n]
                here = key[row, column]
                if here != shown[n]:
                    line[classes[tags[n]]], shown[n] = zero, here
                    tag = here >> 32
                    tags[n] = tag
                    line[classes[tag]] = one
                    tint = starts[tag] + (here & 0xFFFF)
                    for c in range(styles):
                        line[count + 1 + c] = tints[tint, c]
                line[edge_at] = edges[column]
                line[across_at] = np.float32(column) * step - one
                if at[0] >= 0:
                    line[where[0]] = nears[column]
                if at[1] >= 0:
                    metres = _known(heights[row, column])
                    line[where[1]] = min(max(metres / np.float32(12.0), -one), np.float32(2.0))
                    line[where[1] + next_] = min(max(metres / np.float32(2.0), zero), one)
                if at[2] >= 0:
                    value = storey[row, column]
                    for k in range(np.uint64(2)):
                        line[where[2] + k] = storeys[k, column]
                    value = min(max(value, zero), np.float32(2.0)) - one if value == value else zero
                    line[where[2] + np.uint64(2)] = value
                if at[3] >= 0:
                    for k in range(np.uint64(6)):
                        line[where[3] + k] = bays[k, column]
                    bump = -max(bays[5, column], storeys[1, column]) if at[2] >= 0 else zero
                    line[where[3] + np.uint64(6)] = bump
                if at[4] >= 0:
                    x, y, z = normals[row, column, 0], normals[row, column, 1], normals[row, column, 2]
                    x, y, z = _known(x), _known(y), _known(z)
                    facing = zero
                    for c in range(np.uint64(3)):
                        value = x * level[0, c] + y * level[1, c] + z * level[2, c]
                        facing += value * sun[c]
                        line[where[4] + c] = value
                    facing = max(facing, zero)
                if at[5] >= 0:
                    dark = shadow[row, column]
                    line[where[5]] = _known(dark)
                    line[where[5] + next_] = _known((one - dark) * facing)
                if at[6] >= 0:
                    pair = column + column
                    for k in range(np.uint64(6)):
                        line[where[6] + k + k], line[where[6] + k + k + next_] = metre[k, pair], metre[k, pair + next_]
            for n in range(several // 2):
                out, both = halves[row >> 1, (begin >> 1) + n, row & 1], pairs[n]
                for c in range(np.uint64(both.size)):
                    out[c] = half(both[c])


@inlined
def _edges(key, row, edges):
    """Writes 1 where a pixel of a row shows another surface than one beside, above or below it, else 0."""
    width = key.shape[1]
    here, above, below = key[row], key[max(row - 1, 0)], key[min(row + 1, key.shape[0] - 1)]
    for n in range(width):
        edges[n] = np.float32((here[n] != above[n]) | (here[n] != below[n]))
    for n in range(1, width):
        edges[n] = np.float32((edges[n] > 0) | (here[n] != here[n - 1]))
    for n in range(width - 1):
        edges[n] = np.float32((edges[n] > 0) | (here[n] != here[n + 1]))


@inlined
def _nears(metres, nears):
    """Writes ln(metres) / 3 - 1 for 1..300 metres; 0 where there is no number."""
    one, octave = np.float32(1.0), np.float32(math.log(2) / 3)
    for n in range(metres.size):
        bits = bits_of(min(max(metres[n], one), np.float32(300.0)))  # pyright: ignore[reportCallIssue]
        # metres = (1 + x) times a power of two
        x = float_of((bits & np.uint32(0x7FFFFF)) | np.uint32(0x3F800000)) - one  # pyright: ignore[reportCallIssue]
        log2 = _LOG[5]
        log2 = log2 * x + _LOG[4]
        log2 = log2 * x + _LOG[3]
        log2 = log2 * x + _LOG[2]
        log2 = log2 * x + _LOG[1]
        log2 = log2 * x + np.float32(np.int32(bits >> np.uint32(23)) - np.int32(127))
        nears[n] = octave * log2 - one if metres[n] == metres[n] else np.float32(0.0)


@inlined
def _known(value):
    """0 where there is no number."""
    return value if abs(value) < np.float32(np.inf) else np.float32(0.0)


@inlined
def _paces(values, row, step, pace):
    """Writes by how much values [H, N] change to the next pixel, `step` numbers on; as `painter_conditions._pace`.

    NaN: unknown. Without branches, so that it becomes vectors.
    """
    here, inner = values[row], values.shape[1] - 2 * step
    for n in range(here.size):
        pace[n] = here[n] * np.float32(0.0)
    # Slices: an index that is a difference may be negative, and is looked at before it is used.
    left, middle, right, found = here[:inner], here[step:], here[2 * step :], pace[step:]
    for n in range(inner):
        found[n] = _lesser(abs(right[n] - middle[n]), abs(middle[n] - left[n]))
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
def _waves(values, frequency, sine, cosine):
    """Writes sines and cosines of phases; 0 where there is none."""
    quarter, zero = np.float32(0.25), np.float32(0.0)
    for n in range(values.size):
        turns = values[n] * frequency
        turns -= np.floor(turns + np.float32(0.5))
        there = abs(turns)
        folded = quarter - abs(there - quarter)
        known = values[n] == values[n]
        sine[n] = _sine(folded if turns >= zero else -folded) if known else zero
        cosine[n] = _sine(quarter - there) if known else zero


@inlined
def _four_times(sine, cosine, sines, cosines):
    """Writes those of four times the phases, by doubling them twice; 0 where there is none."""
    two = np.float32(2.0)
    for n in range(sine.size):
        s, c = sine[n], cosine[n]
        twice, rest = two * s * c, c * c - s * s
        sines[n], cosines[n] = two * twice * rest, rest * rest - twice * twice


@inlined
def _fade(pace, frequency, sine, cosine):
    """Makes waves as loud as pixels can show them."""
    zero = np.float32(0.0)
    for n in range(sine.size):
        loud = np.float32(1.0) - pace[n] * frequency
        loud = loud if loud > zero else zero  # also of NaN
        sine[n], cosine[n] = loud * sine[n], loud * cosine[n]


@inlined
def _sine(turns):
    """sin(2 pi turns) for -1/4..1/4."""
    z = turns * turns
    sum_ = _SERIES[4]
    sum_ = sum_ * z + _SERIES[3]
    sum_ = sum_ * z + _SERIES[2]
    sum_ = sum_ * z + _SERIES[1]
    return (sum_ * z + _SERIES[0]) * turns
