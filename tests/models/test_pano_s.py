import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelUnavailable
from core.geometry.sphere import angle_between, erp_local_frames, erp_rays
from core.geometry.warp import resize_erp
from core.models.levelled import predict_panorama
from core.models.networks.pano_s import PanoSNet
from core.models.pano_classes import PanoClasses
from core.models.pano_s import PanoS, PanoSConfig, Reading, maps_of_reading, turn_to_own_heading
from core.panorama import Panorama
from core.progress import Cancelled


@pytest.fixture(scope="module")
def small(small_weights):
    return PanoS(small_weights, device="cpu", backend="torch")


def test_a_prediction_keeps_the_promises_of_its_fields(small, painted_photo):
    prediction = small.predict(painted_photo(200, 400))
    assert prediction.size == prediction.native_size == (64, 128)
    assert prediction.depth.dtype == prediction.normals.dtype == np.float32
    assert prediction.classes.dtype == np.int16
    assert prediction.far.dtype == np.bool_
    assert prediction.class_names == ("wall", "floor", "sky", "tree")
    assert prediction.is_metric
    assert prediction.camera_height > 0
    assert (prediction.model, prediction.device) == ("pano-s (small.safetensors)", "cpu")
    assert prediction.seconds > 0
    near = ~prediction.far
    assert (prediction.depth[near] > 0).all()
    assert np.isnan(prediction.depth[~near]).all()
    assert np.isnan(prediction.normals[~near]).all()
    normals = prediction.normals[near]
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-5)
    assert ((normals * erp_rays(64, 128)[near]).sum(axis=-1) < 0).all()


@pytest.mark.parametrize(("height", "width"), [(64, 128), (32, 64), (63, 127), (64, 129), (65, 129), (333, 666)])
def test_a_photo_of_any_size_is_read(small, painted_photo, height, width):
    prediction = small.predict(painted_photo(height, width))
    assert prediction.size == (64, 128)
    assert np.isfinite(prediction.depth[~prediction.far]).all()


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((64, 128, 3), np.float32), np.zeros((64, 128), np.uint8), np.zeros((64, 64, 3), np.uint8)],
)
def test_what_is_no_panorama_is_a_mistake_of_the_caller(small, wrong):
    with pytest.raises(ValueError, match="full sphere"):
        small.predict(wrong)


