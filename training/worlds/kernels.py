# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN201, ANN202
"""The loops of the renderer over pixels, compiled: textures, lamp sampling, edge-aware filters.

All are plain functions of their arguments with a fixed order of additions, so results repeat bit for bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit

ATLAS_SIZE = 512
"""Side of a pattern's finest level; level k starts at `LEVEL_STARTS[k]` in its row of the atlas."""
LEVEL_STARTS = np.cumsum([0] + [(ATLAS_SIZE >> level) ** 2 for level in range(10)]).astype(np.int64)
ATLAS_UNIT = 100.0
"""Stored value of a pattern's 1."""


@njit(cache=True, nogil=True)
def _texel(atlas, slot, level, u, v, out, weight):
    size = 512 >> level
    x, y = u * size - 0.5, v * size - 0.5
    left, top = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - left, y - top
    start = LEVEL_STARTS[level]
    x0, y0 = left % size, top % size
    x1, y1 = (left + 1) % size, (top + 1) % size
    a, b = start + y0 * size, start + y1 * size
    for channel in range(3):
        upper = atlas[slot, a + x0, channel] * (1 - fx) + atlas[slot, a + x1, channel] * fx
        lower = atlas[slot, b + x0, channel] * (1 - fx) + atlas[slot, b + x1, channel] * fx
        out[channel] += weight * (upper * (1 - fy) + lower * fy) / ATLAS_UNIT


@njit(cache=True, nogil=True)
def shade_albedo(points, triangle, footprint, texture_u, texture_v, material, table, atlas, stain_slot):
    """Reflectance (n, 3) of points.

    `table` has per material: r, g, b, slot, contrast, wear, metres per repeat. `footprint` is the pixel's size there in
    metres; it chooses the level of detail. A triangle of -1 gives zeros.
    """
    count = len(triangle)
    result = np.zeros((count, 3), np.float32)
    texel = np.zeros(3, np.float64)
    for i in range(count):
        t = triangle[i]
        if t < 0:
            continue
        m = material[t]
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        u = texture_u[t, 0] * x + texture_u[t, 1] * y + texture_u[t, 2] * z + texture_u[t, 3]
        v = texture_v[t, 0] * x + texture_v[t, 1] * y + texture_v[t, 2] * z + texture_v[t, 3]
        u -= np.floor(u)
        v -= np.floor(v)
        slot, contrast, wear = int(table[m, 3]), table[m, 4], table[m, 5]
        texel[:] = 1.0
        if slot > 0 and contrast > 0:
            along_u = texture_u[t, 0] ** 2 + texture_u[t, 1] ** 2 + texture_u[t, 2] ** 2
            along_v = texture_v[t, 0] ** 2 + texture_v[t, 1] ** 2 + texture_v[t, 2] ** 2
            spread = footprint[i] * np.sqrt(max(along_u, along_v)) * 512
            detail = min(max(np.log2(max(spread, 1e-6)), 0.0), 9.0)
            level = min(int(detail), 8)
            texel[:] = 0.0
            _texel(atlas, slot, level, u, v, texel, 1 - (detail - level))
            _texel(atlas, slot, level + 1, u, v, texel, detail - level)
            texel[:] = 1 + contrast * (texel - 1)
        stain = 1.0
        if wear > 0:
            # The stains repeat every four metres, whatever the pattern does; blurred ones are enough.
            ratio = table[m, 6] / 4.0
            su = (texture_u[t, 0] * x + texture_u[t, 1] * y + texture_u[t, 2] * z) * ratio + texture_u[t, 3]
            sv = (texture_v[t, 0] * x + texture_v[t, 1] * y + texture_v[t, 2] * z) * ratio + texture_v[t, 3]
            su -= np.floor(su)
            sv -= np.floor(sv)
            start = LEVEL_STARTS[2]
            index = start + min(int(sv * 128), 127) * 128 + min(int(su * 128), 127)
            stain = 1 + wear * (atlas[stain_slot, index, 0] / ATLAS_UNIT - 1)
        for channel in range(3):
            result[i, channel] = min(max(table[m, channel] * texel[channel] * stain, 0.0), 0.97)
    return result


