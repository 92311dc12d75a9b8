import math

import numpy as np
import pytest

from core.geometry.angles import STEPS, angles, picture_cells
from core.geometry.camera import Camera
from core.geometry.sphere import directions_to_lonlat

PITCHES = [0.0, 0.3, 1.2, math.pi / 2, -math.pi / 2, 2.2]
PANORAMAS = [(64, 128), (511, 1023), (4096, 8192), (16380, 32760)]


def parts_of(camera):
    """The rays of a camera, not of unit length, as sums of what belongs to a row and to a column."""
    matrix = camera.world_from_camera
    x = (np.arange(camera.width) + 0.5 - camera.width / 2) / camera.focal_px
    y = (np.arange(camera.height) + 0.5 - camera.height / 2) / camera.focal_px
    return np.outer(y, matrix[:, 1]) + matrix[:, 2], np.outer(x, matrix[:, 0])


@pytest.mark.parametrize("pitch", PITCHES)
def test_angles_are_those_of_the_library(pitch):
    camera = Camera(yaw=0.0, pitch=pitch, roll=0.4, fov_x=2.0, height=65, width=96)
    lon, lat = directions_to_lonlat(camera.rays())
    turns, down = angles(np.ones(camera.height), *parts_of(camera))
    np.testing.assert_allclose(turns, lon / (2 * math.pi), atol=1e-11)
    np.testing.assert_allclose(down, 0.5 - lat / math.pi, atol=1e-11)


@pytest.mark.parametrize("size", PANORAMAS)
@pytest.mark.parametrize("pitch", PITCHES)
def test_positions_in_pictures_are_right_to_the_step(size, pitch):
    height, width = size
    camera = Camera(yaw=0.0, pitch=pitch, roll=0.4, fov_x=2.0, height=65, width=96)
    column, row = parts_of(camera)
    cells, shares, first, last = picture_cells(column, row, (width / 2 + 0.25, width), height)
    lon, lat = directions_to_lonlat(camera.rays())
    u = (lon / (2 * math.pi) * width + width / 2 + 0.25 - 0.5) * STEPS
    v = ((0.5 - lat / math.pi) * height - 0.5) * STEPS
    cols = (cells[..., 0].astype(np.int64) + first[1]) * STEPS + shares % STEPS
    rows = (cells[..., 1].astype(np.int64) + first[0]) * STEPS + shares // STEPS
    # Half a step is the rounding itself; what float32 adds grows with the panorama.
    allowed = 0.5 + STEPS * width * 2e-7
    assert np.abs((cols - u + STEPS * width / 2) % (STEPS * width) - STEPS * width / 2).max() <= allowed
    assert np.abs(rows - v).max() <= allowed
    assert tuple(cells.reshape(-1, 2).min(axis=0)) == (0, 0)
    assert (first[0] + cells[..., 1].max(), first[1] + cells[..., 0].max()) == last
