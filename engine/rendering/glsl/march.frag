// One ray through a baked grid: emission and absorption (NeRF, eq. 1) by the middle of small equal steps.
//
// Says in GLSL 3.30 what march_kernel.py says for numba; that one decides. Arrays are uploaded as they lie in memory:
// the table's coordinates run z, y, x, and entry n of a long one stands in column n mod 2^WIDE_BITS. Defined before this
// text: CHANNELS, DRAWN (how many of them), DEGREE, TERMS, WORDS (texels of four bytes in a node's row), READ (how many
// of them), KIND (activation), BLOCK, BRICK, COMPRESSED (density is stored behind a knee), BY_DENSITY, TARGETS; PICTURE
// (colours to be looked at, in place of features, depth and opacity), OPACITY (that as grey), BACKDROP.

uniform isampler3D table;
uniform sampler2D density;
uniform isampler2D line;
uniform usampler2D rows;
uniform sampler3D backdrop;
uniform vec3 backdrop_low;
uniform vec3 backdrop_high;
uniform float end;      // of rays at the backdrop
uniform ivec3 shape;    // nodes along x, y, z
uniform vec3 low;       // of the grid, world units
uniform vec3 high;
uniform float spacing;
uniform float knee;
uniform float visible;
uniform vec3 origin;
uniform mat3 basis;     // columns: direction through pixel (0, 0), what a column adds, what a row adds
uniform float unit_rays;
uniform float near;
uniform float far;
uniform float step_length;
uniform float transparent;
uniform float sip;
uniform float background;
uniform float offset[TERMS * CHANNELS];
uniform float scale[TERMS * CHANNELS];

layout(location = 0) out vec4 target[TARGETS];

ivec2 spot(int entry) { return ivec2(entry & ((1 << WIDE_BITS) - 1), entry >> WIDE_BITS); }

// How far the corner with number n of a cell, binary x y z, is from its first in a brick.
int beside(int n) { return ((n >> 2) * (BLOCK + 1) + ((n >> 1) & 1)) * (BLOCK + 1) + (n & 1); }

float density_of(float raw) {
#if COMPRESSED
    float grown = exp(raw);
    return knee * 0.5 * (grown - 1.0 / grown);
#elif KIND == 2
    return max(raw, 0.0);
#elif KIND == 3
    return exp(min(raw, 60.0));
#else
    raw -= KIND == 0 ? 1.0 : 0.0;
    return max(raw, 0.0) + log(1.0 + exp(-abs(raw)));
#endif
}

