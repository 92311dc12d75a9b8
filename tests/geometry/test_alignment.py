import math
from dataclasses import replace

import numpy as np
import pytest

from core.geometry.alignment import align_tiles, border_weights, even_directions, sample_tile
from core.geometry.camera import Camera
from core.geometry.tiling import icosahedron_tiles

CAMERA = Camera(yaw=0.3, pitch=-0.4, roll=0.2, fov_x=1.4, height=30, width=40)


def surface(directions):
    """Inverse range of a wavy ball: positive, and no plane anywhere."""
    x, y, z = np.moveaxis(np.asarray(directions), -1, 0)
    return np.exp(np.sin(3 * x) * np.cos(2 * y) + 0.5 * np.sin(5 * z))


def measured(cameras, directions, factors, shifts):
    """Terms and weights of tiles that measure the surface, each with a factor and a shift of its own."""
    weights = np.stack([border_weights(camera, directions) for camera in cameras])
    along = np.stack([directions @ camera.world_from_camera[:, 2] for camera in cameras])
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (surface(directions) / along - shifts[:, None]) / factors[:, None]
    terms = np.stack([along * values, along], axis=-1)
    terms[weights == 0] = np.nan
    return terms, weights


def test_directions_are_spread_evenly():
    directions = even_directions(2000)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1)
    np.testing.assert_allclose(directions.mean(axis=0), 0, atol=1e-3)
    nearest = np.sort(directions @ directions[::50].T, axis=0)[-2]
    gaps = np.arccos(nearest)
    assert gaps.min() > 0.7 * gaps.max()


def test_a_tile_is_sampled_where_its_camera_looks_and_nowhere_else():
    u, v = np.meshgrid(np.arange(40) + 0.5, np.arange(30) + 0.5)
    tile = (3 * u + v).astype(np.float32)
    directions = CAMERA.directions(np.array([10.25, 39.0, 20.0]), np.array([20.75, 1.0, 15.0]))
    np.testing.assert_allclose(sample_tile(tile, CAMERA, directions), [51.5, 118, 75], atol=1e-4)
    half = tile.reshape(15, 2, 20, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(sample_tile(half, CAMERA, directions)[[0, 2]], [51.5, 75], atol=1e-4)
    behind = np.concatenate([-directions, CAMERA.directions([-0.5, 20], [15, 30.5])])
    assert np.isnan(sample_tile(tile, CAMERA, behind)).all()
    assert (border_weights(CAMERA, behind) == 0).all()
    assert border_weights(CAMERA, directions)[2] == pytest.approx(1)


def test_factors_and_shifts_are_found_to_the_last_digits():
    rng = np.random.default_rng(3)
    directions, cameras = even_directions(4000), icosahedron_tiles(32)
    factors, shifts = np.exp(rng.uniform(-2, 2, 12)), rng.uniform(-1, 1, 12)
    numbers, groups = align_tiles(*measured(cameras, directions, factors, shifts))
    assert (groups == 0).all()
    np.testing.assert_allclose(numbers[:, 0] / factors, numbers[0, 0] / factors[0], rtol=1e-9)
    np.testing.assert_allclose(numbers[:, 1] / numbers[:, 0], shifts / factors, atol=1e-9)


def test_a_fifth_of_wild_measurements_does_not_matter():
    rng = np.random.default_rng(4)
    directions, cameras = even_directions(6000), icosahedron_tiles(32)
    factors, shifts = np.exp(rng.uniform(-1, 1, 12)), rng.uniform(-0.2, 0.2, 12)
    terms, weights = measured(cameras, directions, factors, shifts)
    wild = rng.random(terms.shape[:2]) < 0.1
    terms[wild, 0] *= np.exp(rng.normal(size=int(wild.sum())))
    numbers, _ = align_tiles(terms, weights)
    np.testing.assert_allclose(numbers[:, 0] / factors, numbers[0, 0] / factors[0], rtol=1e-3)


@pytest.mark.parametrize("noise", [0.05, 0.2, 0.4])
def test_tiles_that_do_not_agree_well_stay_tiles_of_one_scene(noise):
    rng = np.random.default_rng(6)
    directions, cameras = even_directions(6000), icosahedron_tiles(32)
    factors, shifts = np.exp(rng.uniform(-1, 1, 12)), rng.uniform(-0.2, 0.2, 12)
    terms, weights = measured(cameras, directions, factors, shifts)
    blotches = np.sin(9 * directions @ rng.normal(size=(3, 12)) + rng.uniform(0, 6, 12)).T
    terms[..., 0] *= 1 + noise * blotches
    numbers, _ = align_tiles(terms, weights)
    ratio = numbers[:, 0] / factors / np.median(numbers[:, 0] / factors)
    assert np.abs(np.log(ratio)).max() < 2.5 * noise
    values = np.einsum("idk,ik->id", terms, numbers) / surface(directions)
    assert np.nanmean(np.abs(values / np.nanmedian(values) - 1)) < noise


def test_tiles_that_share_nothing_are_groups_of_their_own():
    directions = even_directions(4000)
    one = Camera(yaw=0.0, pitch=0.0, roll=0.0, fov_x=1.0, height=8, width=8)
    cameras = [replace(one, yaw=yaw) for yaw in (0.0, 0.4, math.pi, math.pi + 0.4, -1.5)]
    terms, weights = measured(cameras, directions, np.array([1.0, 2, 3, 4, 5]), np.zeros(5))
    numbers, groups = align_tiles(terms, weights)
    assert groups[0] == groups[1] != groups[2] == groups[3] != groups[4]
    ratio = numbers[:, 0] / (1.0, 2, 3, 4, 5)
    assert ratio[0] == pytest.approx(ratio[1], rel=1e-6)
    assert ratio[2] == pytest.approx(ratio[3], rel=1e-6)
    assert numbers[4, 1] == 0, "a tile alone stays as it is, but for its unit"
    for group in range(3):
        own = [terms[i][np.isfinite(terms[i, :, 0])] @ numbers[i] for i in np.flatnonzero(groups == group)]
        assert np.concatenate(own).mean() == pytest.approx(1)


def test_a_tile_that_knows_nothing_or_the_opposite_is_left_out():
    directions, cameras = even_directions(4000), icosahedron_tiles(32)
    terms, weights = measured(cameras, directions, np.ones(12), np.zeros(12))
    terms[3] = np.nan
    terms[5, :, 0] *= -1
    numbers, _ = align_tiles(terms, weights)
    assert np.isnan(numbers[[3, 5]]).all()
    others = np.delete(numbers[:, 0], [3, 5])
    np.testing.assert_allclose(others, others[0], rtol=1e-3)
