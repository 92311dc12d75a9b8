"""Depth Any Panoramas as a model of the catalogue: metres, far, no seam, progress."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_dap import save, tiny

from core.errors import ModelUnavailable
from core.models import find_model, load_model, weights_file
from core.models.base import RawModel
from core.models.dap import Dap, _resized
from core.models.store import add_model
from core.progress import Cancelled

__all__ = ["tiny"]


@pytest.fixture
def added(tiny, tmp_path):
    """The weights of a tiny network, added; half of what it sees is far."""
    tiny["core.depth_head.scratch.output_conv2.2.bias"] -= 2
    add_model(save(tiny, tmp_path / "model.pth"))
    return weights_file(find_model("dap"))


@pytest.fixture
def model(added):
    return load_model("dap", device="cpu")


def test_depth_is_metres_with_nothing_where_far(model, painted_photo):
    prediction = model.predict(painted_photo(100, 200))
    assert prediction.size == prediction.native_size == (64, 128)
    assert prediction.is_metric
    assert prediction.model == "dap"
    assert prediction.device == "cpu"
    assert prediction.far.any()
    assert not prediction.far.all()
    np.testing.assert_array_equal(np.isnan(prediction.depth), prediction.far)
    known = prediction.depth[~prediction.far]
    assert known.dtype == np.float32
    assert ((known > 0) & (known < 100)).all()


def test_straight_ahead_the_answer_is_that_of_the_network_itself(model, painted_photo):
    rgb = painted_photo(64, 128)
    prediction, raw = model.predict(rgb), model.raw(rgb)
    ahead = np.s_[:, 63:65]  # the other pass counts for less than a thousandth here
    near = ~prediction.far[ahead]
    np.testing.assert_allclose(prediction.depth[ahead][near], 100 * raw["pred_depth"][ahead][near], rtol=2e-3)
    disagree = prediction.far[ahead] != (raw["pred_mask"][ahead] >= 0.5)
    assert (np.abs(raw["pred_mask"][ahead] - 0.5)[disagree] < 1e-3).all()


def test_at_the_seam_the_answer_is_that_for_the_picture_turned_by_half(model, painted_photo):
    rgb = painted_photo(64, 128)
    prediction, raw = model.predict(rgb), model.raw(np.roll(rgb, 64, axis=1))
    for column, same in ((0, 64), (127, 63)):
        near = ~prediction.far[:, column]
        np.testing.assert_allclose(prediction.depth[near, column], 100 * raw["pred_depth"][near, same], rtol=2e-3)


def test_a_picture_turned_by_half_gives_the_same_turned_by_half(model, painted_photo):
    rgb = painted_photo(64, 128)
    here, turned = model.predict(rgb), model.predict(np.roll(rgb, 64, axis=1))
    near = ~(here.far | np.roll(turned.far, 64, axis=1))
    assert near.mean() > 0.1
    np.testing.assert_allclose(np.roll(turned.depth, 64, axis=1)[near], here.depth[near], rtol=1e-5)


def test_a_flat_picture_has_no_jump_between_its_sides(model):
    depth = model.raw(np.full((64, 128, 3), 90, np.uint8))["pred_depth"]
    blended = model.predict(np.full((64, 128, 3), 90, np.uint8)).depth / 100
    jump = np.nanmean(np.abs(blended[:, 0] - blended[:, -1])) / np.nanmean(blended)
    assert jump < np.abs(depth[:, 0] - depth[:, -1]).mean() / depth.mean()


@pytest.mark.parametrize(
    ("height", "width"), [(64, 128), (50, 100), (32, 64), (61, 122), (127, 254), (128, 256), (512, 1024)]
)
def test_resizing_goes_on_around_the_seam(painted_photo, height, width):
    rgb = painted_photo(height, width)
    resized = _resized(rgb, 64)
    assert resized.shape == (64, 128, 3)
    assert resized.dtype == np.uint8
    turned = _resized(np.roll(rgb, width // 2, axis=1), 64)
    assert np.abs(np.roll(turned, 64, axis=1).astype(int) - resized).max() <= 1
    assert np.abs(resized.mean(axis=(0, 1)) - rgb.mean(axis=(0, 1))).max() < 2


def test_raw_outputs_are_those_of_the_picture_as_it_is(model, painted_photo):
    assert isinstance(model, RawModel)
    rgb = painted_photo(48, 96)
    with torch.inference_mode():
        batch = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
        depth, far = (output[0, 0].numpy() for output in model._runner.network(batch))
    raw = model.raw(rgb)
    assert {name: (value.dtype, value.shape) for name, value in raw.items()} == {
        "pred_depth": (np.float32, (48, 96)),
        "pred_mask": (np.float32, (48, 96)),
    }
    np.testing.assert_allclose(raw["pred_depth"], depth, atol=1e-6)
    np.testing.assert_allclose(raw["pred_mask"], far, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(50, 100), (64, 130), (80, 160), (464, 928)])
def test_raw_outputs_of_a_size_that_the_network_cannot_read_are_refused(model, height, width):
    with pytest.raises(ModelUnavailable, match=rf"multiples of 16.*got {height} x {width}"):
        model.raw(np.zeros((height, width, 3), np.uint8))


@pytest.mark.parametrize(
    "rgb", [np.zeros((64, 128), np.uint8), np.zeros((64, 64, 3), np.uint8), np.zeros((64, 128, 3))]
)
def test_what_is_no_panorama_is_a_mistake_of_the_caller(model, rgb):
    with pytest.raises(ValueError, match="full sphere"):
        model.predict(rgb)


def test_one_changed_weight_changes_both_ways_of_asking(added, painted_photo):
    rgb = painted_photo(64, 128)
    before = load_model("dap", device="cpu")
    tensors = load_file(added)
    tensors["depth_head.last.2.bias"] += 0.5
    save_file(tensors, added.with_name("other.safetensors"))
    after = Dap(added.with_name("other.safetensors"), device="cpu")
    assert (after.raw(rgb)["pred_depth"] > before.raw(rgb)["pred_depth"]).all()
    depths = before.predict(rgb).depth, after.predict(rgb).depth
    near = ~np.isnan(depths[0])
    assert (depths[1][near] > depths[0][near]).all()


def test_weights_of_ones_own_are_called_by_their_file(added):
    assert Dap(added, device="cpu").predict(np.zeros((64, 128, 3), np.uint8)).model == "dap (dap.safetensors)"


def test_progress_grows_to_the_end_and_is_told_between_blocks(model):
    told = []
    model.predict(np.zeros((64, 128, 3), np.uint8), progress=lambda done, total: told.append(done / total))
    assert told == sorted(told)
    assert told[-1] == 1
    assert len(set(told)) > 20


def test_it_stops_between_two_blocks_and_can_be_used_again(model, painted_photo):
    rgb = painted_photo(64, 128)
    expected = model.predict(rgb).depth
    calls = 0

    def stop(_done, _total):
        nonlocal calls
        calls += 1
        if calls == 4:
            raise Cancelled

    with pytest.raises(Cancelled):
        model.predict(rgb, progress=stop)
    assert calls == 4
    np.testing.assert_array_equal(model.predict(rgb).depth, expected)
    assert calls == 4, "nothing listens any more"


def test_missing_weights_are_one_sentence_that_says_how_to_add_them(tiny):
    with pytest.raises(ModelUnavailable) as refused:
        load_model("dap", device="cpu")
    text = str(refused.value)
    assert "panoviewer models add" in text
    assert text.endswith(str(weights_file(find_model("dap"))))
    assert "\n" not in text


def test_weights_that_were_changed_or_cut_are_refused(added):
    content = added.read_bytes()
    added.write_bytes(content[:-4])
    with pytest.raises(ModelUnavailable):
        load_model("dap", device="cpu")
