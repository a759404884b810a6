// Places a vertex of the still town, or with MOVING of a car or walker, relative to the eye, now and before.
#include common.glsl
in vec3 position;
in vec3 normal;
in vec2 uv;
in float material;
in float tag;
in float instance;
#ifdef MOVING
in vec4 now;
in vec4 before;
in vec4 row;
uniform vec3 extent;
#else
uniform vec3 shift;
#endif
uniform mat4 projection;
uniform mat4 projection_before;
uniform vec3 eye_step;
uniform vec3 eye;
uniform usampler2D signals;

out vec3 rel;
out vec3 world;
out vec3 N;
out vec2 UV;
out vec3 past;
flat out ivec3 kind;
flat out float state;

vec3 turn(vec3 p, float yaw) {
    float c = cos(yaw), s = sin(yaw);
    return vec3(c * p.x - s * p.y, s * p.x + c * p.y, p.z);
}

void main() {
    int m = int(material + 0.5);
    int label = int(tag + 0.5);
    int id = int(instance + 0.5);
    N = normal;
    UV = uv;
    state = 0.0;
#ifdef MOVING
    vec3 p = position;
    id = int(row.x + 0.5);
    state = row.w;
    if (label == PERSON_TAG && m == LEGS) {
        float a = 0.55 * sin(6.2831853 * row.w) * uv.x, hip = p.z - 0.9;
        p.x -= sin(a) * hip;
        p.z = 0.9 + hip * cos(a);
    }
    if (label == CAR_TAG) UV = vec2((position.x - extent.x) / extent.y, position.z / extent.z);
    p *= vec3(row.y, 1.0, row.z);
    rel = turn(p, now.w) + now.xyz;
    vec3 rel_before = turn(p, before.w) + before.xyz;
    N = turn(normal, now.w);
    world = rel + eye;
#else
    rel = position + shift;
    vec3 rel_before = rel + eye_step;
    world = position;
    // In the mesh v = -1 is the ground floor and 0 the storey above; from here on it counts from the foot.
    if (m == FACADE) UV.y += 1.0;
    if (m == LAMP) {
        int colour = int(uv.x + 0.5);
        int group = int(uv.y + 0.5);
        if (texelFetch(signals, ivec2(group, 0), 0).r == uint(colour)) {
            label = LIGHT_TAG;
            id = colour + 1;
            state = 1.0;
        }
    }
#endif
    kind = ivec3(m, label, id);
    past = (projection_before * vec4(rel_before, 1.0)).xyw;
    gl_Position = projection * vec4(rel, 1.0);
}
