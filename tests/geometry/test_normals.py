import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.geometry.camera import rotation_from_angles
from core.geometry.normals import normals_from_depth, turn_normals
from core.geometry.sphere import angle_between, erp_rays, solid_angle
from training.worlds.box_room import BoxRoom

SIZES = [(64, 128), (65, 131), (64, 129), (256, 512), (33, 66)]
ROOM = BoxRoom(low=(-2.0, -1.1, -3.0), high=(1.5, 1.6, 2.5))


def room(size, origin=(0.0, 0.0, 0.0)):
    rays = erp_rays(*size).astype(np.float64)
    return ROOM.depth(origin, rays).astype(np.float32), ROOM.normals(origin, rays), ROOM.face(origin, rays)


def degrees(a, b):
    return np.degrees(angle_between(a, b))


def beside_an_edge(face):
    """Pixels that have another face next to them, as far away along the row as the rows are apart."""
    edge = np.zeros(face.shape, bool)
    edge[1:] |= face[1:] != face[:-1]
    edge[:-1] |= face[:-1] != face[1:]
    lat = (0.5 - (np.arange(len(face)) + 0.5) / len(face)) * np.pi
    for row, step in zip(range(len(face)), np.minimum(1 / np.cos(lat) + 1, face.shape[1] / 4), strict=True):
        for columns in range(1, int(step) + 1):
            edge[row] |= (np.roll(face[row], columns) != face[row]) | (np.roll(face[row], -columns) != face[row])
    return edge


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("origin", [(0.0, 0.0, 0.0), (0.7, 0.3, -1.0)])
def test_the_walls_of_a_room_are_flat_up_to_their_edges(size, origin):
    depth, truth, face = room(size, origin)
    normals = normals_from_depth(depth)
    assert normals.dtype == np.float32
    error = degrees(normals, truth)
    # Depths are float32: 6e-8 of the distance over a pixel's length across it.
    assert np.median(error) < 1e-2
    assert error[~beside_an_edge(face)].max() < 0.1
    # An edge may run through a pixel at any place, and its two neighbours cannot tell to which side it belongs.
    assert (error > 1).mean() < 0.6 * beside_an_edge(face).mean()


@pytest.mark.parametrize("size", SIZES)
def test_the_rows_around_the_poles_are_as_good_as_any(size):
    depth, truth, _ = room(size, (0.3, 0.1, 0.2))
    error = degrees(normals_from_depth(depth), truth)
    for rows in (slice(0, 4), slice(-4, None)):
        assert error[rows].max() < 0.1


@settings(max_examples=40)
@example(0.0, 0.015625, 1.0, (33, 66))
@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1), st.sampled_from(SIZES))
def test_a_plane_has_one_normal_all_over(x, y, z, size):
    plane = np.array([x, y, z])
    if np.linalg.norm(plane) < 0.1:
        plane = np.array([0.0, 1.0, 0.0])
    plane /= np.linalg.norm(plane)
    towards = erp_rays(*size).astype(np.float64) @ plane
    depth = np.where(towards > 0.05, 2 / np.maximum(towards, 0.05), np.nan).astype(np.float32)
    normals = normals_from_depth(depth)
    known = ~np.isnan(normals[..., 0])
    # By area: an arc of the pole's row can be too short to hold a neighbour, for columns are compared far apart there.
    area = np.broadcast_to(solid_angle(*size), size)
    assert area[known].sum() > 0.99 * area[~np.isnan(depth)].sum()
    assert not known[np.isnan(depth)].any()
    assert degrees(normals[known], -plane).max() < 0.5


def test_normals_face_the_camera_and_are_of_unit_length():
    depth = np.random.default_rng(0).uniform(1, 9, (40, 81)).astype(np.float32)
    normals = normals_from_depth(depth)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-6)
    assert ((normals * erp_rays(40, 81)).sum(axis=-1) <= 1e-6).all()


