// What each material looks like before light falls on it: functions of the instance, of bay and storey, of world xy.
struct Surface {
    vec3 albedo;
    vec3 emission;
    float mirror;
    float gloss;
    float occlusion;
    float translucent;
};

const vec3 WALLS[8] = vec3[8](vec3(.55, .25, .18), vec3(.72, .58, .42), vec3(.74, .70, .62), vec3(.42, .20, .15),
                              vec3(.62, .64, .66), vec3(.70, .48, .33), vec3(.50, .55, .60), vec3(.80, .74, .55));
const vec3 PAINTS[7] = vec3[7](vec3(.75, .76, .78), vec3(.05, .05, .06), vec3(.55, .06, .05), vec3(.08, .16, .42),
                               vec3(.35, .36, .38), vec3(.85, .85, .83), vec3(.15, .30, .22));
const vec3 SHOPS[6] = vec3[6](vec3(.10, .22, .17), vec3(.45, .09, .08), vec3(.09, .13, .28), vec3(.62, .50, .26),
                              vec3(.16, .15, .16), vec3(.55, .28, .12));

vec3 wall_colour(vec3 c) { return WALLS[int(c.x * 8.0)] * (0.85 + 0.35 * c.y); }
vec3 car_colour(vec3 c) { return PAINTS[int(c.x * 7.0)] * (0.8 + 0.4 * c.y); }
vec3 cloth_colour(vec3 c) { return 0.05 + 0.6 * c * vec3(0.9, 0.8, 0.9); }
vec3 shop_colour(vec3 c) { return SHOPS[int(c.z * 6.0)]; }

// 1 between a and b, edges as wide as a pixel.
float band(float x, float a, float b, float w) {
    return smoothstep(a - w, a + w, x) - smoothstep(b - w, b + w, x);
}

// `windows_lit`: how many, 0..1; `lamps`: whether street lamps are on, 0..1.
uniform float windows_lit;
uniform float lamps;