void main() {
    vec2 pixel = floor(gl_FragCoord.xy);
    vec3 ray = basis * vec3(1.0, pixel);
    float stretch = length(ray);
    if (unit_rays > 0.5) { ray /= stretch; stretch = 1.0; }
    // A component of exactly 0 would divide by zero below; this one leaves the box after any other does.
    ray = mix(ray, vec3(1e-9), lessThan(abs(ray), vec3(1e-9)));
    vec3 inverse = 1.0 / ray, start = origin - low;
    vec3 a = -start * inverse, b = (high - low - start) * inverse;
    vec3 first = min(a, b), last = max(a, b);
    float enter = max(max(first.x, first.y), max(first.z, near)), leave = min(min(last.x, last.y), min(last.z, far));

    vec3 inside = vec3(shape) - 1.001;
    float dt = step_length / stretch, edge = spacing * float(BLOCK);
    float through = 1.0, travelled = 0.0, missing = 0.0, waiting = 0.0;
    bool started = false;
    vec4 sums[READ];
    for (int n = 0; n < READ; ++n) sums[n] = vec4(0.0);

    float t = enter + 0.5 * dt;
    while (t < leave && through > transparent) {
        vec3 place = clamp((start + t * ray) / spacing, vec3(0.0), inside);
        ivec3 node = ivec3(place), block = node / BLOCK;
        int brick = texelFetch(table, block.zyx, 0).r;
        if (brick < 0) {  // leave the cube of blocks that are known to be empty, staying on the ray's own lattice
            int reach = -brick - 1;
            vec3 wall = mix(vec3(block - reach), vec3(block + 1 + reach), greaterThan(ray, vec3(0.0))) * edge;
            vec3 until = (wall - start) * inverse;
            float exit = min(min(until.x, until.y), until.z);
            t += dt * max(1.0, ceil((exit - t) / dt));
            continue;
        }
        vec3 part = place - vec3(node);
        ivec3 within = node - block * BLOCK;
        int cell = brick * BRICK + (within.x * (BLOCK + 1) + within.y) * (BLOCK + 1) + within.z;
        float corner[8];
        for (int n = 0; n < 8; ++n) corner[n] = texelFetch(density, spot(cell + beside(n)), 0).r;
        vec4 along = mix(vec4(corner[0], corner[2], corner[4], corner[6]),
                         vec4(corner[1], corner[3], corner[5], corner[7]), part.z);
        vec2 across = mix(along.xz, along.yw, part.y);
        float raw = mix(across.x, across.y, part.x);
        if (raw > visible) {
            float left = through * exp(-density_of(raw) * step_length), weight = through - left;
            through = left;
            travelled += weight * t;
            waiting += weight;
            if (waiting > sip) {  // features are most of the work: read again only once a grey level has gathered
                started = true;
                float shares[8], total = 0.0;
                for (int n = 0; n < 8; ++n) {
                    vec3 far_side = vec3(n >> 2, (n >> 1) & 1, n & 1);
                    vec3 near_to = mix(1.0 - part, part, far_side);
                    shares[n] = near_to.x * near_to.y * near_to.z;
#if BY_DENSITY
                    shares[n] *= max(corner[n] - visible, 0.0);
#endif
                    total += shares[n];
                }
                for (int n = 0; n < 8; ++n) {
                    float share = waiting * shares[n] / total;
                    int at = texelFetch(line, spot(cell + beside(n)), 0).r;
                    if (at < 0) {  // out of sight, so without features: the others speak for it
                        missing += share;
                        continue;
                    }
                    at *= WORDS;
                    for (int word = 0; word < READ; ++word)
                        sums[word] += share * vec4(texelFetch(rows, spot(at + word), 0));
                }
                waiting = 0.0;
            }
        }
        t += dt;
    }

    float opacity = 1.0 - through;
    missing += waiting;
    float depth = started ? travelled / opacity : far;
    float known = opacity - missing, rescale = known > 1e-6 ? opacity / known : 0.0;
    float harmonics[9];
    harmonics[0] = 1.0;
#if DEGREE > 0
    vec3 d = ray / stretch;
    harmonics[1] = 1.7320508 * d.y; harmonics[2] = 1.7320508 * d.z; harmonics[3] = 1.7320508 * d.x;
    harmonics[4] = 3.8729833 * d.x * d.y; harmonics[5] = 3.8729833 * d.y * d.z;
    harmonics[6] = 1.1180340 * (3.0 * d.z * d.z - 1.0);
    harmonics[7] = 3.8729833 * d.x * d.z; harmonics[8] = 1.9364917 * (d.x * d.x - d.y * d.y);
#endif
    vec4 made[TARGETS];
    for (int n = 0; n < TARGETS; ++n) made[n] = vec4(0.0);
    for (int c = 0; c < DRAWN; ++c) {
        float value = 0.0;
        for (int term = 0; term < TERMS; ++term) {
            int at = term * CHANNELS + c;
            value += harmonics[term] * (offset[at] * opacity + scale[at] * rescale * sums[at >> 2][at & 3]);
        }
        made[c >> 2][c & 3] = started ? value + background * through : background;
    }
#if PICTURE
#if BACKDROP
    if (through > 0.002) {  // as backdrop.py's CLOSED
        vec3 nodes = vec3(textureSize(backdrop, 0));
        vec3 where = (origin + end * ray - backdrop_low) / (backdrop_high - backdrop_low);
        made[0].rgb += through * texture(backdrop, (where * (nodes - 1.0) + 0.5) / nodes).rgb;
        opacity = 1.0;
    }
#endif
    target[0] = vec4(OPACITY == 1 ? vec3(opacity) : made[0].rgb, 1.0);  // RGBA8 clamps by itself
#else
    made[(CHANNELS) >> 2][(CHANNELS) & 3] = depth;
    made[(CHANNELS + 1) >> 2][(CHANNELS + 1) & 3] = opacity;
    target[0] = made[0];  // outputs may be indexed by constants only
#if TARGETS > 1
    target[1] = made[1];
#endif
#if TARGETS > 2
    target[2] = made[2];
#endif
#if TARGETS > 3
    target[3] = made[3];
#endif
#if TARGETS > 4
    target[4] = made[4];
#endif
#if TARGETS > 5
    target[5] = made[5];
#endif
#if TARGETS > 6
    target[6] = made[6];
#endif
#if TARGETS > 7
    target[7] = made[7];
#endif
#endif
}
