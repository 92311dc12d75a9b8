"""The look-around view as pixels: with OpenGL, without it, and against core."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from window_samples import array_from_qimage, drag, painted, turn_wheel

from core.geometry.camera import Camera
from core.geometry.sphere import directions_to_lonlat
from core.geometry.warp import erp_to_camera
from core.mask import SphereMask
from core.pyramid import PAGE, Pyramid
from panoviewer.views.masks import MaskLayer, MaskMap
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


@pytest.fixture
def make_canvas(application, needs_opengl, qtbot):
    """Makes canvases with limits of their own."""
    made = []

    def make(*args, **choices):
        canvas = GlCanvas(*args, **choices)
        qtbot.addWidget(canvas)
        canvas.resize(SIZE["width"], SIZE["height"])
        canvas.show()
        qtbot.waitExposed(canvas)
        made.append(canvas)
        return canvas

    yield make
    for canvas in made:
        canvas.release()


def test_a_picture_wider_than_the_devices_textures_is_drawn_from_a_smaller_level(make_canvas, qtbot):
    canvas = make_canvas(8192, device_width=PAGE)
    rgb = painted(1024)
    canvas.set_picture("photo", Pyramid.of(rgb))
    assert difference(drawn(canvas, qtbot, VIEWS[1]), erp_to_camera(rgb, VIEWS[1])).max() <= 3
    assert canvas._textures["photo"].width == PAGE


NARROW = [
    Camera(yaw=0.7, pitch=0.2, roll=0.0, fov_x=0.25, **SIZE),
    Camera(yaw=math.pi, pitch=-0.3, roll=0.2, fov_x=0.25, **SIZE),
    Camera(yaw=1.0, pitch=math.pi / 2, roll=0.0, fov_x=0.25, **SIZE),
    Camera(yaw=-2.0, pitch=-math.pi / 2 + 0.05, roll=1.0, fov_x=0.25, **SIZE),
]


@pytest.mark.parametrize("camera", NARROW)
@pytest.mark.parametrize("size", [(1024, 2048), (1001, 2002)])
def test_pages_show_every_pixel_where_core_puts_it(make_canvas, qtbot, camera, size):
    """At the seam and at both poles, too; noise has no two places alike."""
    rgb = np.random.default_rng(2).integers(0, 256, (*size, 3), np.uint8)
    canvas = make_canvas(512)
    canvas.set_picture("photo", Pyramid.of(rgb))
    picture = drawn(canvas, qtbot, camera)
    exact = erp_to_camera(rgb.astype(np.float32), camera)
    assert difference(picture, exact).max() <= 8
    assert difference(picture, exact).mean() <= 1


def test_only_what_is_seen_is_sent(make_canvas, qtbot):
    canvas = make_canvas(512)
    canvas.set_picture("photo", Pyramid.of(painted(2048)))
    drawn(canvas, qtbot, Camera(yaw=0.7, pitch=0.2, roll=0.0, fov_x=0.5, **SIZE))
    pages = canvas._textures["photo"].pages
    assert 0 < len(pages._places) < 40  # of 128 pages
    assert pages.side < 4096


def test_a_turn_of_the_camera_keeps_what_is_there(make_canvas, qtbot):
    canvas = make_canvas(512, device_width=1100)
    rgb = np.random.default_rng(2).integers(0, 256, (2048, 4096, 3), np.uint8)
    canvas.set_picture("photo", Pyramid.of(rgb))
    for yaw in np.linspace(2.0, 4.5, 12):
        camera = Camera(yaw=yaw, pitch=0.1, roll=0.0, fov_x=0.2, **SIZE)
        picture = drawn(canvas, qtbot, camera)
        assert difference(picture, erp_to_camera(rgb.astype(np.float32), camera)).mean() <= 1
    # There is room for sixteen; those that were not seen for longest have gone.
    assert len(canvas._textures["photo"].pages._places) <= 16


def test_a_view_that_grows_shows_the_whole_picture_until_its_pages_are_there(make_canvas, qtbot):
    canvas = make_canvas(512)
    rgb = np.full((1024, 2048, 3), (200, 100, 50), np.uint8)
    canvas.set_picture("photo", Pyramid.of(rgb))
    small = NARROW[0]
    before = drawn(canvas, qtbot, small)
    pages = canvas._textures["photo"].pages
    side = pages.side
    fov_x = 2 * math.atan(4 * small.width / (2 * small.focal_px))
    canvas.makeCurrent()
    pages.look(replace(small, fov_x=fov_x, height=4 * small.height, width=4 * small.width))
    assert pages.side > side
    assert not pages.complete
    np.testing.assert_array_equal(array_from_qimage(canvas.grabFramebuffer()), before)


def test_an_overlay_is_as_sharp_as_the_photo(make_canvas, qtbot):
    canvas = make_canvas(512)
    overlay = np.zeros((1024, 2048, 4), np.uint8)
    overlay[:, ::2] = (200, 100, 50, 255)
    canvas.set_picture("photo", Pyramid.of(np.zeros((512, 1024, 3), np.uint8)))
    canvas.set_picture("overlay", Pyramid.of(overlay))
    camera = Camera(yaw=math.pi, pitch=0.1, roll=0.0, fov_x=0.2, **SIZE)
    exact = erp_to_camera(overlay[..., :3].astype(np.float32), camera)
    assert difference(drawn(canvas, qtbot, camera), exact).max() <= 8


def test_other_colours_of_a_large_picture_take_its_place_whole(make_canvas, qtbot):
    canvas = make_canvas(512)
    rgb = np.random.default_rng(2).integers(0, 256, (1024, 2048, 3), np.uint8)
    canvas.set_picture("photo", Pyramid.of(rgb))
    drawn(canvas, qtbot, NARROW[0])
    canvas.set_picture("photo", Pyramid.of(255 - rgb), sharper=True)
    exact = erp_to_camera((255 - rgb).astype(np.float32), NARROW[0])
    assert difference(drawn(canvas, qtbot, NARROW[0]), exact).max() <= 8


def test_masks_wider_than_the_devices_textures_are_thinned(make_canvas, qtbot):
    canvas = make_canvas(8192, device_width=512)
    inside = np.zeros((1024, 2048), bool)
    inside[:, 1024:] = True
    masks = MaskMap(1024, 2048)
    parts = masks.set_layers([MaskLayer(SphereMask.pack(inside), (255, 0, 0), 1.0, None)])
    canvas.set_picture("photo", Pyramid.of(np.zeros((128, 256, 3), np.uint8)))
    canvas.set_masks(masks)
    canvas.update_masks(parts)
    camera = Camera(yaw=0.0, pitch=0.1, roll=0.0, fov_x=1.0, **SIZE)
    picture = drawn(canvas, qtbot, camera)[..., 0]
    assert picture[:, :195].max() == 0
    assert picture[:, 205:].min() == 255


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
