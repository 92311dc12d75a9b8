"""Published perspective networks, in small, against `transformers` itself; nothing is fetched."""

import json
import math
import shutil
import socket
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import tiny_published as tiny  # noqa: E402

from core.errors import DeviceFull, ModelUnavailable  # noqa: E402
from core.geometry.camera import Camera  # noqa: E402
from core.geometry.tiling import icosahedron_tiles  # noqa: E402
from core.models import find_model, load_model, weights_file  # noqa: E402
from core.models.ade20k import ADE20K_NAMES  # noqa: E402
from core.models.base import Task  # noqa: E402
from core.models.perspective import PerspectiveNetwork  # noqa: E402
from core.models.perspective_folder import find_folder, read_folder  # noqa: E402
from core.models.tiled import DepthKind  # noqa: E402

MADE = {
    "relative": (lambda: tiny.depth_anything(depth_estimation_type="relative"), 56, DepthKind.INVERSE),
    "metric": (lambda: tiny.depth_anything(depth_estimation_type="metric", max_depth=80), 56, DepthKind.METRIC),
    "dpt": (tiny.dpt, 64, DepthKind.INVERSE),
    "zoedepth": (tiny.zoedepth, 64, DepthKind.METRIC),
    "depth_pro": (tiny.depth_pro, 128, DepthKind.METRIC),
    "glpn": (tiny.glpn, 64, DepthKind.METRIC),
    "segformer": (tiny.segformer, 64, None),
    "mask2former": (tiny.mask2former, 64, None),
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Each network's folder and the network itself, made when it is asked for."""
    made = {}

    def get(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("published") / f"tiny-{name}"
            made[name] = folder, tiny.write(folder, MADE[name][0]())
        return made[name]

    return get


@pytest.fixture
def own(folders, tmp_path):
    """A copy that may be spoiled."""

    def copy(name="segformer"):
        return shutil.copytree(folders(name)[0], tmp_path / "own")

    return copy


def sentence(choice):
    with pytest.raises(ModelUnavailable) as refused:
        load_model(str(choice), device="cpu")
    text = str(refused.value)
    assert "\n" not in text
    assert len(text) < 700
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize("name", MADE)
def test_a_network_says_what_it_says_in_its_own_library(folders, name, painted_photo):
    folder, network = folders(name)
    ours = PerspectiveNetwork(read_folder(folder), device="cpu")
    _, size, kind = MADE[name]
    assert (ours.size, ours.depth_kind) == (size, kind)
    tiles = np.stack([painted_photo(size, size, seed) for seed in (1, 2)])
    cameras = icosahedron_tiles(size)[:2]
    said = ours(tiles, cameras)
    mean, deviation = (np.array(tiny.NORMAL[key]) for key in ("image_mean", "image_std"))
    if name in ("glpn", "depth_pro"):
        mean, deviation = (0, 1) if name == "glpn" else (0.5, 0.5)
    pixels = torch.from_numpy(((tiles / 255 - mean) / deviation).transpose(0, 3, 1, 2).astype(np.float32))
    with torch.inference_mode():
        wanted = network(pixel_values=pixels)
    if kind is None:
        assert said["logits"].shape[-1] == 150
        assert ours.class_names == ADE20K_NAMES
        if name == "segformer":
            np.testing.assert_allclose(said["logits"].transpose(0, 3, 1, 2), wanted.logits, atol=1e-5)
            return
        classes = wanted.class_queries_logits.softmax(-1)[..., :-1]
        scores = torch.einsum("bqc,bqhw->bhwc", classes, wanted.masks_queries_logits.sigmoid())
        np.testing.assert_allclose(np.exp(said["logits"]), scores, atol=1e-5)
    else:
        depth = wanted.predicted_depth.numpy()
        if name == "depth_pro":
            depth = 1 / np.clip(2 * depth, 1e-4, 1e4)  # a quarter turn is twice as wide as its focal length
        assert len(said["depth"]) == 2
        same = np.isclose(said["depth"], depth, rtol=1e-3, atol=1e-4)
        # Inverting what is nearly 0, and of either sign with these weights, loses digits.
        assert same.mean() > (0.999 if name == "depth_pro" else 0.99999)
        assert said["depth"].std() > 0, "weights that matter"


@pytest.mark.parametrize("name", MADE)
def test_a_folder_is_a_model_of_panoramas(folders, name, painted_photo):
    folder, _ = folders(name)
    spec = find_model(str(folder))
    assert spec.name == f"tiny-{name}"
    assert spec.tasks == ((Task.DEPTH,) if MADE[name][2] else (Task.CLASSES,))
    assert weights_file(spec) == folder / "model.safetensors"
    prediction = load_model(str(folder), device="cpu").predict(painted_photo(64, 128))
    assert (prediction.model, prediction.device) == (f"tiny-{name}", "cpu")
    height = 2 * round(math.pi * MADE[name][1] / 4)
    assert prediction.size == prediction.native_size == (height, 2 * height)
    if MADE[name][2] is None:
        assert prediction.depth is None
        assert prediction.class_names == ADE20K_NAMES
        assert ((prediction.classes >= 0) & (prediction.classes < 150)).all()
    else:
        assert prediction.is_metric == (MADE[name][2] is DepthKind.METRIC)
        known = np.isfinite(prediction.depth)
        assert (prediction.depth[known] > 0).all()
        assert (known | prediction.far).mean() > 0.5


def test_what_a_network_that_measures_cannot_reach_is_far(own, painted_photo):
    folder = own("metric")
    ours = PerspectiveNetwork(read_folder(folder), device="cpu")
    assert not ours(painted_photo(56, 56)[None], icosahedron_tiles(56)[:1])["far"].any()
    with torch.no_grad():
        ours._runner.network.head.conv3.bias.fill_(30.0)
    said = ours(painted_photo(56, 56)[None], icosahedron_tiles(56)[:1])
    assert said["far"].all()
    assert said["depth"].max() == pytest.approx(80)


def test_depth_pro_is_told_the_field_of_view():
    from core.models.perspective import _metres_of_depth_pro

    for fov in (0.8, math.pi / 2):
        camera = Camera(yaw=0.0, pitch=0.0, roll=0.0, fov_x=fov, height=8, width=8)
        # A wall 5 m away, seen by a camera one focal length wide, has the canonical inverse depth f / (w z).
        canonical = np.full((1, 8, 8), camera.focal_px / camera.width / 5, np.float32)
        np.testing.assert_allclose(_metres_of_depth_pro(canonical, [camera]), 5, rtol=1e-5)
    assert _metres_of_depth_pro(np.zeros((1, 2, 2), np.float32), [camera]).max() == pytest.approx(1e4)


def test_a_name_of_the_hub_is_found_in_its_cache(folders, tmp_path, monkeypatch, painted_photo):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "hub" / "models--some-lab--tiny-depth"
    shutil.copytree(folders("dpt")[0], repo / "snapshots" / commit)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert find_folder("some-lab/tiny-depth") == repo / "snapshots" / commit
    spec = find_model("some-lab/tiny-depth")
    assert spec.name == "some-lab/tiny-depth"
    prediction = load_model("some-lab/tiny-depth", device="cpu").predict(painted_photo(32, 64))
    assert prediction.model == "some-lab/tiny-depth"
    text = sentence("some-lab/other")
    assert "hf download some-lab/other" in text
    (repo / "refs" / "main").write_text("../../../etc")
    assert find_folder("some-lab/tiny-depth") is None


def test_weights_in_several_files_are_one_network(folders, tmp_path):
    _, network = folders("segformer")
    network.save_pretrained(tmp_path / "parts", max_shard_size="20KB")
    shutil.copy(folders("segformer")[0] / "preprocessor_config.json", tmp_path / "parts")
    folder = read_folder(tmp_path / "parts")
    assert len(folder.weights) > 2
    assert weights_file(find_model(str(tmp_path / "parts"))).name == "model.safetensors.index.json"
    tile = np.zeros((1, 64, 64, 3), np.uint8)
    said = [
        PerspectiveNetwork(read_folder(place), device="cpu")(tile, icosahedron_tiles(64)[:1])
        for place in (tmp_path / "parts", folders("segformer")[0])
    ]
    np.testing.assert_array_equal(said[0]["logits"], said[1]["logits"])
    index = json.loads((tmp_path / "parts/model.safetensors.index.json").read_text())
    index["weight_map"] = dict.fromkeys(index["weight_map"], "../../other.safetensors")
    (tmp_path / "parts/model.safetensors.index.json").write_text(json.dumps(index))
    assert "list of safetensors files" in sentence(tmp_path / "parts")


def test_weights_that_lack_something_are_refused_but_for_what_is_never_used(own):
    from safetensors.torch import load_file, save_file

    folder = own("dpt")
    state = load_file(folder / "model.safetensors")
    unused = [name for name in state if "fusion_stage.layers.0.residual_layer1" in name]
    assert unused
    save_file({name: value for name, value in state.items() if name not in unused}, folder / "model.safetensors")
    load_model(str(folder), device="cpu")
    state.pop("head.head.0.weight")
    save_file(state, folder / "model.safetensors")
    assert "head.head.0.weight" in sentence(folder)
    state["head.head.0.weight"] = torch.full((4, 8, 3, 3), math.nan)
    save_file(state, folder / "model.safetensors")
    assert "not finite" in sentence(folder)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\x80\x04."), "broken"),
        (lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"), "may run code"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "preprocessor_config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "broken"),
        (lambda folder: (folder / "config.json").write_text("[]"), "no object"),
        (lambda folder: (folder / "config.json").write_text("{}"), "model_type"),
        (lambda folder: change(folder, "config.json", architectures=["BertForMaskedLM"]), "BertForMaskedLM"),
        (lambda folder: change(folder, "config.json", model_type="detr"), "detr"),
        (lambda folder: change(folder, "config.json", architectures=["OwnForSemanticSegmentation"]), "does not know"),
        (lambda folder: change(folder, "config.json", id2label={"0": "LABEL_0", "1": "LABEL_1"}), "classes"),
        (lambda folder: change(folder, "config.json", hidden_sizes="many"), "can build and fill"),
        (lambda folder: change(folder, "config.json", decoder_hidden_size=12), "can build and fill"),
        (lambda folder: change(folder, "preprocessor_config.json", size={"height": 10**9, "width": 3}), "pixels"),
        (lambda folder: change(folder, "preprocessor_config.json", size="big"), "pixels"),
        (lambda folder: change(folder, "preprocessor_config.json", image_mean=[1]), "three channels"),
    ],
)
def test_a_broken_folder_gets_a_sentence(own, spoil, told):
    folder = own()
    spoil(folder)
    text = sentence(folder)
    assert told in text
    assert str(folder) in text


