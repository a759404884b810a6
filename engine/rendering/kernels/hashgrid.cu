// Marches a hash-grid field (Mueller et al. 2022): occupied samples, encoding, density network, colour where it is seen.
//
// One thread follows one ray and keeps its samples' 32 inputs and two networks' sums in registers; weights are read
// from shared memory, the same one by all threads at once. The lattice and the quadrature ('left', NeRF eq. 3) are those
// of `render_occupancy`, the readable twin. A colour is asked for once some opacity has gathered, and serves for it all.
//
// Compile-time sizes: LEVELS; PAIRS of features a level; HIDDEN units and SAID outputs of the density network; FIRST and
// READ, the outputs that the colour network reads; WIDE_A and WIDE_B, its hidden units; SMOOTH, whether interpolation is.

#include "device.cuh"

#define INPUTS (2 * PAIRS * LEVELS)
#define HARMONICS 16
#define JOINED (READ + HARMONICS)
#define DENSITY_WEIGHTS (HIDDEN * INPUTS + HIDDEN + HIDDEN * SAID + SAID)
#define COLOUR_WEIGHTS (WIDE_A * JOINED + WIDE_A + WIDE_A * WIDE_B + WIDE_B + WIDE_B * 4 + 4)
#define WEIGHTS (DENSITY_WEIGHTS + COLOUR_WEIGHTS)

// One grid of the hierarchy; written by `hashgrid.py` with the same layout.
struct Level {
    float scale, shift;  // a coordinate of the unit cube times scale plus shift is one of the level's cells
    unsigned side;       // stride of a level that is stored densely
    unsigned size;       // vertices stored
    unsigned hashed;
    unsigned start;      // of the level in the table, vertices
};

// What a launch needs to know; written by `hashgrid.py` with the same layout.
struct Launch {
    float origin[3];       // of the camera, world units
    float corner[3];       // direction through pixel (0, 0), depth 1
    float across[3];       // what a column adds to it
    float down[3];         // what a row adds to it
    float near, far;       // of every ray; far < near: where the ray meets the field's box
    float box[6];          // the field's box, lowest and highest corner
    float tight[6];        // box of the occupied cells
    float cells_low[3];    // lowest corner of the occupancy grid
    float cells_scale[3];  // cells per world unit
    float warp[12];        // world into the unit cube, [3][4]
    float to_trained[12];  // world into the cube of the smallest cascade that training kept, [3][4]
    float turn[9];         // world directions to the network's, [3][3]
    float bias;            // added to the raw density
    float opaque;          // optical thickness at which a ray ends
    float sip;             // opacity that is gathered before a colour is asked for
    float background;      // what is added for light that is left: 1 white, 0 none
    int height, width;
    int samples;           // lattice positions from near to far
    int cells[3];
    int empty;             // 1: nothing is occupied
    int unit_rays;
    int halved;            // whether harmonics are those of (d + 1) / 2
    int cascades;          // that training kept; 0: anything may be anywhere
    int trained_side;      // cells along an edge of each
};

ON_DEVICE float placed(const float* row, const float* point) {
    return row[0] * point[0] + row[1] * point[1] + row[2] * point[2] + row[3];
}

// Whether training found something at a point, and where that lies in the unit cube.
ON_DEVICE bool located(const Launch& at, const unsigned* trained, const float* point, float* unit) {
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        unit[axis] = placed(at.warp + 4 * axis, point);
        if (!(unit[axis] >= 0.0f && unit[axis] <= 1.0f)) return false;
    }
    if (at.cascades == 0) return true;
    float centred[3], reach = 0.0f;
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        centred[axis] = placed(at.to_trained + 4 * axis, point) - 0.5f;
        reach = fmaxf(reach, fabsf(centred[axis]));
    }
    int cascade = 0;
    float shrink = (float)at.trained_side;
    for (; cascade < at.cascades - 1 && reach >= 0.5f; ++cascade) {
        reach *= 0.5f;
        shrink *= 0.5f;
    }
    unsigned flat = (unsigned)cascade;
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        const float cell = centred[axis] * shrink + 0.5f * (float)at.trained_side;
        if (!(cell >= 0.0f && cell < (float)at.trained_side)) return false;
        flat = flat * (unsigned)at.trained_side + (unsigned)cell;
    }
    return (trained[flat >> 5] >> (flat & 31u)) & 1u;
}