@njit(cache=True, nogil=True)
def sample_lamps(points, normals, active, lamps, chance, picks):
    """Choose `picks` lamps per point by what they would give unshadowed, and a spot on each.

    Args:
        points: (n, 3) float32.
        normals: (n, 3) float32, unit.
        active: (n,) bool; the others get nothing.
        lamps: (k, 16): centre, half_u, half_v, power, facing, focus (0: to all sides).
        chance: (n, picks, 3) uniform random numbers.
        picks: How many.

    Returns:
        Target spots (n, picks, 3) and irradiance if unshadowed (n, picks, 3); zero where there is none.
    """
    count, number = len(points), len(lamps)
    target = np.zeros((count, picks, 3), np.float32)
    light = np.zeros((count, picks, 3), np.float32)
    weight = np.zeros(number, np.float64)
    for i in range(count):
        if not active[i]:
            continue
        total = 0.0
        for j in range(number):
            dx, dy, dz = lamps[j, 0] - points[i, 0], lamps[j, 1] - points[i, 1], lamps[j, 2] - points[i, 2]
            squared = dx * dx + dy * dy + dz * dz + 1e-4
            distance = np.sqrt(squared)
            extent = 0.0
            for axis in range(3, 9):
                extent += lamps[j, axis] ** 2
            slack = min(np.sqrt(extent) / distance, 1.0)
            towards = (normals[i, 0] * dx + normals[i, 1] * dy + normals[i, 2] * dz) / distance + slack
            if lamps[j, 15] > 0:
                front = -(lamps[j, 12] * dx + lamps[j, 13] * dy + lamps[j, 14] * dz) / distance + 0.5 * slack
                towards = 0.0 if front <= 0 else towards * min(front, 1.0) ** lamps[j, 15]
            power = lamps[j, 9] + lamps[j, 10] + lamps[j, 11]
            weight[j] = max(towards, 0.0) * power / (squared + extent)
            total += weight[j]
        if total <= 0:
            continue
        for pick in range(picks):
            goal = (pick + chance[i, pick, 0]) / picks * total
            j = 0
            passed = weight[0]
            while passed < goal and j < number - 1:
                j += 1
                passed += weight[j]
            if weight[j] <= 0:
                continue
            a, b = 2 * chance[i, pick, 1] - 1, 2 * chance[i, pick, 2] - 1
            tx = lamps[j, 0] + a * lamps[j, 3] + b * lamps[j, 6]
            ty = lamps[j, 1] + a * lamps[j, 4] + b * lamps[j, 7]
            tz = lamps[j, 2] + a * lamps[j, 5] + b * lamps[j, 8]
            dx, dy, dz = tx - points[i, 0], ty - points[i, 1], tz - points[i, 2]
            squared = dx * dx + dy * dy + dz * dz + 1e-4
            distance = np.sqrt(squared)
            towards = (normals[i, 0] * dx + normals[i, 1] * dy + normals[i, 2] * dz) / distance
            if lamps[j, 15] > 0:
                front = -(lamps[j, 12] * dx + lamps[j, 13] * dy + lamps[j, 14] * dz) / distance
                towards = 0.0 if front <= 0 else towards * front ** lamps[j, 15]
            if towards <= 0:
                continue
            # The floor of the squared distance keeps a spot beside the lamp from outshining everything.
            gain = towards / max(squared, 0.02) * total / (weight[j] * picks)
            target[i, pick, 0], target[i, pick, 1], target[i, pick, 2] = tx, ty, tz
            for channel in range(3):
                light[i, pick, channel] = gain * lamps[j, 9 + channel]
    return target, light


@njit(cache=True, nogil=True)
def smooth(values, points, normals, reach, step):
    """(h, w, 3) values averaged over neighbours on the same plane: a cross-shaped a-trous pass, columns wrap."""
    height, width = values.shape[:2]
    result = np.empty_like(values)
    for row in range(height):
        for column in range(width):
            nx, ny, nz = normals[row, column, 0], normals[row, column, 1], normals[row, column, 2]
            px, py, pz = points[row, column, 0], points[row, column, 1], points[row, column, 2]
            tolerance = 0.01 + 0.02 * reach[row, column]
            r = g = b = total = 0.0
            for dy in range(-2, 3):
                other = row + dy * step
                if other < 0 or other >= height:
                    continue
                for dx in range(-2, 3):
                    beside = (column + dx * step) % width
                    same = (
                        nx * normals[other, beside, 0] + ny * normals[other, beside, 1] + nz * normals[other, beside, 2]
                    )
                    if same < 0.9:
                        continue
                    off = (
                        nx * (points[other, beside, 0] - px)
                        + ny * (points[other, beside, 1] - py)
                        + nz * (points[other, beside, 2] - pz)
                    )
                    if abs(off) > tolerance:
                        continue
                    weight = (3.0 - abs(dx)) * (3.0 - abs(dy))
                    total += weight
                    r += weight * values[other, beside, 0]
                    g += weight * values[other, beside, 1]
                    b += weight * values[other, beside, 2]
            if total > 0:
                result[row, column, 0], result[row, column, 1], result[row, column, 2] = r / total, g / total, b / total
            else:
                result[row, column] = values[row, column]
    return result


