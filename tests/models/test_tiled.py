"""Perspective networks on tiles of the sphere, with networks that look at a room which is known to the last digit."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tile_networks import CLASS_NAMES, Panes, RoomNetwork, creases, room

from core.errors import DeviceFull
from core.geometry.camera import rotation_from_angles
from core.geometry.sphere import angle_between, erp_rays
from core.geometry.tiling import cube_tiles, icosahedron_tiles
from core.geometry.warp import resize_erp
from core.models.base import PanoramaModel, PartialModel
from core.models.levelled import predict_panorama
from core.models.tiled import DepthKind, Tiled, native_size, predict_on_tiles, read_tiles
from core.panorama import Panorama
from core.progress import Cancelled

PHOTO = np.zeros((64, 128, 3), np.uint8)
SETS = {"icosahedron": icosahedron_tiles(96), "cube": cube_tiles(96, math.radians(110))}


def relative_error(depth, rays):
    """Of a depth up to one factor."""
    ratio = depth / room(rays)[0]
    return np.abs(ratio / np.nanmedian(ratio) - 1)


@pytest.mark.parametrize("kind", DepthKind)
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("size", [(110, 220), (111, 223)])
def test_tiles_with_scales_and_shifts_of_their_own_merge_into_the_room(kind, name, size):
    prediction = predict_on_tiles(RoomNetwork(kind), PHOTO, SETS[name], size=size)
    rays = erp_rays(*size)
    off = relative_error(prediction.depth, rays)
    pixel = 1 / SETS[name][0].focal_px
    smooth = ~creases(rays, 3 * pixel)
    assert smooth.mean() > 0.8
    assert off[smooth].max() < 0.6 * pixel**2, "how much the range bends within a pixel of the tiles"
    assert off.max() < 1.8 * pixel, "between two walls, a pixel of the tiles"
    assert prediction.is_metric == (kind is DepthKind.METRIC)
    assert not prediction.far.any()


@pytest.mark.parametrize("where", ["seam", "upper pole", "lower pole"])
def test_nothing_jumps_at_the_seam_and_the_poles(where):
    height, width = 90, 180
    depth = predict_on_tiles(RoomNetwork(size=128), PHOTO, icosahedron_tiles(128), size=(height, width)).depth
    truth = room(erp_rays(height, width))[0]
    off = depth / truth / np.median(depth / truth)
    beside = {"seam": off[:, [-1, 0]], "upper pole": off[:1], "lower pole": off[-1:]}[where]
    assert np.abs(beside / np.median(beside, axis=-1, keepdims=True) - 1).max() < 0.01
    assert np.abs(np.median(beside) - 1) < 1e-3


def test_a_network_that_measures_keeps_its_metres_on_the_mean():
    prediction = predict_on_tiles(RoomNetwork(DepthKind.METRIC), PHOTO, SETS["icosahedron"], size=(64, 128))
    ratio = prediction.depth / room(erp_rays(64, 128))[0]
    # The 12 errors of up to 20 % in scale have a mean of their own, which nobody can know.
    assert abs(math.log(np.median(ratio))) < 0.2 / math.sqrt(12) * 2
    assert np.percentile(np.abs(ratio / np.median(ratio) - 1), 90) < 1e-3


def test_other_depth_has_a_median_of_1():
    prediction = predict_on_tiles(RoomNetwork(DepthKind.AFFINE), PHOTO, SETS["cube"])
    assert np.median(prediction.depth) == pytest.approx(1, rel=1e-5)


def test_normals_and_classes_come_in_the_world_frame():
    prediction = Tiled(RoomNetwork()).predict(PHOTO)
    height, width = prediction.size
    rays = erp_rays(height, width)
    inside = ~creases(rays, 2 / 48)
    _, normals, classes = room(rays)
    assert np.degrees(angle_between(prediction.normals[inside], normals[inside])).max() < 0.1
    np.testing.assert_array_equal(prediction.classes[inside], classes[inside])
    assert prediction.class_names == CLASS_NAMES
    np.testing.assert_allclose(np.linalg.norm(prediction.normals, axis=-1), 1, atol=1e-5)
    assert prediction.native_size == (height, width) == native_size(icosahedron_tiles(96)[0]) == (150, 300)


def test_a_partial_photo_is_read_only_where_it_saw_something():
    height, width = 120, 240
    valid = np.zeros((height, width), bool)
    valid[30:80, 200:] = valid[30:80, :60] = True  # 150 degrees wide, across the seam
    network = RoomNetwork()
    model = Tiled(network)
    assert isinstance(model, PartialModel)
    photo = Panorama(np.zeros((height, width, 3), np.uint8), valid=valid)
    prediction = predict_panorama(model, photo, size="native")
    assert sum(network.asked) < 12, "tiles of nothing are left out"
    rays = erp_rays(*prediction.size)
    known, seen = np.isfinite(prediction.depth), resize_erp(valid, *prediction.size)
    assert not known[~seen].any()
    assert known[seen].mean() > 0.97, "but for half a pixel along the border"
    assert (prediction.classes[~seen] == -1).all()
    assert (prediction.classes[seen] >= 0).mean() > 0.97
    assert np.isnan(prediction.normals[~seen]).all()
    smooth = known & ~creases(rays, 2 / 40)
    off = relative_error(prediction.depth, rays)[smooth]
    assert np.percentile(off, 90) < 2e-3
    assert off.max() < 1.8 / 48, "beside a hole, a pixel of the tile"


def test_a_photo_of_which_no_tile_sees_anything_is_unknown():
    prediction = Tiled(RoomNetwork()).predict_part(PHOTO, np.zeros((64, 128), bool))
    assert np.isnan(prediction.depth).all()
    assert (prediction.classes == -1).all()


def test_a_tilted_photo_is_seen_level_and_told_of_in_its_own_frame():
    level = rotation_from_angles(0.4, 0.5, -0.7)
    upright = predict_panorama(Tiled(RoomNetwork()), Panorama(PHOTO), size="native")
    tilted = predict_panorama(Tiled(RoomNetwork()), Panorama(PHOTO, level_from_world=level), size="native")
    rays = erp_rays(*upright.size)
    turned = rays.astype(np.float64) @ level.T
    off = relative_error(tilted.depth, turned)
    assert np.percentile(off, 90) < 2e-3


def test_the_sky_of_inverse_depth_is_far():
    class Outside(RoomNetwork):
        """The room without its ceiling."""

        def one(self, camera):
            said = super().one(camera)
            rays = camera.rays()
            z_depth = room(rays)[0] * (rays @ camera.world_from_camera[:, 2])
            inverse = np.where(room(rays)[2] == 2, 0, 1 / z_depth)
            factor, shift = np.exp(self.random.uniform(-1, 1)), self.random.uniform(0, 0.4)
            return said | {"depth": ((inverse + shift) * factor).astype(np.float32)}

    prediction = predict_on_tiles(Outside(), PHOTO, SETS["icosahedron"], size=(80, 160))
    rays = erp_rays(80, 160)
    inside = ~creases(rays, 3 / 48)
    _, _, classes = room(rays)
    np.testing.assert_array_equal(prediction.far[inside], classes[inside] == 2)
    assert np.isnan(prediction.depth[prediction.far]).all()
    near = inside & (classes != 2)
    assert np.nanmax(relative_error(np.where(near, prediction.depth, np.nan), rays)) < 2e-3


def test_what_the_network_calls_far_or_sky_is_far():
    prediction = Tiled(Panes(DepthKind.METRIC, depth=np.float32(2), far=True)).predict(PHOTO)
    assert prediction.far.all()
    assert np.isnan(prediction.depth).all()
    panes = Panes(DepthKind.METRIC, depth=np.float32(2), logits=np.array([1, 2], np.float32))
    panes.class_names = ("wall", "sky")
    prediction = Tiled(panes).predict(PHOTO)
    assert prediction.far.all()
    assert (prediction.classes == 1).all()


def test_out_of_memory_halves_the_batch_down_to_one_tile():
    network = RoomNetwork(batch=8, most=2)
    said = Tiled(network).predict(PHOTO)
    assert network.asked == [2] * 6
    np.testing.assert_array_equal(said.depth, Tiled(RoomNetwork(batch=8)).predict(PHOTO).depth)
    with pytest.raises(DeviceFull, match="choose cpu"):
        Tiled(RoomNetwork(most=0)).predict(PHOTO)


def test_progress_is_told_after_each_tile_and_stops_the_work():
    heard = []
    Tiled(RoomNetwork(batch=1)).predict(PHOTO, progress=lambda done, total: heard.append(done / total))
    assert heard == sorted(heard)
    assert len(heard) >= 13
    assert heard[-1] == 1

    def stop(done, total):
        if done >= 0.25 * total:
            raise Cancelled

    network = RoomNetwork(batch=1)
    with pytest.raises(Cancelled):
        Tiled(network).predict(PHOTO, progress=stop)
    assert sum(network.asked) < 6


def test_tiles_can_be_read_by_themselves():
    cameras = [replace(camera, yaw=camera.yaw + 0.3, roll=0.2) for camera in icosahedron_tiles(96)[:4]]
    readings = list(read_tiles(RoomNetwork(DepthKind.RELATIVE), PHOTO, cameras))
    assert [reading.camera for reading in readings] == cameras
    for reading in readings:
        _, normals, classes = room(reading.camera.rays())
        np.testing.assert_allclose(reading.normals, normals, atol=1e-5)
        np.testing.assert_array_equal(reading.chances.argmax(axis=-1), classes)
        np.testing.assert_allclose(reading.chances.sum(axis=-1), 1, atol=1e-5)


def test_unknown_and_infinite_depths_of_one_tile_are_filled_by_its_neighbours():
    class Holes(RoomNetwork):
        def one(self, camera):
            said = super().one(camera)
            said["depth"][40:56, 40:56] = np.nan if camera.pitch > 0 else np.inf
            return said

    prediction = predict_on_tiles(Holes(), PHOTO, SETS["cube"], size=(110, 220))
    known = np.isfinite(prediction.depth)
    assert 0.75 < known.mean() < 1
    rays = erp_rays(110, 220)
    smooth = known & ~creases(rays, 3 / 34)
    off = relative_error(prediction.depth, rays)[smooth]
    assert np.percentile(off, 99) < 2e-3
    assert off.max() < 1.8 / 34, "beside a hole, a pixel of the tile"


def test_a_network_that_contradicts_itself_still_gives_positive_depth():
    class Noise(RoomNetwork):
        def one(self, camera):
            said = super().one(camera)
            return said | {"depth": self.random.normal(size=said["depth"].shape).astype(np.float32)}

    for kind in DepthKind:
        prediction = Tiled(Noise(kind)).predict(PHOTO)
        known = prediction.depth[np.isfinite(prediction.depth)]
        assert (known > 0).all()


@pytest.mark.parametrize("said", [{}, {"depth": np.zeros(2, np.float32)}, {"depth": np.float32(1), "z": np.float32(1)}])
def test_a_network_that_says_something_else_is_a_mistake(said):
    with pytest.raises(ValueError, match="panes"):
        Tiled(Panes(DepthKind.METRIC, **said)).predict(PHOTO)


def test_what_is_no_panorama_is_a_mistake_of_the_caller():
    model: PanoramaModel = Tiled(RoomNetwork())
    for wrong in (np.zeros((64, 128, 3), np.float32), np.zeros((64, 64, 3), np.uint8)):
        with pytest.raises(ValueError, match="full sphere"):
            model.predict(wrong)
