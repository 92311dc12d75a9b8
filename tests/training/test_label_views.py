"""Random views: they see everything, and depend on the seed and the picture alone."""

import math

import numpy as np
import pytest

from core.geometry.alignment import even_directions
from training.labels.views import FEWEST, NARROWEST, WIDEST, random_views, views_generator

EVERYWHERE = even_directions(4000)


def seen_by(camera):
    x, y, z = np.moveaxis(EVERYWHERE @ camera.world_from_camera, -1, 0)
    half = math.tan(camera.fov_x / 2)
    return (z > 0) & (np.abs(x) <= half * z) & (np.abs(y) <= half * z)


@pytest.mark.parametrize("count", [FEWEST, 17, 32, 100])
def test_the_views_of_every_picture_see_everything(count):
    for seed in range(25):
        cameras = random_views(count, 64, views_generator(seed, "ab"))
        assert len(cameras) == count
        assert np.any([seen_by(camera) for camera in cameras], axis=0).all()


def test_nearly_everything_is_seen_twice_by_32_views():
    shares = [
        (np.sum([seen_by(camera) for camera in random_views(32, 64, views_generator(seed, "ab"))], axis=0) > 1).mean()
        for seed in range(25)
    ]
    assert min(shares) > 0.99


def test_directions_are_even_on_the_sphere_and_angles_between_the_limits():
    cameras = [camera for seed in range(60) for camera in random_views(32, 64, views_generator(seed, "ab"))]
    axes = np.array([camera.world_from_camera[:, 2] for camera in cameras])
    # Of even directions each coordinate is even between -1 and 1: mean 0, variance 1/3.
    np.testing.assert_allclose(axes.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(axes.T @ axes / len(axes), np.eye(3) / 3, atol=0.03)
    fovs = np.array([camera.fov_x for camera in cameras])
    assert NARROWEST <= fovs.min() < NARROWEST + 0.02
    assert WIDEST - 0.02 < fovs.max() <= WIDEST
    assert all(camera.roll == 0 for camera in cameras)


def test_seed_and_picture_decide_the_views():
    def views(seed, digest):
        return random_views(32, 64, views_generator(seed, digest))

    assert views(1, "ab") == views(1, "ab")
    assert views(1, "ab") != views(2, "ab")
    assert views(1, "ab") != views(1, "cd")


def test_too_few_views_are_refused():
    with pytest.raises(ValueError, match="16"):
        random_views(15, 64, views_generator(0, ""))
