// Casters as the sun sees them: the still mesh, or with MOVING a box or two in place of each car and walker.
in vec3 position;
uniform mat4 light;
#ifdef MOVING
in vec4 now;
in vec4 row;
#else
uniform vec3 shift;
#endif
void main() {
#ifdef MOVING
    vec3 p = position * vec3(row.y, 1.0, row.z);
    float c = cos(now.w), s = sin(now.w);
    p = vec3(c * p.x - s * p.y, s * p.x + c * p.y, p.z) + now.xyz;
#else
    vec3 p = position + shift;
#endif
    gl_Position = light * vec4(p, 1.0);
}
