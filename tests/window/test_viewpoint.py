"""Where one looks: the first view, and what becomes of it when the view gets another size."""

import math

import numpy as np
import pytest

from core.geometry.camera import Camera
from core.panorama import DEFAULT_VIEW
from panoviewer.viewpoint import Viewpoint


@pytest.fixture
def viewpoint(qapp):
    return Viewpoint()


def test_a_photo_without_tags_is_first_seen_at_a_right_angle(viewpoint):
    viewpoint.set_size(400, 600)
    viewpoint.reset(DEFAULT_VIEW, np.eye(3))
    assert viewpoint.camera.fov_x == pytest.approx(math.pi / 2)


@pytest.mark.parametrize("size", [(400, 600), (300, 900), (900, 300)])
def test_the_first_view_keeps_its_horizontal_angle_however_the_view_is_resized(viewpoint, size):
    first = Camera(yaw=0.4, pitch=0.1, roll=0.0, fov_x=1.7, height=512, width=512)
    viewpoint.reset(first, np.eye(3))
    viewpoint.set_size(900, 200)
    viewpoint.set_size(*size)
    viewpoint.set_size(500, 700)
    assert viewpoint.camera.fov_x == pytest.approx(1.7)
    assert viewpoint.camera.size == (500, 700)
    assert viewpoint.camera.yaw == pytest.approx(0.4)


def test_a_view_that_was_moved_is_resized_without_zooming(viewpoint):
    viewpoint.set_size(400, 600)
    viewpoint.reset(DEFAULT_VIEW, np.eye(3))
    viewpoint.look_at(np.array([1.0, 0.0, 0.0]))
    focal = viewpoint.camera.focal_px
    viewpoint.set_size(400, 900)
    assert viewpoint.camera.focal_px == pytest.approx(focal)


def test_the_same_size_again_is_no_change(viewpoint, qtbot):
    viewpoint.set_size(400, 600)
    with qtbot.assertNotEmitted(viewpoint.camera_changed):
        viewpoint.set_size(400, 600)
