import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.geometry.regions import components
from core.geometry.shapes import capsule, covering_radius, polygon
from core.geometry.sphere import angle_between, erp_rays, lonlat_to_directions
from core.mask import SphereMask
from core.scene import Box
from core.segment.brush import Stroke, box_mask, brush, lasso

HEIGHT, WIDTH = 32, 64
EMPTY = SphereMask.empty(HEIGHT, WIDTH)
FULL = ~EMPTY

directions = st.tuples(st.floats(-math.pi, math.pi), st.floats(-math.pi / 2, math.pi / 2)).map(
    lambda angles: lonlat_to_directions(*angles)
)
paths = st.lists(directions, min_size=1, max_size=5).map(np.stack)
radii = st.floats(0.1, 1.0)
starts = st.integers(0, 2).map(lambda n: [EMPTY, FULL, disc(HEIGHT, WIDTH, 3.0, 0.4, 0.7)][n])


def disc(height, width, lon, lat, radius):
    return SphereMask.pack(erp_rays(height, width) @ lonlat_to_directions(lon, lat) > np.cos(radius))


@given(starts, paths, radii)
def test_a_brush_adds_what_its_steps_cover_and_an_eraser_takes_it_away(mask, path, radius):
    covered = EMPTY
    for start, end in zip(path, [*path[1:], path[-1]], strict=True):
        covered = covered | SphereMask.from_window(HEIGHT, WIDTH, *capsule(HEIGHT, WIDTH, start, end, radius))
    assert brush(mask, path, radius, positive=True).same_as(mask | covered)
    assert brush(mask, path, radius, positive=False).same_as(mask - covered)


@given(starts, paths, radii, st.booleans())
def test_a_stroke_says_what_is_new_with_every_move(mask, path, radius, positive):
    stroke = Stroke(mask, radius, positive=positive)
    assert stroke.result().same_as(mask)
    so_far = EMPTY
    for n, direction in enumerate(path, 1):
        fresh = stroke.move(2.5 * direction)
        assert (fresh & so_far).is_empty
        so_far = so_far | fresh
        assert stroke.covered().same_as(so_far)
        assert stroke.result().same_as(brush(mask, path[:n], radius, positive=positive))


def test_a_stroke_across_the_seam_and_over_the_pole_is_one_piece_of_constant_width():
    height, width = 180, 360
    path = lonlat_to_directions([2.9, -2.9, -2.9, 0.3], [0.0, 0.1, 1.5, 1.4])
    painted = brush(SphereMask.empty(height, width), path, 0.1, positive=True)
    assert components(painted.unpack())[1] == 1
    lengths = angle_between(path[:-1], path[1:]).sum()
    # A band of 2 sin r along its arcs, one disc at its ends, and what the joints share is small.
    assert painted.solid_angle() == pytest.approx(2 * math.sin(0.1) * lengths + math.pi * 0.01, rel=0.03)


@pytest.mark.parametrize("lat", [0.0, 1.2, math.pi / 2])
def test_a_brush_covers_the_same_area_everywhere(lat):
    dot = brush(SphereMask.empty(1024, 2048), lonlat_to_directions([math.pi], [lat]), 0.3, positive=True)
    assert dot.solid_angle() == pytest.approx(2 * math.pi * (1 - math.cos(0.3)), rel=0.01)


@given(directions, directions)
def test_the_finest_brush_leaves_no_gap(start, end):
    if angle_between(start, end) > math.pi - 0.01:
        return
    line = brush(EMPTY, [start, end], 1e-6, positive=True)
    assert components(line.unpack())[1] == 1
    assert line.same_as(brush(EMPTY, [start, end], covering_radius(HEIGHT, WIDTH), positive=True))


@pytest.mark.parametrize("radius", [0.0, -0.1, 1.6, float("nan")])
def test_a_brush_of_no_size_is_refused(radius):
    with pytest.raises(ValueError, match="radius"):
        Stroke(EMPTY, radius, positive=True)


def test_a_path_without_points_changes_nothing():
    assert brush(FULL, np.zeros((0, 3)), 0.1, positive=False).same_as(FULL)


@given(st.lists(directions, min_size=3, max_size=6).map(np.stack))
def test_a_lasso_takes_the_inside_of_its_line(corners):
    window = polygon(HEIGHT, WIDTH, corners)
    found = lasso(HEIGHT, WIDTH, corners)
    assert found.same_as(SphereMask.from_window(HEIGHT, WIDTH, *window))
    # A power of two, so that not even a line that halves the sphere falls to the other side by rounding.
    assert found.same_as(lasso(HEIGHT, WIDTH, 4 * corners))


def test_a_lasso_around_the_pole_holds_the_pole_and_not_the_rest():
    lon = np.linspace(-math.pi, math.pi, 96, endpoint=False)
    cap = lasso(360, 720, lonlat_to_directions(lon, np.full(96, 1.0)))
    assert cap.contains(0.3, math.pi / 2)
    assert not cap.contains(0.3, 0.98)
    assert cap.solid_angle() == pytest.approx(2 * math.pi * (1 - math.sin(1.0)), rel=0.03)


def test_a_box_across_the_seam_is_one_box():
    mask = box_mask(18, 36, Box(west=math.radians(170), south=-0.5, east=math.radians(-160), north=0.5))
    assert (mask.col, mask.cols, mask.rows) == (35, 3, 6)
    assert mask.box().all()
