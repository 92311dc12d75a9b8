"""Two points level a photograph: exactly where they say all, and as little as possible where they do not."""

import numpy as np
import pytest

from core.geometry.camera import angles_from_rotation, rotation_from_angles
from core.geometry.levelling import Kind, Line, level_by_horizon, level_by_lines, level_by_vertical, likely_kind
from core.geometry.sphere import lonlat_to_directions

POSES = [(0, 0), (12, -7), (-30, 40), (60, 5), (-5, 170)]


@pytest.mark.parametrize(("pitch", "roll"), POSES)
@pytest.mark.parametrize(("lon_a", "lon_b"), [(-40, 30), (100, 250), (0, 90)])
def test_two_points_of_the_horizon_give_the_pose_exactly(pitch, roll, lon_a, lon_b):
    level = rotation_from_angles(0, np.radians(pitch), np.radians(roll))
    points = [level.T @ lonlat_to_directions(np.radians(lon), 0) for lon in (lon_a, lon_b)]
    near = rotation_from_angles(0, np.radians(pitch + 10), np.radians(roll - 10))
    np.testing.assert_allclose(level_by_horizon(*points, near), level, atol=1e-12)
    np.testing.assert_allclose(level_by_horizon(*points[::-1], near), level, atol=1e-12)


@pytest.mark.parametrize(("pitch", "roll"), POSES)
def test_two_points_of_a_vertical_lie_above_each_other_and_the_pose_moves_no_farther_than_it_must(pitch, roll):
    before = rotation_from_angles(0, np.radians(pitch), np.radians(roll))
    truth = rotation_from_angles(0, np.radians(pitch + 4), np.radians(roll - 6))
    points = [truth.T @ lonlat_to_directions(np.radians(70), np.radians(lat)) for lat in (-30, 20)]
    level = level_by_vertical(*points, before)
    a, b = (level @ point for point in points)
    assert np.arctan2(a[0], a[2]) == pytest.approx(np.arctan2(b[0], b[2]), abs=1e-12)
    moved = np.arccos(np.clip(level[1] @ before[1], -1, 1))
    assert moved <= np.arccos(np.clip(truth[1] @ before[1], -1, 1)) + 1e-12
    assert angles_from_rotation(level)[0] == pytest.approx(0, abs=1e-12)


def test_a_vertical_that_is_one_changes_nothing():
    level = rotation_from_angles(0, 0.2, -0.1)
    points = [level.T @ lonlat_to_directions(1.0, lat) for lat in (-0.5, 0.3)]
    np.testing.assert_allclose(level_by_vertical(*points, level), level, atol=1e-12)


@pytest.mark.parametrize("way", [level_by_horizon, level_by_vertical])
def test_points_that_give_no_line_are_refused(way):
    for other in ((0, 0.01, 1), (0, 0.01, -1)):
        with pytest.raises(ValueError, match="too near to each other or opposite"):
            way((0, 0, 1), other, np.eye(3))
    with pytest.raises(ValueError, match="is level"):
        level_by_vertical((0, 0, 1), (1, 0, 0), np.eye(3))


def test_points_that_would_tilt_the_camera_beyond_sense_are_refused():
    for tilt, is_right in ((55, True), (65, False)):
        level = rotation_from_angles(0, np.radians(tilt), 0)
        line = Line(Kind.HORIZON, *(level.T @ lonlat_to_directions(lon, 0.0) for lon in (0.3, 1.9)))
        np.testing.assert_allclose(level_by_lines([line], rotation_from_angles(0, np.radians(20), 0)), level, atol=1e-9)
        if is_right:
            np.testing.assert_allclose(level_by_lines([line], np.eye(3)), level, atol=1e-9)
            continue
        with pytest.raises(ValueError, match="tilted by 65 degrees, more than 60"):
            level_by_lines([line], np.eye(3))


def vertical(level, lon, lats=(-25, 35)):
    """A line above itself in a photograph of this pose."""
    return Line(Kind.VERTICAL, *(level.T @ lonlat_to_directions(np.radians(lon), np.radians(lat)) for lat in lats))


@pytest.mark.parametrize(("pitch", "roll"), POSES[:4])
@pytest.mark.parametrize("lons", [(20, 110), (-170, 150), (0, 40, 75), (178, -178 + 90)])
def test_two_verticals_give_the_pose_exactly(pitch, roll, lons):
    level = rotation_from_angles(0, np.radians(pitch), np.radians(roll))
    near = rotation_from_angles(0, np.radians(pitch + 10), np.radians(roll - 10))
    lines = [vertical(level, lon) for lon in lons]
    np.testing.assert_allclose(level_by_lines(lines, near), level, atol=1e-10)


def test_one_vertical_or_two_in_one_plane_move_the_pose_no_farther_than_they_must():
    truth, before = rotation_from_angles(0, 0.1, -0.2), rotation_from_angles(0, 0.02, 0.03)
    line = vertical(truth, 30)
    alone = level_by_vertical(line.first, line.second, before)
    np.testing.assert_array_equal(level_by_lines([line], before), alone)
    np.testing.assert_allclose(level_by_lines([line, vertical(truth, 30 + 180)], before), alone, atol=1e-9)


def test_a_horizon_decides_over_verticals():
    truth, before = rotation_from_angles(0, 0.1, -0.2), np.eye(3)
    horizon = Line(Kind.HORIZON, *(truth.T @ lonlat_to_directions(lon, 0.0) for lon in (0.3, 1.9)))
    lines = [vertical(np.eye(3), 10), horizon, vertical(np.eye(3), 80)]
    np.testing.assert_allclose(level_by_lines(lines, before), truth, atol=1e-12)


def test_the_kind_of_a_line_is_told_by_the_pose_so_far():
    level = rotation_from_angles(0, 0.3, -0.4)
    across = [level.T @ lonlat_to_directions(lon, lat) for lon, lat in ((0.2, 0.05), (1.0, -0.05))]
    upright = [level.T @ lonlat_to_directions(lon, lat) for lon, lat in ((0.2, 0.5), (0.25, -0.5))]
    assert likely_kind(*across, level) is Kind.HORIZON
    assert likely_kind(*upright, level) is Kind.VERTICAL
    with pytest.raises(ValueError, match="too near"):
        likely_kind((0, 0, 1), (0, 0, 1), level)
