// EG3D's volume rendering in one launch: ray, empty cells, two plane look-ups, decoder, compositing, early stop.
//
// One thread follows one ray (Chan et al. 2022, sections 4.1 and 4.2) and keeps all it gathers in registers; what
// the official renderer writes to memory between some fifty launches (samples, plane features, hidden layers, weights)
// never leaves the chip. The quadrature is that of `render_occupancy`, its readable twin. NVRTC compiles this file
// for the GPU; tests compile the very same lines for the CPU and compare them with the twin.
//
// Compile-time sizes: CHANNELS of a plane (multiple of 8), HIDDEN units, FEATURES (3 + a multiple of anything).

#include "device.cuh"

#define OUTPUTS (1 + FEATURES)
#define PADDED ((OUTPUTS + 3) / 4 * 4)

// What a launch needs to know; written by `triplane.py` with the same layout.
struct Launch {
    float origin[3];     // of the camera, world units
    float corner[3];     // direction through pixel (0, 0), depth 1
    float across[3];     // what a column adds to it
    float down[3];       // what a row adds to it
    float near, far;     // of every ray; far < near: where the ray meets the box of the planes
    float box[6];        // the planes' box, lowest and highest corner
    float tight[6];      // box of the occupied cells
    float cells_low[3];  // lowest corner of the occupancy grid
    float cells_scale[3];  // cells per world unit
    float plane_scale;   // world units to -1 .. 1 of the planes
    float shift;         // of the first sample, in steps
    float opaque;        // optical thickness at which a ray ends
    float background;    // what is added for light that is left: 1 white, 0 none
    int height, width;
    int samples;         // lattice positions from near to far
    int cells[3];
    int side;            // of a plane, texels
    int empty;           // 1: nothing is occupied
};

// Adds `weight` times eight channels at a time of the texel at `from`.
ON_DEVICE void add_texel(float* into, const unsigned short* from, float weight) {
#pragma unroll
    for (int c = 0; c < CHANNELS; c += 8) {
        const uint4 packed = sixteen_bytes(from + c);
        const unsigned pairs[4] = {packed.x, packed.y, packed.z, packed.w};
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            into[c + 2 * k] += weight * half_to_float((unsigned short)(pairs[k] & 0xffffu));
            into[c + 2 * k + 1] += weight * half_to_float((unsigned short)(pairs[k] >> 16));
        }
    }
}

// Bilinear look-up with zeros outside, pixel centres at (i + 1/2) / side: torch's grid_sample, align_corners=False.
ON_DEVICE void add_plane(float* into, const unsigned short* plane, int side, float column, float row) {
    const float u = ((column + 1.0f) * (float)side - 1.0f) * 0.5f, v = ((row + 1.0f) * (float)side - 1.0f) * 0.5f;
    const float left = floorf(u), top = floorf(v);
    const float right_part = u - left, bottom_part = v - top;
    const int i = (int)top, j = (int)left;
#pragma unroll
    for (int corner = 0; corner < 4; ++corner) {
        const int y = i + (corner >> 1), x = j + (corner & 1);
        const float weight =
            ((corner >> 1) ? bottom_part : 1.0f - bottom_part) * ((corner & 1) ? right_part : 1.0f - right_part);
        if (x >= 0 && y >= 0 && x < side && y < side) add_texel(into, plane + ((long)y * side + x) * CHANNELS, weight);
    }
}

// The decoder: softplus between two linear layers; raw density first, colour features through a widened sigmoid.
// weights: hidden rows [HIDDEN][CHANNELS] (the mean over three planes is folded in), hidden bias [HIDDEN],
// output columns [HIDDEN][PADDED], output bias [PADDED].
ON_DEVICE void decode(const float* weights, const float* x, float* out) {
    const float* bias = weights + HIDDEN * CHANNELS;
    const float* columns = bias + HIDDEN;
    const float* last = columns + HIDDEN * PADDED;
#pragma unroll
    for (int o = 0; o < OUTPUTS; ++o) out[o] = last[o];
#ifdef __CUDACC__
#pragma unroll 2
#endif
    for (int h = 0; h < HIDDEN; ++h) {
        float sum = bias[h];
#pragma unroll
        for (int c = 0; c < CHANNELS; ++c) sum += weights[h * CHANNELS + c] * x[c];
        sum = softplus(sum);
#pragma unroll
        for (int o = 0; o < OUTPUTS; ++o) out[o] += columns[h * PADDED + o] * sum;
    }
#pragma unroll
    for (int o = 1; o < OUTPUTS; ++o) out[o] = sigmoid(out[o]) * 1.002f - 0.001f;
}

