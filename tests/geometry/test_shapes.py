import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.geometry.dilation import dilate
from core.geometry.shapes import capsule, covering_radius, lonlat_box, polygon
from core.geometry.sphere import angle_between, erp_angles, erp_rays, lonlat_to_directions, solid_angle

HEIGHT, WIDTH = 24, 48

# Corners that lie anywhere, on the seam, at a pole, or on the middle of a pixel.
directions = st.one_of(
    st.tuples(st.floats(-math.pi, math.pi), st.floats(-math.pi / 2, math.pi / 2)),
    st.tuples(st.sampled_from([-math.pi, math.pi, 0.0]), st.floats(-1.5, 1.5)),
    st.tuples(st.floats(-math.pi, math.pi), st.sampled_from([-math.pi / 2, math.pi / 2])),
    st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1)).map(
        lambda p: (((p[0] + 0.5) / WIDTH - 0.5) * 2 * math.pi, (0.5 - (p[1] + 0.5) / HEIGHT) * math.pi)
    ),
).map(lambda angles: lonlat_to_directions(*angles))
radii = st.floats(0.01, math.pi / 2)


def rays(height=HEIGHT, width=WIDTH):
    return lonlat_to_directions(*np.meshgrid(*erp_angles(height, width)))


def laid_out(window, height=HEIGHT, width=WIDTH):
    row, col, bits = window
    assert row >= 0
    assert row + bits.shape[0] <= height
    assert 0 <= bits.shape[1] <= width
    whole = np.zeros((height, width), np.bool_)
    whole[row : row + bits.shape[0], np.arange(col, col + bits.shape[1]) % width] = bits
    return whole


def distance_to_arc(points, start, end):
    """Angle from each of (..., 3) points to the shorter arc, from its definition by many points along it."""
    nearest = np.minimum(angle_between(points, start), angle_between(points, end))
    normal = np.cross(start, end)
    if np.linalg.norm(normal) < 1e-9:
        return nearest
    normal = normal / np.linalg.norm(normal)
    foot = points - (points @ normal)[..., None] * normal
    on_arc = (np.cross(start, foot) @ normal > 0) & (np.cross(foot, end) @ normal > 0)
    return np.where(on_arc, np.abs(np.arcsin(np.clip(points @ normal, -1, 1))), nearest)


@given(directions, directions, radii)
def test_a_capsule_is_what_lies_within_the_angle_of_the_arc(start, end, radius):
    if angle_between(start, end) > math.pi - 1e-6:
        return
    away = distance_to_arc(rays(), start, end)
    found = laid_out(capsule(HEIGHT, WIDTH, start, end, radius))
    unsure = np.abs(away - radius) < 1e-6
    np.testing.assert_array_equal(found | unsure, (away <= radius) | unsure)


@given(st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1), st.integers(0, 31).map(lambda n: n / 20 + 0.003))
def test_a_disc_is_a_pixel_that_has_grown(row, col, radius):
    pixel = np.zeros((HEIGHT, WIDTH), np.bool_)
    pixel[row, col] = True
    found = laid_out(capsule(HEIGHT, WIDTH, rays()[row, col], rays()[row, col], radius))
    np.testing.assert_array_equal(found, dilate(pixel, radius))


@given(directions, directions, radii, st.integers(1, WIDTH - 1))
def test_a_turned_capsule_is_the_capsule_turned(start, end, radius, shift):
    if angle_between(start, end) > math.pi - 1e-6:
        return
    yaw = 2 * math.pi * shift / WIDTH
    turn = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
    away = distance_to_arc(rays(), start, end)
    unsure = np.abs(away - radius) < 1e-6
    here = laid_out(capsule(HEIGHT, WIDTH, start, end, radius)) | unsure
    there = laid_out(capsule(HEIGHT, WIDTH, turn @ start, turn @ end, radius)) | np.roll(unsure, shift, axis=1)
    np.testing.assert_array_equal(np.roll(here, shift, axis=1), there)


@given(directions)
def test_the_covering_radius_always_reaches_a_pixel(direction):
    assert capsule(HEIGHT, WIDTH, direction, direction, covering_radius(HEIGHT, WIDTH)).bits.any()


def test_opposite_directions_are_joined_by_a_half_circle():
    bits = laid_out(capsule(HEIGHT, WIDTH, (0, 0, 1), (0, 0, -1), 0.2))
    middle = bits & (np.abs(rays()[..., 2]) < 0.3)
    assert middle.any()


@pytest.mark.parametrize("radius", [0.0, -1.0, 1.6, float("nan")])
def test_a_radius_beyond_a_hemisphere_is_refused(radius):
    with pytest.raises(ValueError, match="radius"):
        capsule(HEIGHT, WIDTH, (0, 0, 1), (0, 0, 1), radius)


def winding_by_crossings(corners, points, reference):
    """Times that a closed line winds around each point more than around a reference, one arc at a time."""
    total = np.zeros(len(points), int)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        across, along = np.cross(points, reference), np.cross(a, b)
        meeting = np.cross(across, along)
        meeting *= np.where(meeting @ (a + b) < 0, -1.0, 1.0)[:, None]
        met = (
            ((across @ a) * (across @ b) < 0)
            & ((points @ along) * (reference @ along) < 0)
            & (np.einsum("ij,ij->i", meeting, points + reference) > 0)
        )
        total += np.where(met, np.sign(points @ along).astype(int), 0)
    return total


