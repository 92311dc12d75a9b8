import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.geometry.regions import components, runs_outside
from core.geometry.rings import Ring, fill, ring_directions, simplified, trace, trace_flat
from core.geometry.shapes import polygon
from core.geometry.sphere import angle_between, erp_rays, erp_to_directions, lonlat_to_directions
from core.mask import SphereMask

shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
masks = shapes.flatmap(lambda shape: hnp.arrays(np.bool_, shape))


def rings_of(bits):
    mask = SphereMask.pack(bits)
    return trace(*mask.size, mask.row, mask.col, mask.box())


def disc(height, width, lon, lat, radius):
    return erp_rays(height, width) @ lonlat_to_directions(lon, lat) > np.cos(radius)


@given(masks)
def test_a_mask_comes_back_from_its_rings(bits):
    rings = rings_of(bits)
    np.testing.assert_array_equal(fill(*bits.shape, rings, otherwise=bool(bits.all())), bits)


@given(masks)
def test_a_mask_comes_back_from_the_rings_of_any_window_around_it(bits):
    height, width = bits.shape
    rings = trace(height, width, 0, 0, bits)
    np.testing.assert_array_equal(fill(height, width, rings, otherwise=bool(bits.all())), bits)
    kinds = sorted((ring.is_hole, ring.turns) for ring in rings)
    assert kinds == sorted((ring.is_hole, ring.turns) for ring in rings_of(bits))


@given(masks)
def test_each_part_has_one_ring_around_it_and_one_around_each_hole(bits):
    rings = rings_of(bits)
    parts, count = components(bits)
    if bits.all() or not bits.any():
        assert not rings
        return
    assert sorted(ring.part for ring in rings if not ring.is_hole) == list(range(count))
    assert len(rings) == count + runs_outside(bits).count - 1
    assert parts.max() == count


@given(masks)
def test_rings_go_along_meridians_and_parallels_and_turn_at_every_corner(bits):
    height, width = bits.shape
    for ring in rings_of(bits):
        assert 0 <= ring.corners[0, 0] < width
        closed = np.append(ring.corners, ring.corners[:1] + np.array([ring.turns * width, 0]), axis=0)
        steps = np.diff(closed, axis=0)
        assert ((steps != 0).sum(axis=1) == 1).all()
        assert ((closed[:, 1] >= 0) & (closed[:, 1] <= height)).all()
        assert ring.turns in (-1, 0, 1)


def test_a_mask_across_the_seam_has_one_ring_that_runs_on():
    bits = np.zeros((6, 12), np.bool_)
    bits[2:4, [10, 11, 0, 1, 2]] = True
    (ring,) = rings_of(bits)
    assert not ring.is_hole
    assert ring.turns == 0
    assert sorted(map(tuple, ring.corners.tolist())) == [(10, 2), (10, 4), (15, 2), (15, 4)]


def test_the_inside_is_on_the_left():
    bits = np.zeros((6, 12), np.bool_)
    bits[2:4, 5:7] = True
    (ring,) = rings_of(bits)
    u, v = ring.corners.T.astype(float)
    area = 0.5 * np.sum(u * np.roll(v, -1) - v * np.roll(u, -1))
    assert area == -4  # v points down, so counter-clockwise is negative


def test_a_cap_has_a_ring_that_goes_once_around():
    bits = np.zeros((6, 12), np.bool_)
    bits[:2] = True
    (ring,) = rings_of(bits)
    assert ring.turns == 1  # eastwards, the pole on its left
    np.testing.assert_array_equal(ring.corners[:, 1], 2)
    (ring,) = rings_of(~bits)
    assert (ring.turns, ring.is_hole) == (-1, False)


def test_a_band_around_the_horizon_has_the_smaller_cap_as_its_hole():
    bits = np.zeros((10, 20), np.bool_)
    bits[1:5] = True
    outer, hole = rings_of(bits)
    assert (outer.is_hole, hole.is_hole) == (False, True)
    assert outer.corners[0, 1] == 5
    assert hole.corners[0, 1] == 1
    outer, hole = rings_of(bits[::-1])
    assert (outer.corners[0, 1], hole.corners[0, 1]) == (5, 9)


def test_parts_that_meet_in_a_pole_have_one_ring():
    bits = np.zeros((6, 12), np.bool_)
    bits[0:2, [1, 2, 7]] = True
    (ring,) = rings_of(bits)
    assert ring.part == 0
    np.testing.assert_array_equal(fill(6, 12, [ring]), bits)


def test_an_island_in_a_hole_is_a_part_of_its_own():
    whole, hole, island = (disc(60, 120, 3.1, 0.3, radius) for radius in (0.9, 0.6, 0.3))
    rings = rings_of((whole & ~hole) | island)
    assert [(ring.part, ring.is_hole) for ring in rings] == [(0, False), (0, True), (1, False)]


