import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from own_time import own_seconds

from core.geometry.camera import rotation_from_angles
from core.geometry.normals import turn_normals
from core.geometry.sphere import angle_between, erp_rays
from core.geometry.warp import resize_erp
from core.models.upsample import BAND_PIXELS, upsample_prediction
from core.prediction import Prediction
from core.progress import Cancelled
from training.worlds.box_room import BoxRoom

ROOM = BoxRoom(low=(-2.0, -1.1, -3.0), high=(1.5, 1.6, 2.5))
ORIGIN = (0.3, 0.1, 0.2)
NAMES = tuple("abcdef")
PAINT = np.array([[200, 40, 40], [40, 200, 40], [250, 250, 250], [90, 60, 30], [40, 40, 200], [200, 200, 40]], np.uint8)


def room(height, width):
    """A room whose walls differ in colour, and all that is to know about it."""
    rays = erp_rays(height, width).astype(np.float64)
    face = ROOM.face(ORIGIN, rays)
    truth = Prediction(
        depth=ROOM.depth(ORIGIN, rays).astype(np.float32),
        normals=ROOM.normals(ORIGIN, rays).astype(np.float32),
        classes=face.astype(np.int16),
        class_names=NAMES,
        far=np.zeros((height, width), bool),
        is_metric=True,
        model="oracle",
    )
    return PAINT[face], truth


def street(height, width):
    """Open sky over a ground, with a wall of a height in between from lon -1 to 1."""
    rays = erp_rays(height, width).astype(np.float64)
    lon, down = np.arctan2(rays[..., 0], rays[..., 2]), rays[..., 1]
    with np.errstate(divide="ignore"):
        ground = np.where(down > 0.03, 1.6 / down, np.inf)
        wall = np.where(np.abs(lon) < 1, 5 / np.hypot(rays[..., 0], rays[..., 2]), np.inf)
    wall = np.where(-down * wall < 3, wall, np.inf)
    depth = np.minimum(ground, wall)
    far = np.isinf(depth)
    kind = np.where(far, 0, np.where(wall < ground, 1, 2))
    normals = np.where(
        (kind == 1)[..., None], -rays / np.hypot(rays[..., 0], rays[..., 2])[..., None], (0.0, -1.0, 0.0)
    )
    normals[..., 1] = np.where(kind == 1, 0.0, -1.0)
    truth = Prediction(
        depth=np.where(far, np.nan, depth).astype(np.float32),
        normals=np.where(far[..., None], np.nan, normals).astype(np.float32),
        classes=kind.astype(np.int16),
        class_names=("sky", "wall", "ground"),
        far=far,
    )
    return np.array([[150, 190, 250], [120, 70, 50], [90, 90, 90]], np.uint8)[kind], truth


def picked(truth, height, width):
    """What a network of a smaller size, and without a mistake, would have said."""

    def pick(values):
        return resize_erp(values, height, width, nearest=True)

    return replace(
        truth,
        depth=pick(truth.depth),
        normals=pick(truth.normals),
        classes=pick(truth.classes),
        far=pick(truth.far),
    )


def degrees(a, b):
    return np.degrees(angle_between(a, b))


def same(a, b):
    """Equal but for the last bits."""
    for name, values in a.maps().items():
        other = b.maps()[name]
        if values.dtype.kind == "f":
            np.testing.assert_allclose(values, other, atol=1e-5)
        else:
            np.testing.assert_array_equal(values, other)


@pytest.mark.parametrize(("height", "width"), [(256, 512), (255, 511)])
def test_a_painted_room_comes_back_nearly_exact(height, width):
    rgb, truth = room(height, width)
    _, native = room(32, 64)
    full = upsample_prediction(native, rgb)
    assert full.size == (height, width)
    assert full.native_size == (32, 64)
    off = np.abs(full.depth / truth.depth - 1)
    # Inverse depth is bent by the square of the small pixels' angle of a tenth, shared out over the pixel.
    assert np.median(off) < 2e-3
    assert np.quantile(off, 0.99) < 0.03
    assert (full.classes != truth.classes).mean() < 0.002
    assert (degrees(full.normals, truth.normals) > 5).mean() < 0.01
    # Plainly interpolated, the same room has eight times as many wrong classes and five times as many bent normals.
    plain = turn_normals(resize_erp(native.normals, height, width), np.eye(3))
    assert (degrees(plain, truth.normals) > 5).mean() > 5 * (degrees(full.normals, truth.normals) > 5).mean()
    assert (resize_erp(native.classes, height, width) != truth.classes).mean() > 0.015


