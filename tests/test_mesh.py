"""A mesh of a panorama: closed around the sphere, cut at jumps, with every pixel of the photo in its place."""

from dataclasses import replace

import numpy as np
import pytest
from fake_model import HALF_SIZE, room

from core.cloud import CloudOptions, cloud_from_prediction
from core.geometry.camera import rotation_from_angles
from core.geometry.sphere import directions_to_erp, erp_rays
from core.mesh import MeshOptions, mesh_from_prediction
from core.panorama import Panorama
from core.prediction import Prediction

HEIGHT, WIDTH = 32, 64


def photo(height=HEIGHT, width=WIDTH, **facts):
    return Panorama(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8), **facts)


def prediction(height=HEIGHT, width=WIDTH, **changes):
    depth, normals, classes = room(height, width)
    return replace(Prediction(depth, normals, classes, ("wall", "floor", "end"), is_metric=True), **changes)


def ball(height=HEIGHT, width=WIDTH, radius=2.0):
    return Prediction(np.full((height, width), radius, np.float32), is_metric=True)


def corner_points(mesh):
    return mesh.cloud.points[mesh.corners].astype(np.float64)


def volume(mesh):
    a, b, c = (corner_points(mesh)[mesh.faces[:, i]] for i in range(3))
    return np.einsum("ni,ni->n", a, np.cross(b, c)).sum() / 6


def border(mesh):
    """How many edges between points belong to one triangle only."""
    triangles = mesh.corners[mesh.faces]
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=-1)
    return int((np.unique(edges, axis=0, return_counts=True)[1] == 1).sum())


@pytest.mark.parametrize(("height", "width"), [(32, 64), (31, 62), (17, 33)])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_a_known_sphere_is_closed_at_seam_and_poles(height, width, stride):
    mesh = mesh_from_prediction(photo(height, width), ball(height, width), CloudOptions(stride=stride))
    assert border(mesh) == 0
    edges = 3 * len(mesh) // 2
    assert len(mesh.cloud) - edges + len(mesh) == 2, "Euler: it is one sphere"
    # Every face looks at the camera, which is inside.
    assert -4 / 3 * np.pi * 8 < volume(mesh) < -0.65 * 4 / 3 * np.pi * 8


@pytest.mark.parametrize("pose", [np.eye(3), rotation_from_angles(0, 0.3, -0.2)])
def test_every_corner_shows_the_photo_in_its_own_direction(pose):
    mesh = mesh_from_prediction(photo(level_from_world=pose), prediction(), CloudOptions(stride=3))
    directions = corner_points(mesh) @ pose
    u, v = directions_to_erp(directions, HEIGHT, WIDTH)
    is_pole = (mesh.uv[:, 1] == 0) | (mesh.uv[:, 1] == 1)
    across = np.abs((mesh.uv[:, 0] * WIDTH - u + WIDTH / 2) % WIDTH - WIDTH / 2)
    np.testing.assert_allclose(across[~is_pole], 0, atol=1e-4)
    np.testing.assert_allclose(mesh.uv[:, 1] * HEIGHT, v, atol=1e-4)
    assert is_pole.sum() == 2 * len(range(0, WIDTH, 3))
    # No triangle runs backwards through the whole texture.
    assert np.ptp(mesh.uv[mesh.faces, 0], axis=1).max() < 0.1


def test_points_are_those_of_the_cloud_and_the_poles():
    whole = cloud_from_prediction(photo(), prediction(), CloudOptions())
    mesh = mesh_from_prediction(photo(), prediction())
    np.testing.assert_array_equal(mesh.cloud.points[:-2], whole.points)
    np.testing.assert_array_equal(mesh.cloud.colors[:-2], whole.colors)
    np.testing.assert_array_equal(mesh.cloud.class_ids[:-2], whole.class_ids)
    half_height = HALF_SIZE[1]
    np.testing.assert_allclose(mesh.cloud.points[-2:], [[0, -half_height, 0], [0, half_height, 0]], atol=1e-5)
    np.testing.assert_allclose(mesh.cloud.normals[-2:], [[0, 1, 0], [0, -1, 0]], atol=1e-6)