void facade(inout Surface s, vec2 uv, vec2 width, float id, vec3 c, float height) {
    vec3 base = wall_colour(c);
    vec2 f = fract(uv), cell = floor(uv);
    float far = smoothstep(0.3, 0.9, max(width.x, width.y));
    vec2 w = min(width * 0.6, 0.25) + 1e-4;
    s.albedo = base;
    float brick = step(c.z, 0.5) * (1.0 - smoothstep(0.02, 0.06, width.y));
    float course = abs(fract(uv.y * 32.0) - 0.5);
    s.albedo *= 1.0 + brick * 0.10 * (smoothstep(0.40, 0.5, course) - 0.2);
    s.albedo *= mix(0.90, 1.03, smoothstep(0.0, 0.5, f.y));
    vec3 pale = mix(base, vec3(0.74, 0.72, 0.68), 0.72);
    vec3 warm = vec3(1.0, 0.72, 0.38);
    if (uv.y >= 1.0) {
        bool modern = c.z > 0.82;
        float x0 = modern ? 0.07 : mix(0.20, 0.29, c.y), y0 = modern ? 0.20 : 0.24, y1 = modern ? 0.86 : 0.80;
        float x1 = 1.0 - x0;
        float across = band(f.x, x0, x1, w.x), up = band(f.y, y0, y1, w.y);
        float window = across * up;
        float frame = band(f.x, x0 - 0.055, x1 + 0.055, w.x) * band(f.y, y0 - 0.02, y1 + 0.05, w.y) - window;
        float sill = band(f.x, x0 - 0.09, x1 + 0.09, w.x) * band(f.y, y0 - 0.08, y0 - 0.015, w.y);
        float under = band(f.x, x0 - 0.07, x1 + 0.07, w.x) * band(f.y, y0 - 0.16, y0 - 0.08, w.y);
        float bar = modern ? band(f.x, 0.485, 0.515, w.x) : max(band(f.x, 0.48, 0.52, w.x), band(f.y, 0.56, 0.59, w.y));
        vec3 glass = mix(vec3(0.040, 0.050, 0.062), vec3(0.075, 0.085, 0.095), smoothstep(y0, y1, f.y));
        glass *= 0.95 + 0.1 * cell_hash(cell, id);
        glass = mix(glass, modern ? vec3(0.12) : vec3(0.62, 0.61, 0.58), bar * (modern ? 0.8 : 0.75));
        glass *= 1.0 - 0.45 * band(f.y, y1 - 0.09, y1 + 0.02, w.y);
        float cornice = band(f.y, -0.02, 0.055, w.y) + band(f.y, 0.975, 1.2, w.y);
        s.albedo = mix(s.albedo, pale, 0.75 * clamp(cornice, 0.0, 1.0) * step(c.x, 0.62));
        s.albedo *= 1.0 - 0.30 * under;
        s.albedo = mix(s.albedo, modern ? vec3(0.22, 0.23, 0.24) : pale, clamp(frame * 0.85 + sill * 0.9, 0.0, 1.0));
        s.albedo = mix(s.albedo, glass, window);
        s.mirror = window * (1.0 - 0.7 * bar);
        float on = step(cell_hash(cell + 17.0, id), windows_lit * 0.42) * window * (1.0 - 0.6 * bar);
        s.emission = warm * mix(0.55, 0.95, cell_hash(cell + 5.0, id)) * on * (0.65 + 0.35 * f.y);
    } else if (c.y > 0.35) {
        // A shop: panes over dark stall risers, a fascia in the colour of the house's style, a door every third bay.
        float door = step(abs(mod(cell.x, 3.0) - 1.0), 0.1);
        float low = mix(0.14, 0.015, door * band(f.x, 0.25, 0.75, w.x));
        float pane = band(f.x, 0.05, 0.95, w.x) * band(f.y, low, 0.70, w.y);
        float mullion = door * (band(f.x, 0.22, 0.27, w.x) + band(f.x, 0.73, 0.78, w.x)) + band(f.y, 0.55, 0.575, w.y);
        vec3 wood = shop_colour(c) * 0.55;
        vec3 inside = mix(vec3(0.05, 0.052, 0.055), vec3(0.26, 0.20, 0.13), smoothstep(0.75, 0.1, f.y) * 0.75);
        s.albedo = mix(base * 0.75, wood, band(f.y, -1.0, 0.76, w.y));
        s.albedo = mix(s.albedo, shop_colour(c), band(f.y, 0.76, 0.94, w.y));
        s.albedo = mix(s.albedo, pale, band(f.y, 0.94, 1.1, w.y));
        float glass = pane * (1.0 - 0.9 * clamp(mullion, 0.0, 1.0));
        s.albedo = mix(s.albedo, inside, glass);
        float letters = band(f.x, 0.22, 0.78, w.x) * band(f.y, 0.81, 0.89, w.y) * (1.0 - far);
        s.albedo = mix(s.albedo, vec3(0.80, 0.76, 0.66), letters * 0.55);
        s.mirror = glass * 0.75;
        s.emission = warm * glass * (0.015 + 0.95 * windows_lit * (0.5 + 0.5 * smoothstep(0.1, 0.7, f.y)));
        s.emission += shop_colour(c) * windows_lit * 0.5 * band(f.y, 0.76, 0.94, w.y);
    } else {
        float door = step(abs(mod(cell.x, 4.0) - 1.0), 0.1);
        float window = band(f.x, 0.24, 0.76, w.x) * band(f.y, 0.34, 0.74, w.y) * (1.0 - door);
        float frame = band(f.x, 0.19, 0.81, w.x) * band(f.y, 0.29, 0.79, w.y) * (1.0 - door) - window;
        float leaf = door * band(f.x, 0.27, 0.73, w.x) * band(f.y, -0.1, 0.66, w.y);
        float portal = door * band(f.x, 0.20, 0.80, w.x) * band(f.y, -0.1, 0.73, w.y) - leaf;
        s.albedo *= 0.86 - 0.12 * band(f.y, -0.1, 0.12, w.y);
        s.albedo = mix(s.albedo, pale, clamp((frame + portal) * 0.85 + band(f.y, 0.95, 1.1, w.y) * 0.8, 0.0, 1.0));
        s.albedo = mix(s.albedo, vec3(0.045, 0.052, 0.062), window);
        s.albedo = mix(s.albedo, shop_colour(c) * 0.9, leaf);
        s.mirror = window;
        s.emission = warm * window * 0.8 * step(cell_hash(cell + 17.0, id), windows_lit * 0.5);
    }
    s.occlusion = mix(0.66, 1.0, smoothstep(0.0, 3.0, height));
}

