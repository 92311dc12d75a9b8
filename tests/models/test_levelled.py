from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelUnavailable
from core.geometry.camera import rotation_from_angles
from core.geometry.sphere import erp_rays, solid_angle
from core.known_scale import rescale
from core.models.base import Task
from core.models.levelled import predict_panorama
from core.panorama import Panorama
from core.prediction import Prediction
from core.progress import Cancelled

HALF_SIZE = np.array((3.0, 1.5, 4.0))
NATIVE = (128, 256)
POSE = rotation_from_angles(0.0, 0.25, -0.4)


def room_along(rays):
    """Depth, normals and axis of the wall that rays of any shape (..., 3) meet in a level box room."""
    ranges = HALF_SIZE / np.maximum(np.abs(rays), 1e-12)
    axis = ranges.argmin(axis=-1)
    normals = np.zeros(rays.shape, np.float32)
    np.put_along_axis(normals, axis[..., None], -np.sign(np.take_along_axis(rays, axis[..., None], -1)), axis=-1)
    return ranges.min(axis=-1).astype(np.float32), normals, axis.astype(np.int16)


class LevelRoom:
    """Says what a level box room is like; remembers the picture that it was shown."""

    def __init__(self, far=None):
        self.far = far

    def predict(self, rgb, *, progress=lambda done, total: None):
        self.seen = rgb
        progress(1, 2)
        depth, normals, classes = room_along(erp_rays(*NATIVE).astype(np.float64))
        far = np.zeros(NATIVE, bool) if self.far is None else self.far
        depth = np.where(far, np.float32(np.nan), depth)
        return Prediction(depth, normals, classes, ("a", "b", "c"), far, 1.5, True, "fake", "cpu", 0.1, NATIVE)


def colour_along(rays):
    return np.rint((rays + 1) * 127.5).astype(np.uint8)


def posed_picture(height=128, width=256):
    """A photograph whose colour is a function of the level direction."""
    level = erp_rays(height, width).astype(np.float64) @ POSE.T
    return Panorama(colour_along(level), level_from_world=POSE)


class LevelHeading(LevelRoom):
    """The same with a heading of its own, as the bundled model has one."""

    def heading_shift(self, rgb):
        return 0


def test_the_model_sees_a_level_picture():
    model = LevelRoom()
    predict_panorama(model, posed_picture(), size="native")
    difference = np.abs(model.seen.astype(int) - colour_along(erp_rays(128, 256)))
    assert difference.max() <= 2
    assert difference.mean() < 0.5


def test_what_is_said_about_the_level_picture_comes_back_in_the_photographs_frame():
    prediction = predict_panorama(LevelRoom(), posed_picture(), size="native")
    rays = erp_rays(*NATIVE).astype(np.float64)
    depth, normals, classes = room_along(rays @ POSE.T)
    assert np.median(np.abs(prediction.depth / depth - 1)) < 1e-4
    assert np.percentile(np.abs(prediction.depth / depth - 1), 99) < 0.02
    agree = prediction.classes == classes
    assert agree.mean() > 0.97
    world_normals = normals @ POSE
    dots = np.einsum("hwc,hwc->hw", prediction.normals, world_normals)
    assert np.median(dots) > 1 - 1e-6
    np.testing.assert_allclose(np.linalg.norm(prediction.normals, axis=-1), 1, atol=1e-5)
    assert (np.einsum("hwc,hwc->hw", prediction.normals, rays)[agree] < 0).mean() > 0.999


def test_a_hole_in_the_depth_does_not_grow_when_it_is_turned():
    far = np.zeros(NATIVE, bool)
    far[20:60, 40:120] = True
    prediction = predict_panorama(LevelRoom(far), posed_picture(), size="native")
    np.testing.assert_array_equal(np.isnan(prediction.depth), prediction.far)
    area = solid_angle(*NATIVE)
    assert (area * prediction.far).sum() == pytest.approx((area * far).sum(), rel=0.02)


def test_nothing_is_known_where_a_partial_photograph_saw_nothing():
    valid = np.zeros((256, 512), bool)
    valid[100:180, 300:] = True
    panorama = Panorama(np.zeros((256, 512, 3), np.uint8), valid=valid)
    far = np.ones(NATIVE, bool)
    far[64:] = False
    for size, mask in (("native", valid[::2, ::2]), ("full", valid)):
        prediction = predict_panorama(LevelRoom(far), panorama, size=size)
        assert prediction.size == mask.shape
        assert np.isnan(prediction.depth[~mask]).all()
        assert np.isnan(prediction.normals[~mask]).all()
        assert (prediction.classes[~mask] == -1).all()
        assert not prediction.far[~mask].any()
        assert prediction.far[mask].any()
        assert np.isfinite(prediction.depth[mask]).any()