@given(st.lists(directions, min_size=3, max_size=7), st.integers(0, 1000))
def test_a_polygon_is_found_by_counting_crossings(corners, seed):
    # Shaken, so that nothing that the two ways of counting may disagree about lies on a border.
    corners = np.stack(corners) + np.random.default_rng(seed).normal(0, 0.01, (len(corners), 3))
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)
    reference = lonlat_to_directions(0.1234, 0.4321)
    winding = winding_by_crossings(corners, rays().reshape(-1, 3), reference).reshape(HEIGHT, WIDTH)
    areas = np.broadcast_to(solid_angle(HEIGHT, WIDTH), winding.shape)
    numbers, index = np.unique(winding, return_inverse=True)
    total = np.bincount(index.ravel(), areas.ravel())
    if len(total) > 1 and np.diff(np.sort(total)[-2:])[0] < 1e-9:
        return
    np.testing.assert_array_equal(laid_out(polygon(HEIGHT, WIDTH, corners)), winding != numbers[np.argmax(total)])


@given(st.lists(directions, min_size=3, max_size=7))
def test_corners_on_the_seam_on_poles_and_on_pixels_leave_no_streaks(corners):
    """Half-open rules: no meridian is crossed once too often, however special the corners are."""
    corners = np.stack(corners)
    after = np.roll(corners, -1, axis=0)
    if angle_between(corners, after).max() > math.pi - 1e-3:
        return
    exact = laid_out(polygon(HEIGHT, WIDTH, corners))
    away = np.min([distance_to_arc(rays(), a, b) for a, b in zip(corners, after, strict=True)], axis=0)
    shaken = corners + np.random.default_rng(0).normal(0, 1e-9, corners.shape)
    shaken /= np.linalg.norm(shaken, axis=1, keepdims=True)
    areas = np.broadcast_to(solid_angle(HEIGHT, WIDTH), exact.shape)
    other = laid_out(polygon(HEIGHT, WIDTH, shaken))
    if abs(areas[exact].sum() - areas[~other].sum()) < 1e-3:  # both sides alike: either may be inside
        return
    clear = away > 1e-6
    differ = (exact != other) & clear
    assert not differ.any()


@pytest.mark.parametrize(("lon", "lat"), [(0.4, 0.3), (math.pi, 0.0), (0.0, math.pi / 2), (1.0, -1.4)])
def test_a_polygon_with_many_corners_is_a_disc_anywhere(lon, lat):
    height, width = 180, 360
    middle = lonlat_to_directions(lon, lat)
    east = np.cross((0.0, 1.0, 0.0), middle) if abs(middle[1]) < 0.99 else np.array([1.0, 0.0, 0.0])
    east /= np.linalg.norm(east)
    turn = np.linspace(0, 2 * math.pi, 200, endpoint=False)[:, None]
    rim = math.cos(0.5) * middle + math.sin(0.5) * (np.cos(turn) * east + np.sin(turn) * np.cross(middle, east))
    away = angle_between(erp_rays(height, width), middle)
    for corners in (rim, rim[::-1]):
        found = laid_out(polygon(height, width, corners), height, width)
        assert found[away < 0.4998].all()
        assert not found[away > 0.5001].any()


def test_both_lobes_of_a_figure_of_eight_are_inside():
    corners = lonlat_to_directions(np.array([-0.5, 0.5, 0.5, -0.5]), np.array([-0.3, 0.3, -0.3, 0.3]))
    bits = laid_out(polygon(90, 180, corners), 90, 180)
    lon, lat = np.meshgrid(*erp_angles(90, 180))
    assert bits[(np.abs(lon - 0.4) < 0.05) & (np.abs(lat) < 0.05)].all()
    assert bits[(np.abs(lon + 0.4) < 0.05) & (np.abs(lat) < 0.05)].all()
    assert not bits[(np.abs(lon) < 0.05) & (np.abs(lat) > 0.2)].any()


def test_a_loop_that_goes_around_twice_has_no_hole():
    turn = np.linspace(0, 4 * math.pi, 80, endpoint=False)
    radius = np.linspace(0.3, 0.5, 80)
    corners = lonlat_to_directions(3.0 + radius * np.cos(turn), radius * np.sin(turn))
    bits = laid_out(polygon(90, 180, corners), 90, 180)
    assert bits[angle_between(rays(90, 180), lonlat_to_directions(3.0, 0.0)) < 0.28].all()


@pytest.mark.parametrize("corners", [[], [(0, 0, 1)], [(0, 0, 1), (1, 0, 0)], [(0, 0, 1)] * 5])
def test_a_line_that_encloses_nothing_has_no_inside(corners):
    assert not polygon(HEIGHT, WIDTH, np.reshape(corners, (-1, 3))).bits.any()


@given(st.floats(-math.pi, math.pi), st.floats(-1.6, 1.6), st.floats(-math.pi, math.pi), st.floats(0, 1.6))
def test_a_box_holds_the_centres_between_its_sides(west, south, east, tall):
    south = max(south, -math.pi / 2)
    north = min(south + tall, math.pi / 2)
    lon, lat = np.meshgrid(*erp_angles(HEIGHT, WIDTH))
    across = (east - west) % (2 * math.pi) if east < west else east - west
    off = (lon - west) % (2 * math.pi)
    expected = ((off <= across) | (off > 2 * math.pi - 1e-10)) & (south <= lat) & (lat <= north)
    borders = (np.abs(lat - south) < 1e-7) | (np.abs(lat - north) < 1e-7)
    borders |= np.abs(np.sin((lon - west) / 2)) < 1e-7
    borders |= np.abs(np.sin((lon - east) / 2)) < 1e-7
    found = laid_out(lonlat_box(HEIGHT, WIDTH, west, south, east, north))
    np.testing.assert_array_equal(found | borders, expected | borders)


def test_the_box_from_seam_to_seam_is_the_whole_sphere():
    whole = lonlat_box(HEIGHT, WIDTH, -math.pi, -math.pi / 2, math.pi, math.pi / 2)
    assert laid_out(whole).all()
