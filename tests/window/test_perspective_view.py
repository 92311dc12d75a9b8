"""The look-around view as pixels: with OpenGL, without it, and against core."""

import math

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from window_samples import array_from_qimage, drag, painted, turn_wheel

from core.geometry.camera import Camera
from core.geometry.sphere import directions_to_lonlat
from core.geometry.warp import erp_to_camera
from panoviewer.images import Pyramid
from panoviewer.views.perspective_cpu import draw_view
from panoviewer.views.perspective_gl import GlCanvas
from panoviewer.views.perspective_view import PerspectiveView

SIZE = {"height": 300, "width": 400}
VIEWS = [
    Camera(yaw=0.0, pitch=0.0, roll=0.0, fov_x=1.5, **SIZE),
    Camera(yaw=math.pi, pitch=0.1, roll=0.0, fov_x=1.2, **SIZE),
    Camera(yaw=2.0, pitch=math.pi / 2, roll=0.0, fov_x=1.8, **SIZE),
    Camera(yaw=-2.6, pitch=-1.4, roll=0.3, fov_x=2.2, **SIZE),
    Camera(yaw=3.1, pitch=0.0, roll=0.0, fov_x=0.05, **SIZE),
]


@pytest.fixture
def canvas(application, needs_opengl, qtbot):
    canvas = GlCanvas(8192)
    qtbot.addWidget(canvas)
    canvas.resize(SIZE["width"], SIZE["height"])
    canvas.show()
    qtbot.waitExposed(canvas)
    yield canvas
    canvas.release()


def drawn(canvas, qtbot, camera):
    canvas.set_camera(camera)
    qtbot.waitUntil(lambda: canvas.settled)
    return array_from_qimage(canvas.grabFramebuffer())


def difference(a, b):
    return np.abs(a.astype(int) - b.astype(int))


@pytest.mark.parametrize("camera", VIEWS)
def test_the_shader_draws_what_core_computes(canvas, qtbot, camera):
    rgb = painted(512)
    canvas.set_picture("photo", Pyramid.of(rgb))
    assert difference(drawn(canvas, qtbot, camera), erp_to_camera(rgb, camera)).max() <= 3


def test_a_single_bright_pixel_is_where_core_puts_it(canvas, qtbot):
    rgb = np.zeros((256, 512, 3), np.uint8)
    rgb[100, 300] = 255
    lon = ((300.5) / 512 - 0.5) * 2 * math.pi
    lat = (0.5 - 100.5 / 256) * math.pi
    direction = np.array([math.cos(lat) * math.sin(lon), -math.sin(lat), math.cos(lat) * math.cos(lon)])
    camera = Camera(yaw=lon + 0.1, pitch=lat - 0.05, roll=0.0, fov_x=0.6, **SIZE)
    canvas.set_picture("photo", Pyramid.of(rgb))
    weights = drawn(canvas, qtbot, camera)[..., 0].astype(float)
    rows, cols = np.mgrid[: SIZE["height"], : SIZE["width"]] + 0.5
    centre = (cols * weights).sum() / weights.sum(), (rows * weights).sum() / weights.sum()
    np.testing.assert_allclose(centre, camera.project(direction), atol=0.15)


def test_there_is_no_line_at_the_seam(canvas, qtbot):
    """A wide view that minifies a fine texture has no column that differs from its neighbours at +-180 degrees."""
    rng = np.random.default_rng(5)
    rgb = np.repeat(rng.integers(100, 156, (1024, 2048, 1), dtype=np.uint8), 3, axis=2)
    canvas.set_picture("photo", Pyramid.of(rgb))
    at_seam = drawn(canvas, qtbot, Camera(yaw=math.pi, pitch=0.0, roll=0.0, fov_x=2.4, **SIZE)).astype(float)
    columns = at_seam[..., 0].mean(axis=0)
    spread = at_seam[..., 0].std(axis=0)
    middle = SIZE["width"] // 2
    neighbours = np.r_[columns[middle - 40 : middle - 2], columns[middle + 2 : middle + 40]]
    assert np.abs(columns[middle - 2 : middle + 2] - neighbours.mean()).max() < 5 * neighbours.std() + 1
    assert spread[middle - 2 : middle + 2].max() < 2 * np.median(spread[middle - 40 : middle + 40])


