"""Masks and marks as pixels, in both views: across the seam, at a pole, and changed piece by piece."""

import math

import numpy as np
import pytest
from PySide6.QtWidgets import QWidget
from window_samples import array_from_qimage

from core.geometry.camera import Camera
from core.geometry.sphere import erp_rays, lonlat_to_directions
from core.mask import SphereMask
from core.pyramid import Pyramid
from panoviewer.views.erp_view import ErpView
from panoviewer.views.marks import PathMark, PointMark, Sign, circle
from panoviewer.views.masks import MaskLayer, MaskMap
from panoviewer.views.perspective_view import PerspectiveView

GREY = np.full((256, 512, 3), 100, np.uint8)
GREEN, WHITE = (0, 255, 0), (255, 255, 255)
VIEW = (300, 400)
PLACES = [(0.0, 0.0), (math.pi, 0.1), (-3.0, 0.6), (0.4, math.pi / 2), (1.0, -1.5)]
"""In the middle, across the seam, and over both poles."""


@pytest.fixture
def erp(application, qtbot):
    holder = QWidget()
    view = ErpView(holder)
    holder.resize(800, 400)
    view.resize(800, 400)
    holder.show()
    qtbot.waitExposed(holder)
    view.set_panorama(Pyramid.of(GREY))
    yield view
    holder.close()


@pytest.fixture(params=["opengl", "cpu"])
def perspective(request, application, opengl, qtbot):
    if request.param == "opengl" and opengl.reason is not None:
        pytest.skip(f"no OpenGL: {opengl.reason}")
    view = PerspectiveView(
        opengl=request.param == "opengl", max_texture_width=8192, background=lambda work, done, _failed: done(work())
    )
    qtbot.addWidget(view)
    view.resize(VIEW[1], VIEW[0])
    view.set_panorama(Pyramid.of(GREY))
    look(view, 0.0, 0.0)
    view.show()
    qtbot.waitExposed(view)
    yield view
    view.canvas.release()


def look(view, lon, lat, fov_x=1.4):
    camera = Camera(yaw=lon, pitch=lat, roll=0.0, fov_x=fov_x, height=VIEW[0], width=VIEW[1])
    view.set_camera(camera, camera)
    return camera


def shot(view, qtbot):
    if isinstance(view, PerspectiveView):
        qtbot.waitUntil(lambda: view.canvas.settled)
    return array_from_qimage(view.grab().toImage()).astype(int)


def cap(lon, lat, radius):
    """(256, 512) bool: what lies within an angle of a direction."""
    cosine = erp_rays(256, 512).astype(np.float64) @ lonlat_to_directions(lon, lat)
    return cosine > math.cos(radius)


def show(view, mask_map, *layers):
    parts = mask_map.set_layers(layers)
    view.update_masks(parts)


def filled(lon, lat, radius, **style):
    return MaskLayer(SphereMask.pack(cap(lon, lat, radius)), color=GREEN, opacity=0.5, **style)


@pytest.mark.parametrize(("lon", "lat"), PLACES)
def test_the_look_around_view_shows_a_round_mask_as_a_disc(perspective, qtbot, lon, lat):
    camera = look(perspective, lon, lat)
    mask_map = MaskMap(256, 512)
    perspective.set_masks(mask_map)
    show(perspective, mask_map, filled(lon, lat, 0.3, outline=None))
    picture = shot(perspective, qtbot)
    rays = camera.rays() @ lonlat_to_directions(lon, lat)
    margin = 2.5 * math.pi / 256
    inside, outside = rays > math.cos(0.3 - margin), rays < math.cos(0.3 + margin)
    outside[260:, 340:] = False  # the field of view is written there
    assert np.abs(picture[inside] - (50, 178, 50)).max() <= 3
    assert np.abs(picture[outside] - 100).max() <= 1