def test_the_sky_ends_where_the_photograph_says():
    rgb, truth = street(256, 512)
    native = picked(truth, 32, 64)
    full = upsample_prediction(native, rgb)
    # On the small grid an edge is wrong by a quarter of a pixel on average, here it is by a few of the 8 x 8.
    assert (full.far != truth.far).mean() < 0.2 * (resize_erp(native.far, 256, 512) != truth.far).mean()
    np.testing.assert_array_equal(np.isnan(full.depth), full.far)
    near = ~truth.far & ~full.far
    assert np.quantile(np.abs(full.depth / truth.depth - 1)[near], 0.95) < 0.05


def test_between_two_surfaces_there_is_nothing():
    rgb, truth = street(256, 512)
    full = upsample_prediction(picked(truth, 32, 64), rgb)
    columns = slice(120, 392)  # before the wall, at 5 m, ends; behind it the ground, from 1.6 m below
    rows = slice(160, 200)
    depth = full.depth[rows, columns]
    exact = truth.depth[rows, columns]
    assert (np.abs(depth / exact - 1) > 0.1).mean() < 0.01


def test_without_contrast_an_edge_is_still_sharp_and_smooth():
    _, truth = street(256, 512)
    full = upsample_prediction(picked(truth, 32, 64), np.full((256, 512, 3), 128, np.uint8))
    assert (full.far != truth.far).mean() < 0.02
    assert (full.classes != truth.classes).mean() < 0.03


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 63), st.sampled_from([(96, 192), (97, 192), (64, 128)]), st.integers(0, 5))
def test_it_commutes_with_rolling_photograph_and_maps(columns, size, seed):
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    _, native = street(32, 64)
    noisy = replace(native, depth=native.depth * rng.uniform(0.9, 1.1, (32, 64)).astype(np.float32))
    photo_columns = columns * size[1] // 64
    turn = rotation_from_angles(2 * math.pi * columns / 64, 0.0, 0.0)

    def rolled(prediction, by):
        return replace(
            prediction,
            depth=np.roll(prediction.depth, by, axis=1),
            normals=turn_normals(np.roll(prediction.normals, by, axis=1), turn),
            classes=np.roll(prediction.classes, by, axis=1),
            far=np.roll(prediction.far, by, axis=1),
        )

    same(
        upsample_prediction(rolled(noisy, columns), np.roll(rgb, photo_columns, axis=1)),
        rolled(upsample_prediction(noisy, rgb), photo_columns),
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(5, 12), st.integers(8, 25), st.integers(13, 60))
def test_no_value_lies_outside_of_its_surroundings(seed, height, width, tall):
    rng = np.random.default_rng(seed)
    native = Prediction(
        depth=np.exp(rng.normal(0, 1, (height, width))).astype(np.float32),
        normals=turn_normals(rng.normal(size=(height, width, 3)).astype(np.float32), np.eye(3)),
        classes=rng.integers(-1, 6, (height, width)).astype(np.int16),
        class_names=NAMES,
        far=rng.random((height, width)) < 0.2,
    )
    native = replace(
        native, depth=np.where(native.far | (rng.random((height, width)) < 0.2), np.float32(np.nan), native.depth)
    )
    rgb = rng.integers(0, 256, (tall, 2 * tall, 3), dtype=np.uint8)
    full = upsample_prediction(native, rgb)
    rows = np.clip(np.floor((np.arange(tall) + 0.5) * height / tall - 0.5)[:, None] + np.arange(-1, 3), -2, height + 1)
    cols = np.floor((np.arange(2 * tall) + 0.5) * width / (2 * tall) - 0.5)[:, None] + np.arange(-1, 3)
    rows, cols = rows.astype(int)[:, None, :, None], cols.astype(int)[None, :, None, :]
    across = np.where((rows < 0) | (rows >= height), -(width // 2), 0)
    rows = np.where(rows < 0, -1 - rows, np.where(rows >= height, 2 * height - 1 - rows, rows))
    around = native.depth[rows, (cols + across) % width].reshape(tall, 2 * tall, 16)
    known = ~np.isnan(full.depth)
    low, high = np.nanmin(around[known], axis=1), np.nanmax(around[known], axis=1)
    assert (full.depth[known] >= low * (1 - 1e-5)).all()
    assert (full.depth[known] <= high * (1 + 1e-5)).all()
    labels = native.classes[rows, (cols + across) % width].reshape(tall, 2 * tall, 16)
    assert (labels == full.classes[..., None]).any(axis=2).all()
    np.testing.assert_allclose(np.linalg.norm(full.normals, axis=-1), 1, atol=1e-5)
    assert np.isnan(full.depth[full.far]).all()


def test_unknown_depth_stays_unknown_and_is_not_far():
    rgb, _ = room(128, 256)
    _, native = room(32, 64)
    hole = np.zeros((32, 64), bool)
    hole[10:16, 20:30] = True
    native = replace(native, depth=np.where(hole, np.float32(np.nan), native.depth))
    full = upsample_prediction(native, rgb)
    assert not full.far.any()
    unknown = np.isnan(full.depth)
    assert unknown[44:60, 84:116].all()
    assert not unknown[:32].any()
    assert unknown.sum() < 1.5 * 16 * hole.sum()


@pytest.mark.parametrize("name", ["depth", "normals", "classes", "far"])
def test_each_map_may_come_alone(name):
    rgb, truth = room(64, 128)
    _, native = room(16, 32)
    alone = replace(native, **{other: None for other in native.maps() if other != name})
    full = upsample_prediction(alone, rgb)
    assert list(full.maps()) == [name]
    assert full.size == (64, 128)
    if name == "classes":
        assert (full.classes != truth.classes).mean() < 0.01
    if name == "normals":
        plain = turn_normals(resize_erp(native.normals, 64, 128), np.eye(3))
        bent = (degrees(full.normals, truth.normals) > 5).mean()
        assert bent < 0.5 * (degrees(plain, truth.normals) > 5).mean()


def test_a_photograph_of_the_maps_size_leaves_them_alone():
    rgb, native = room(32, 64)
    assert upsample_prediction(native, rgb) is native


@pytest.mark.parametrize(("height", "width"), [(16, 32), (15, 31), (31, 63)])
def test_on_a_smaller_photograph_maps_are_averaged(height, width):
    rgb, truth = room(height, width)
    _, native = room(32, 64)
    full = upsample_prediction(native, rgb)
    assert full.size == (height, width)
    assert np.quantile(np.abs(full.depth / truth.depth - 1), 0.9) < 0.03
    np.testing.assert_allclose(np.linalg.norm(full.normals, axis=-1), 1, atol=1e-5)


def test_all_sky_and_nothing_known_do_not_fail():
    sky = Prediction(depth=np.full((8, 16), np.nan, np.float32), far=np.ones((8, 16), bool))
    full = upsample_prediction(sky, np.zeros((40, 80, 3), np.uint8))
    assert full.far.all()
    assert np.isnan(full.depth).all()
    nothing = upsample_prediction(replace(sky, far=None), np.zeros((40, 80, 3), np.uint8))
    assert np.isnan(nothing.depth).all()


def test_tiny_maps_do_not_fail():
    native = Prediction(depth=np.ones((1, 2), np.float32), classes=np.zeros((1, 2), np.int16))
    full = upsample_prediction(native, np.zeros((7, 14, 3), np.uint8))
    np.testing.assert_allclose(full.depth, 1)


def test_the_rest_of_a_prediction_is_handed_on():
    rgb, _ = room(64, 128)
    _, native = room(16, 32)
    native = replace(native, camera_height=1.5, device="cpu", seconds=2.0, native_size=(8, 16))
    full = upsample_prediction(native, rgb)
    for name in ("class_names", "camera_height", "is_metric", "model", "device", "seconds", "native_size"):
        assert getattr(full, name) == getattr(native, name)


@pytest.mark.parametrize("rgb", [np.zeros((8, 16), np.uint8), np.zeros((8, 16, 3), np.float32)])
def test_what_is_no_photograph_is_refused(rgb):
    _, native = room(4, 8)
    with pytest.raises(ValueError, match="uint8"):
        upsample_prediction(native, rgb)


@pytest.mark.slow
def test_a_4k_photograph_takes_three_seconds_of_one_core_at_most():
    rgb, _ = street(2048, 4096)
    _, native = street(256, 512)
    upsample_prediction(native, rgb[:512, :1024].copy())
    started, _ = own_seconds()
    upsample_prediction(native, rgb)
    assert own_seconds()[0] - started < 3


def test_work_is_done_in_bands_that_are_told_of_and_can_be_stopped(monkeypatch):
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 256, (96, 192, 3), np.uint8)
    native = Prediction(depth=rng.uniform(1, 5, (32, 64)).astype(np.float32))
    whole = upsample_prediction(native, rgb)
    monkeypatch.setattr("core.models.upsample.BAND_PIXELS", 192 * 7)
    told = []
    banded = upsample_prediction(native, rgb, progress=lambda done, total: told.append((done, total)))
    np.testing.assert_array_equal(banded.depth, whole.depth)
    assert told == [(row, 96) for row in range(0, 96, 7)] + [(96, 96)]

    def stop(done, total):
        if done >= 21:
            raise Cancelled

    with pytest.raises(Cancelled):
        upsample_prediction(native, rgb, progress=stop)


def test_a_band_of_the_widest_picture_is_small():
    assert BAND_PIXELS <= 1 << 20, "a tenth of a second, so that an interrupt is soon heard"