def test_a_sphere_around_the_camera_looks_back_everywhere():
    # Differences over a pixel of 1.4 degrees, both ways alike.
    assert degrees(normals_from_depth(np.full((128, 256), 3.0, np.float32)), -erp_rays(128, 256)).max() < 0.1


@given(st.integers(0, 130), st.floats(0.01, 100))
@settings(max_examples=20)
def test_rolling_and_scaling_the_depth_rolls_the_normals(columns, scale):
    size = (65, 131)
    depth, _, _ = room(size, (0.3, 0.1, 0.2))
    turn = rotation_from_angles(2 * math.pi * columns / size[1], 0, 0)
    expected = turn_normals(np.roll(normals_from_depth(depth), columns, axis=1), turn)
    rolled = normals_from_depth(np.roll(depth, columns, axis=1) * np.float32(scale))
    # Rounding may tip the choice of sides for a pixel in the middle of an edge.
    assert (degrees(rolled, expected) > 0.1).mean() < 0.002


def test_a_jump_in_depth_does_not_smear():
    size = (128, 256)
    rays = erp_rays(*size).astype(np.float64)
    wall = BoxRoom(low=(-9, -9, -9), high=(9, 9, 9))
    panel = BoxRoom(low=(-2, -2, -2), high=(2, 2, 2))
    in_front = (np.abs(rays[..., 0]) < 0.4) & (np.abs(rays[..., 1]) < 0.3) & (rays[..., 2] > 0)
    depth = np.where(in_front, panel.depth((0, 0, 0), rays), wall.depth((0, 0, 0), rays)).astype(np.float32)
    around = (np.abs(rays[..., 0]) < 0.55) & (np.abs(rays[..., 1]) < 0.45) & (rays[..., 2] > 0)
    error = degrees(normals_from_depth(depth)[around], (0.0, 0.0, -1.0))
    # The panel bulges on this grid: in its four corners stands a pixel with the wall above, below and beside it.
    assert np.sum(error > 0.5) <= 4


def test_unknown_depth_has_no_normal_and_spoils_no_other():
    depth, truth, face = room((128, 256))
    hole = np.random.default_rng(0).random(depth.shape) < 0.1
    depth[hole] = np.nan
    normals = normals_from_depth(depth)
    assert np.isnan(normals[hole]).all()
    # Both neighbours along one of two axes: twice a tenth squared.
    assert np.isnan(normals[~hole][:, 0]).mean() == pytest.approx(0.02, abs=0.005)
    inner = ~hole & ~beside_an_edge(face) & ~np.isnan(normals[..., 0])
    assert (degrees(normals[inner], truth[inner]) > 0.5).mean() < 0.01


def test_a_pixel_without_neighbours_has_no_normal():
    depth = np.full((16, 32), np.nan, np.float32)
    depth[5, 5] = 2.0
    depth[9, 9] = depth[9, 10] = 2.0  # no neighbour above or below
    assert np.isnan(normals_from_depth(depth)).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 4), (3, 5)])
def test_tiny_maps_do_not_fail(shape):
    normals = normals_from_depth(np.full(shape, 2.0, np.float32))
    assert normals.shape == (*shape, 3)


@given(st.floats(-3, 3), st.floats(-1.5, 1.5), st.floats(-3, 3))
def test_turning_normals_turns_each_vector(yaw, pitch, roll):
    rotation = rotation_from_angles(yaw, pitch, roll)
    normals = np.array([[[0, 0, -1], [0.6, 0, 0.8], [np.nan] * 3]], np.float32)
    turned = turn_normals(normals, rotation)
    np.testing.assert_allclose(turned[0, 0], -rotation[:, 2], atol=1e-6)
    np.testing.assert_allclose(turn_normals(turned, rotation.T), normals, atol=1e-6)
    assert turned.dtype == np.float32


def test_turning_gives_averaged_normals_their_length_back():
    np.testing.assert_allclose(turn_normals(np.array([[0.0, 0.5, 0.0]], np.float32), np.eye(3)), [[0, 1, 0]])
