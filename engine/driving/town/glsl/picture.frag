// The shaded picture before tone mapping: surfaces, sun, sky light, lamps and fog; DRAWN: flat tones instead.
#include common.glsl
#define SOFT
#include shadow.glsl
#include sky.glsl
#include surfaces.glsl
in vec3 rel;
in vec3 world;
in vec3 N;
in vec2 UV;
flat in ivec3 kind;
flat in float state;
uniform mat3 camera;
uniform vec3 sun_light;
uniform vec3 sky_light;
uniform vec3 ground_light;
uniform float fog_length;
uniform float view_end;
uniform vec3 shade;
uniform vec3 paper;
uniform float ambience;
uniform sampler2D lamp_light;
uniform vec4 headlight;
uniform vec2 heading;
layout(location = 0) out vec4 colour;
layout(location = 1) out vec4 form;

void main() {
    int m = kind.x;
    float id = float(kind.z);
    vec3 n = normalize(N);
    float distance = length(rel);
    vec3 to_eye = -rel / distance;
    vec2 uv_width = fwidth(UV);
    float pixel = max(length(dFdx(rel)), length(dFdy(rel)));
    bool gap = false;
    WHEN(m == LEAVES) { gap = leaf_gap(world, n, to_eye); }
    if (gap) discard;
    vec3 facing = n;
    Surface s = surface(m, UV, uv_width, world, pixel, id, state, n);
    bool moving = kind.y == CAR_TAG || kind.y == PERSON_TAG;
    float lit = sunlight(rel, facing, !moving);
    // Street lamps, from a map of their pools, and the driver's own headlights.
    vec3 pools = vec3(0.0);
    WHEN(lamps > 0.0) {
        float near = texture(lamp_light, world.xy / SIZE).r * exp(-max(world.z - 0.3, 0.0) * 0.22);
        pools = vec3(1.0, 0.70, 0.38) * near * near * (0.35 + 0.65 * max(facing.z, 0.0)) * 1.1;
        vec2 ahead = rel.xy - headlight.xy;
        float along = dot(ahead, heading), side = dot(ahead, vec2(-heading.y, heading.x));
        float cone = smoothstep(0.0, 2.5, along) * exp(-along * 0.085) * exp(-pow(side / (0.7 + 0.24 * max(along, 0.0)), 2.0));
        pools += vec3(1.0, 0.86, 0.62) * cone * headlight.w * exp(-max(world.z - 0.8, 0.0) * 1.1) * 0.75;
        pools *= lamps;
    }
#ifdef DRAWN
    // Two tones of each colour and one of shadow, as if washed on by hand.
    float tone = mix(0.94, 1.0, step(0.5, dot(facing, sun)));
    vec3 base = pow(clamp(s.albedo, 0.0, 1.0), vec3(0.4545));
    float grey = dot(base, vec3(0.3, 0.55, 0.15));
    base = clamp(mix(vec3(grey), base, 1.35), 0.0, 1.0);
    base = mix(base, vec3(1.0, 0.985, 0.945), m == ROAD ? 0.42 : 0.24);
    // Windows take a flat breath of sky.
    base = mix(base, mix(zenith, vec3(0.78, 0.87, 0.94), 0.4), 0.6 * clamp(s.mirror, 0.0, 1.0) * step(0.3, s.mirror));
    vec3 made = base * mix(shade, vec3(tone), smoothstep(0.35, 0.65, lit));
    made *= mix(vec3(1.0), ground_light, ambience);
    made += base * pools * 0.4 * ambience;
    float shining = max(max(s.emission.r, s.emission.g), s.emission.b);
    made = mix(made, s.emission / max(shining, 0.5), clamp(shining * 0.85, 0.0, 0.92));
    float mist = 1.0 - exp(-pow(distance / fog_length, 1.5));
    mist = max(mist * 0.9, smoothstep(0.62, 0.98, distance / view_end));
    float h = clamp(-to_eye.z * 1.6, 0.0, 1.0);
    made = mix(made, mix(paper, mix(paper, zenith, 0.35), h), mist);
#else
    vec3 ambient = mix(ground_light, sky_light, n.z * 0.5 + 0.5) * s.occlusion;
    float facing_sun = max(dot(n, sun), 0.0);
    vec3 made = s.albedo * (ambient + sun_light * lit * facing_sun + pools);
    made += s.albedo * s.translucent * sun_light * max(dot(-n, sun), 0.0) * vec3(0.7, 0.9, 0.3);
    WHEN(s.gloss > 0.0) {
        vec3 h = normalize(to_eye + sun);
        made += s.gloss * lit * sun_light * pow(max(dot(n, h), 0.0), 40.0) * 0.35;
    }
    WHEN(s.mirror > 0.0) {
        vec3 r = reflect(-to_eye, facing);
        float fresnel = 0.07 + 0.93 * pow(1.0 - max(dot(facing, to_eye), 0.0), 4.0);
        vec3 sky_there = sky_gradient(vec3(r.xy, abs(r.z) + 0.02));
        vec3 street = ground_light * 0.35 + sky_light * 0.06;
        vec3 there = mix(street, sky_there, smoothstep(-0.08, 0.40, r.z));
        made = mix(made, there, clamp(s.mirror * (fresnel + 0.12), 0.0, 0.8));
    }
    made += s.emission;
    float mist = 1.0 - exp(-pow(distance / fog_length, 1.5));
    float end = smoothstep(0.68, 0.985, distance / view_end);
    vec3 d = -to_eye;
    made = mix(made, sky_gradient(vec3(d.xy, max(d.z, 0.0) * 0.6)) + sky_glow(d), mist);
    made = mix(made, sky_colour(d), end);
#endif
    colour = vec4(made, 1.0 / gl_FragCoord.w);
    vec3 f = camera * facing;
    form = vec4(f.xy * 0.5 + 0.5, code(id + float(kind.y) * 257.0, 0u), 0.5 + 0.5 * clamp(1.0 - distance / 90.0, 0.0, 1.0));
}