def test_a_part_that_is_seen_from_its_largest_hole_has_the_others_as_holes():
    """More than half of the sphere is inside, yet the largest part outside counts as the surroundings."""
    bits = ~(disc(60, 120, 0, 0, 0.8) | disc(60, 120, 2.5, 0.5, 0.3))
    outer, hole = rings_of(bits)
    assert not outer.is_hole
    assert hole.is_hole
    assert len(outer.corners) > len(hole.corners)


@given(masks)
def test_flat_polygons_cover_exactly_the_pixels(bits):
    inside = np.zeros(bits.shape, int)
    rings = trace_flat(bits)
    for ring in rings:
        u, v = ring.corners.T
        # Even-odd along each row of pixel centres, from the upright sides.
        for (u0, v0), v1 in zip(ring.corners, np.roll(v, -1), strict=True):
            inside[min(v0, v1) : max(v0, v1), u0:] += 1 if v1 > v0 else -1
        assert (u >= 0).all()
        assert (u <= bits.shape[1]).all()
        assert ring.turns == 0
    np.testing.assert_array_equal(inside, bits)


@given(masks)
def test_flat_parts_are_joined_by_edges_only(bits):
    rings = trace_flat(bits)
    padded = np.pad(bits, 1)
    parts = runs_outside(~padded).count
    assert sorted(ring.part for ring in rings if not ring.is_hole) == list(range(parts))
    assert sum(ring.is_hole for ring in rings) == components(~padded)[1] - 1


def test_pixels_that_touch_by_a_corner_leave_no_hole_in_the_plane():
    bits = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], np.bool_)
    assert [ring.is_hole for ring in trace_flat(bits)] == [False]
    bits[2, 2] = True
    assert [ring.is_hole for ring in trace_flat(bits)] == [False, True]


@pytest.mark.parametrize(("lon", "lat"), [(0.4, 0.3), (math.pi, 0.0), (0.0, math.pi / 2), (1.0, -1.4)])
def test_directions_of_a_ring_enclose_the_mask(lon, lat):
    bits = disc(90, 180, lon, lat, 0.6)
    (ring,) = rings_of(bits)
    line = ring_directions(ring, 90, 180, 1e-6)
    row, col, inside = polygon(90, 180, line)
    found = SphereMask.from_window(90, 180, row, col, inside)
    assert found.same_as(SphereMask.pack(bits))


def test_sides_along_parallels_are_cut_into_arcs_that_stay_close():
    bits = np.zeros((90, 180), np.bool_)
    bits[10:20, 20:160] = True
    (ring,) = rings_of(bits)
    line = ring_directions(ring, 90, 180, 1e-3)
    middles = line + np.roll(line, -1, axis=0)
    top, bottom = erp_to_directions(0, 10, 90, 180), erp_to_directions(0, 20, 90, 180)
    lat = np.arcsin(-middles[:, 1] / np.linalg.norm(middles, axis=1))
    edges = np.arcsin([-top[1], -bottom[1]])
    off = np.abs(lat[:, None] - edges).min(axis=1)
    upright = (off > 0.01).sum()
    assert upright == 2  # the two sides along meridians
    assert off[off <= 0.01].max() < 1.05e-3


@given(st.floats(0.002, 0.2), st.sampled_from([(0.4, 0.3), (math.pi, 0.0), (0.0, math.pi / 2)]))
def test_a_simplified_line_stays_within_the_tolerance(tolerance, middle):
    bits = disc(60, 120, *middle, 0.6) & ~disc(60, 120, middle[0] + 0.3, middle[1], 0.3)
    line = ring_directions(rings_of(bits)[0], 60, 120, tolerance / 10)
    fewer = simplified(line, tolerance)
    assert len(fewer) <= len(line)
    # Every old corner is near some new arc, of which 40 points are near enough.
    share = np.linspace(0, 1, 40)[:, None, None]
    arcs = (1 - share) * fewer + share * np.roll(fewer, -1, axis=0)
    arcs /= np.linalg.norm(arcs, axis=-1, keepdims=True)
    nearness = (line @ arcs.reshape(-1, 3).T).max(axis=1)
    longest = angle_between(fewer, np.roll(fewer, -1, axis=0)).max()
    assert np.arccos(np.minimum(nearness, 1)).max() < math.hypot(tolerance, longest / 78) + 1e-6


def test_what_is_narrower_than_the_tolerance_vanishes():
    bits = np.zeros((90, 180), np.bool_)
    bits[40, 50:52] = True
    line = ring_directions(rings_of(bits)[0], 90, 180, 1e-3)
    assert len(simplified(line, 0.2)) < 3
    assert len(simplified(line, 1e-3)) == 4


def test_rings_of_nothing():
    assert rings_of(np.zeros((4, 8), np.bool_)) == trace_flat(np.zeros((4, 8), np.bool_)) == []
    assert isinstance(rings_of(np.eye(4, 8, dtype=np.bool_))[0], Ring)
    assert fill(4, 8, [], otherwise=True).all()
