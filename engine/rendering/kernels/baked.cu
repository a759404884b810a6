// Marches a baked grid: one thread a ray, through bricks of nodes that are found by a table of blocks.
//
// The same samples in the same order as `march_kernel.march` on the CPU, its twin: emission and absorption (NeRF, eq. 1)
// by the middle of equal steps, empty blocks passed whole, features read once some opacity has gathered. Features are
// summed in the grid's own bytes; their linear ranges, and the harmonics, are constant along a ray and come at its end.
//
// Compile-time sizes: CHANNELS, DEGREE of the harmonics (0..2), VALUES (bytes a node's features take, a multiple of 16),
// BLOCK (cells along the edge of a block, a power of two).

#include "device.cuh"

#define EDGE (BLOCK + 1)
#define BRICK (EDGE * EDGE * EDGE)
#define TERMS ((DEGREE + 1) * (DEGREE + 1))

// What a launch needs to know; written by `baked.py` with the same layout.
struct Launch {
    float origin[3];    // of the camera, world units
    float corner[3];    // direction through pixel (0, 0), depth 1
    float across[3];    // what a column adds to it
    float down[3];      // what a row adds to it
    float low[3];       // position of the first node
    float extent[3];    // from there to the last one
    float spacing;      // of nodes, world units
    float near, far;    // of every ray
    float step;         // world units
    float knee;         // density at which compressed storage bends; 0: raw storage, decoded by `activation`
    float visible;      // stored density under which a sample adds nothing
    float transparent;  // transmittance at which a ray ends
    float sip;          // opacity that is gathered before features are read again
    float background;   // what is added for light that is left: 1 white, 0 none
    int height, width;
    int nodes[3];       // along x, y, z
    int blocks[2];      // along y, z
    int activation;     // 0 softplus(x - 1), 1 softplus, 2 relu, 3 exp
    int by_density;     // whether a node's say in the features grows with its density
    int unit_rays;
};

ON_DEVICE float density_of(float raw, const Launch& at) {
    if (at.knee > 0.0f) {
        const float grown = exponential(raw);
        return at.knee * 0.5f * (grown - 1.0f / grown);
    }
    if (at.activation == 2) return fmaxf(raw, 0.0f);
    if (at.activation == 3) return exponential(fminf(raw, 60.0f));
    return softplus(at.activation == 0 ? raw - 1.0f : raw);
}

// As `spherical.basis`, for one unit direction.
ON_DEVICE void harmonics(float x, float y, float z, float* out) {
    out[0] = 1.0f;
#if DEGREE >= 1
    const float a = 1.7320508f;
    out[1] = a * y;
    out[2] = a * z;
    out[3] = a * x;
#endif
#if DEGREE >= 2
    const float b = 3.8729833f, c = 1.1180340f;
    out[4] = b * x * y;
    out[5] = b * y * z;
    out[6] = c * (3.0f * z * z - 1.0f);
    out[7] = b * x * z;
    out[8] = 0.5f * b * (x * x - y * y);
#endif
}

// Adds the eight corners' features, each by its share.
ON_DEVICE void gather(float* sums, const unsigned char* rows, const int* lines, const float* shares) {
#pragma unroll
    for (int first = 0; first < VALUES; first += 16) {
#pragma unroll
        for (int corner = 0; corner < 8; ++corner) {
            const uint4 packed = sixteen_bytes(rows + (long long)lines[corner] * VALUES + first);
            const unsigned words[4] = {packed.x, packed.y, packed.z, packed.w};
#pragma unroll
            for (int k = 0; k < 16; ++k)
                sums[first + k] += shares[corner] * (float)((words[k >> 2] >> (8 * (k & 3))) & 0xffu);
        }
    }
}

// One ray. features [CHANNELS][height * width], depth and alpha [height * width].
ON_DEVICE void follow(const Launch& at, const int* table, const float* density, const int* line,
                      const unsigned char* rows, const float* offset, const float* scale, int row, int column,
                      float* features, float* depth, float* alpha) {
    float ray[3], inverse[3], from[3];
    float length = aim(at.corner, at.across, at.down, row, column, ray);
    float enter = at.near, leave = at.far;
    const float shrink = at.unit_rays ? 1.0f / length : 1.0f;
    if (at.unit_rays) length = 1.0f;
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        ray[axis] *= shrink;
        // A component of exactly 0 would divide by zero; this one leaves the box after any other does.
        if (fabsf(ray[axis]) < 1e-9f) ray[axis] = 1e-9f;
        inverse[axis] = 1.0f / ray[axis];
        from[axis] = at.origin[axis] - at.low[axis];
        const float a = -from[axis] * inverse[axis], b = (at.extent[axis] - from[axis]) * inverse[axis];
        enter = fmaxf(enter, fminf(a, b));
        leave = fminf(leave, fmaxf(a, b));
    }
    const float cells = 1.0f / at.spacing, edge = at.spacing * (float)BLOCK, dt = at.step / length;
    float through = 1.0f, travelled = 0.0f, missing = 0.0f, waiting = 0.0f, sums[VALUES];