def test_full_size_is_that_of_the_photograph_and_native_that_of_the_model():
    panorama = Panorama(np.zeros((300, 600, 3), np.uint8))
    full = predict_panorama(LevelRoom(), panorama)
    assert full.size == (300, 600)
    assert full.native_size == NATIVE
    exact = room_along(erp_rays(300, 600).astype(np.float64))[0]
    assert np.median(np.abs(full.depth / exact - 1)) < 0.005
    assert predict_panorama(LevelRoom(), panorama, size="native").size == NATIVE


@pytest.mark.parametrize(
    ("tasks", "maps"),
    [
        ([Task.DEPTH], {"depth", "far"}),
        ([Task.NORMALS], {"normals"}),
        ([Task.CLASSES, Task.NORMALS], {"normals", "classes"}),
    ],
)
def test_only_what_is_wanted_is_kept(tasks, maps):
    prediction = predict_panorama(LevelRoom(), posed_picture(), tasks=tasks)
    assert set(prediction.maps()) == maps
    assert bool(prediction.class_names) == (Task.CLASSES in tasks)


@pytest.mark.parametrize("task", list(Task))
def test_a_map_is_the_same_whatever_else_is_wanted(task):
    panorama = Panorama(colour_along(erp_rays(300, 600).astype(np.float64)))
    model = LevelRoom(far=np.arange(NATIVE[0] * NATIVE[1]).reshape(NATIVE) % 97 < 3)
    alone, everything = predict_panorama(model, panorama, tasks=[task]), predict_panorama(model, panorama)
    assert alone.maps()
    for name, values in alone.maps().items():
        np.testing.assert_array_equal(values, everything.maps()[name], err_msg=name)


@settings(max_examples=20, deadline=None)
@given(height=st.floats(0.05, 50))
def test_a_known_camera_height_scales_the_depth_at_once_and_later_alike(height):
    plain = predict_panorama(LevelRoom(), posed_picture(), size="native")
    known = predict_panorama(LevelRoom(), posed_picture(), size="native", camera_height=height)
    np.testing.assert_allclose(known.depth, plain.depth * (height / 1.5), rtol=1e-6)
    np.testing.assert_array_equal(rescale(plain, height).depth, known.depth)
    assert known.camera_height == height
    assert known.is_metric
    assert rescale(plain, height).normals is plain.normals


def test_a_relative_depth_becomes_metric_by_a_known_height():
    relative = Prediction(depth=np.ones((2, 4), np.float32), camera_height=0.5, is_metric=False)
    metric = rescale(relative, 1.5)
    assert metric.is_metric
    np.testing.assert_array_equal(metric.depth, np.full((2, 4), 3, np.float32))


def test_a_model_without_camera_height_cannot_be_scaled():
    prediction = Prediction(depth=np.ones((2, 4), np.float32), model="dap")
    with pytest.raises(ModelUnavailable, match="dap does not estimate how high"):
        rescale(prediction, 1.5)
    assert rescale(replace(prediction, depth=None, classes=np.zeros((2, 4), np.int16)), 1.5).camera_height == 1.5
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="must lie between"):
            rescale(prediction, wrong)


def test_cancelling_reaches_the_caller():
    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        predict_panorama(LevelRoom(), posed_picture(), progress=stop)


def test_progress_grows_over_the_model_and_the_enlargement():
    told = []
    predict_panorama(LevelRoom(), posed_picture(256, 512), progress=lambda done, total: told.append(done / total))
    assert told == pytest.approx([0.475, 0.95, 1.0]), "a network that takes long has nearly all of it"
    told.clear()
    predict_panorama(LevelHeading(), posed_picture(256, 512), progress=lambda done, total: told.append(done / total))
    assert told == pytest.approx([0.25, 0.5, 1.0]), "the bundled one is as quick as what follows"


@pytest.mark.parametrize("size", [(128, 254), (127, 256)])
def test_a_photograph_that_is_nearly_2_to_1_gets_maps_of_its_own_size(size):
    panorama = Panorama(colour_along(erp_rays(*size).astype(np.float64)))
    prediction = predict_panorama(LevelRoom(), panorama)
    assert prediction.size == size
    exact = room_along(erp_rays(*size).astype(np.float64))[0]
    assert np.median(np.abs(prediction.depth / exact - 1)) < 0.02