void road(inout Surface s, vec2 p, float lod, float pixel) {
    vec2 soft = blotches(p);
    vec2 d = p - floor(p / PERIOD + 0.5) * PERIOD;
    float lane = min(abs(d.x), abs(d.y));
    float worn = exp(-pow((abs(lane - 1.65) - 0.78) / 0.34, 2.0)) * step(JUNCTION, max(abs(d.x), abs(d.y)));
    s.albedo = vec3(0.150, 0.150, 0.156) * (0.86 + 0.22 * (soft.x - 0.5) + 0.28 * soft.y);
    s.albedo *= 1.0 + 0.26 * (grain(p, lod) - 0.5);
    s.albedo *= 1.0 - 0.13 * worn;
    s.albedo = mix(s.albedo, vec3(0.70, 0.70, 0.66) * (0.88 + 0.2 * soft.x), 0.92 * marking(p, pixel * 0.6));
    s.occlusion = 0.72 + 0.28 * smoothstep(0.0, 1.1, abs(ROAD_HALF - lane));
    s.gloss = 0.06;
}

void sidewalk(inout Surface s, vec2 p, float lod, float pixel) {
    vec2 f = fract(p / 0.8), w = vec2(min(pixel / 0.8 * 0.6, 0.5));
    float joint = max(1.0 - band(f.x, 0.025, 0.975, w.x), 1.0 - band(f.y, 0.025, 0.975, w.y));
    joint *= 1.0 - smoothstep(0.04, 0.2, pixel);
    s.albedo = vec3(0.42, 0.405, 0.38) * (0.92 + 0.16 * (blotches(p).x - 0.5) + 0.14 * (grain(p, lod) - 0.5));
    s.albedo *= 1.0 - 0.35 * joint;
    vec2 d = abs(p - floor(p / PERIOD + 0.5) * PERIOD);
    s.occlusion = mix(0.6, 1.0, smoothstep(0.0, 1.5, ROAD_HALF + WALK - min(d.x, d.y)));
}

void leaves(inout Surface s, vec3 p, vec3 c, inout vec3 n, float pixel) {
    float a = leaf_noise(p * 2.1), b = leaf_noise(p * 0.8 + 3.0);
    float fine = mix(a, 0.5, smoothstep(0.1, 0.5, pixel));
    s.albedo = mix(vec3(0.050, 0.112, 0.028), vec3(0.205, 0.325, 0.085), clamp(0.55 * fine + 0.45 * b, 0.0, 1.0));
    s.albedo = mix(s.albedo, vec3(0.32, 0.29, 0.07), c.y * 0.22);
    n = normalize(n + 0.5 * (vec3(fine, b, leaf_noise(p.zxy * 1.7)) - 0.5));
    s.occlusion = 0.58 + 0.42 * smoothstep(-0.7, 0.6, n.z);
    s.translucent = 0.35;
}

void grass(inout Surface s, vec2 p, float lod) {
    vec2 soft = blotches(p);
    s.albedo = mix(vec3(0.13, 0.20, 0.055), vec3(0.25, 0.30, 0.10), clamp(soft.x + 0.45 * (grain(p, lod) - 0.5), 0.0, 1.0));
    s.albedo = mix(s.albedo, vec3(0.30, 0.25, 0.15), 0.4 * smoothstep(0.6, 0.85, soft.y));
}