@pytest.mark.parametrize(("lon", "lat"), PLACES)
def test_the_panorama_shows_a_mask_where_its_pixels_are(erp, qtbot, lon, lat):
    mask = cap(lon, lat, 0.3)
    mask_map = MaskMap(256, 512)
    erp.set_masks(mask_map)
    show(erp, mask_map, filled(lon, lat, 0.3, outline=None))
    picture = shot(erp, qtbot)
    inside = picture[..., 1] > 140
    expected = mask[(np.arange(400) + 0.5).astype(int) * 256 // 400][:, (np.arange(800) * 512 // 800)]
    assert (inside != expected).mean() < 0.003
    assert np.abs(picture[inside] - (50, 178, 50)).max() <= 3


@pytest.mark.parametrize(("lon", "lat"), PLACES)
def test_the_outline_lies_around_the_inside_of_a_mask(perspective, qtbot, lon, lat):
    camera = look(perspective, lon, lat)
    mask_map = MaskMap(256, 512)
    perspective.set_masks(mask_map)
    show(perspective, mask_map, filled(lon, lat, 0.3, outline=WHITE))
    picture = shot(perspective, qtbot)
    white = picture.min(axis=-1) > 250
    white[260:, 340:] = False
    angles = np.arccos(np.clip(camera.rays() @ lonlat_to_directions(lon, lat), -1, 1))[white]
    assert np.abs(angles - 0.3).max() < 3 * math.pi / 256
    # It goes all the way around.
    rows, cols = np.nonzero(white)
    turns = np.arctan2(rows - 149.5, cols - 199.5)
    assert np.diff(np.sort(turns)).max() < 0.1


def test_the_panorama_has_no_outline_at_the_seam_itself(erp, qtbot):
    mask_map = MaskMap(256, 512)
    erp.set_masks(mask_map)
    show(erp, mask_map, filled(math.pi, 0.0, 0.5, outline=WHITE))
    erp.scroll(0.5, 0.0)
    picture = shot(erp, qtbot)
    white = picture.min(axis=-1) > 250
    assert not white[200, 345:455].any()
    assert white[200, 334:342].any()
    assert white[200, 458:466].any()


def test_masks_change_piece_by_piece(erp, perspective, qtbot):
    for view in (erp, perspective):
        mask_map = MaskMap(256, 512)
        view.set_masks(mask_map)
        first, second = filled(-0.25, 0.0, 0.15, outline=None), filled(0.25, 0.0, 0.15, outline=None)
        bare = shot(view, qtbot)
        show(view, mask_map, first)
        one = shot(view, qtbot)
        show(view, mask_map, first, second)
        both = shot(view, qtbot)
        show(view, mask_map, second)
        other = shot(view, qtbot)
        show(view, mask_map)
        changes = [np.abs(picture - bare).max(axis=-1) > 20 for picture in (one, both, other)]
        middle = bare.shape[1] // 2
        assert changes[0][:, :middle].any()
        assert not changes[0][:, middle:].any()
        np.testing.assert_array_equal(changes[1], changes[0] | changes[2])
        assert not changes[2][:, :middle].any()
        np.testing.assert_array_equal(shot(view, qtbot), bare)


def test_another_panorama_has_no_masks_and_marks(erp, perspective, qtbot):
    for view in (erp, perspective):
        bare = shot(view, qtbot)
        mask_map = MaskMap(256, 512)
        view.set_masks(mask_map)
        show(view, mask_map, filled(0.0, 0.0, 0.3))
        view.set_marks([PointMark(np.array([0.0, 0.0, 1.0]), Sign.POSITIVE)])
        view.set_panorama(Pyramid.of(GREY))
        np.testing.assert_array_equal(shot(view, qtbot), bare)


@pytest.mark.parametrize(("lon", "lat"), PLACES)
def test_points_are_marked_in_both_views(erp, perspective, qtbot, lon, lat):
    direction = lonlat_to_directions(lon, lat)
    camera = look(perspective, lon + 0.1, max(lat - 0.2, -1.5))
    u, v = camera.project(direction)
    places = {perspective: (float(u), float(v)), erp: erp.position_of(direction).toTuple()}
    for view, place in places.items():
        bare = shot(view, qtbot)
        pictures = []
        for sign in (Sign.POSITIVE, Sign.NEGATIVE):
            view.set_marks([PointMark(direction, sign)])
            pictures.append(shot(view, qtbot))
            changed = np.abs(pictures[-1] - bare).max(axis=-1) > 30
            rows, cols = np.nonzero(changed)
            near = np.abs(cols - place[0]) < 20
            assert near.any()
            centre = (cols[near].min() + cols[near].max()) / 2, (rows[near].min() + rows[near].max()) / 2
            if 20 < place[0] < view.width() - 20 and 20 < place[1] < view.height() - 20:
                np.testing.assert_allclose(centre, place, atol=1.5)
        assert np.abs(pictures[0] - pictures[1]).max() > 100
        view.set_marks(())
        np.testing.assert_array_equal(shot(view, qtbot), bare)


def test_a_line_over_the_seam_is_short_in_the_panorama(erp, qtbot):
    bare = shot(erp, qtbot)
    ends = lonlat_to_directions(np.radians([172.0, -172.0]), np.radians([10.0, 10.0]))
    erp.set_marks([PathMark(ends)])
    changed = np.abs(shot(erp, qtbot) - bare).max(axis=-1) > 30
    cols = np.flatnonzero(changed.any(axis=0))
    assert set(cols) <= {*range(23), *range(778, 800)}
    assert {0, 799} <= set(cols)


def test_a_ring_around_the_pole_crosses_the_whole_panorama(erp, qtbot):
    bare = shot(erp, qtbot)
    erp.set_marks([PathMark(circle([0.0, -1.0, 0.0], 0.4), closed=True)])
    changed = np.abs(shot(erp, qtbot) - bare).max(axis=-1) > 30
    assert changed.any(axis=0).all()
    rows = np.nonzero(changed)[0]
    assert rows.mean() == pytest.approx(0.4 / math.pi * 400, abs=2)


def test_a_ring_is_a_ring_in_the_look_around_view(perspective, qtbot):
    camera = look(perspective, 0.4, math.pi / 2)
    bare = shot(perspective, qtbot)
    up = np.array([0.0, -1.0, 0.0])
    perspective.set_marks([PathMark(circle(up, 0.3), closed=True)])
    changed = np.abs(shot(perspective, qtbot) - bare).max(axis=-1) > 30
    angles = np.arccos(camera.rays()[changed] @ up)
    np.testing.assert_allclose(angles, 0.3, atol=0.02)
    assert changed.sum() > 300


def test_only_what_lies_in_front_of_the_camera_is_drawn(perspective, qtbot):
    bare = shot(perspective, qtbot)
    behind = np.array([0.0, 0.0, -1.0])
    perspective.set_marks([PathMark(circle(behind, 0.3), closed=True), PointMark(behind, Sign.POSITIVE)])
    np.testing.assert_array_equal(shot(perspective, qtbot), bare)
