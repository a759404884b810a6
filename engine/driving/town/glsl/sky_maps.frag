// The sky as maps: infinitely far, moved by the camera's turn alone.
in vec2 clip;
uniform mat3 clip_to_world;
uniform mat4 projection_before;
uniform vec2 size;
layout(location = 0) out uvec4 seen;
#ifdef GEOMETRY
layout(location = 1) out uvec4 known;
#endif
void main() {
    vec3 past = (projection_before * vec4(clip_to_world * vec3(clip, 1.0), 0.0)).xyw;
    vec2 motion = (past.xy / max(past.z, 1e-6) - clip) * 0.5 * size;
    if (past.z <= 0.01) motion = vec2(0.0);
    motion = clamp(motion, -4096.0, 4096.0);
    seen = uvec4(11u, floatBitsToUint(motion.x), floatBitsToUint(motion.y), 0xffffffffu);
#ifdef GEOMETRY
    known = uvec4(0xffffffffu, 0xffffffffu, 0u, 0u);
#endif
}
