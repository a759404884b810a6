// What of the sun reaches a point: still casters from a cached depth map, cars and people from one of each frame.
uniform vec3 sun;
uniform mat4 still_light;
uniform mat4 moving_light;
uniform sampler2DShadow still_shadow;
uniform sampler2DShadow moving_shadow;
uniform float texel;

float reach(sampler2DShadow map, vec3 at, float bias) {
    if (any(greaterThan(abs(at - 0.5), vec3(0.499)))) return 1.0;
    return texture(map, vec3(at.xy, at.z - bias));
}

// 0..1. Things that move receive no shadow of things that move: their casters are plain boxes.
float sunlight(vec3 rel, vec3 n, bool from_moving) {
    float facing = dot(n, sun);
    if (facing <= 0.0) return 0.0;
    vec3 off = rel + n * (0.06 + texel * 1.5 * (1.0 - facing));
    vec3 s = (still_light * vec4(off, 1.0)).xyz;
#ifdef SOFT
    vec3 step_ = vec3(1.0 / vec2(textureSize(still_shadow, 0)), 0.0);
    float lit = 0.25 * (reach(still_shadow, s + vec3(-0.6, -0.2, 0) * step_, 0.0002)
                      + reach(still_shadow, s + vec3(0.2, -0.6, 0) * step_, 0.0002)
                      + reach(still_shadow, s + vec3(0.6, 0.2, 0) * step_, 0.0002)
                      + reach(still_shadow, s + vec3(-0.2, 0.6, 0) * step_, 0.0002));
#else
    float lit = reach(still_shadow, s, 0.0002);
#endif
    if (from_moving) lit *= reach(moving_shadow, (moving_light * vec4(rel + n * 0.02, 1.0)).xyz, 0.0002);
    return lit;
}
