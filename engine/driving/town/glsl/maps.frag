// Labels, instances, motion, depths and, with GEOMETRY, what else is known of each pixel, packed into whole numbers.
#include common.glsl
#include shadow.glsl
in vec3 rel;
in vec3 world;
in vec3 N;
in vec2 UV;
in vec3 past;
flat in ivec3 kind;
flat in float state;
uniform vec2 size;
uniform mat3 camera;
layout(location = 0) out uvec4 seen;
#ifdef GEOMETRY
layout(location = 1) out uvec4 known;
#endif

uint log_code(float metres) {
    if (metres <= 0.0) return 0u;
    return uint(clamp((log2(metres) + 7.0) * 3000.0 + 0.5, 1.0, 65534.0));
}

uint fixed_code(float value, float low, float steps) { return uint(clamp((value - low) * steps + 0.5, 0.0, 65534.0)); }

void main() {
    int label = kind.y;
    int m = kind.x;
    float depth = 1.0 / gl_FragCoord.w;
    bool gap = false;
    WHEN(m == LEAVES) { gap = leaf_gap(world, normalize(N), normalize(-rel)); }
    if (gap) discard;
    WHEN(m == ROAD) { if (marking(world.xy, 0.0) > 0.5) label = LINE_TAG; }
    // Rows are drawn top first: clip space is already upside down.
    vec2 motion = clamp((past.xy / past.z + 1.0) * 0.5 * size - gl_FragCoord.xy, -4096.0, 4096.0);
    if (past.z <= 0.01) motion = vec2(0.0);
    uint flags = 0u;
#ifdef GEOMETRY
    bool moving = label == CAR_TAG || label == PERSON_TAG;
    bool phased = m == FACADE || label == CAR_TAG;
    float light = sunlight(rel, normalize(N), !moving);
    flags = (light < 0.5 ? 1u : 0u) | (moving ? 0u : 2u);
    float v = UV.y, u = UV.x;
    uint storey = phased ? fixed_code(v, -4.0, 1000.0) : 65535u;
    uint bay = phased ? fixed_code(u, -4.0, 1000.0) : 65535u;
    vec2 ground = fract(world.xy / SIZE) * 65536.0;
    vec3 facing = camera * normalize(N);
    uvec3 n = uvec3(clamp(facing * 511.0 + 512.5, 1.0, 1023.0));
    known = uvec4(fixed_code(world.z, -8.0, 512.0) | (storey << 16u), bay,
                  uint(min(ground.x, 65535.0)) | (uint(min(ground.y, 65535.0)) << 16u), n.x | (n.y << 10u) | (n.z << 20u));
#endif
    seen = uvec4(uint(label) | (flags << 8u) | (uint(kind.z) << 16u), floatBitsToUint(motion.x),
                 floatBitsToUint(motion.y), log_code(depth) | (log_code(past.z) << 16u));
}