// One ray from its first to its last occupied sample. features [FEATURES][height * width], depth and alpha [h * w].
ON_DEVICE void follow(const Launch& at, const unsigned* bits, const unsigned short* planes, const float* weights,
                      int row, int column, float* features, float* depth, float* alpha) {
    float ray[3];
    const float length = 1.0f / aim(at.corner, at.across, at.down, row, column, ray);
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) ray[axis] *= length;

    float near = at.near, far = at.far;
    bool live = !at.empty;
    if (far < near) live = meets(at.box, at.origin, ray, near, far) && live;
    const float step = (far - near) / (float)(at.samples - 1), start = near + at.shift * step;
    float sum[FEATURES], before[OUTPUTS];
#pragma unroll
    for (int f = 0; f < FEATURES; ++f) sum[f] = 0.0f;
    float thickness = 0.0f, total = 0.0f, distance = 0.0f, enter, leave;
    live = live && step > 0.0f && meets(at.tight, at.origin, ray, enter, leave);
    if (live) {
        int k = (int)ceilf((enter - start) / step), end = (int)floorf((leave - start) / step), last = -2;
        k = k < 0 ? 0 : k;
        end = end > at.samples - 1 ? at.samples - 1 : end;
        for (;; ++k) {
            float t = 0.0f, point[3];
            // Empty cells are passed in a loop of their own: the threads of a warp meet again before the decoder.
            for (; k <= end; ++k) {
                t = start + (float)k * step;
#pragma unroll
                for (int axis = 0; axis < 3; ++axis) point[axis] = at.origin[axis] + t * ray[axis];
                if (occupied(bits, at.cells_low, at.cells_scale, at.cells, point)) break;
            }
            if (k > end) break;
            float x[CHANNELS], here[OUTPUTS];
#pragma unroll
            for (int c = 0; c < CHANNELS; ++c) x[c] = 0.0f;
#pragma unroll
            for (int axis = 0; axis < 3; ++axis) point[axis] *= at.plane_scale;
            add_plane(x, planes, at.side, point[0], point[1]);
            add_plane(x, planes + (long)at.side * at.side * CHANNELS, at.side, point[0], point[2]);
            decode(weights, x, here);
            if (last == k - 1) {  // an interval joins neighbours on the lattice, so that gaps stay gaps
                const float passed = step * softplus((here[0] + before[0]) * 0.5f - 1.0f);
                const float weight = decayed(thickness) * (1.0f - decayed(passed));
#pragma unroll
                for (int f = 0; f < FEATURES; ++f) sum[f] += weight * 0.5f * (here[1 + f] + before[1 + f]);
                distance += weight * (t - 0.5f * step);
                total += weight;
                thickness += passed;
                if (thickness >= at.opaque) break;
            }
#pragma unroll
            for (int o = 0; o < OUTPUTS; ++o) before[o] = here[o];
            last = k;
        }
    }
    const int pixel = row * at.width + column, pixels = at.height * at.width;
#pragma unroll
    for (int f = 0; f < FEATURES; ++f) features[f * pixels + pixel] = sum[f] + at.background * (1.0f - total);
    const float end = start + (float)(at.samples - 1) * step;
    depth[pixel] = total > 0.0f ? fminf(distance / total, end) : end;
    alpha[pixel] = total;
}

#ifdef __CUDACC__
#define WEIGHTS (HIDDEN * CHANNELS + HIDDEN + HIDDEN * PADDED + PADDED)

extern "C" __global__ void __launch_bounds__(THREADS)
    render(const Launch* launch, const unsigned* bits, const unsigned short* planes, const float* decoder,
           float* features, float* depth, float* alpha) {
    // All threads read the same weight at the same time, which shared memory broadcasts.
    __shared__ __align__(16) float weights[WEIGHTS];
    __shared__ Launch at;
    for (int i = threadIdx.x; i < WEIGHTS; i += THREADS) weights[i] = decoder[i];
    if (threadIdx.x == 0) at = *launch;
    __syncthreads();
    const int row = pixel_row(), column = pixel_column();
    if (row < at.height && column < at.width)
        follow(at, bits, planes, weights, row, column, features, depth, alpha);
}
#else
extern "C" void render(const Launch* launch, const unsigned* bits, const unsigned short* planes, const float* decoder,
                       float* features, float* depth, float* alpha) {
    for (int row = 0; row < launch->height; ++row)
        for (int column = 0; column < launch->width; ++column)
            follow(*launch, bits, planes, decoder, row, column, features, depth, alpha);
}
#endif
