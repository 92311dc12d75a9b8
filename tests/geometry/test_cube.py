"""Cube maps: directions are exact inside faces, across edges and at corners; layouts are cut and joined."""

import numpy as np
import py360convert
import pytest

from core.geometry.cube import CROSS, FACES, ORDERS, STRIP, STRIPS, TALL_CROSS, cube_to_erp, order_of_strip
from core.geometry.sphere import angle_between, erp_rays, lonlat_to_directions
from core.geometry.tiling import cube_tiles
from core.geometry.warp import erp_to_camera

LAYOUTS = (CROSS, TALL_CROSS, *STRIPS.values())


def direction_faces(size):
    """Faces whose values are the directions of their pixels."""
    return [camera.rays().astype(np.float32) for camera in cube_tiles(size)]


@pytest.mark.parametrize("size", [1, 2, 7, 64, 200])
@pytest.mark.parametrize("width", [40, 401, 1024])
def test_every_direction_comes_from_its_own_place_also_at_seam_edges_corners_and_poles(size, width):
    erp = cube_to_erp(direction_faces(size), width // 2, width)
    off = angle_between(erp, erp_rays(width // 2, width))
    # Linear interpolation of directions along a chord of one pixel is off by the eighth of its square; where three
    # faces meet there is no fourth neighbour to interpolate with.
    pixel = 2 / size
    assert off.max() <= 1.25 * pixel**2 + 1e-5
    if size >= 64:
        assert np.percentile(off, 99.9) < 0.126 * pixel**2 + 1e-5


def test_the_faces_look_where_their_names_say():
    towards = {"front": (0, 0), "right": (90, 0), "back": (180, 0), "left": (-90, 0), "up": (0, 90), "down": (0, -90)}
    for number, name in enumerate(FACES):
        lon, lat = np.radians(towards[name])
        np.testing.assert_allclose(cube_tiles(3)[number].rays()[1, 1], lonlat_to_directions(lon, lat), atol=1e-12)


def test_a_smooth_panorama_survives_the_way_there_and_back():
    rays = erp_rays(256, 512)
    smooth = (127 + 100 * np.sin(3 * rays)).astype(np.float32)
    faces = [erp_to_camera(smooth, camera) for camera in cube_tiles(128)]
    back = cube_to_erp(faces, 256, 512)
    assert np.abs(back - smooth).max() < 0.35
    eight = cube_to_erp([np.rint(face).astype(np.uint8) for face in faces], 256, 512)
    assert eight.dtype == np.uint8
    assert np.abs(eight - smooth).max() < 1.4


def test_py360convert_cuts_the_same_faces():
    smooth = (127 + 100 * np.sin(3 * erp_rays(512, 1024))).astype(np.float32)
    theirs = py360convert.e2c(smooth, face_w=64, mode="bilinear", cube_format="dice")
    ours = CROSS.join([erp_to_camera(smooth, camera) for camera in cube_tiles(64)])
    known = np.isfinite(ours)
    assert known.mean() == 0.5
    # Its faces have the centres of their outermost pixels on the edges, half a pixel beside ours.
    assert np.abs(ours - theirs)[known].max() < 1.1
    middle = np.abs(ours - theirs)[64 + 28 : 64 + 36]
    for face in range(4):
        assert middle[:, face * 64 + 28 : face * 64 + 36].max() < 0.6


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_layout_is_cut_as_it_was_joined(layout):
    faces = [np.random.default_rng(number).integers(0, 256, (5, 5, 3), np.uint8) for number in range(6)]
    picture = layout.join(faces)
    assert layout.fits(*picture.shape[:2])
    for face, cut in zip(faces, layout.cut(picture), strict=True):
        np.testing.assert_array_equal(face, cut)


@pytest.mark.parametrize("layout", [CROSS, TALL_CROSS], ids=lambda layout: layout.name)
def test_neighbours_in_a_cross_continue_each_other(layout):
    size = 100
    picture = layout.join(direction_faces(size))
    for row in range(layout.rows * size - 1):
        for col in range(0, layout.cols * size, 7):
            pair = picture[row : row + 2, col]
            if np.isfinite(pair).all() and row % size == size - 1:
                assert angle_between(*pair) < 2.1 / size


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize("order", ORDERS)
def test_the_order_of_a_strip_shows_in_its_edges(upright, order):
    smooth = (127 + 100 * np.sin(3 * erp_rays(128, 256))).astype(np.uint8)
    faces = [erp_to_camera(smooth, camera) for camera in cube_tiles(32)]
    assert order_of_strip(STRIPS[upright, order].join(faces)) == order


def test_a_grey_strip_is_taken_in_the_order_that_is_written():
    assert order_of_strip(np.zeros((4, 24), np.uint8)) == next(iter(ORDERS))
    assert STRIPS[False, next(iter(ORDERS))] == STRIP


def test_other_than_six_equal_squares_are_a_mistake():
    with pytest.raises(ValueError, match="six equal squares"):
        cube_to_erp([np.zeros((4, 4, 3), np.uint8)] * 5, 8, 16)
