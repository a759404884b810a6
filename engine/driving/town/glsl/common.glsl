// Constants, hashes and what both the maps and the pictures must agree on: road markings and the rim of leaves.
const float PERIOD = 64.0;
const float ROAD_HALF = 5.5;
const float WALK = 3.2;
const float JUNCTION = 6.5;
const float PARKED = 3.3;
const float SIZE = 448.0;

const int ROAD = 0, SIDEWALK = 1, KERB = 2, FACADE = 3, ROOF = 4, LEAVES = 5, TRUNK = 6, METAL = 7, GRASS = 8;
const int PAINT = 9, GLASS = 10, TYRE = 11, HEADLIGHT = 12, TAILLIGHT = 13, SIGNAL_BOX = 14, SIGN = 15, CLOTH = 16;
const int SKIN = 17, FENCE = 18, TRIM = 19, AWNING = 20, LEGS = 21, HEDGE = 22, LAMP = 23, HUB = 24, WATER = 25;
const int STREET_LAMP = 26;

const int BUILDING_TAG = 3, LIGHT_TAG = 7, SKY_TAG = 11, PERSON_TAG = 12, CAR_TAG = 14, LINE_TAG = 24;

// One value tile of 256 x 256: grain, two sizes of blotches, soft clouds. It repeats every 4 m where it is fine and
// every 64 m where it is coarse; both divide SIZE, so the torus has no seam.
uniform sampler2D noise;
// Its fine blotches alone: a software rasteriser reads one channel much faster than four.
uniform sampler2D leafage;

// A software rasteriser computes both sides of every `if`; it does leave a loop that no pixel of a group needs. `once`
// is 1, which no compiler knows.
uniform int once;
#define WHEN(condition) for (int when_ = 0; when_ < ((condition) ? once : 0); ++when_)

// PCG's permutation: the same as in models/tints.py.
uint pcg(uint x, uint stream) {
    uint state = x * 747796405u + (2891336453u + 1013904223u * stream);
    uint word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return (word >> 22u) ^ word;
}

float code(float id, uint stream) { return float(pcg(uint(id + 0.5), stream) >> 8u) / 16777216.0; }

float cell_hash(vec2 cell, float id) {
    uvec2 c = uvec2(ivec2(floor(cell)) + 4096);
    return float(pcg(c.x * 1973u + c.y * 9277u + uint(id + 0.5) * 26699u, 7u) >> 8u) / 16777216.0;
}

float grain(vec2 metres, float lod) { return textureLod(noise, metres / 4.0, lod).r; }
vec2 blotches(vec2 metres) { return textureLod(noise, metres / 64.0, 0.0).gb; }

// 0..1 through a volume, from two slices of the tile; smooth over about a third of a metre.
float leaf_noise(vec3 p) {
    float a = textureLod(leafage, (p.xy + vec2(0.6, 0.8) * p.z) / 16.0, 0.0).r;
    float b = textureLod(leafage, (p.yx + vec2(-0.8, 0.6) * p.z) / 16.0 + 0.37, 0.0).r;
    return a + b - 0.5;
}

bool leaf_gap(vec3 world, vec3 normal, vec3 to_eye) {
    return abs(dot(normal, to_eye)) < 0.75 * leaf_noise(world) - 0.05;
}

// 1 where the road is painted; `soft` is half the width of an edge, metres, 0 for none.
float marking(vec2 p, float soft) {
    vec2 d = p - floor(p / PERIOD + 0.5) * PERIOD;
    float w = soft + 1e-4, m = 0.0;
    for (int k = 0; k < 2; k++) {
        float t = k == 0 ? d.x : d.y, l = k == 0 ? d.y : d.x;
        float at = abs(t), al = abs(l);
        float road = step(al, ROAD_HALF) * step(JUNCTION - 0.2, at);
        float dash = at > JUNCTION + 7.0 ? step(abs(fract(t / 8.0) - 0.5), 0.25) : step(JUNCTION + 3.9, at);
        m = max(m, road * dash * (1.0 - smoothstep(0.09 - w, 0.09 + w, al)));
        m = max(m, road * step(JUNCTION + 4.0, at) * (1.0 - smoothstep(0.06 - w, 0.06 + w, abs(al - PARKED))));
        float bar = 1.0 - smoothstep(0.27 - w, 0.27 + w, abs(fract(l / 1.1) * 1.1 - 0.55));
        float across = smoothstep(0.4 - w, 0.4 + w, at - JUNCTION) - smoothstep(2.9 - w, 2.9 + w, at - JUNCTION);
        m = max(m, road * across * step(al, ROAD_HALF - 0.4) * bar);
        float stop = smoothstep(3.4 - w, 3.4 + w, at - JUNCTION) - smoothstep(3.9 - w, 3.9 + w, at - JUNCTION);
        m = max(m, road * stop * step(al, PARKED) * step(0.0, t * l * (k == 0 ? 1.0 : -1.0)));
    }
    return m;
}