void thing(inout Surface s, int m, vec2 uv, vec3 c, float state, vec3 world) {
    if (m == KERB) { s.albedo = vec3(0.47, 0.46, 0.44); s.occlusion = 0.8; }
    else if (m == ROOF) s.albedo = vec3(0.27, 0.25, 0.24) * (0.85 + 0.3 * c.y);
    else if (m == TRIM) { s.albedo = mix(wall_colour(c), vec3(0.74, 0.72, 0.68), 0.62); }
    else if (m == AWNING) { s.albedo = shop_colour(c) * 1.3 + 0.03; s.translucent = 0.3; }
    else if (m == TRUNK) s.albedo = vec3(0.17, 0.13, 0.09) * (0.85 + 0.3 * c.x);
    else if (m == METAL) { s.albedo = vec3(0.15, 0.16, 0.165) * (0.8 + 0.5 * c.x); s.gloss = 0.3; }
    else if (m == PAINT) { s.albedo = car_colour(c); s.gloss = 0.9; s.mirror = 0.22; }
    else if (m == GLASS) { s.albedo = vec3(0.020, 0.024, 0.030); s.gloss = 0.6; s.mirror = 0.9; }
    else if (m == TYRE) s.albedo = vec3(0.022);
    else if (m == HUB) { s.albedo = vec3(0.36, 0.365, 0.37); s.gloss = 0.4; }
    else if (m == HEADLIGHT) { s.albedo = vec3(0.80, 0.80, 0.76); s.gloss = 0.5; s.emission = vec3(1.0, 0.93, 0.78) * (0.08 + 2.6 * lamps); }
    else if (m == TAILLIGHT) { s.albedo = vec3(0.42, 0.02, 0.02); s.emission = vec3(1.0, 0.05, 0.03) * (0.06 + 0.5 * lamps + 1.5 * state); }
    else if (m == SIGNAL_BOX) s.albedo = vec3(0.030, 0.034, 0.032);
    else if (m == LAMP) {
        vec3 hue = uv.x < 0.5 ? vec3(1.0, 0.06, 0.03) : (uv.x < 1.5 ? vec3(1.0, 0.55, 0.04) : vec3(0.04, 0.90, 0.17));
        s.albedo = hue * 0.07 + 0.01;
        s.emission = hue * state * 2.4;
    }
    else if (m == SIGN) {
        vec3 colour = c.x < 0.34 ? vec3(0.62, 0.03, 0.03) : (c.x < 0.67 ? vec3(0.03, 0.12, 0.50) : vec3(0.80, 0.62, 0.05));
        s.albedo = mix(colour, vec3(0.85), band(length(uv), 0.42, 0.62, 0.04));
    }
    else if (m == CLOTH) s.albedo = cloth_colour(c);
    else if (m == LEGS) s.albedo = mix(vec3(0.05, 0.065, 0.13), vec3(0.20, 0.165, 0.13), c.z);
    else if (m == SKIN) s.albedo = mix(vec3(0.55, 0.36, 0.26), vec3(0.22, 0.13, 0.09), c.y * c.y);
    else if (m == FENCE) s.albedo = vec3(0.20, 0.16, 0.12) * (0.85 + 0.3 * c.x);
    else if (m == WATER) { s.albedo = vec3(0.05, 0.09, 0.10); s.mirror = 0.9; s.gloss = 0.8; }
    else if (m == STREET_LAMP) { s.albedo = vec3(0.70, 0.69, 0.64); s.emission = vec3(1.0, 0.74, 0.40) * 4.0 * lamps; }
}

Surface surface(int m, vec2 uv, vec2 uv_width, vec3 world, float pixel, float id, float state, inout vec3 n) {
    Surface s = Surface(vec3(0.5), vec3(0.0), 0.0, 0.0, 1.0, 0.0);
    vec3 c = vec3(code(id, 0u), code(id, 1u), code(id, 2u));
    float lod = clamp(log2(pixel * 64.0), 0.0, 8.0);
    WHEN(m == FACADE) { facade(s, uv, uv_width, id, c, world.z); }
    WHEN(m == ROAD) { road(s, world.xy, lod, pixel); }
    WHEN(m == SIDEWALK) { sidewalk(s, world.xy, lod, pixel); }
    WHEN(m == LEAVES || m == HEDGE) { leaves(s, world, c, n, pixel); }
    WHEN(m == GRASS) { grass(s, world.xy, lod); }
    WHEN(m != FACADE && m != ROAD && m != SIDEWALK && m != LEAVES && m != HEDGE && m != GRASS) {
        thing(s, m, uv, c, state, world);
    }
    return s;
}
