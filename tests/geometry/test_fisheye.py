"""Two fisheye circles: directions are exact for given lenses; what no lens sees is not claimed."""

import math

import numpy as np
import pytest

from core.geometry.camera import rotation_from_angles
from core.geometry.fisheye import DualFisheye
from core.geometry.sphere import angle_between, erp_rays


def picture_of_directions(lenses, height, width):
    """What the lenses see of the directions themselves, from their own formula turned round; NaN outside."""
    v, u = np.mgrid[:height, :width] + 0.5
    picture = np.full((height, width, 3), np.nan, np.float32)
    radius = lenses.radius or height / 2
    for lens in (0, 1):
        x_mid, y_mid = lenses.centers[lens] if lenses.centers else ((1 + 2 * lens) * width / 4, height / 2)
        x, y = u - x_mid, v - y_mid
        reach = np.hypot(x, y)
        angle = reach / radius * math.radians(lenses.fov_deg / 2)
        bearing = np.arctan2(y, x) - math.radians(lenses.rolls_deg[lens])
        rays = np.stack([np.sin(angle) * np.cos(bearing), np.sin(angle) * np.sin(bearing), np.cos(angle)], axis=-1)
        half = (u < width / 2) == (lens == 0)
        inside = half & (reach <= radius + 2)
        picture[inside] = (rays @ rotation_from_angles(math.pi * lens, 0, 0).T)[inside]
    return picture


@pytest.mark.parametrize(
    ("lenses", "size"),
    [
        (DualFisheye(200), (200, 400)),
        (DualFisheye(180), (200, 400)),
        (DualFisheye(190, rolls_deg=(90, -90)), (200, 400)),
        (DualFisheye(204, ((101, 97), (305.5, 104)), 96, (1.5, -2)), (200, 410)),
    ],
)
def test_every_direction_comes_from_its_own_place(lenses, size):
    picture = picture_of_directions(lenses, *size)
    height, width = lenses.sphere_size(*size)
    assert width == 2 * height
    erp, seen = lenses.to_erp(picture, height, width)
    assert seen is None
    off = angle_between(erp, erp_rays(height, width))
    half_a_pixel = math.radians(lenses.fov_deg / 2) / (lenses.radius or size[0] / 2) / 2
    assert np.nanpercentile(off, 95) < 1e-4
    assert np.nanmax(off) < half_a_pixel  # at the rim of a circle that touches the border of the picture
    assert np.isfinite(off).mean() > 0.99  # a half circle's rim is cut by the middle of the picture


def test_what_no_lens_sees_is_not_claimed():
    lenses = DualFisheye(160)
    erp, seen = lenses.to_erp(np.full((100, 200, 3), 200, np.uint8), 180, 360)
    forward = angle_between(erp_rays(180, 360), (0, 0, 1))
    np.testing.assert_array_equal(seen, np.minimum(forward, math.pi - forward) <= math.radians(80))
    assert (erp[seen] == 200).all()
    assert (erp[~seen] == 0).all()


def test_the_overlap_is_blended_without_a_step():
    picture = np.zeros((400, 800, 3), np.uint8)
    picture[:, :400], picture[:, 400:] = 50, 150
    erp, _ = DualFisheye(200).to_erp(picture, 360, 720)
    middle = erp[180, :, 0].astype(int)
    assert middle[360] == 50
    assert middle[0] == 150
    assert np.abs(np.diff(middle)).max() <= 4
    assert middle[180] == pytest.approx(100, abs=4)  # a quarter turn left both see equally well


def test_the_sphere_has_the_pixels_of_the_circles():
    assert DualFisheye(180).sphere_size(1000, 2000) == (1000, 2000)
    assert DualFisheye(200, radius=400).sphere_size(1000, 2000) == (720, 1440)