def test_the_network_itself_rolls_with_its_input_by_multiples_of_its_stride(random_weights):
    network = PanoS(random_weights, device="cpu", backend="torch")._runner.network
    rgb = torch.rand(1, 3, 256, 512, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        still, rolled = network(rgb), network(rgb.roll(16 * 7, dims=3))
    for name, before, after in zip(still._fields, still, rolled, strict=True):
        back = after.roll(-8 * 7, dims=3) if after.ndim == 4 else after
        assert float((back - before).abs().max()) < 1e-4, name


@given(shift=st.integers(-300, 300), seed=st.integers(0, 20))
@settings(max_examples=25, deadline=None)
def test_a_roll_by_network_columns_rolls_every_map(small, painted_photo, shift, seed):
    rgb = painted_photo(128, 256, seed)
    still, rolled = small.predict(rgb), small.predict(np.roll(rgb, 2 * shift, axis=1))
    np.testing.assert_allclose(np.roll(rolled.depth, -shift, axis=1), still.depth, rtol=1e-4)
    np.testing.assert_array_equal(np.roll(rolled.far, -shift, axis=1), still.far)
    same = np.roll(rolled.classes, -shift, axis=1) == still.classes
    assert same.mean() > 0.999
    assert rolled.camera_height == pytest.approx(still.camera_height, rel=1e-5)
    frames = erp_local_frames(64, 128)
    local = [np.einsum("hwij,hwj->hwi", frames, p.normals) for p in (still, rolled)]
    np.testing.assert_allclose(np.roll(local[1], -shift, axis=1), local[0], atol=1e-4)


@given(shift=st.integers(1, 1023))
@settings(max_examples=4, deadline=None)
def test_a_roll_by_any_columns_moves_depth_by_less_than_half_a_percent(random_weights, real_photo, shift):
    _assert_depth_follows(PanoS(random_weights, device="cpu", backend="torch"), real_photo("03_"), shift)


@pytest.mark.parametrize("name", ["03_", "15_", "16_", "20_"])
@pytest.mark.parametrize("shift", [1, 3, 333])
def test_the_bundled_network_follows_a_roll_by_any_columns(bundled_weights, real_photo, name, shift):
    model, rgb = PanoS(bundled_weights, device="cpu"), real_photo(name)
    still, rolled = (predict_panorama(model, Panorama(np.roll(rgb, k, axis=1))).depth for k in (0, shift))
    change = np.abs(np.roll(rolled, -shift, axis=1) / still - 1)
    assert np.nanpercentile(change, 99) < 0.005


@pytest.mark.parametrize("shift", [1, 333])
def test_at_native_size_a_room_follows_a_roll_by_parts_of_a_native_column(bundled_weights, real_photo, shift):
    # Thin trunks against the sky cannot: a native column that is cut by an edge holds one of its two depths.
    _assert_depth_follows(PanoS(bundled_weights, device="cpu"), real_photo("03_"), shift)


def _assert_depth_follows(model, rgb, shift):
    """Compare at the photograph's width, where the roll is by whole columns."""
    still, rolled = (_at_width(model.predict(np.roll(rgb, k, axis=1)).depth, rgb.shape[1]) for k in (0, shift))
    change = np.abs(np.roll(rolled, -shift, axis=1) / still - 1)
    assert np.nanpercentile(change, 99) < 0.005


@pytest.mark.parametrize("shift", [1, 77, 500])
def test_at_full_size_a_rolled_photo_gives_the_rolled_maps(small, painted_photo, shift):
    rgb = painted_photo(256, 512)
    still, rolled = (predict_panorama(small, Panorama(np.roll(rgb, k, axis=1))) for k in (0, shift))
    assert still.size == (256, 512)
    np.testing.assert_allclose(np.roll(rolled.depth, -shift, axis=1), still.depth, rtol=1e-5)
    np.testing.assert_array_equal(np.roll(rolled.classes, -shift, axis=1), still.classes)
    np.testing.assert_array_equal(np.roll(rolled.far, -shift, axis=1), still.far)
    frames = erp_local_frames(256, 512)
    local = [np.einsum("hwij,hwj->hwi", frames, p.normals) for p in (still, rolled)]
    np.testing.assert_allclose(np.roll(local[1], -shift, axis=1), local[0], atol=1e-5)


def test_full_and_native_size_agree_on_where_things_are(small, painted_photo):
    rgb = painted_photo(256, 512)
    full, native = (predict_panorama(small, Panorama(rgb), size=size) for size in ("full", "native"))
    enlarged = resize_erp(native.depth, 256, 512)
    assert np.nanmedian(np.abs(full.depth / enlarged - 1)) < 0.01
    angles = angle_between(full.normals[~full.far], resize_erp(native.normals, 256, 512)[~full.far])
    assert np.degrees(np.nanmedian(angles)) < 2


def _at_width(depth, width):
    """(h, width): columns by linear interpolation of logarithms, around the seam."""
    u = (np.arange(width) + 0.5) * depth.shape[1] / width - 0.5
    first = np.floor(u).astype(int)
    logs = np.log(depth)
    part = u - first
    return np.exp(logs[:, first % depth.shape[1]] * (1 - part) + logs[:, (first + 1) % depth.shape[1]] * part)


@given(shift=st.integers(0, 500), height=st.sampled_from([64, 100, 129, 250]))
@settings(max_examples=40, deadline=None)
def test_a_rolled_photo_is_turned_to_the_same_picture(painted_photo, shift, height):
    rgb = painted_photo(height, 2 * height)
    picture, turn = turn_to_own_heading(rgb, 64)
    again, turned = turn_to_own_heading(np.roll(rgb, shift, axis=1), 64)
    assert np.abs(again.astype(int) - picture).max() <= 1
    columns = (turn - turned) / (2 * np.pi) * 2 * height
    assert (columns - shift) % (2 * height) == pytest.approx(0, abs=1e-6) or (columns - shift) % (
        2 * height
    ) == pytest.approx(2 * height, abs=1e-6)


def test_a_picture_without_a_heading_is_read_too(small):
    prediction = small.predict(np.full((64, 128, 3), 90, np.uint8))
    assert np.isfinite(prediction.depth[~prediction.far]).all()


def test_equal_walls_in_different_places_do_not_confuse_the_heading():
    """A picture that repeats after a quarter turn has four headings, and is the same picture at each."""
    quarter = np.random.default_rng(0).integers(0, 256, (64, 32, 3)).astype(np.uint8)
    rgb = np.tile(quarter, (1, 4, 1))
    picture, _ = turn_to_own_heading(rgb, 64)
    for shift in (1, 5, 32, 77):
        again, _ = turn_to_own_heading(np.roll(rgb, shift, axis=1), 64)
        assert np.abs(again.astype(int) - picture).max() <= 1


def _reading(rows, *, turn=0.0, **changes):
    """A camera in a sphere of radius 2 whose inside is seen face on, all of class 0."""
    shape = (rows, 2 * rows)
    values = {
        "turn": turn,
        "log_ratio": np.full(shape, np.log(2.0), np.float32),
        "local_normals": np.broadcast_to(np.array([0, 0, -1], np.float32), (*shape, 3)),
        "class_probabilities": np.broadcast_to(np.array([0.7, 0.1, 0.2], np.float32), (*shape, 3)),
        "far_logit": np.full(shape, -5, np.float32),
        "camera_height": 1.5,
        "ceiling_ratio": 1.0,
        "indoor_probability": 1.0,
    }
    return Reading(**(values | changes))


CONFIG = PanoSConfig(("wall", "tree", "sky"), height=64)


def test_metres_are_the_ratio_times_the_camera_height_and_outward_normals_point_at_the_camera():
    depth, normals, classes, far, _ = maps_of_reading(_reading(32), CONFIG)
    np.testing.assert_allclose(depth, 3.0, rtol=1e-6)
    np.testing.assert_allclose(normals, -erp_rays(64, 128), atol=2e-3)
    assert (classes == 0).all()
    assert not far.any()


@pytest.mark.parametrize("turn", [0.0, np.pi / 2, -2.0, 2 * np.pi * 5 / 128])
def test_a_normal_of_the_world_is_turned_back_with_the_picture(turn):
    """A floor and a ceiling stay, a wall that was seen at longitude `turn` in the turned picture is in front."""
    frames = erp_local_frames(32, 64)
    wall = np.array([-np.sin(turn), 0, -np.cos(turn)], np.float32)
    reading = _reading(32, turn=turn, local_normals=np.einsum("hwij,j->hwi", frames, wall).astype(np.float32))
    _, normals, *_ = maps_of_reading(reading, CONFIG)
    front = normals[20:44, 40:88]
    np.testing.assert_allclose(front, np.broadcast_to([0, 0, -1], front.shape), atol=1e-5)


def test_a_column_of_the_turned_picture_comes_back_to_its_place():
    log_ratio = np.zeros((32, 64), np.float32)
    log_ratio[:, 40] = 1.0
    depth, *_ = maps_of_reading(_reading(32, turn=2 * np.pi * 10 / 64, log_ratio=log_ratio), CONFIG)
    assert set(depth[30].argsort()[-2:].tolist()) == {60, 61}


def test_far_pixels_lend_their_neighbours_nothing():
    far_logit = np.full((32, 64), -5, np.float32)
    far_logit[:16] = 5
    log_ratio = np.where(far_logit > 0, np.float32(9), np.float32(0))
    reading = _reading(32, far_logit=far_logit, log_ratio=log_ratio)
    depth, normals, classes, far, chances = maps_of_reading(reading, CONFIG)
    assert (chances[:32] == (0, 0, 1)).all()
    assert far[:32].all()
    assert not far[32:].any()
    assert np.isnan(depth[:32]).all()
    np.testing.assert_allclose(depth[32:], 1.5, rtol=1e-6)
    assert np.isnan(normals[:32]).all()
    assert (classes[:32] == 2).all()


def test_what_is_not_far_is_not_sky():
    likely_sky = np.broadcast_to(np.array([0.1, 0.2, 0.7], np.float32), (32, 64, 3))
    maps = maps_of_reading(_reading(32, class_probabilities=likely_sky), CONFIG)
    assert not maps.far.any()
    assert (maps.classes == 1).all()
    np.testing.assert_allclose(maps.chances, np.broadcast_to([0.1, 0.2, 0], maps.chances.shape), atol=1e-6)


def test_what_is_cut_out_hears_chances_that_name_the_same_classes():
    rgb = np.random.default_rng(0).integers(0, 255, (96, 192, 3)).astype(np.uint8)
    whole, model = PanoClasses(), PanoS(device="cpu")
    chances = whole.chances(rgb)
    assert chances.dtype == np.uint8
    assert chances.shape == (model.config.height, 2 * model.config.height, len(whole.class_names))
    classes = model.predict(rgb).classes
    # Chances that are alike to a 255th may be told apart before they are rounded.
    taken = np.take_along_axis(chances, classes[..., None].astype(np.int64), axis=-1)[..., 0]
    np.testing.assert_array_equal(taken, chances.max(axis=-1))


class _SaysSky:
    """A runner whose network sees sky everywhere with the given certainty, in- or outdoors."""

    device, batch, notes = "cpu", 1, ()

    def __init__(self, far, indoor):
        self.far, self.indoor = far, indoor

    def run(self, batch):
        shape = (1, 1, 32, 64)
        normals = np.broadcast_to(np.array([0, 0, -1], np.float32)[None, :, None, None], (1, 3, 32, 64))
        numbers = [np.array([value], np.float32) for value in (0.0, 0.0, self.indoor)]
        logits = np.zeros((1, 4, 32, 64), np.float32)
        return (np.zeros(shape, np.float32), normals, logits, np.full(shape, self.far, np.float32), *numbers)


@pytest.mark.parametrize(
    ("far", "indoor", "expected"),
    [(1.0, -6.0, True), (1.0, 6.0, False), (5.0, 6.0, True), (0.5, 1.0, False), (-1.0, -6.0, False)],
)
def test_indoors_the_sky_must_be_surer(small_weights, painted_photo, far, indoor, expected):
    model = PanoS(small_weights, device="cpu", backend="torch")
    model._runner = _SaysSky(far, indoor)
    assert (model.predict(painted_photo(64, 128)).far == expected).all()


class _Mirror:
    """A runner that says what it sees: red as range, green as the east component of the normal."""

    device, batch = "cpu", 1

    def run(self, batch):
        half = batch[:, :, ::2, ::2].copy()
        east = half[:, 1:2] - 0.5
        normals = np.concatenate([east, np.zeros_like(east), -np.ones_like(east)], axis=1)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        numbers = [np.zeros(1, np.float32)] * 3
        logits = np.repeat(half[:, 2:3], 4, axis=1)
        return (half[:, :1], normals, logits, np.full_like(east, -9), *numbers)


def test_every_view_is_undone_before_the_mean(small_weights, painted_photo, monkeypatch):
    """A range map that follows the picture is the same from every view; a mirror turns east into west."""
    model = PanoS(small_weights, device="cpu", backend="torch")
    model._runner = _Mirror()
    coarse = painted_photo(32, 64).repeat(2, axis=0).repeat(2, axis=1)
    monkeypatch.setattr("core.models.pano_s.VIEWS", ((0, False),))
    plain = model.read(coarse)
    monkeypatch.setattr("core.models.pano_s.VIEWS", ((8, False), (-6, False)))
    rolled = model.read(coarse)
    np.testing.assert_allclose(rolled.log_ratio, plain.log_ratio, atol=1e-6)
    np.testing.assert_allclose(rolled.local_normals, plain.local_normals, atol=1e-6)
    monkeypatch.setattr("core.models.pano_s.VIEWS", ((0, True),))
    mirrored = model.read(coarse)
    np.testing.assert_allclose(mirrored.local_normals[..., 0], -plain.local_normals[..., 0], atol=1e-2)


def test_progress_is_told_and_can_stop_the_work(small, painted_photo):
    told = []
    small.predict(painted_photo(64, 128), progress=lambda done, total: told.append((done, total)))
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1]

    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        small.predict(painted_photo(64, 128), progress=stop)


