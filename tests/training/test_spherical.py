"""A room turned or mirrored has the labels of the turned or mirrored room, to the last digits."""

import math

import numpy as np
import pytest

from core.geometry.camera import Camera, rotation_from_angles
from core.geometry.sphere import erp_rays
from training.labelled import Labelled, Patches
from training.spherical import Augmentation, augmented, jittered_colours, mirrored, random_rotation, resampled
from training.worlds.box_room import FACES, BoxRoom

ROOM = BoxRoom((-2.3, -1.4, -1.1), (1.7, 1.55, 3.9))
MIRRORED = BoxRoom((-1.7, -1.4, -1.1), (2.3, 1.55, 3.9))
HERE = (0.0, 0.0, 0.0)
PAINTS = np.random.default_rng(0).integers(0, 255, (6, 3)).astype(np.uint8)
PAINTS_MIRRORED = PAINTS[[1, 0, 2, 3, 4, 5]]


def painted(room, height, turned_from_world=None, *, paints=PAINTS, views=()):
    """The analytic room, seen by a camera that is turned."""
    rotation = np.eye(3) if turned_from_world is None else turned_from_world
    rays = erp_rays(height, 2 * height) @ rotation
    face = room.face(HERE, rays)
    return Labelled(
        rgb=paints[face],
        depth=room.depth(HERE, rays).astype(np.float32),
        normals=(room.normals(HERE, rays) @ rotation.T).astype(np.float32),
        classes=face.astype(np.int16),
        class_names=FACES,
        far=np.zeros((height, 2 * height), bool),
        patches=seen_by(room, views) if views else None,
        is_metric=True,
    )


def seen_by(room, views):
    rays = np.stack([view.rays() for view in views])
    return Patches(
        tuple(views),
        depth=room.depth(HERE, rays).astype(np.float32),
        normals=room.normals(HERE, rays).astype(np.float32),
        classes=room.face(HERE, rays).astype(np.int16),
    )


def assert_is_the_room(labelled, room, rotation, *, share, paints=PAINTS):
    """Exact wherever the label was taken from the wall that is there; elsewhere within the next pixel."""
    true = painted(room, labelled.size[0], rotation, paints=paints)
    same = labelled.classes == true.classes
    assert same.mean() > share
    np.testing.assert_allclose(labelled.depth[same], true.depth[same], rtol=2e-6)
    np.testing.assert_allclose(labelled.normals[same], true.normals[same], atol=1e-6)
    # Beside a crease the wall on the other side of it was taken, which goes on behind this one.
    assert (labelled.depth[~same] > true.depth[~same] * (1 - 1e-5)).all()
    np.testing.assert_allclose(labelled.depth[~same], true.depth[~same], rtol=4 * math.pi / labelled.size[0])


@pytest.mark.parametrize("seed", range(5))
def test_a_room_turned_by_any_rotation_is_the_room_rendered_turned(seed):
    rotation = random_rotation(np.random.default_rng(seed))
    turned = resampled(painted(ROOM, 64), 64, rotation)
    assert_is_the_room(turned, ROOM, rotation, share=0.95)
    inner = (turned.rgb == PAINTS[turned.classes]).all(axis=-1)
    assert inner.mean() > 0.8, "only between two walls are colours mixed"


@pytest.mark.parametrize("columns", [0, 1, 37, -50])
def test_a_turn_by_whole_columns_changes_nothing_but_places_and_normals(columns):
    rotation = rotation_from_angles(2 * math.pi * columns / 128, 0.0, 0.0)
    room = painted(ROOM, 64)
    turned = resampled(room, 64, rotation)
    np.testing.assert_array_equal(turned.rgb, np.roll(room.rgb, columns, axis=1))
    np.testing.assert_array_equal(turned.classes, np.roll(room.classes, columns, axis=1))
    np.testing.assert_allclose(turned.depth, np.roll(room.depth, columns, axis=1), rtol=1e-6)
    assert_is_the_room(turned, ROOM, rotation, share=0.999)


@pytest.mark.parametrize("seed", range(4))
def test_a_smaller_room_is_the_room_rendered_small(seed):
    rng = np.random.default_rng(seed)
    rotation = rotation_from_angles(*rng.uniform(-0.2, 0.2, 3))
    assert_is_the_room(resampled(painted(ROOM, 128), 32, rotation, rng=rng), ROOM, rotation, share=0.93)
    assert_is_the_room(resampled(painted(ROOM, 96), 64), ROOM, np.eye(3), share=0.95)


def test_edges_of_smaller_rooms_are_not_moved_on_average():
    room, floor = painted(ROOM, 128), FACES.index("floor")
    drawn = [resampled(room, 32, rng=np.random.default_rng(seed)).classes == floor for seed in range(60)]
    # The two pixels above and below the middle of four stand for them alike often.
    expected = np.mean([(room.classes == floor)[row::4].sum(axis=0).mean() for row in (1, 2)])
    assert np.mean([one.sum(axis=0).mean() for one in drawn]) == pytest.approx(expected, abs=0.05)