// A point of the unit cube to INPUTS numbers, level by level (section 3). Half precision features, two to a word.
ON_DEVICE void encode(const Level* levels, const unsigned* table, const float* unit, float* out) {
#pragma unroll
    for (int n = 0; n < LEVELS; ++n) {
        const Level level = levels[n];
        unsigned low[3];
        float part[3];
#pragma unroll
        for (int axis = 0; axis < 3; ++axis) {
            const float position = unit[axis] * level.scale + level.shift, below = floorf(position);
            low[axis] = (unsigned)(int)below;
            part[axis] = position - below;
            if (SMOOTH) part[axis] = part[axis] * part[axis] * (3.0f - 2.0f * part[axis]);
        }
        float sums[2 * PAIRS];
#pragma unroll
        for (int k = 0; k < 2 * PAIRS; ++k) sums[k] = 0.0f;
#pragma unroll
        for (int corner = 0; corner < 8; ++corner) {
            const unsigned x = low[0] + (corner & 1), y = low[1] + ((corner >> 1) & 1), z = low[2] + (corner >> 2);
            unsigned index;
            if (level.hashed) {
                index = (x ^ (y * 2654435761u) ^ (z * 805459861u)) & (level.size - 1u);
            } else {
                index = x + (y + z * level.side) * level.side;
                if (index >= level.size) index -= level.size;  // the outermost vertex of an axis wraps around
            }
            const float weight = ((corner & 1) ? part[0] : 1.0f - part[0]) *
                                 (((corner >> 1) & 1) ? part[1] : 1.0f - part[1]) *
                                 ((corner >> 2) ? part[2] : 1.0f - part[2]);
            const unsigned* vertex = table + (unsigned long long)(level.start + index) * PAIRS;
#pragma unroll
            for (int k = 0; k < PAIRS; ++k) {
                const unsigned pair = vertex[k];
                sums[2 * k] += weight * half_to_float((unsigned short)(pair & 0xffffu));
                sums[2 * k + 1] += weight * half_to_float((unsigned short)(pair >> 16));
            }
        }
#pragma unroll
        for (int k = 0; k < 2 * PAIRS; ++k) out[2 * PAIRS * n + k] = sums[k];
    }
}

// The density network. weights: rows [HIDDEN][INPUTS], bias [HIDDEN], columns [HIDDEN][SAID], bias [SAID].
ON_DEVICE void speak(const float* weights, const float* x, float* said) {
    const float* bias = weights + HIDDEN * INPUTS;
    const float* columns = bias + HIDDEN;
    const float* last = columns + HIDDEN * SAID;
#pragma unroll
    for (int o = 0; o < SAID; ++o) said[o] = last[o];
#ifdef __CUDACC__
#pragma unroll 1
#endif
    for (int h = 0; h < HIDDEN; ++h) {
        float sum = bias[h];
#pragma unroll
        for (int i = 0; i < INPUTS; ++i) sum += weights[h * INPUTS + i] * x[i];
        sum = fmaxf(sum, 0.0f);
#pragma unroll
        for (int o = 0; o < SAID; ++o) said[o] += columns[h * SAID + o] * sum;
    }
}

// The colour network. weights: rows [WIDE_A][JOINED], bias [WIDE_A], columns [WIDE_A][WIDE_B], bias [WIDE_B], columns
// [WIDE_B][4], bias [4]. Each of the first layer's units is handed on at once, so that only the second's are kept.
ON_DEVICE void shine(const float* weights, const float* said, const float* harmonics, float* rgb) {
    const float* bias = weights + WIDE_A * JOINED;
    const float* columns = bias + WIDE_A;
    const float* second_bias = columns + WIDE_A * WIDE_B;
    const float* last = second_bias + WIDE_B;
    float second[WIDE_B];
#pragma unroll
    for (int o = 0; o < WIDE_B; ++o) second[o] = second_bias[o];
#ifdef __CUDACC__
#pragma unroll 1
#endif
    for (int h = 0; h < WIDE_A; ++h) {
        float sum = bias[h];
#pragma unroll
        for (int i = 0; i < READ; ++i) sum += weights[h * JOINED + i] * said[FIRST + i];
#pragma unroll
        for (int i = 0; i < HARMONICS; ++i) sum += weights[h * JOINED + READ + i] * harmonics[i];
        sum = fmaxf(sum, 0.0f);
#pragma unroll
        for (int o = 0; o < WIDE_B; ++o) second[o] += columns[h * WIDE_B + o] * sum;
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) rgb[c] = last[WIDE_B * 4 + c];
#pragma unroll
    for (int o = 0; o < WIDE_B; ++o) {
        const float value = fmaxf(second[o], 0.0f);
#pragma unroll
        for (int c = 0; c < 3; ++c) rgb[c] += last[o * 4 + c] * value;
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) rgb[c] = sigmoid(rgb[c]);
}

// As `spherical_harmonics`.
ON_DEVICE void harmonics_of(const Launch& at, const float* direction, float* out) {
    float d[3];
#pragma unroll
    for (int row = 0; row < 3; ++row) {
        d[row] = at.turn[3 * row] * direction[0] + at.turn[3 * row + 1] * direction[1] +
                 at.turn[3 * row + 2] * direction[2];
        if (at.halved) d[row] = 0.5f * (d[row] + 1.0f);
    }
    const float x = d[0], y = d[1], z = d[2], xx = x * x, yy = y * y, zz = z * z;
    out[0] = 0.28209479f;
    out[1] = -0.48860251f * y;
    out[2] = 0.48860251f * z;
    out[3] = -0.48860251f * x;
    out[4] = 1.09254843f * x * y;
    out[5] = -1.09254843f * y * z;
    out[6] = 0.94617470f * zz - 0.31539157f;
    out[7] = -1.09254843f * x * z;
    out[8] = 0.54627422f * (xx - yy);
    out[9] = -0.59004359f * y * (3.0f * xx - yy);
    out[10] = 2.89061144f * x * y * z;
    out[11] = -0.45704580f * y * (5.0f * zz - 1.0f);
    out[12] = 0.37317633f * z * (5.0f * zz - 3.0f);
    out[13] = -0.45704580f * x * (5.0f * zz - 1.0f);
    out[14] = 1.44530572f * z * (xx - yy);
    out[15] = -0.59004359f * x * (xx - 3.0f * yy);
}

