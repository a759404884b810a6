// One triangle over the whole picture, at the far plane.
in vec2 corner;
out vec2 clip;
void main() {
    clip = corner;
    gl_Position = vec4(corner, 1.0, 1.0);
}
