// The colour of the sky in a direction: a gradient that knows where the sun stands, and soft clouds that stay there.
uniform vec3 sun_disc;
uniform vec3 zenith;
uniform vec3 horizon;
uniform vec3 horizon_sun;
uniform vec3 glow;
uniform vec3 cloud_light;
uniform vec3 cloud_dark;
uniform float clouds;

vec3 sky_gradient(vec3 d) {
    vec2 flat_d = normalize(d.xy + 1e-5), flat_s = normalize(sun_disc.xy + 1e-5);
    float towards = 0.5 + 0.5 * dot(flat_d, flat_s);
    vec3 low = mix(horizon, horizon_sun, towards * towards);
    return mix(low, zenith, pow(clamp(d.z, 0.0, 1.0), 0.55));
}

vec3 sky_glow(vec3 d) {
    float s = max(dot(d, sun_disc), 0.0);
    float s2 = s * s, s8 = s2 * s2 * s2 * s2;
    return glow * (0.22 * s8 + 0.5 * pow(s, 120.0));
}

vec3 sky_colour(vec3 d) {
    vec3 c = sky_gradient(d) + sky_glow(d);
    vec2 u = d.xy / (max(d.z, 0.0) + 0.28);
    float soft = textureLod(noise, u * 0.16 + 0.13, 3.0).a * 0.65 + textureLod(noise, u * 0.41 + 0.57, 3.0).a * 0.35;
    float cover = smoothstep(0.86 - 0.75 * clouds, 1.16 - 0.55 * clouds, soft + 0.15) * smoothstep(0.0, 0.18, d.z);
    vec3 body = mix(cloud_dark, cloud_light, smoothstep(0.35, 0.8, soft)) + 0.5 * sky_glow(d);
    return mix(c, body, 0.85 * cover * smoothstep(0.0, 0.15, clouds));
}