// One ray from its first to its last occupied sample. features [3][height * width], depth and alpha [height * width].
ON_DEVICE void follow(const Launch& at, const unsigned* bits, const unsigned* trained, const Level* levels,
                      const unsigned* table, const float* weights, int row, int column, float* features, float* depth,
                      float* alpha) {
    float ray[3], direction[3], harmonics[HARMONICS];
    float length = aim(at.corner, at.across, at.down, row, column, ray);
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        direction[axis] = ray[axis] / length;
        if (at.unit_rays) ray[axis] = direction[axis];
    }
    if (at.unit_rays) length = 1.0f;
    harmonics_of(at, direction, harmonics);
    float near = at.near, far = at.far;
    bool live = !at.empty;
    if (far < near) live = meets(at.box, at.origin, ray, near, far) && live;
    const float step = (far - near) / (float)(at.samples - 1), world = step * length;
    float thickness = 0.0f, total = 0.0f, waiting = 0.0f, distance = 0.0f, enter, leave, sum[3] = {0.0f, 0.0f, 0.0f};
    live = live && step > 0.0f && meets(at.tight, at.origin, ray, enter, leave);
    if (live) {
        int k = (int)ceilf((enter - near) / step), end = (int)floorf((leave - near) / step);
        k = k < 0 ? 0 : k;
        end = end > at.samples - 1 ? at.samples - 1 : end;
        for (; thickness < at.opaque; ++k) {
            float t = 0.0f, point[3], unit[3];
            // Empty cells are passed in a loop of their own: the threads of a warp meet again before the networks.
            for (; k <= end; ++k) {
                t = near + (float)k * step;
#pragma unroll
                for (int axis = 0; axis < 3; ++axis) point[axis] = at.origin[axis] + t * ray[axis];
                if (occupied(bits, at.cells_low, at.cells_scale, at.cells, point) && located(at, trained, point, unit))
                    break;
            }
            if (k > end) break;
            float x[INPUTS], said[SAID];
            encode(levels, table, unit, x);
            speak(weights, x, said);
            const float passed = exponential(fminf(said[0] + at.bias, 60.0f)) * world;
            const float weight = decayed(thickness) * (1.0f - decayed(passed));
            thickness += passed;
            total += weight;
            waiting += weight;
            distance += weight * t;
            if (waiting > at.sip) {
                float rgb[3];
                shine(weights + DENSITY_WEIGHTS, said, harmonics, rgb);
#pragma unroll
                for (int c = 0; c < 3; ++c) sum[c] += waiting * rgb[c];
                waiting = 0.0f;
            }
        }
    }
    const int pixel = row * at.width + column, pixels = at.height * at.width;
    // What still waits is of the colours that were seen.
    const float known = total - waiting, rescale = known > 0.0f ? total / known : 0.0f;
#pragma unroll
    for (int c = 0; c < 3; ++c) features[c * pixels + pixel] = sum[c] * rescale + at.background * (1.0f - total);
    const float end = near + (float)(at.samples - 1) * step;
    depth[pixel] = total > 0.0f ? fminf(distance / total, end) : end;
    alpha[pixel] = total;
}

#ifdef __CUDACC__
extern "C" __global__ void __launch_bounds__(THREADS, 3)
    render(const Launch* launch, const unsigned* bits, const unsigned* trained, const Level* grids,
           const unsigned* table, const float* networks, float* features, float* depth, float* alpha) {
    // All threads read the same weight at the same time, which shared memory broadcasts.
    __shared__ __align__(16) float weights[WEIGHTS];
    __shared__ Level levels[LEVELS];
    __shared__ Launch at;
    for (int i = threadIdx.x; i < WEIGHTS; i += THREADS) weights[i] = networks[i];
    for (int i = threadIdx.x; i < LEVELS; i += THREADS) levels[i] = grids[i];
    if (threadIdx.x == 0) at = *launch;
    __syncthreads();
    const int row = pixel_row(), column = pixel_column();
    if (row < at.height && column < at.width)
        follow(at, bits, trained, levels, table, weights, row, column, features, depth, alpha);
}
#else
extern "C" void render(const Launch* launch, const unsigned* bits, const unsigned* trained, const Level* grids,
                       const unsigned* table, const float* networks, float* features, float* depth, float* alpha) {
    for (int row = 0; row < launch->height; ++row)
        for (int column = 0; column < launch->width; ++column)
            follow(*launch, bits, trained, grids, table, networks, row, column, features, depth, alpha);
}
#endif
