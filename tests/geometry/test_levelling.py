"""Two points level a photograph: exactly where they say all, and as little as possible where they do not."""

import numpy as np
import pytest

from core.geometry.camera import angles_from_rotation, rotation_from_angles
from core.geometry.levelling import level_by_horizon, level_by_vertical
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
