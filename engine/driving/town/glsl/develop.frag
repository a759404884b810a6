// From light to pixels: contact shadows, tone curve and the mean of each pixel's samples; DRAWN: ink lines instead.
#include common.glsl
in vec2 clip;
uniform sampler2D colour;
uniform sampler2D form;
uniform vec2 size;
uniform int samples;
uniform float focal;
uniform float exposure;
uniform vec3 ink;
layout(location = 0) out vec4 pixel;

vec3 film(vec3 c) {
    c *= exposure;
    c = (c * (2.51 * c + 0.03)) / (c * (2.43 * c + 0.59) + 0.14);
    return pow(clamp(c, 0.0, 1.0), vec3(1.0 / 2.2));
}

float contact(vec2 at, float z) {
    float found = 0.0, reach = clamp(focal * 0.55 / z, 0.004, 0.12);
    for (int i = 0; i < 10; i++) {
        float a = float(i) * 2.4, r = reach * (0.15 + 0.85 * (float(i) + 0.5) / 10.0);
        float there = texture(colour, at + vec2(cos(a) * size.y / size.x, sin(a)) * r).a;
        float d = z - there;
        found += smoothstep(0.02 + 0.004 * z, 0.25 + 0.006 * z, d) * (1.0 - smoothstep(0.5, 1.4, d));
    }
    return found / 10.0;
}

float line(ivec2 at, ivec2 most) {
    vec4 c = texelFetch(colour, at, 0), f = texelFetch(form, at, 0);
    float found = 0.0;
    for (int k = 0; k < 2; k++) {
        ivec2 step_ = k == 0 ? ivec2(1, 0) : ivec2(0, 1);
        ivec2 a = clamp(at + step_, ivec2(0), most), b = clamp(at - step_, ivec2(0), most);
        float za = texelFetch(colour, a, 0).a, zb = texelFetch(colour, b, 0).a;
        vec4 fa = texelFetch(form, a, 0), fb = texelFetch(form, b, 0);
        // A crease of the depth itself, not its slope: flat ground seen at a grazing angle has no lines.
        float bend = abs(1.0 / za + 1.0 / zb - 2.0 / c.a) * c.a;
        float edge = smoothstep(0.035, 0.10, bend);
        float turned = smoothstep(0.18, 0.45, max(distance(f.xy, fa.xy), distance(f.xy, fb.xy)));
        float other = step(0.004, max(abs(f.z - fa.z), abs(f.z - fb.z)));
        found = max(found, max(edge, max(0.75 * turned, 0.9 * other)));
    }
    return found * smoothstep(0.0, 1.0, max(f.w * 2.0 - 1.0, 0.22));
}

void main() {
    ivec2 base = ivec2(gl_FragCoord.xy) * samples, most = ivec2(size) * samples - 1;
    vec3 sum = vec3(0.0);
    vec2 at = gl_FragCoord.xy / size;
#ifdef DRAWN
    for (int j = 0; j < samples; j++)
        for (int i = 0; i < samples; i++) {
            ivec2 p = base + ivec2(i, j);
            sum += mix(texelFetch(colour, p, 0).rgb, ink, 0.82 * line(p, most));
        }
    sum /= float(samples * samples);
#else
    float z = texelFetch(colour, base, 0).a;
    float dark = 0.0;
    WHEN(z < 90.0) { dark = contact(at, z); }
    for (int j = 0; j < samples; j++)
        for (int i = 0; i < samples; i++) sum += film(texelFetch(colour, base + ivec2(i, j), 0).rgb * (1.0 - 0.7 * dark));
    sum /= float(samples * samples);
#endif
    pixel = vec4(sum, 1.0);
}
