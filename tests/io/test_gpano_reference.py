"""The reference pictures of rodrigopolo/360GPanoReference open with the first view that is printed beside them."""

import math

import cv2
import numpy as np
import pytest
from picture_files import SHARED

from core.geometry.camera import Camera, rotation_from_angles
from core.geometry.sphere import angle_between, directions_to_erp
from core.io.gpano import read_gpano
from core.io.images import read_preview

FOLDER = SHARED / "data/gpano"
NAMES = (
    "01-North_at_p45",
    "03-Horizon_Below_5",
    "05-Horizon_tilted_5_cw",
    "07-Initial_View_at_p45",
    "09-Initial_View_Pitch_p5",
    "11-Initial_View_Roll_p5",
    "13-North_at_-45__Initial_View_at_p45",
)
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the reference pictures are not here")

MAX_RESIDUAL_DEG = 0.1
MIN_CORRELATION = 0.985


def render(panorama, world_from_camera, fov_x, height, width):
    """What a camera sees, averaged over 2 x 2 rays a pixel."""
    camera = Camera(0, 0, 0, fov_x, 2 * height, 2 * width)
    u, v = directions_to_erp(camera.rays() @ world_from_camera.T, panorama.height, panorama.width)
    maps = (u - 0.5).astype(np.float32), (v - 0.5).astype(np.float32)
    view = cv2.remap(panorama.rgb, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return normalised(cv2.resize(view, (width, height), interpolation=cv2.INTER_AREA))


def normalised(picture):
    """Softened and free of brightness and contrast, without the compass in the lower right corner."""
    soft = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.0)[: int(0.88 * picture.shape[0])]
    soft = soft - soft.mean((0, 1))
    return soft / np.sqrt((soft**2).sum())


def residual(panorama, expected, start, fov_x):
    """Gauss-Newton for the small turn (yaw, pitch, roll) and the field of view that bring a view onto another.

    Returns:
        The turn in degrees and the correlation before any turn at the best field of view.
    """
    height, width = expected.shape[:2]
    target = normalised(expected)

    def view(parameters):
        yaw, pitch, roll, fov = np.deg2rad(parameters)
        return render(panorama, start @ rotation_from_angles(yaw, pitch, roll), fov, height, width)

    parameters = np.array([0.0, 0.0, 0.0, math.degrees(fov_x)])
    steps = np.diag([0.2, 0.2, 0.2, 0.5])
    for _ in range(8):
        now = view(parameters)
        slopes = [(view(parameters + step) - view(parameters - step)).ravel() / (2 * step.sum()) for step in steps]
        update = np.linalg.lstsq(np.stack(slopes, axis=1), (target - now).ravel(), rcond=None)[0]
        parameters += np.clip(update, -2, 2)
    correlation = float((view([0, 0, 0, parameters[3]]) * target).sum())
    return parameters[:3], correlation, parameters[3]


def reference(name):
    """The picture as a panorama of moderate size, and its expected first view."""
    expected = cv2.cvtColor(cv2.imread(str(FOLDER / f"{name}.expected_view.jpg")), cv2.COLOR_BGR2RGB)
    return read_preview(FOLDER / f"{name}.jpg", 3600), expected


@pytest.mark.parametrize("name", NAMES)
def test_a_reference_picture_opens_with_its_expected_view(name):
    panorama, expected = reference(name)
    view = panorama.initial_view
    turn, correlation, fov_x_deg = residual(panorama, expected, view.world_from_camera, view.fov_x)
    assert np.abs(turn).max() < MAX_RESIDUAL_DEG
    assert correlation > MIN_CORRELATION
    # One picture was taken after a little zooming; six show the field of view that their tag names.
    assert fov_x_deg == pytest.approx(115.5 if name.startswith("11") else 120, abs=0.2)


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("01-North_at_p45", "pose_heading"),
        ("03-Horizon_Below_5", "pose_pitch"),
        ("05-Horizon_tilted_5_cw", "pose_roll"),
        ("07-Initial_View_at_p45", "view_heading"),
        ("09-Initial_View_Pitch_p5", "view_pitch"),
        ("11-Initial_View_Roll_p5", "view_roll"),
    ],
)
def test_the_other_sign_is_far_off(name, tag):
    from dataclasses import replace

    panorama, expected = reference(name)
    gpano = read_gpano(FOLDER / f"{name}.jpg")
    right = gpano.first_view()
    wrong = replace(gpano, **{tag: -getattr(gpano, tag)}).first_view()
    fov_x = math.radians(115.5) if name.startswith("11") else right.fov_x
    views = [render(panorama, camera.world_from_camera, fov_x, *expected.shape[:2]) for camera in (right, wrong)]
    correlations = [float((view * normalised(expected)).sum()) for view in views]
    assert correlations[0] > MIN_CORRELATION > 0.95 > correlations[1]


@pytest.mark.parametrize("name", ["03-Horizon_Below_5", "05-Horizon_tilted_5_cw"])
def test_levelled_by_its_pose_a_tilted_picture_is_the_upright_one(name):
    tilted, _ = reference(name)
    upright, _ = reference("07-Initial_View_at_p45")  # its pose is zero
    for yaw, pitch in ((0, 0), (90, 0), (200, 0), (0, 90), (0, -90)):
        camera = rotation_from_angles(math.radians(yaw), math.radians(pitch), 0)
        ours = render(tilted, tilted.level_from_world.T @ camera, math.pi / 3, 200, 200)
        theirs = render(upright, camera, math.pi / 3, 200, 200)
        assert (ours * theirs).sum() > 0.97, (yaw, pitch)


@pytest.mark.parametrize("name", NAMES)
def test_the_compass_needle_on_the_ground_points_north(name):
    """Looking straight down with north at the top, the red half of the painted needle points up."""
    panorama, _ = reference(name)
    north_from_level = rotation_from_angles(panorama.heading, 0, 0)
    camera = panorama.level_from_world.T @ north_from_level.T @ rotation_from_angles(0, -math.pi / 2, 0)
    rays = Camera(0, 0, 0, math.radians(16), 200, 200).rays() @ camera.T
    u, v = directions_to_erp(rays, panorama.height, panorama.width)
    red, green, blue = np.moveaxis(panorama.rgb[v.astype(int), u.astype(int) % panorama.width].astype(int), -1, 0)
    rows, cols = np.nonzero((red > green + 40) & (red > blue + 20))
    assert len(rows) > 200
    bearing = math.degrees(math.atan2(cols.mean() + 0.5 - 100, 100 - rows.mean() - 0.5))
    assert bearing == pytest.approx(0, abs=2)


def test_the_known_tags_give_the_known_cameras():
    expected = {"01": (45, 0, 0), "03": (0, -5, 0), "05": (0, 0, 5), "07": (45, 0, 0)}
    expected |= {"09": (0, 5, 0), "11": (0, 0, 5), "13": (0, 0, 0)}
    for name in NAMES:
        camera = read_gpano(FOLDER / f"{name}.jpg").first_view()
        right = rotation_from_angles(*np.deg2rad(expected[name[:2]]))
        assert np.rad2deg(angle_between(camera.world_from_camera.T, right.T)).max() < 1e-9
