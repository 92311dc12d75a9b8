"""Arrays as pictures."""

import numpy as np
import pytest
from PySide6.QtGui import QImage
from window_samples import array_from_qimage, painted

from panoviewer.images import qimage_from_array


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
