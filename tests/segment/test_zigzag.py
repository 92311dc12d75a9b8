"""Views that look everywhere, the path through them, and where clicks and boxes lie in them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.geometry.sphere import angle_between, lonlat_to_directions
from core.scene import Box
from core.segment.options import Order, SegmentOptions
from core.segment.zigzag import (
    BORDER_SAMPLES,
    border_directions,
    border_touched,
    box_in_view,
    frame_set,
    in_box,
    sees,
)

LAYOUTS = [
    SegmentOptions(views=views, fov_deg=fov, order=order)
    for views, fov, order in [
        (24, 90, Order.ZIGZAG),
        (24, 100, Order.ZIGZAG),
        (48, 90, Order.ZIGZAG),
        (24, 90, Order.RASTER),
        (48, 95, Order.RASTER),
    ]
]
layouts = pytest.mark.parametrize("options", LAYOUTS, ids=lambda o: f"{o.order}-{o.views}-{o.fov_deg:.0f}")
lons = st.floats(-math.pi, math.pi)
lats = st.floats(-math.pi / 2, math.pi / 2)


def random_directions(count):
    directions = np.random.default_rng(0).normal(size=(count, 3))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


@layouts
def test_every_direction_lies_in_at_least_three_views(options):
    frames = frame_set(options, 128)
    directions = np.concatenate([random_directions(50_000), np.vstack([np.eye(3), -np.eye(3)])])
    counts = sum(sees(frame.camera, directions, -1e-9).astype(int) for frame in frames.frames)
    assert len(frames) == options.views
    assert counts.min() >= 3
    assert counts.mean() >= options.views / 6.1


@layouts
def test_every_direction_lies_well_within_some_view(options):
    directions = random_directions(50_000)
    if options.fov_deg < 95:
        # At 90 degrees the poles lie on the border of all views that see them.
        directions = directions[np.abs(directions[:, 1]) < math.cos(math.radians(4))]
    assert np.any([sees(f.camera, directions, 0.03) for f in frame_set(options, 128).frames], axis=0).all()


@layouts
def test_a_pole_is_looked_at_on_the_border_where_no_view_sees_it_better(options):
    poles = np.array([[0.0, -1, 0], [0.0, 1, 0]])
    frames = frame_set(options, 128)
    upper, lower = frames.seen(poles)
    assert {frames.frames[number].row for number in np.flatnonzero(upper)} == {0}
    assert {frames.frames[number].row for number in np.flatnonzero(lower)} == {frames.rows - 1}
    assert upper.sum() == lower.sum() == frames.columns


@layouts
def test_the_path_visits_every_view_once_from_any_start(options):
    frames = frame_set(options, 64)
    for start in range(len(frames)):
        path = frames.path(start)
        assert path[0] == start
        assert sorted(path) == list(range(len(frames)))


@pytest.mark.parametrize("views", [24, 48])
def test_the_zigzag_closes_and_takes_one_step_at_a_time(views):
    frames = frame_set(SegmentOptions(views=views), 64)
    step = math.radians({24: 45, 48: 30}[views])
    for start in range(len(frames)):
        path = frames.path(start)
        for here, there in zip(path, (*path[1:], path[0]), strict=True):
            a, b = frames.frames[here], frames.frames[there]
            turned = (a.column - b.column) % frames.columns in (1, frames.columns - 1)
            tilted = abs(a.row - b.row) == 1
            assert turned != tilted
            assert a.row == b.row or a.column == b.column
            assert angle_between(frames.axes[here], frames.axes[there]) <= step + 1e-9


def test_the_zigzag_goes_down_first_whatever_the_column():
    frames = frame_set(SegmentOptions(), 64)
    for column in range(8):
        start = column * 3 + 1
        below = frames.frames[frames.path(start)[1]]
        assert (below.column, below.row) == (column, 2)


def test_a_raster_goes_row_by_row():
    frames = frame_set(SegmentOptions(order=Order.RASTER), 64)
    rows = [frames.frames[number].row for number in frames.path(0)]
    assert rows == [0] * 8 + [1] * 8 + [2] * 8


@given(lon=lons, lat=lats)
def test_the_best_view_sees_the_click_nearest_to_its_axis(lon, lat):
    frames = frame_set(SegmentOptions(fov_deg=95), 128)
    best = frames.best(lon, lat)
    angles = angle_between(frames.axes, lonlat_to_directions(lon, lat))
    assert angles[best] <= angles.min() + 1e-7
    assert frames.place(best, lon, lat) is not None
    assert frames.nearest_first(lon, lat)[0] == best or angles[frames.nearest_first(lon, lat)[0]] == pytest.approx(
        angles[best], abs=1e-6
    )


@given(lon=lons, lat=lats, turns=st.integers(0, 7))
def test_a_turned_click_is_placed_in_the_turned_view_to_the_last_bit(lon, lat, turns):
    frames = frame_set(SegmentOptions(), 128)
    turned = math.remainder(lon + turns * math.pi / 4, 2 * math.pi)
    first, second = frames.best(lon, lat), frames.best(turned, lat)
    assert (second - first) % 24 == turns * 3
    assert frames.place(first, lon, lat) == frames.place(second, turned, lat)
    assert [(n - first) % 24 for n in frames.path(first)] == [(n - second) % 24 for n in frames.path(second)]


@given(lon=lons, lat=lats)
def test_a_click_comes_back_from_every_view_that_sees_it(lon, lat):
    frames = frame_set(SegmentOptions(), 1024)
    direction = lonlat_to_directions(lon, lat)
    for number, frame in enumerate(frames.frames):
        place = frames.place(number, lon, lat)
        assert (place is not None) == bool(sees(frame.camera, direction, 0.03))
        if place is not None:
            np.testing.assert_allclose(place, frame.camera.project(direction), atol=1e-3)
            assert 0.03 * 1024 <= min(place) <= max(place) <= 0.97 * 1024
            assert float(angle_between(frame.camera.directions(*place), direction)) * frame.camera.focal_px < 1e-3


def test_clicks_near_the_border_are_left_to_other_views():
    frames = frame_set(SegmentOptions(), 200)
    ahead = next(n for n, frame in enumerate(frames.frames) if frame.camera.yaw == frame.camera.pitch == 0)
    almost_out, inside = (frames.camera(ahead).directions(u, 100) for u in (196.0, 190.0))
    for direction, expected in ((almost_out, False), (inside, True)):
        lon = math.atan2(direction[0], direction[2])
        assert (frames.place(ahead, lon, 0.0) is not None) == expected


def test_an_object_touches_a_border_where_it_reaches_it():
    logits = np.full((96, 96), -1, np.float32)
    logits[30:50, 90:] = 1
    touched = border_touched(logits, 0.03)
    sides = touched.reshape(4, BORDER_SAMPLES)
    assert not sides[:3].any()
    assert set(np.flatnonzero(sides[3])) == set(range(30 * 64 // 96, -(-50 * 64 // 96)))
    logits[:, 90:] = -1
    logits[30:50, 20:80] = 1
    assert not border_touched(logits, 0.03).any()


def test_a_thin_object_does_not_slip_between_two_samples():
    for row in range(256):
        logits = np.full((256, 256), -1, np.float32)
        logits[row] = 1
        assert border_touched(logits, 0.03).reshape(4, -1)[2:].sum() == 2


def test_borders_are_seen_by_neighbours():
    frames = frame_set(SegmentOptions(), 64)
    seen = frames.border_seen
    assert seen.shape == (24, 4 * BORDER_SAMPLES, 24)
    directions = border_directions(frames.camera(4))
    assert np.array_equal(seen[4, :, 7], sees(frames.camera(7), directions, 0.03))
    assert not seen[np.arange(24), :, np.arange(24)].any()
    level = [n for n, frame in enumerate(frames.frames) if frame.row == 1]
    assert seen[level].any(axis=2).all()


@given(lon=lons, lat=st.floats(-1.2, 1.2), wide=st.floats(0.02, 0.5), high=st.floats(0.02, 0.5))
def test_a_box_is_the_smallest_rectangle_that_holds_its_outline(lon, lat, wide, high):
    frames = frame_set(SegmentOptions(), 256)
    box = Box(lon - wide / 2, lat - high / 2, math.remainder(lon + wide / 2, 2 * math.pi), lat + high / 2)
    number = frames.best(lon, lat)
    rectangle = box_in_view(frames.camera(number), box, at_least=0.0)
    share = np.linspace(0, 1, 9)
    grid = lonlat_to_directions(*np.meshgrid(lon + wide * (share - 0.5), lat + high * (share - 0.5)))
    u, v = frames.camera(number).project(grid)
    inside = sees(frames.camera(number), grid)
    assert (u[inside] >= rectangle[0] - 0.5).all()
    assert (u[inside] <= rectangle[2] + 0.5).all()
    assert (v[inside] >= rectangle[1] - 0.5).all()
    assert (v[inside] <= rectangle[3] + 0.5).all()
    assert in_box(box, grid).all()


def test_views_that_see_only_a_piece_of_a_box_are_not_given_it():
    frames = frame_set(SegmentOptions(), 256)
    box = Box(*(math.radians(x) for x in (30, -10, 60, 10)))
    ahead = next(n for n, frame in enumerate(frames.frames) if frame.camera.yaw == frame.camera.pitch == 0)
    assert box_in_view(frames.camera(ahead), box) is None
    assert box_in_view(frames.camera(ahead), box, at_least=0.0) is not None
    assert box_in_view(frames.camera(frames.best(math.radians(45), 0.0)), box) is not None


def test_a_box_across_the_seam_holds_what_lies_on_both_sides():
    box = Box(math.radians(170), -0.2, math.radians(-170), 0.2)
    places = lonlat_to_directions(np.radians([175, 180, -175, 165, -165, 0]), 0.0)
    assert in_box(box, places).tolist() == [True, True, True, False, False, False]


@pytest.mark.parametrize("wrong", [{"views": 12}, {"fov_deg": 80}, {"memories": -1}, {"margin": 0.0}])
def test_senseless_options_are_refused(wrong):
    with pytest.raises(ValueError, match=r"expected|range"):
        SegmentOptions(**wrong)
