"""Arrays as pictures, and the levels that views draw from."""

import numpy as np
import pytest
from PySide6.QtGui import QImage
from window_samples import array_from_qimage, painted

from core.geometry.camera import Camera
from panoviewer.images import MAX_DETAIL_PX, Pyramid, qimage_from_array


def test_a_picture_shares_the_arrays_memory():
    array = painted(64).copy()
    image = qimage_from_array(array)
    array[10, 20] = (1, 2, 3)
    assert image.pixelColor(20, 10).getRgb()[:3] == (1, 2, 3)


def test_a_part_of_a_picture_costs_nothing_and_is_right():
    array = painted(64)
    part = array[5:20, 30:77]
    image = qimage_from_array(part)
    np.testing.assert_array_equal(array_from_qimage(image), part)
    assert image.bytesPerLine() == array.strides[0]


def test_a_picture_keeps_its_memory_alive():
    image = qimage_from_array(painted(64).copy())
    painted(64)
    np.testing.assert_array_equal(array_from_qimage(image), painted(64))


def test_premultiplied_colours_stay_as_they_are():
    array = np.full((4, 6, 4), (10, 20, 30, 128), np.uint8)
    image = qimage_from_array(array)
    assert image.format() == QImage.Format.Format_RGBA8888_Premultiplied
    assert image.size().toTuple() == (6, 4)


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((4, 8, 3), np.uint8)[:, ::2]]
)
def test_what_is_no_picture_is_refused(array):
    with pytest.raises(ValueError, match=r"image must be|side by side"):
        qimage_from_array(array)


def test_levels_are_halves_down_to_a_small_one():
    picture = painted(1024)
    pyramid = Pyramid.of(picture)
    assert [level.shape[1] for level in pyramid.levels] == [2048, 1024, 512, 256]
    assert np.shares_memory(pyramid.levels[0], picture)
    smooth = pyramid.levels[-1].astype(int)
    assert np.abs(smooth - painted(128)).max() <= 2


@pytest.mark.parametrize(("wanted", "width"), [(5000, 2048), (2048, 2048), (1025, 2048), (1024, 1024), (10, 256)])
def test_the_smallest_level_with_enough_pixels_is_chosen(wanted, width):
    pyramid = Pyramid.of(painted(1024))
    assert pyramid.levels[pyramid.level_for(wanted)].shape[1] == width


def test_detail_is_fetched_only_where_the_base_is_too_coarse():
    pyramid = Pyramid.of(painted(1024))
    narrow = Camera(yaw=3.1, pitch=0.2, roll=0.0, fov_x=0.5, height=300, width=400)
    assert pyramid.detail(narrow, 2048) is None
    detail = pyramid.detail(narrow, 512)
    assert max(detail.picture.shape) <= MAX_DETAIL_PX
    assert detail.width == pytest.approx(0.5 / 6.283, rel=0.2)
    assert detail.u + detail.width > 1.0  # it crosses the seam
    wide = Camera(yaw=0.0, pitch=0.0, roll=0.0, fov_x=2.0, height=100, width=100)
    assert pyramid.detail(wide, 512) is None
