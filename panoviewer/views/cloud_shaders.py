"""What the graphics card does to draw a point cloud, in its own language."""

from __future__ import annotations

POINTS_VERTEX = """
#version 120
attribute vec3 position;
attribute float rgb;
attribute float normal;
attribute float label;
uniform mat4 clip_from_point;
uniform vec3 eye;
uniform int mode;
uniform vec2 log_limits;
uniform float size_factor;
uniform float widest;
uniform float angle;
uniform float spacing;
uniform float see_through;
uniform sampler2D table;
varying vec3 color;

vec3 unpacked(float bytes) {
    float r = floor(bytes / 65536.0);
    float g = floor((bytes - r * 65536.0) / 256.0);
    return vec3(r, g, bytes - r * 65536.0 - g * 256.0) / 255.0;
}

void main() {
    vec3 facing = unpacked(normal) * 2.0 - 1.0;
    gl_Position = clip_from_point * vec4(position, 1.0);
    float range = length(position);
    // On a surface that is seen at a grazing angle, neighbouring pixels lie farther apart.
    float slant = clamp(-dot(facing, position) / max(range, 1e-6), 0.3, 1.0);
    float extent = max(spacing, range * angle / slant);
    gl_PointSize = clamp(size_factor * extent / max(gl_Position.w, 1e-6), 1.0, widest);
    if (see_through > 0.5 && dot(facing, eye - position) < 0.0)
        gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    if (mode == 1) {
        float share = (log(max(range, 1e-6)) - log_limits.x) / max(log_limits.y - log_limits.x, 1e-6);
        color = texture2D(table, vec2(clamp(share, 0.0, 1.0) * 255.0 / 256.0 + 0.5 / 256.0, 0.5)).rgb;
    } else if (mode == 2) {
        color = facing * 0.5 + 0.5;
    } else if (mode == 3) {
        color = unpacked(label);
    } else {
        color = unpacked(rgb);
    }
}
"""
PHOTO = """
uniform sampler2D photo;
uniform float opacity;
uniform mat3 photo_from_view;
uniform vec2 tangents;
uniform vec2 viewport;

// The photograph over a colour, by the ray of the pixel and not by any point: both meet only where the depth is right.
vec3 under_photo(vec3 below) {
    if (opacity <= 0.0) return below;
    vec2 place = gl_FragCoord.xy / viewport * 2.0 - 1.0;
    vec3 ray = photo_from_view * vec3(place.x * tangents.x, -place.y * tangents.y, 1.0);
    vec2 angles = vec2(atan(ray.x, ray.z) / 2.0, atan(ray.y, length(ray.xz))) / 3.14159265358979;
    return mix(below, texture2D(photo, angles + 0.5).rgb, opacity);
}
"""
POINTS_FRAGMENT = f"""
#version 120
varying vec3 color;
{PHOTO}
void main() {{
    gl_FragColor = vec4(under_photo(color), 1.0);
}}
"""
BACKGROUND_VERTEX = """
#version 120
attribute vec2 place;
void main() {
    gl_Position = vec4(place, 0.0, 1.0);
}
"""
BACKGROUND_FRAGMENT = f"""
#version 120
uniform vec3 below;
{PHOTO}
void main() {{
    gl_FragColor = vec4(under_photo(below), 1.0);
}}
"""
AXES_FRAGMENT = """
#version 120
varying vec3 color;
void main() {
    gl_FragColor = vec4(color, 1.0);
}
"""
AXES_VERTEX = """
#version 120
attribute vec3 position;
attribute vec3 tint;
uniform mat4 clip_from_point;
varying vec3 color;
void main() {
    gl_Position = clip_from_point * vec4(position, 1.0);
    color = tint;
}
"""
