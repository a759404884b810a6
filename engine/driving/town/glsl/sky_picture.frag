// The sky of the shaded picture.
#include common.glsl
#include sky.glsl
in vec2 clip;
uniform mat3 clip_to_world;
uniform vec3 paper;
layout(location = 0) out vec4 colour;
layout(location = 1) out vec4 form;
void main() {
    vec3 d = normalize(clip_to_world * vec3(clip, 1.0));
#ifdef DRAWN
    float h = clamp(d.z * 1.6, 0.0, 1.0);
    vec3 c = mix(paper, mix(paper, zenith, 0.35), h);
    vec2 u = d.xy / (max(d.z, 0.0) + 0.28);
    float soft = textureLod(noise, u * 0.16 + 0.13, 3.0).a;
    c = mix(c, paper, 0.8 * smoothstep(0.5, 0.56, soft) * smoothstep(0.02, 0.1, d.z));
    vec3 made = c;
#else
    vec3 made = sky_colour(d);
#endif
    colour = vec4(made, 60000.0);
    form = vec4(0.5, 0.5, 0.0, 0.0);
}
