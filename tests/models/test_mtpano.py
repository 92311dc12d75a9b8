"""MTPano as a model of the catalogue: metres, normals, classes, sky, no seam, progress."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_mtpano import entries, expect_tiny, save, tiny

from core.errors import ModelUnavailable
from core.geometry.camera import rotation_from_angles
from core.geometry.normals import turn_normals
from core.geometry.sphere import erp_rays
from core.models import find_model, load_model, weights_file
from core.models.ade20k import ADE20K_NAMES
from core.models.base import RawModel
from core.models.mtpano import SKY, Mtpano140k, _depth, _normals, resized
from core.models.networks.mtpano_decoder import doubled, doubled_rows
from core.models.store import add_model
from core.progress import Cancelled

__all__ = ["tiny"]

HEIGHT, WIDTH = 64, 128


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """The weights of a tiny network, added; a part of what it sees is sky, and not everything has a depth."""
    folder = tmp_path_factory.mktemp("mtpano")
    with pytest.MonkeyPatch.context() as patch:
        expect_tiny(patch, folder)
        tiny = entries()
        tiny["heads.semseg.head.4.bias"][SKY] -= 2.5
        tiny["heads.depth.head.4.bias"] += 0.7
        add_model(save(tiny, folder / "mtpano_model_140k.pth.tar"), name="mtpano-140k")
        yield weights_file(find_model("mtpano-140k"))


@pytest.fixture(scope="module")
def model(added):
    return load_model("mtpano-140k", device="cpu")


def test_there_are_150_names_and_the_published_codes_sky_window_and_hill_among_them():
    assert len(set(ADE20K_NAMES)) == 150
    assert [ADE20K_NAMES[index] for index in (0, 2, 3, 5, 8, 68, 149)] == [
        *("wall", "sky", "floor", "ceiling", "windowpane", "hill", "flag")
    ]


def test_it_says_metres_normals_and_classes_and_that_sky_is_far(model, painted_photo):
    prediction = model.predict(painted_photo(100, 200))
    assert prediction.size == prediction.native_size == (HEIGHT, WIDTH)
    assert prediction.is_metric
    assert prediction.model == "mtpano-140k"
    assert prediction.device == "cpu"
    assert prediction.class_names == ADE20K_NAMES
    assert prediction.classes.dtype == np.int16
    assert 0.02 < prediction.far.mean() < 0.98
    np.testing.assert_array_equal(prediction.far, prediction.classes == SKY)
    assert np.isnan(prediction.depth[prediction.far]).all()
    assert np.isnan(prediction.normals[prediction.far]).all()
    known = ~np.isnan(prediction.depth)
    assert known.mean() > 0.1
    assert (prediction.depth[known] > 0).all()
    seen = ~np.isnan(prediction.normals[..., 0])
    np.testing.assert_allclose(np.linalg.norm(prediction.normals[seen], axis=-1), 1, atol=1e-5)
    facing = np.einsum("hwi,hwi->hw", prediction.normals, erp_rays(HEIGHT, WIDTH))[seen]
    assert (facing < 0).all()


def test_straight_ahead_the_answer_is_that_of_the_network_itself(model, painted_photo):
    rgb = painted_photo(HEIGHT, WIDTH)
    prediction, raw = model.predict(rgb), model.raw(rgb)
    ahead = np.s_[:, 63:65]  # the other pass counts for less than a thousandth here
    best = raw["semseg"].argmax(axis=0)[ahead]
    two = np.sort(raw["semseg"], axis=0)[-2:][(slice(None), *ahead)]
    clear = two[1] - two[0] > 0.02
    assert clear.any()
    np.testing.assert_array_equal(prediction.classes[ahead][clear], best[clear])
    near = ~np.isnan(prediction.depth[ahead])
    assert near.any()
    np.testing.assert_allclose(prediction.depth[ahead][near], raw["depth"][ahead][near], rtol=5e-3)
    a, b, c = raw["normals"][(slice(None), *ahead)]
    own = np.stack([-c, -b, a], axis=-1)
    own /= np.linalg.norm(own, axis=-1, keepdims=True)
    visible = np.einsum("hwi,hwi->hw", own, erp_rays(HEIGHT, WIDTH)[ahead]) < -0.02
    visible &= ~prediction.far[ahead]
    assert visible.any()
    np.testing.assert_allclose(prediction.normals[ahead][visible], own[visible], atol=2e-2)


def test_a_picture_turned_by_half_gives_exactly_the_same_turned_by_half(model, painted_photo):
    rgb = painted_photo(HEIGHT, WIDTH)
    here, turned = model.predict(rgb), model.predict(np.roll(rgb, WIDTH // 2, axis=1))
    np.testing.assert_array_equal(np.roll(turned.depth, WIDTH // 2, axis=1), here.depth)
    np.testing.assert_array_equal(np.roll(turned.classes, WIDTH // 2, axis=1), here.classes)
    normals = turn_normals(np.roll(turned.normals, WIDTH // 2, axis=1), rotation_from_angles(np.pi, 0, 0))
    np.testing.assert_allclose(normals, here.normals, atol=1e-6)


def test_a_flat_picture_has_no_jump_between_its_sides(model):
    rgb = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    raw, blended = model.raw(rgb), model.predict(rgb)
    known = ~np.isnan(blended.depth).any(axis=1) & (raw["depth"][:, [0, -1]] > 0).all(axis=1)
    assert known.any()
    before = np.abs(np.diff(np.log(raw["depth"][known][:, [0, -1]]))).mean()
    after = np.abs(np.diff(np.log(blended.depth[known][:, [0, -1]]))).mean()
    assert after < before / 2


def raw_normals_of_a_box(height, width):
    """What the published code would say inside a box: outward, along the axes of its labels."""
    rays = erp_rays(height, width)
    axis = np.abs(rays).argmax(axis=-1)
    outward = np.where(np.arange(3) == axis[..., None], np.sign(rays), 0).astype(np.float32)
    x, y, z = np.moveaxis(outward, -1, 0)
    # Source: the published code's box. In front it says (-1, 0, 0), at the right (0, 0, 1), on the floor (0, 1, 0).
    return np.stack([-z, y, x]), -outward


def test_normals_of_a_box_face_the_camera_along_our_axes():
    raw, inward = raw_normals_of_a_box(32, 64)
    # A room turned by half looks the same, so its raw normals are those of the same box.
    normals = _normals(7 * raw, raw)
    np.testing.assert_allclose(normals, inward, atol=1e-6)


def test_where_one_answer_knows_no_depth_the_other_one_counts_if_its_seam_is_farther():
    width = 64
    here = np.full((2, width), 2.0, np.float32)
    turned = np.full((2, width), 8.0, np.float32)
    here[0] = 0
    turned[1] = 0
    depth = _depth(here, turned)
    ahead = np.abs(np.arange(width) + 0.5 - width / 2) < width / 4
    np.testing.assert_array_equal(np.isnan(depth[0]), ahead)
    np.testing.assert_array_equal(np.isnan(depth[1]), ~ahead)
    np.testing.assert_allclose(depth[0, ~ahead], 8, rtol=1e-6)
    np.testing.assert_allclose(depth[1, ahead], 2, rtol=1e-6)


def test_depths_are_blended_by_their_logarithms():
    width = 64
    depth = _depth(np.full((1, width), 2.0, np.float32), np.full((1, width), 8.0, np.float32))[0]
    assert depth[width // 2] == pytest.approx(2, rel=0.01)
    assert depth[0] == pytest.approx(8, rel=0.01)
    assert depth[width // 4] * depth[width // 4 - 1] == pytest.approx(16, rel=1e-5)


@pytest.mark.parametrize(("height", "width"), [(64, 128), (50, 100), (32, 64), (61, 122), (127, 254), (300, 600)])
def test_resizing_goes_on_around_the_seam_and_is_pillows_elsewhere(painted_photo, height, width):
    rgb = painted_photo(height, width)
    small = resized(rgb, HEIGHT)
    assert small.shape == (HEIGHT, WIDTH, 3)
    published = np.asarray(Image.fromarray(rgb).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(small[:, 3:-3], published[:, 3:-3])
    turned = resized(np.roll(rgb, width // 2, axis=1), HEIGHT)
    assert np.abs(np.roll(turned, WIDTH // 2, axis=1).astype(int) - small).max() <= 1


@pytest.mark.parametrize(("begin", "end"), [(0, 5), (7, 12), (0, 1), (19, 20), (0, 20)])
def test_rows_of_an_enlarged_map_are_those_of_the_whole(begin, end):
    x = torch.randn(2, 3, 10, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(doubled_rows(x, begin, end), doubled(x)[:, :, begin:end], atol=1e-5, rtol=0)


def test_raw_outputs_are_those_of_the_picture_as_it_is(model, painted_photo):
    assert isinstance(model, RawModel)
    rgb = painted_photo(HEIGHT, WIDTH)
    with torch.inference_mode():
        batch = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
        expected = dict(zip(("semseg", "depth", "normals"), model._runner.network(batch), strict=True))
    raw = model.raw(rgb)
    assert {name: (value.dtype, value.shape) for name, value in raw.items()} == {
        "semseg": (np.float32, (150, HEIGHT, WIDTH)),
        "depth": (np.float32, (HEIGHT, WIDTH)),
        "normals": (np.float32, (3, HEIGHT, WIDTH)),
    }
    for name, value in raw.items():
        np.testing.assert_allclose(value, expected[name][0].numpy().reshape(value.shape), atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(32, 64), (64, 130), (128, 256)])
def test_raw_outputs_of_another_size_are_refused(model, height, width):
    with pytest.raises(ModelUnavailable, match=rf"64 x 128, the only size .* got {height} x {width}"):
        model.raw(np.zeros((height, width, 3), np.uint8))


@pytest.mark.parametrize(
    "rgb", [np.zeros((64, 128), np.uint8), np.zeros((64, 64, 3), np.uint8), np.zeros((64, 128, 3))]
)
def test_what_is_no_panorama_is_a_mistake_of_the_caller(model, rgb):
    with pytest.raises(ValueError, match="full sphere"):
        model.predict(rgb)


def test_one_changed_weight_changes_both_ways_of_asking(added, painted_photo):
    rgb = painted_photo(HEIGHT, WIDTH)
    before = load_model("mtpano-140k", device="cpu")
    tensors = load_file(added)
    tensors["head.depth.last.2.bias"] += 0.5
    save_file(tensors, added.with_name("other.safetensors"))
    after = Mtpano140k(added.with_name("other.safetensors"), device="cpu")
    nearer, farther = before.raw(rgb)["depth"], after.raw(rgb)["depth"]
    assert (farther[nearer > 0] > nearer[nearer > 0]).all()
    depths = before.predict(rgb).depth, after.predict(rgb).depth
    known = ~np.isnan(depths[0])
    assert known.any()
    assert (depths[1][known] > depths[0][known]).mean() > 0.99


@pytest.mark.parametrize("prefix", ["", "module.", "module.module."])
@pytest.mark.parametrize("around", [{}, {"epoch": 3, "iter_count": 7, "optimizer": {"state": {}, "param_groups": []}}])
def test_published_files_are_taken_with_and_without_prefixes_and_a_trainings_state(tiny, tmp_path, prefix, around):
    card = add_model(save(tiny, tmp_path / "a.pth.tar", prefix=prefix, **around), name="mtpano-408k")
    assert card.model == "mtpano-408k"
    assert load_model("mtpano-408k", device="cpu")


def test_a_file_that_could_be_of_either_training_asks_for_a_name(tiny, tmp_path):
    with pytest.raises(ModelUnavailable, match=r"mtpano-140k, mtpano-408k.*--as NAME"):
        add_model(save(tiny, tmp_path / "a.pth.tar"))


def test_progress_grows_to_the_end_and_is_told_between_blocks(model):
    told = []
    model.predict(np.zeros((HEIGHT, WIDTH, 3), np.uint8), progress=lambda done, total: told.append(done / total))
    assert told == sorted(told)
    assert told[-1] == 1
    assert len(set(told)) > 40


def test_every_step_that_is_announced_is_one_that_runs(model):
    told = []
    model.raw(np.zeros((HEIGHT, WIDTH, 3), np.uint8), progress=lambda done, total: told.append((done, total)))
    steps = len(model._runner.network.steps())
    shares = [done / total for done, total in told]
    assert (shares[0], shares[-1]) == (0, 1)
    np.testing.assert_allclose(shares, np.arange(steps + 1) / steps, atol=1e-3)


@pytest.mark.parametrize("stop_at", [1, 4, 30, 60])
def test_it_stops_half_way_and_can_be_used_again(model, painted_photo, stop_at):
    rgb = painted_photo(HEIGHT, WIDTH)
    expected = model.predict(rgb)
    calls = 0

    def stop(_done, _total):
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise Cancelled

    with pytest.raises(Cancelled):
        model.predict(rgb, progress=stop)
    assert calls == stop_at
    again = model.predict(rgb)
    for name, values in expected.maps().items():
        np.testing.assert_array_equal(again.maps()[name], values)
    assert calls == stop_at, "nothing listens any more"


def test_missing_weights_are_one_sentence_that_says_how_to_add_them(tiny):
    with pytest.raises(ModelUnavailable) as refused:
        load_model("mtpano-408k", device="cpu")
    text = str(refused.value)
    assert "panoviewer models add mtpano_model_408k.pth.tar --as mtpano-408k" in text
    assert text.endswith(str(weights_file(find_model("mtpano-408k"))))
    assert "\n" not in text


def test_weights_of_ones_own_are_called_by_their_file(added):
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert Mtpano140k(added, device="cpu").predict(rgb).model == "mtpano-140k (mtpano_140k.safetensors)"