def test_a_mirrored_room_is_the_room_with_left_and_right_exchanged():
    mirror = mirrored(painted(ROOM, 64))
    true = painted(MIRRORED, 64, paints=PAINTS_MIRRORED)
    np.testing.assert_array_equal(mirror.rgb, true.rgb)
    np.testing.assert_allclose(mirror.depth, true.depth, rtol=1e-6)
    np.testing.assert_array_equal(mirror.normals, true.normals)


def test_single_views_are_turned_and_mirrored_with_the_panorama():
    views = [Camera(0.3, 0.9, 0.2, 1.6, 24, 24), Camera(-2.0, math.pi / 2, 0.0, 1.8, 24, 24)]
    room = painted(ROOM, 32, views=views)
    rotation = random_rotation(np.random.default_rng(3))
    turned = resampled(room, 32, rotation).patches
    for number, camera in enumerate(turned.cameras):
        rays = camera.rays() @ rotation
        np.testing.assert_allclose(turned.depth[number], ROOM.depth(HERE, rays), rtol=1e-5)
        np.testing.assert_allclose(turned.normals[number], ROOM.normals(HERE, rays) @ rotation.T, atol=1e-5)
    mirror = mirrored(room).patches
    true = seen_by(MIRRORED, mirror.cameras)
    np.testing.assert_allclose(mirror.depth, true.depth, rtol=1e-5)
    np.testing.assert_allclose(mirror.normals, true.normals, atol=1e-6)


def test_what_is_not_known_stays_unknown_and_what_has_no_normal_keeps_its_range():
    room = painted(ROOM, 64)
    depth, normals, far = room.depth.copy(), room.normals.copy(), room.far.copy()
    depth[:20], normals[:30], far[:20] = np.nan, np.nan, True
    changed = Labelled(room.rgb, depth=depth, normals=normals, far=far)
    turned = resampled(changed, 64, rotation_from_angles(0.4, 0.3, -0.2))
    np.testing.assert_array_equal(np.isnan(turned.depth), turned.far)
    only_range = np.isnan(turned.normals).any(axis=-1) & ~turned.far
    assert only_range.sum() > 100
    assert np.isin(turned.depth[only_range], depth).all()


def test_a_panorama_without_labels_is_turned_as_a_picture():
    rgb = painted(ROOM, 32).rgb
    turned = resampled(Labelled(rgb.copy()), 32, random_rotation(np.random.default_rng(0)))
    assert turned.tasks == ()
    assert turned.rgb.shape == (32, 64, 3)


def test_random_rotations_are_rotations_and_go_everywhere():
    rng = np.random.default_rng(0)
    rotations = np.array([random_rotation(rng) for _ in range(400)])
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (400, 3, 3)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1.0)
    np.testing.assert_allclose(rotations.mean(axis=0), 0, atol=0.12)


@pytest.mark.parametrize("turn", ["none", "yaw", "any"])
def test_augmented_rooms_are_rooms_turned_and_mirrored_as_was_drawn(turn):
    room = painted(ROOM, 64)
    how = Augmentation(turn=turn, tilted=0.5, colour=0.0)
    drawn = [augmented(room, 64, how, np.random.default_rng(seed)) for seed in range(12)]
    upright = [np.abs(one.normals[0, :, 1]).min() > 0.999 for one in drawn]
    assert any(upright) == (turn != "any")
    assert not all(upright)
    for one in drawn:
        # Whichever way it was turned, all walls are where they were: as far away as their normals say.
        away = -(one.normals * erp_rays(64, 128)).sum(axis=-1) * one.depth
        walls = {round(float(np.median(away[one.classes == number])), 4) for number in range(6)}
        assert walls == {2.3, 1.7, 1.4, 1.55, 1.1, 3.9}


def test_one_seed_makes_one_panorama():
    room = painted(ROOM, 32)
    how = Augmentation(turn="any", tilted=1.0, colour=1.0)
    first, second = (augmented(room, 32, how, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.rgb, second.rgb)
    np.testing.assert_array_equal(first.depth, second.depth)


def test_jittered_colours_stay_near_and_differ():
    rgb = painted(ROOM, 32).rgb
    grey = np.full((8, 16, 3), 128, np.uint8)
    for seed in range(10):
        changed = jittered_colours(rgb, np.random.default_rng(seed))
        assert changed.dtype == np.uint8
        assert (changed != rgb).any()
        level = jittered_colours(grey, np.random.default_rng(seed))[0, 0].astype(int)
        assert 128 * 0.79 < level[0] < 128 * 1.21
        assert np.ptp(level) == 0, "grey has no hue"