def test_the_pole_is_neither_blurred_nor_pinched(canvas, qtbot):
    """Rings around the pole, as sharp as at the equator."""
    lat = (0.5 - (np.arange(512) + 0.5) / 512) * 180
    rings = np.where((lat // 2).astype(int) % 2 == 0, 40, 215).astype(np.uint8)
    rgb = np.repeat(np.repeat(rings[:, None, None], 1024, axis=1), 3, axis=2)
    camera = Camera(yaw=0.0, pitch=math.pi / 2, roll=0.0, fov_x=0.5, height=300, width=300)
    canvas.resize(300, 300)
    canvas.set_picture("photo", Pyramid.of(rgb))
    picture = drawn(canvas, qtbot, camera)[..., 0].astype(int)
    assert difference(picture, erp_to_camera(rgb, camera)[..., 0]).mean() < 4
    profile = picture[150, 155:]
    assert profile.max() > 200
    assert profile.min() < 55


def test_an_overlay_is_laid_over_the_photo(canvas, qtbot):
    photo = np.full((128, 256, 3), (200, 100, 0), np.uint8)
    overlay = np.zeros((64, 128, 4), np.uint8)
    overlay[:, 64:] = (0, 0, 128, 128)
    canvas.set_picture("photo", Pyramid.of(photo))
    canvas.set_picture("overlay", Pyramid.of(overlay))
    picture = drawn(canvas, qtbot, VIEWS[0]).astype(int)
    np.testing.assert_allclose(picture[150, 40], (200, 100, 0), atol=1)
    np.testing.assert_allclose(picture[150, 360], (100, 50, 128), atol=2)
    canvas.set_picture("overlay", None)
    np.testing.assert_allclose(drawn(canvas, qtbot, VIEWS[0])[150, 360], (200, 100, 0), atol=1)


def test_a_picture_wider_than_the_texture_limit_is_drawn_from_a_smaller_level(application, needs_opengl, qtbot):
    canvas = GlCanvas(512)
    qtbot.addWidget(canvas)
    canvas.resize(SIZE["width"], SIZE["height"])
    canvas.show()
    rgb = painted(1024)
    canvas.set_picture("photo", Pyramid.of(rgb))
    assert difference(drawn(canvas, qtbot, VIEWS[1]), erp_to_camera(rgb, VIEWS[1])).max() <= 3
    canvas.release()


@pytest.mark.parametrize("yaw", [0.7, math.pi])
def test_a_resting_view_shows_detail_that_no_texture_of_the_whole_sphere_holds(application, needs_opengl, qtbot, yaw):
    canvas = GlCanvas(512)
    qtbot.addWidget(canvas)
    canvas.resize(SIZE["width"], SIZE["height"])
    canvas.show()
    stripes = np.where(np.arange(4096) // 4 % 2 == 0, 30, 220).astype(np.uint8)
    rgb = np.repeat(np.broadcast_to(stripes, (2048, 4096))[..., None], 3, axis=2)
    camera = Camera(yaw=yaw, pitch=0.2, roll=0.0, fov_x=0.3, **SIZE)
    canvas.set_picture("photo", Pyramid.of(rgb))
    drawn(canvas, qtbot, camera)
    qtbot.wait(200)
    picture = drawn(canvas, qtbot, camera)
    assert difference(picture, erp_to_camera(rgb, camera)).mean() < 2
    # Elsewhere there is no trace of it.
    elsewhere = Camera(yaw=yaw + 2.0, pitch=0.2, roll=0.0, fov_x=0.3, **SIZE)
    canvas.set_camera(elsewhere)
    blurred = array_from_qimage(canvas.grabFramebuffer())
    assert blurred.std() < 10
    canvas.release()


def test_another_context_gets_the_same_picture(canvas, qtbot):
    """A widget that moves to another window loses its context and with it all textures."""
    canvas.set_picture("photo", Pyramid.of(painted(256)))
    before = drawn(canvas, qtbot, VIEWS[0])
    other = QWidget()
    qtbot.addWidget(other)
    other.resize(500, 400)
    canvas.setParent(other)
    other.show()
    canvas.show()
    qtbot.waitExposed(other)
    qtbot.waitUntil(lambda: canvas.settled)
    np.testing.assert_allclose(drawn(canvas, qtbot, VIEWS[0]), before, atol=1)
    canvas.setParent(None)


def test_without_opengl_the_same_picture_appears(application, qtbot):
    rgb, camera = painted(512), VIEWS[1]
    overlay = np.zeros((64, 128, 4), np.uint8)
    overlay[:, 64:] = (0, 0, 128, 128)
    picture = draw_view(Pyramid.of(rgb), Pyramid.of(overlay), camera)
    plain = erp_to_camera(rgb, camera).astype(int)
    # The overlay covers the right half of the sphere; its borders at 0 and 180 degrees are soft.
    lon = directions_to_lonlat(camera.rays())[0]
    bare, covered = (lon < -0.1) & (lon > -3.0), (lon > 0.1) & (lon < 3.0)
    assert difference(picture, plain)[bare].max() <= 2
    assert difference(picture, plain // 2 + [0, 0, 128])[covered].max() <= 3


@pytest.fixture(params=["opengl", "cpu"])
def view(request, application, opengl, qtbot):
    """A look-around view of a painted panorama that follows its own wishes."""
    if request.param == "opengl" and opengl.reason is not None:
        pytest.skip(f"no OpenGL: {opengl.reason}")
    view = PerspectiveView(
        opengl=request.param == "opengl", max_texture_width=8192, background=lambda work, done, _failed: done(work())
    )
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.cameras = []

    def follow(camera):
        view.cameras.append(camera)
        view.set_camera(camera, camera)

    view.camera_changed.connect(follow)
    view.set_panorama(Pyramid.of(painted(256)))
    follow(Camera(yaw=0.3, pitch=0.0, roll=0.0, fov_x=1.4, height=300, width=400))
    view.show()
    qtbot.waitExposed(view)
    qtbot.waitUntil(lambda: view.canvas.settled)
    yield view
    view.canvas.release()


def color_at(view, x, y):
    return array_from_qimage(view.grab().toImage())[y, x].astype(int)


def test_dragging_moves_the_picture_with_the_cursor(view, qtbot):
    held = color_at(view, 120, 100)
    drag(view, (120, 100), (200, 150), (300, 220))
    qtbot.waitUntil(lambda: view.canvas.settled)
    assert len(view.cameras) > 1
    assert difference(color_at(view, 300, 220), held).max() <= 3


def test_a_short_click_is_no_drag(view, qtbot):
    clicks = []
    view.mouse.clicked.connect(clicks.append)
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(50, 60))
    assert [click.position.toTuple() for click in clicks] == [(50.0, 60.0)]
    np.testing.assert_array_equal(clicks[0].direction, view.cameras[-1].directions(50.0, 60.0))
    assert len(view.cameras) == 1


def test_the_wheel_zooms_about_the_cursor(view, qtbot):
    held = color_at(view, 330, 80)
    turn_wheel(view, 330, 80, 3)
    qtbot.waitUntil(lambda: view.canvas.settled)
    assert view.cameras[-1].fov_x < 1.1
    assert difference(color_at(view, 330, 80), held).max() <= 3


def test_keys_turn_and_zoom(view, qtbot):
    first = view.cameras[-1]
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert view.cameras[-1].yaw > first.yaw
    QTest.keyClick(view, Qt.Key.Key_Up)
    assert view.cameras[-1].pitch > first.pitch
    QTest.keyClick(view, Qt.Key.Key_Plus)
    assert view.cameras[-1].fov_x < first.fov_x
    for _ in range(60):
        QTest.keyClick(view, Qt.Key.Key_Up)
    assert view.cameras[-1].pitch == pytest.approx(math.pi / 2)


def test_the_cursor_of_another_view_is_marked(view, qtbot):
    before = array_from_qimage(view.grab().toImage()).astype(int)
    camera = view.cameras[-1]
    view.set_cursor(camera.directions(250, 90))
    after = array_from_qimage(view.grab().toImage()).astype(int)
    rows, cols = np.nonzero(np.abs(after - before).max(axis=-1) > 20)
    np.testing.assert_allclose((cols.mean() + 0.5, rows.mean() + 0.5), (250, 90), atol=1.0)