def change(folder, name, **values):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_code_in_a_folder_is_never_run(own, tmp_path):
    folder = own("dpt")
    trap = tmp_path / "was-run"
    (folder / "modeling_own.py").write_text(f"open({str(trap)!r}, 'w')\nclass Own: pass\n")
    remote = {"AutoConfig": "modeling_own.Own", "AutoModelForDepthEstimation": "modeling_own.Own"}
    change(folder, "config.json", auto_map=remote)
    load_model(str(folder), device="cpu").predict(np.zeros((32, 64, 3), np.uint8))
    assert not trap.exists()


HOSTILE = {
    "a backbone by name": {"backbone": "owner/backbone", "backbone_config": None},
    "a backbone of timm": {"backbone_config": {"model_type": "timm_backbone", "backbone": "hf-hub:owner/backbone"}},
    "a wrapper of timm": {"backbone_config": {"model_type": "timm_wrapper", "architecture": "hf-hub:owner/backbone"}},
    "a backbone in a backbone": {"backbone_config": {"model_type": "maskformer", "backbone": "owner/backbone"}},
    "a list of them": {"backbone_config": {"model_type": "dinov2", "parts": [{"model_type": "rag"}]}},
    "code of the hub": {"backbone_config": {"model_type": "own", "auto_map": {"AutoConfig": "owner/code--own.Own"}}},
    "what fetches kernels": {"backbone_config": {"model_type": "mamba"}},
    "no text": {"backbone_config": {"model_type": ["dinov2"]}},
    "packed numbers": {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
    "very deep": {"backbone_config": {"model_type": "dinov2", "a": {"b": {"c": {"d": {"e": {"f": {"g": {}}}}}}}}},
}


@pytest.mark.parametrize("values", HOSTILE.values(), ids=HOSTILE)
def test_what_would_have_to_be_fetched_is_refused_and_nobody_is_asked(own, values, monkeypatch):
    asked = []
    monkeypatch.setattr(socket.socket, "connect", lambda *_: asked.append("a connection"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: asked.append("an address"))
    monkeypatch.setattr("builtins.input", lambda *_: asked.append("the user"))
    folder = own("relative")
    change(folder, "config.json", **values)
    text = sentence(folder)
    assert "would have to be fetched or run" in text
    assert text.endswith("config.json")
    assert asked == []


def test_an_adapter_to_another_network_is_refused(own):
    folder = own("relative")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/other"}')
    assert "adapter" in sentence(folder)


def test_how_a_network_is_computed_is_not_for_its_folder_to_say(own, painted_photo):
    folder = own("relative")
    tiles, cameras = painted_photo(56, 56)[None], icosahedron_tiles(56)[:1]
    before = PerspectiveNetwork(read_folder(folder), device="cpu")(tiles, cameras)["depth"]
    nested = json.loads((folder / "config.json").read_text())["backbone_config"]
    kernel = {"attn_implementation": "owner/kernel", "_attn_implementation_internal": "owner/kernel:attend"}
    code = {"auto_map": {"AutoBackbone": "owner/code--own.Own", "AutoConfig": "owner/code--own.Own"}}
    whole = {"use_pretrained_backbone": True, "transformers_weights": "../other.safetensors", "trust_remote_code": True}
    change(folder, "config.json", backbone_config=nested | kernel | code, **kernel, **code, **whole)
    after = PerspectiveNetwork(read_folder(folder), device="cpu")(tiles, cameras)["depth"]
    np.testing.assert_array_equal(before, after)


def test_a_missing_library_is_told_with_what_installs_it(folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert find_model(str(folders("dpt")[0])).tasks == (Task.DEPTH,), "what it is, is known without the library"
    assert "pip install 'panoviewer[published]'" in sentence(folders("dpt")[0])


def test_a_full_device_is_told_apart_from_other_errors(folders, monkeypatch):
    ours = PerspectiveNetwork(read_folder(folders("dpt")[0]), device="cpu")

    def full(**_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(ours._runner.network, "forward", full)
    with pytest.raises(DeviceFull):
        ours(np.zeros((1, 64, 64, 3), np.uint8), icosahedron_tiles(64)[:1])


def test_names_of_other_classes_are_taken_as_they_are(own):
    folder = own()
    change(folder, "config.json", id2label={"0": "road, route", "1": "sky"}, label2id={"road, route": 0, "sky": 1})
    assert read_folder(folder).class_names == ("road", "sky")


def test_channels_may_come_in_reverse(own, painted_photo):
    folder = own()
    straight = PerspectiveNetwork(read_folder(folder), device="cpu")
    change(folder, "preprocessor_config.json", do_flip_channel_order=True, do_normalize=False)
    change_plain = PerspectiveNetwork(read_folder(folder), device="cpu")
    tile = painted_photo(64, 64)[None]
    np.testing.assert_allclose(change_plain._prepared(tile)[:, 0], tile[..., 2] / 255, rtol=1e-6)
    red = (tile[..., 0] / 255 - 0.485) / 0.229
    np.testing.assert_allclose(straight._prepared(tile)[:, 0], red, rtol=1e-4, atol=1e-6)