def test_a_room_loses_nothing():
    mesh = mesh_from_prediction(photo(64, 128), prediction(64, 128))
    assert border(mesh) == 0
    x, y, z = HALF_SIZE
    assert -volume(mesh) == pytest.approx(8 * x * y * z, rel=0.02)
    without_normals = mesh_from_prediction(photo(64, 128), prediction(64, 128, normals=None))
    assert border(without_normals) == 0


def scene_with_a_pillar():
    depth, normals, _ = room(64, 128)
    pillar = np.zeros((64, 128), bool)
    pillar[16:48, [*range(124, 128), *range(4)]] = True
    rays = erp_rays(64, 128)
    depth = np.where(pillar, 1.0, depth).astype(np.float32)
    return Prediction(depth, np.where(pillar[..., None], -rays, normals), is_metric=True), pillar


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("shift", [0, 40, 64])
def test_the_mesh_is_cut_where_a_near_thing_ends(known, shift):
    estimate, pillar = scene_with_a_pillar()
    depth, normals = (np.roll(values, shift, axis=1) for values in (estimate.depth, estimate.normals))
    if known:
        # Normals belong to the world; rolled maps are a turned world.
        angle = 2 * np.pi * shift / 128
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        normals = (normals @ turn.T).astype(np.float32)
    mesh = mesh_from_prediction(photo(64, 128), Prediction(depth, normals if known else None))
    on_pillar = np.linalg.norm(mesh.cloud.points, axis=-1) < 1.01
    assert on_pillar.sum() == pillar.sum()
    mixed = on_pillar[mesh.corners[mesh.faces]]
    assert not (mixed.any(axis=1) & ~mixed.all(axis=1)).any(), "no triangle hangs between the pillar and the wall"
    assert border(mesh) == 2 * (2 * (32 + 8) - 2), "the outline of the pillar and of the hole behind it, and no other"


def test_with_edges_kept_nothing_is_cut():
    estimate, _ = scene_with_a_pillar()
    mesh = mesh_from_prediction(photo(64, 128), estimate, CloudOptions(edges=None))
    assert border(mesh) == 0


def test_what_is_far_stays_open():
    far = np.zeros((HEIGHT, WIDTH), bool)
    far[:10] = True
    mesh = mesh_from_prediction(photo(), prediction(far=far))
    assert len(np.unique(mesh.uv[:, 1])) == HEIGHT - 10 + 1, "rows below the sky, and the pole below"
    assert border(mesh) == WIDTH


def test_a_partial_panorama_is_a_patch():
    valid = np.zeros((HEIGHT, WIDTH), bool)
    valid[8:24, [*range(56, 64), *range(8)]] = True
    mesh = mesh_from_prediction(photo(valid=valid), prediction())
    assert len(mesh) == 2 * 15 * 15
    assert len(mesh.cloud) == 16 * 16
    assert border(mesh) == 60


@pytest.mark.parametrize("triangles", [100, 500, 2000, 10_000])
def test_the_number_of_triangles_is_kept(triangles):
    mesh = mesh_from_prediction(photo(64, 128), ball(64, 128), mesh=MeshOptions(triangles=triangles))
    assert triangles / 4 < len(mesh) <= triangles
    assert border(mesh) == 0


def test_a_wide_photo_is_brought_to_the_width_of_the_texture():
    picture = photo(HEIGHT, WIDTH)
    assert mesh_from_prediction(picture, ball()).texture is picture.rgb
    small = mesh_from_prediction(picture, ball(), mesh=MeshOptions(texture_width=16)).texture
    assert small.shape == (8, 16, 3)


def test_nothing_known_is_an_empty_mesh():
    assert len(mesh_from_prediction(photo(), prediction(), CloudOptions(min_range=1000))) == 0
    with pytest.raises(ValueError, match="depth"):
        mesh_from_prediction(photo(), Prediction())
