"""Limits of libraries are met on purpose: pictures beyond them are shown, and none of the limits is touched."""

import cv2
import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QImageReader, QPainter
from window_samples import array_from_qimage, painted, shot

from core.pyramid import Page, Pyramid
from panoviewer.images import columns_around, qimage_from_array

QT_RASTER = 32767
"""Most pixels along a side that Qt's painter draws."""


@pytest.fixture
def one_megabyte():
    """Qt decodes no picture of more."""
    before = QImageReader.allocationLimit()
    QImageReader.setAllocationLimit(1)
    yield
    QImageReader.setAllocationLimit(before)


def test_a_picture_beyond_qts_allocation_limit_and_pillows_is_opened_and_shown(
    window, settle, one_megabyte, tmp_path, monkeypatch
):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
    path = tmp_path / "large.png"
    rgb = np.roll(painted(512), 300, axis=1)
    cv2.imwrite(str(path), rgb[..., ::-1])
    assert QImage(str(path)).isNull()  # Qt itself refuses it
    before = [shot(view) for view in window.stage.sphere_views]
    window.open(path)
    settle(window)
    assert window.session.document.panorama.width == 1024
    for view, picture in zip(window.stage.sphere_views, before, strict=True):
        assert np.abs(shot(view) - picture).mean() > 10
    assert Image.MAX_IMAGE_PIXELS == 100_000
    assert QImageReader.allocationLimit() == 1


def test_a_part_of_a_level_that_is_wider_than_qt_draws_is_drawn(application):
    """As the panorama view does it: the visible columns of a level, also across its seam."""
    level = np.zeros((4, QT_RASTER + 9_001, 3), np.uint8)
    level[:, -3:] = (255, 0, 0)
    level[:, :3] = (0, 0, 255)
    target = QImage(60, 40, QImage.Format.Format_RGB888)
    painter = QPainter(target)
    painter.drawImage(QRectF(0, 0, 60, 40), qimage_from_array(columns_around(level, -3, 3)))
    painter.end()
    drawn = array_from_qimage(target)
    np.testing.assert_array_equal(drawn[20, 5], (255, 0, 0))
    np.testing.assert_array_equal(drawn[20, 55], (0, 0, 255))


def test_levels_and_pages_have_no_widest_picture():
    """Twice what `cv2.remap` counts; each page is made of the right columns."""
    picture = np.zeros((512, 65_600, 3), np.uint8)
    picture[:, :, 0] = np.arange(65_600) % 251
    pyramid = Pyramid.of(picture)
    rows, cols = pyramid.page_grid(0)
    last = pyramid.pixels_of(Page(0, rows - 1, cols - 1))
    assert last.shape[1] == 65_600 - 256 * (cols - 1) + 2
    np.testing.assert_array_equal(last[0, :, 0], (np.arange(256 * (cols - 1) - 1, 65_601) % 65_600) % 251)
    assert pyramid.levels[1].shape == (256, 32_800, 3)
    assert pyramid.levels[1][0, 16_500, 0] == (33_000 % 251 + 33_001 % 251 + 1) // 2