def test_both_backends_say_the_same(small_weights, painted_photo):
    rgb = painted_photo(128, 256)
    ours, theirs = (PanoS(small_weights, device="cpu", backend=name).predict(rgb) for name in ("torch", "onnxruntime"))
    np.testing.assert_allclose(theirs.depth, ours.depth, rtol=1e-4)
    np.testing.assert_allclose(theirs.normals, ours.normals, atol=1e-4)
    assert (theirs.classes == ours.classes).mean() > 0.999
    assert theirs.device == "cpu"


def test_the_faster_backend_is_taken_when_its_graph_is_there(small_weights, random_weights):
    assert type(PanoS(small_weights, device="cpu")._runner).__name__ == "OnnxRunner"
    assert type(PanoS(random_weights, device="cpu")._runner).__name__ == "TorchRunner"


def test_an_unknown_backend_is_a_mistake_of_the_caller(small_weights):
    with pytest.raises(ValueError, match="backend"):
        PanoS(small_weights, backend="tensorrt")


def test_onnxruntime_runs_on_the_cpu_and_wants_a_graph(small_weights, random_weights):
    with pytest.raises(ModelUnavailable, match="CPU"):
        PanoS(small_weights, backend="onnxruntime", device="cuda")
    with pytest.raises(ModelUnavailable, match="panoviewer models export") as error:
        PanoS(random_weights, backend="onnxruntime")
    assert str(error.value).endswith("random.onnx")


