"""The sphere in torch agrees with the sphere in numpy and with the analytic room."""

import numpy as np
import pytest
import torch

from core.geometry.normals import normals_from_depth
from core.geometry.sphere import erp_angles, erp_rays
from core.geometry.tiling import icosahedron_tiles
from training.objectives.sphere import distortion_map, image_means, sobel, surface_normals, surrounded, views
from training.worlds.box_room import BoxRoom

ROOM = BoxRoom((-2.3, -1.4, -1.1), (1.7, 1.55, 3.9))
HERE = (0.0, 0.0, 0.0)


def room_depth(height):
    return torch.from_numpy(ROOM.depth(HERE, erp_rays(height, 2 * height)))[None, None].float()


def away_from_creases(height, reach=1):
    """Pixels all of whose neighbours, also the far ones near the poles, meet the same wall."""
    face = torch.from_numpy(ROOM.face(HERE, erp_rays(height, 2 * height)))[None, None]
    same = torch.ones_like(face, dtype=torch.bool)
    for wall in range(6):
        same &= (face != wall) | surrounded(face == wall)
    return same[0, 0].numpy()


@pytest.mark.parametrize("height", [5, 16, 64])
def test_the_distortion_map_sums_to_the_sphere_and_is_the_cosine_of_latitude(height):
    areas = distortion_map(height, 2 * height, torch.zeros(1, dtype=torch.float64))
    pixels = 2 * height**2
    assert float(areas.sum()) * 4 * np.pi / pixels == pytest.approx(4 * np.pi, rel=1e-6)
    across = np.cos(erp_angles(height, 2 * height)[1])
    np.testing.assert_allclose(areas[0, 0, :, 0], across / across.mean(), rtol=1e-6)


def test_means_are_taken_of_each_picture():
    values = torch.tensor([[1.0, 3.0], [5.0, 100.0]])[:, None, None]
    weights = torch.tensor([[1.0, 3.0], [2.0, 0.0]])[:, None, None]
    assert image_means(values, weights).tolist() == [2.5, 5.0]
    assert image_means(values, 0 * weights).tolist() == [0.0, 0.0]


def test_normals_of_a_room_are_those_of_its_walls():
    height = 64
    inner = away_from_creases(height)
    assert inner.mean() > 0.75
    implied = surface_normals(room_depth(height).double())[0].permute(1, 2, 0).numpy()
    walls = ROOM.normals(HERE, erp_rays(height, 2 * height))
    np.testing.assert_allclose(implied[inner], walls[inner], atol=2e-4)
    np.testing.assert_allclose(implied[inner], normals_from_depth(room_depth(height)[0, 0].numpy())[inner], atol=1e-3)


def test_normals_roll_with_the_room():
    depth = room_depth(32)
    turned = surface_normals(depth.roll(16, 3))
    quarter = surface_normals(depth).roll(16, 3)
    # A quarter of the way around to the right: what looked forward looks right.
    expected = torch.stack([quarter[:, 2], quarter[:, 1], -quarter[:, 0]], dim=1)
    np.testing.assert_allclose(turned, expected, atol=1e-4)


def test_normals_pass_on_a_gradient_that_is_right():
    depth = room_depth(6).double().requires_grad_()
    mask = torch.from_numpy(np.random.default_rng(0).random((1, 3, 6, 12)))
    assert torch.autograd.gradcheck(lambda d: (surface_normals(d) * mask).sum(), depth, eps=1e-7, atol=1e-4)


def test_a_pixel_is_surrounded_by_those_beyond_the_seam_and_the_pole():
    known = torch.ones(1, 1, 8, 16, dtype=torch.bool)
    known[0, 0, 0, 3] = known[0, 0, 4, 15] = False
    inside = surrounded(known)[0, 0]
    assert not inside[0, 11], "over the pole lies the column half a turn away"
    assert not inside[4, 0], "to the left of the first column lies the last"
    assert not inside[5, 15]
    assert inside[4, 1]


def test_the_gradient_of_a_step_is_four_times_the_step_on_both_sides_and_at_the_seam():
    values = torch.zeros(1, 1, 8, 16)
    values[..., 8:] = 0.5
    steps = sobel(values)[0, 0, 3]
    assert steps[[7, 8, 15, 0]].tolist() == [2.0] * 4
    assert steps[[2, 4, 11]].tolist() == [0.0] * 3


def test_views_of_a_room_are_what_its_cameras_see():
    cameras = icosahedron_tiles(24)
    seen = views(torch.cat([room_depth(256), 2 * room_depth(256)], dim=1), cameras)
    assert seen.shape == (1, 2, 12, 24, 24)
    true = np.stack([ROOM.depth(HERE, camera.rays()) for camera in cameras])
    # Linear interpolation errs most in creases, by a fraction of the pixel's slope.
    np.testing.assert_allclose(seen[0, 0], true, rtol=1e-2)
    np.testing.assert_allclose(seen[0, 1], 2 * true, rtol=1e-2)
    assert np.median(np.abs(seen[0, 0].numpy() / true - 1)) < 1e-4
