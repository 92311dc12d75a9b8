"""Depth of the photograph's size from tiles, with networks that look at a room which is known to the last digit."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tile_networks import Panes, RoomNetwork, creases, room

from core.errors import ModelUnavailable
from core.geometry.camera import rotation_from_angles
from core.geometry.sphere import erp_rays
from core.models.base import Task
from core.models.detail import LEAST_FOV, detail_tiles, find_detail, refine_by_tiles
from core.models.levelled import predict_panorama
from core.models.tiled import DepthKind
from core.panorama import Panorama
from core.prediction import Prediction
from core.progress import Cancelled

SIZE = 120, 240
PHOTO = np.zeros((*SIZE, 3), np.uint8)
PIXEL = math.pi / SIZE[0]


class Coarse:
    """The room in few pixels, 7 % wrong here and there, in metres."""

    def __init__(self, turned=None):
        self.turned = np.eye(3) if turned is None else turned

    def predict(self, rgb, *, progress=lambda done, total: None):
        rays = erp_rays(16, 32)
        wrong = 1 + 0.07 * np.sin(6 * rays[..., 0] + 9 * rays[..., 1])
        depth = (room(rays @ self.turned.T)[0] * wrong).astype(np.float32)
        return Prediction(depth=depth, far=np.zeros((16, 32), bool), is_metric=True, model="coarse")


def off(depth, rays):
    return np.abs(depth / room(rays)[0] - 1)


@pytest.mark.parametrize("kind", DepthKind)
def test_tiles_bring_their_detail_and_keep_the_scale_of_the_coarse_depth(kind):
    guided = predict_panorama(Coarse(), Panorama(PHOTO))
    refined = predict_panorama(Coarse(), Panorama(PHOTO), detail=RoomNetwork(kind, size=64))
    rays = erp_rays(*SIZE)
    smooth = ~creases(rays, 3 * PIXEL)
    assert refined.depth.shape == SIZE
    assert refined.is_metric
    assert refined.model == "coarse + room"
    ratio = refined.depth / room(rays)[0]
    assert abs(np.median(ratio) - 1) < 0.03, "the scale is that of the coarse depth, wrong as it is"
    assert np.median(off(refined.depth, rays)) < 0.5 * np.median(off(guided.depth, rays))
    assert np.percentile(np.abs(ratio[smooth] / np.median(ratio) - 1), 90) < 0.02


def test_an_exact_coarse_depth_gives_the_room_itself():
    rays = erp_rays(*SIZE)
    exact = Prediction(depth=room(rays)[0].astype(np.float32), is_metric=True)
    refined = refine_by_tiles(exact, exact.depth, PHOTO, RoomNetwork(size=64))
    smooth = ~creases(rays, 5 * PIXEL)
    assert off(refined.depth, rays)[smooth].max() < 1e-3
    for part in (np.s_[:, [0, -1]], np.s_[:2], np.s_[-2:]):
        assert off(refined.depth, rays)[part].max() < 1.5 * PIXEL, "seam and poles are like everywhere"


def test_a_tilted_photo_is_seen_by_upright_tiles():
    level = rotation_from_angles(0.3, 0.4, -0.5)
    cameras = detail_tiles(64, 120, level)
    for camera, upright in zip(cameras, detail_tiles(64, 120), strict=True):
        np.testing.assert_allclose(level @ camera.world_from_camera, upright.world_from_camera, atol=1e-12)
    photo = Panorama(PHOTO, level_from_world=level)
    # The room stands in the world of the photograph, and the coarse network speaks of the levelled one.
    refined = predict_panorama(Coarse(level.T), photo, detail=RoomNetwork(size=64))
    rays = erp_rays(*SIZE)
    smooth = ~creases(rays, 3 * PIXEL)
    ratio = refined.depth / room(rays)[0]
    assert np.percentile(np.abs(ratio[smooth] / np.median(ratio) - 1), 90) < 0.02


def test_far_and_what_was_not_seen_stay_as_they_were():
    rays = erp_rays(*SIZE)
    far = np.zeros(SIZE, bool)
    far[:20] = True
    depth = np.where(far, np.nan, room(rays)[0]).astype(np.float32)
    valid = np.ones(SIZE, bool)
    valid[60:, 100:140] = False
    start = Prediction(depth=depth, far=far, is_metric=True)
    network = RoomNetwork(size=64)
    refined = refine_by_tiles(start, depth, PHOTO, network, valid=valid)
    assert np.isnan(refined.depth[far]).all()
    np.testing.assert_array_equal(refined.far, far)
    inside = ~valid
    inside[:64] = inside[-4:] = False
    inside[:, :104] = inside[:, 136:] = False
    np.testing.assert_array_equal(refined.depth[inside], depth[inside])


def test_tiles_that_contradict_the_coarse_depth_are_left_out():
    class Noise(RoomNetwork):
        def one(self, camera):
            said = super().one(camera)
            return said | {"depth": np.exp(self.random.normal(0, 2, said["depth"].shape)).astype(np.float32)}

    depth = room(erp_rays(*SIZE))[0].astype(np.float32)
    start = Prediction(depth=depth, is_metric=True)
    refined = refine_by_tiles(start, depth, PHOTO, Noise(DepthKind.METRIC, size=64))
    np.testing.assert_array_equal(refined.depth, depth)


def test_where_tiles_end_they_pass_smoothly_into_what_was_there():
    class Silent(RoomNetwork):
        """Says nothing of what lies behind."""

        def one(self, camera):
            said = super().one(camera)
            if abs(math.remainder(camera.yaw, 2 * math.pi)) > 2:
                said["depth"][:] = np.nan
            return said

    truth = room(erp_rays(*SIZE))[0].astype(np.float32)
    start = Prediction(depth=2 * truth, is_metric=True)
    refined = refine_by_tiles(start, truth, PHOTO, Silent(size=64))
    ratio = refined.depth / truth
    assert ratio[60, 0] == pytest.approx(2, rel=1e-4)
    assert ratio[60, 120] == pytest.approx(1, rel=0.02)
    steps = np.abs(np.diff(np.log(ratio[60])))
    assert steps.max() < 0.3, "of a jump of 0.69, had it been at once"


@pytest.mark.parametrize("shift", [-30, 7])
def test_a_model_with_a_heading_of_its_own_is_refined_all_the_same(shift):
    class Headed(Coarse):
        def heading_shift(self, rgb):
            return shift

    angle = 2 * np.pi * shift / SIZE[1]
    headed = Headed(rotation_from_angles(-angle, 0, 0))
    network = RoomNetwork(size=64)
    one = network.one
    # The network sees the picture that was rolled to the heading, and the room with it.
    network.one = lambda camera: one(replace(camera, yaw=camera.yaw - angle))
    refined = predict_panorama(headed, Panorama(PHOTO), detail=network)
    rays = erp_rays(*SIZE)
    smooth = ~creases(rays, 3 * PIXEL)
    ratio = refined.depth / room(rays)[0]
    assert np.percentile(np.abs(ratio[smooth] / np.median(ratio) - 1), 90) < 0.02


def test_tiles_are_as_fine_as_the_photo_but_never_too_narrow():
    fine = detail_tiles(518, 2048)
    assert fine[0].focal_px * math.pi == pytest.approx(2048, rel=1e-6)
    assert detail_tiles(518, 8192)[0].fov_x == LEAST_FOV
    assert detail_tiles(518, 256)[0].fov_x == math.pi / 2


def test_it_can_be_stopped_and_needs_depth():
    start = Coarse().predict(PHOTO)

    def stop(done, total):
        if done > 0.3 * total:
            raise Cancelled

    with pytest.raises(Cancelled):
        refine_by_tiles(start, start.depth, PHOTO, RoomNetwork(size=64, batch=1), progress=stop)
    with pytest.raises(ValueError, match="depth"):
        refine_by_tiles(start, start.depth, PHOTO, Panes(None))
    no_depth = predict_panorama(Coarse(), Panorama(PHOTO), tasks=(Task.CLASSES,), detail=RoomNetwork(size=64))
    assert no_depth.depth is None


def test_only_perspective_networks_see_tiles():
    with pytest.raises(ModelUnavailable, match=r"got pano-s.*--detail-model"):
        find_detail("pano-s")
