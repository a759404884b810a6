// What every kernel here stands on: the same lines as CUDA and as plain C++, so that tests run them on the CPU.

#ifdef __CUDACC__
#define ON_DEVICE __device__ __forceinline__
#else
#define ON_DEVICE inline
#include <cmath>
#include <cstring>
struct uint4 {
    unsigned x, y, z, w;
};
#endif

#ifdef __CUDACC__
ON_DEVICE float half_to_float(unsigned short bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}
ON_DEVICE uint4 sixteen_bytes(const void* from) { return __ldg((const uint4*)from); }
ON_DEVICE float exponential(float x) { return __expf(x); }
ON_DEVICE float softplus(float x) { return fmaxf(x, 0.0f) + __logf(1.0f + __expf(-fabsf(x))); }
ON_DEVICE float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }
#else
ON_DEVICE float half_to_float(unsigned short bits) {
    _Float16 value;
    std::memcpy(&value, &bits, sizeof value);
    return (float)value;
}
ON_DEVICE uint4 sixteen_bytes(const void* from) {
    uint4 packed;
    std::memcpy(&packed, from, sizeof packed);
    return packed;
}
ON_DEVICE float exponential(float x) { return std::exp(x); }
ON_DEVICE float softplus(float x) { return std::fmax(x, 0.0f) + std::log1p(std::exp(-std::fabs(x))); }
ON_DEVICE float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }
#define fmaxf std::fmax
#define fminf std::fmin
#define ceilf std::ceil
#define floorf std::floor
#define sqrtf std::sqrt
#define fabsf std::fabs
#endif

ON_DEVICE float decayed(float x) { return exponential(-x); }
ON_DEVICE int clamped(int x, int count) { return x < 0 ? 0 : (x >= count ? count - 1 : x); }

// A pixel's direction, depth 1: that through pixel (0, 0), and what columns and rows add. Returns its length.
ON_DEVICE float aim(const float* corner, const float* across, const float* down, int row, int column, float* ray) {
    float square = 0.0f;
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        ray[axis] = corner[axis] + (float)column * across[axis] + (float)row * down[axis];
        square += ray[axis] * ray[axis];
    }
    return sqrtf(square);
}

// Where a ray enters and leaves a box, lowest and highest corner (slab method); false: it misses.
ON_DEVICE bool meets(const float* box, const float* origin, const float* ray, float& enter, float& leave) {
    enter = -1e30f;
    leave = 1e30f;
    for (int axis = 0; axis < 3; ++axis) {
        float slope = fabsf(ray[axis]) < 1e-12f ? 1e-12f : ray[axis];
        float a = (box[axis] - origin[axis]) / slope, b = (box[3 + axis] - origin[axis]) / slope;
        enter = fmaxf(enter, fminf(a, b));
        leave = fminf(leave, fmaxf(a, b));
    }
    enter = fmaxf(enter, 0.0f);
    return leave > enter;
}

// Whether the cell of a point is occupied; 32 cells to a word. What lies outside belongs to the nearest cell.
ON_DEVICE bool occupied(const unsigned* bits, const float* low, const float* scale, const int* cells,
                        const float* point) {
    int flat = 0;
#pragma unroll
    for (int axis = 0; axis < 3; ++axis)
        flat = flat * cells[axis] + clamped((int)((point[axis] - low[axis]) * scale[axis]), cells[axis]);
    return (bits[flat >> 5] >> (flat & 31)) & 1u;
}

#ifdef __CUDACC__
// A block covers 8 x 16 pixels, a warp 4 x 8 of them: neighbouring rays meet the same cells and end together.
#define TILE_ROWS 8
#define TILE_COLUMNS 16
#define THREADS (TILE_ROWS * TILE_COLUMNS)
ON_DEVICE int pixel_row() { return blockIdx.y * TILE_ROWS + (threadIdx.x >> 6) * 4 + ((threadIdx.x & 31) >> 3); }
ON_DEVICE int pixel_column() { return blockIdx.x * TILE_COLUMNS + ((threadIdx.x >> 5) & 1) * 8 + (threadIdx.x & 7); }
#endif