@njit(cache=True, nogil=True)
def upsample(coarse, coarse_points, coarse_normals, points, normals, reach, factor):
    """Coarse (h/f, w/f, 3) values on the full grid, taken from coarse cells on the same plane where there are any."""
    height, width = reach.shape
    rows, columns = coarse.shape[:2]
    result = np.zeros((height, width, 3), np.float32)
    for row in range(height):
        y = (row + 0.5) / factor - 0.5
        top = int(np.floor(y))
        for column in range(width):
            x = (column + 0.5) / factor - 0.5
            left = int(np.floor(x))
            nx, ny, nz = normals[row, column, 0], normals[row, column, 1], normals[row, column, 2]
            tolerance = 0.01 + 0.03 * reach[row, column]
            r = g = b = total = 0.0
            for cy in range(max(top - 1, 0), min(top + 3, rows)):
                for cx in range(left - 1, left + 3):
                    beside = cx % columns
                    weight = max(2.0 - abs(cy - y), 0.0) * max(2.0 - abs(cx - x), 0.0) + 1e-4
                    same = nx * coarse_normals[cy, beside, 0] + ny * coarse_normals[cy, beside, 1]
                    same += nz * coarse_normals[cy, beside, 2]
                    off = nx * (coarse_points[cy, beside, 0] - points[row, column, 0])
                    off += ny * (coarse_points[cy, beside, 1] - points[row, column, 1])
                    off += nz * (coarse_points[cy, beside, 2] - points[row, column, 2])
                    if same < 0.9 or abs(off) > tolerance:
                        weight *= 1e-3
                    total += weight
                    r += weight * coarse[cy, beside, 0]
                    g += weight * coarse[cy, beside, 1]
                    b += weight * coarse[cy, beside, 2]
            if total > 0:
                result[row, column, 0], result[row, column, 1], result[row, column, 2] = r / total, g / total, b / total
    return result


@njit(cache=True, nogil=True)
def find_edges(points, normals, reach, material):
    """(h, w) bool: a neighbour shows another surface, material or plane."""
    height, width = reach.shape
    edges = np.zeros((height, width), np.bool_)
    for row in range(height):
        for column in range(width):
            for side in range(2):
                other = min(row + 1, height - 1) if side else row
                beside = column if side else (column + 1) % width
                differs = material[row, column] != material[other, beside]
                if not differs and material[row, column] >= 0:
                    same = 0.0
                    off = 0.0
                    for axis in range(3):
                        same += normals[row, column, axis] * normals[other, beside, axis]
                        off += normals[row, column, axis] * (points[other, beside, axis] - points[row, column, axis])
                    differs = same < 0.95 or abs(off) > 0.01 + 0.01 * reach[row, column]
                if differs:
                    edges[row, column] = True
                    edges[other, beside] = True
    return edges


@njit(cache=True, nogil=True)
def match_neighbours(points, normals, material, rows, columns, grid_points, grid_normals, grid_material):
    """Flat index of the pixel with the same surface among the 3 x 3 around each extra sample (n,); else its own."""
    height, width = grid_material.shape
    result = np.empty(len(rows), np.int64)
    for i in range(len(rows)):
        best, choice = 1e9, rows[i] * width + columns[i]
        for dy in range(-1, 2):
            other = rows[i] + dy
            if other < 0 or other >= height:
                continue
            for dx in range(-1, 2):
                beside = (columns[i] + dx) % width
                if grid_material[other, beside] != material[i]:
                    continue
                off, same = 0.0, 0.0
                for axis in range(3):
                    off += abs(grid_points[other, beside, axis] - points[i, axis])
                    same += grid_normals[other, beside, axis] * normals[i, axis]
                cost = off + 2 * (1 - same)
                if cost < best:
                    best, choice = cost, other * width + beside
        result[i] = choice
    return result