#pragma unroll
    for (int k = 0; k < VALUES; ++k) sums[k] = 0.0f;
    bool started = false;
    for (float t = enter + 0.5f * dt; t < leave && through > at.transparent;) {
        int cell[3];
        float part[3];
#pragma unroll
        for (int axis = 0; axis < 3; ++axis) {
            const float place = (from[axis] + t * ray[axis]) * cells;
            const float kept = fminf(fmaxf(place, 0.0f), (float)at.nodes[axis] - 1.001f);
            cell[axis] = (int)kept;
            part[axis] = kept - (float)cell[axis];
        }
        const int block[3] = {cell[0] / BLOCK, cell[1] / BLOCK, cell[2] / BLOCK};
        const int brick = table[(block[0] * at.blocks[0] + block[1]) * at.blocks[1] + block[2]];
        if (brick < 0) {
            // Leave the cube of blocks that are known to be empty, staying on the ray's own lattice.
            const int reach = -brick - 1;
            float exit = 1e30f;
#pragma unroll
            for (int axis = 0; axis < 3; ++axis) {
                const int side = ray[axis] > 0.0f ? block[axis] + 1 + reach : block[axis] - reach;
                exit = fminf(exit, ((float)side * edge - from[axis]) * inverse[axis]);
            }
            t += dt * fmaxf(1.0f, ceilf((exit - t) / dt));
            continue;
        }
        const int first = ((cell[0] % BLOCK) * EDGE + cell[1] % BLOCK) * EDGE + cell[2] % BLOCK;
        const long long start = (long long)brick * BRICK + first;
        float value[8];
#pragma unroll
        for (int corner = 0; corner < 8; ++corner)
            value[corner] = density[start + (corner >> 2) * EDGE * EDGE + ((corner >> 1) & 1) * EDGE + (corner & 1)];
        float pair[4];
#pragma unroll
        for (int k = 0; k < 4; ++k) pair[k] = value[2 * k] + part[2] * (value[2 * k + 1] - value[2 * k]);
        const float a = pair[0] + part[1] * (pair[1] - pair[0]), b = pair[2] + part[1] * (pair[3] - pair[2]);
        const float raw = a + part[0] * (b - a);
        if (raw > at.visible) {
            const float left = through * decayed(density_of(raw, at) * at.step), weight = through - left;
            through = left;
            travelled += weight * t;
            waiting += weight;
            if (waiting > at.sip) {
                started = true;
                float share[8], all = 0.0f;
                int lines[8];
#pragma unroll
                for (int corner = 0; corner < 8; ++corner) {
                    share[corner] = ((corner >> 2) ? part[0] : 1.0f - part[0]) *
                                    (((corner >> 1) & 1) ? part[1] : 1.0f - part[1]) *
                                    ((corner & 1) ? part[2] : 1.0f - part[2]);
                    if (at.by_density) share[corner] *= fmaxf(value[corner] - at.visible, 0.0f);
                    all += share[corner];
                }
                const float rescale = waiting / all;
#pragma unroll
                for (int corner = 0; corner < 8; ++corner) {
                    const int node = (corner >> 2) * EDGE * EDGE + ((corner >> 1) & 1) * EDGE + (corner & 1);
                    lines[corner] = line[start + node];
                    share[corner] *= rescale;
                    if (lines[corner] < 0) {  // out of sight: the others speak for it, rescaled at the end
                        missing += share[corner];
                        share[corner] = 0.0f;
                        lines[corner] = 0;
                    }
                }
                gather(sums, rows, lines, share);
                waiting = 0.0f;
            }
        }
        t += dt;
    }
    const float opacity = 1.0f - through;
    const int pixel = row * at.width + column, pixels = at.height * at.width;
    alpha[pixel] = opacity;
    depth[pixel] = started ? travelled / opacity : at.far;
    const float known = opacity - missing - waiting, rescale = known > 1e-6f ? opacity / known : 0.0f;
    float of[TERMS];
    harmonics(ray[0] / length, ray[1] / length, ray[2] / length, of);
#pragma unroll
    for (int c = 0; c < CHANNELS; ++c) {
        float total = at.background * through;
#pragma unroll
        for (int term = 0; term < TERMS; ++term) {
            const int k = term * CHANNELS + c;
            total += of[term] * (offset[k] * opacity + scale[k] * rescale * sums[k]);
        }
        features[c * pixels + pixel] = started ? total : at.background;
    }
}

#ifdef __CUDACC__
extern "C" __global__ void __launch_bounds__(THREADS)
    render(const Launch* launch, const int* table, const float* density, const int* line, const unsigned char* rows,
           const float* offset, const float* scale, float* features, float* depth, float* alpha) {
    __shared__ Launch at;
    if (threadIdx.x == 0) at = *launch;
    __syncthreads();
    const int row = pixel_row(), column = pixel_column();
    if (row < at.height && column < at.width)
        follow(at, table, density, line, rows, offset, scale, row, column, features, depth, alpha);
}
#else
extern "C" void render(const Launch* launch, const int* table, const float* density, const int* line,
                       const unsigned char* rows, const float* offset, const float* scale, float* features,
                       float* depth, float* alpha) {
    for (int row = 0; row < launch->height; ++row)
        for (int column = 0; column < launch->width; ++column)
            follow(*launch, table, density, line, rows, offset, scale, row, column, features, depth, alpha);
}
#endif