def test_the_description_survives_the_file_of_weights(small_config):
    assert PanoSConfig.from_metadata(small_config.to_metadata()) == small_config
    assert isinstance(small_config.build(), PanoSNet)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "{}", "[" * 100_000, '{"class_names": 3, "height": 64, "widths": [8, 8, 8, 32], "layers": 1}',
        '{"class_names": ["a"], "height": 1e9, "widths": [8, 8, 8, 32], "layers": 1}',
        '{"class_names": ["a"], "height": 65, "widths": [8, 8, 8, 32], "layers": 1}',
        '{"class_names": ["a"], "height": 64, "widths": [8, 8, 8, 320000000], "layers": 1}',
        '{"class_names": ["a"], "height": 64, "widths": [8, 8, 8, 32], "layers": 100000}',
        '{"class_names": [], "height": 64, "widths": [8, 8, 8, 32], "layers": 1}',
    ],
)  # fmt: skip
def test_a_description_of_nothing_sensible_is_refused(text):
    with pytest.raises(ValueError, match="network"):
        PanoSConfig.from_metadata({"pano_s": text})


def test_weights_of_another_model_are_refused(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "other.safetensors"
    save_file({"a": np.zeros(3, np.float32)}, path)
    with pytest.raises(ModelUnavailable, match="something else"):
        PanoS(path)
