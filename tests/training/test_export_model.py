import json
import shutil

import cv2
import numpy as np
import pytest
import torch

from core.errors import PanoError
from core.models.networks.graphs import pano_s_graph
from core.models.onnx_export import write_graph
from core.models.pano_s import MAX_BYTES, PanoS, PanoSConfig
from core.models.weights import read_metadata
from training.checkpoint import save_checkpoint
from training.export_model import export_model, write_weights
from training.judge_card import judge_for_card
from training.model_card import read_card, write_card
from training.worlds.classes import CLASS_NAMES


def _state(**changes):
    torch.manual_seed(0)
    network = PanoSConfig(CLASS_NAMES).build()
    state = {
        "recipe": "pano-s",
        "ema": network.state_dict(),
        "step": 3,
        "samples": 24,
        "seconds": 7200.0,
        "hardware": "two cores",
        "history": [{"step": 3, "height": 256, "hours": 2.0, "absrel": 0.5, "miou": 0.1}],
        "config": {"height": 256, "seed": 5, "photos": None, "steps": 10, "worlds": "/home/me/worlds"},
    }
    return state | changes


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """What export writes for a run, with another seed beside it."""
    runs = [tmp_path_factory.mktemp("run") for _ in range(2)]
    save_checkpoint(runs[0], _state())
    other = _state()
    other["config"] = other["config"] | {"seed": 6}
    other["history"] = [other["history"][0] | {"absrel": 0.4}]
    save_checkpoint(runs[1], other)
    out = tmp_path_factory.mktemp("resources")
    return out, export_model(runs[0], out, onnx=True, other_runs=[runs[1]])


def test_all_files_are_written_and_small_enough(exported):
    out, written = exported
    assert sorted(path.name for path in written) == ["pano_s.json", "pano_s.md", "pano_s.onnx", "pano_s.safetensors"]
    assert (out / "pano_s.safetensors").stat().st_size <= MAX_BYTES
    assert (out / "pano_s.onnx").stat().st_size < 1_000_000
    assert set(out.iterdir()) == set(written)


def test_the_weights_describe_their_network(exported):
    out, _ = exported
    config = PanoSConfig.from_metadata(read_metadata(out / "pano_s.safetensors"))
    assert config == PanoSConfig(CLASS_NAMES, height=256)


def test_the_exported_network_says_what_the_run_says(exported):
    from core.models.networks.pano_s import PanoSNet

    out, _ = exported
    network = PanoSNet(len(CLASS_NAMES)).eval()
    network.load_state_dict(_state()["ema"])
    rgb = torch.rand(1, 3, 256, 512, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(rgb)
    for backend in ("torch", "onnxruntime"):
        outputs = PanoS(out / "pano_s.safetensors", device="cpu", backend=backend)._runner.run(rgb.numpy())
        for said, wanted in zip(outputs, expected, strict=True):
            np.testing.assert_allclose(said, wanted.numpy(), atol=2e-4)


@pytest.mark.slow
def test_the_same_network_gives_the_same_files_every_time(exported, tmp_path):
    out, _ = exported
    config = PanoSConfig(CLASS_NAMES, height=256)
    network = config.build().eval()
    network.load_state_dict(_state()["ema"])
    weights = write_weights(network, config, tmp_path / "pano_s.safetensors")
    for path in (weights, write_graph(pano_s_graph(network, config.height), weights)):
        assert path.read_bytes() == (out / path.name).read_bytes()


def test_the_card_tells_runs_seeds_and_their_spread_but_no_path_of_this_machine(exported):
    out, _ = exported
    card = read_card(out / "pano_s.json")
    assert [run["seed"] for run in card["runs"]] == [5, 6]
    assert card["runs"][0]["hours"] == 2.0
    assert card["class_names"] == list(CLASS_NAMES)
    page = (out / "pano_s.md").read_text()
    assert "| absrel | 0.5000 | 0.4000 | 0.1000 |" in page
    assert "two cores" in page
    assert "No photograph was used." in page
    assert "/home" not in page + json.dumps(card)


def test_the_card_lists_the_photographs_with_their_licences(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "manifest.tsv").write_text(
        "file\tsource_repo\tsource_path\tlicence\tscene\tnotes\n"
        "hall.jpg\tone/repo\thdri/hall.hdr\tCC0\tindoor\t\n"
        "twin.jpg\tone/repo\thdri/twin.hdr\tCC0\tindoor\tsame scene as 03\n"
    )
    state = _state()
    state["config"]["photos"] = str(photos)
    save_checkpoint(tmp_path / "run", state)
    export_model(tmp_path / "run", tmp_path / "out")
    page = (tmp_path / "out/pano_s.md").read_text()
    assert "- hall.jpg: CC0; one/repo hdri/hall.hdr" in page
    assert "twin.jpg" not in page


def test_results_and_limits_that_are_added_to_the_card_are_on_its_page(exported, tmp_path):
    out, _ = exported
    card = read_card(out / "pano_s.json")
    report = {
        "task": "depth",
        "folder": "worlds",
        "rows": 2,
        "means": {"AbsRel": 0.1},
        "baseline": {"AbsRel": 0.3},
    }
    scene = {
        "picture": "hall.jpg", "scene": "indoor", "indoor_probability": 0.1, "far_above": 0.5, "far_below": 0.0,
        "ground_below": 0.9, "camera_height": 1.5, "wrong": "sky inside", "right": False,
    }  # fmt: skip
    card |= {"reports": [report], "scenes": {"rule": "as told.", "rows": [scene]}, "limits": ["Mirrors are rooms."]}
    _, page = write_card(card, tmp_path / "pano_s.json")
    text = page.read_text()
    assert "| AbsRel | 0.1 | 0.3 |" in text
    assert "0 of 1 look right" in text
    assert "no: sky inside" in text
    assert "- Mirrors are rooms." in text
    assert read_card(tmp_path / "pano_s.json") == card


def test_a_graph_that_no_longer_fits_is_not_left_behind(tmp_path):
    save_checkpoint(tmp_path / "run", _state())
    out = tmp_path / "out"
    out.mkdir()
    (out / "pano_s.onnx").write_bytes(b"a graph for other weights")
    assert "pano_s.onnx" not in [path.name for path in export_model(tmp_path / "run", out)]
    assert not (out / "pano_s.onnx").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04\x95", b"GIF89a"])
def test_a_file_that_is_no_checkpoint_is_told(tmp_path, content):
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(PanoError, match="checkpoint") as error:
        export_model(tmp_path, tmp_path / "out")
    assert str(error.value).endswith(str(tmp_path))


def test_a_folder_without_a_run_is_told(tmp_path):
    with pytest.raises(PanoError, match="train first"):
        export_model(tmp_path, tmp_path / "out")


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (exec, ("raise SystemExit('code was run')",))

    torch.save({"recipe": "pano-s", "ema": Evil(), "config": {}, "step": 1}, tmp_path / "last.pt")
    with pytest.raises(PanoError, match="cannot be read"):
        export_model(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("change", [{"recipe": "click-s"}, {"recipe": None}])
def test_a_checkpoint_of_another_model_is_refused(tmp_path, change):
    save_checkpoint(tmp_path, _state(**change))
    with pytest.raises(PanoError, match="checkpoint of pano-s"):
        export_model(tmp_path, tmp_path / "out")


def test_weights_of_another_network_are_refused(tmp_path):
    ema = _state()["ema"]
    ema.pop("heads.bias")
    save_checkpoint(tmp_path, _state(ema=ema))
    with pytest.raises(PanoError, match=r"heads\.bias"):
        export_model(tmp_path, tmp_path / "out")


def test_weights_that_are_not_finite_are_not_shipped(tmp_path):
    ema = _state()["ema"]
    ema["heads.bias"].fill_(float("nan"))
    save_checkpoint(tmp_path, _state(ema=ema))
    with pytest.raises(PanoError, match=r"finite, got others in heads\.bias"):
        export_model(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out/pano_s.safetensors").exists()


def test_what_is_no_card_is_told(tmp_path):
    (tmp_path / "card.json").write_text("[]")
    for name in ("card.json", "missing.json"):
        with pytest.raises(PanoError, match="model card"):
            read_card(tmp_path / name)


def test_a_judged_card_has_results_scenes_and_keeps_its_limits(exported, box_worlds, tmp_path):
    out, _ = exported
    folder = tmp_path / "resources"
    shutil.copytree(out, folder)
    card = read_card(folder / "pano_s.json")
    write_card(card | {"limits": ["Mirrors are rooms."]}, folder / "pano_s.json")
    worlds = tmp_path / "worlds"
    worlds.mkdir()
    for path in sorted(box_worlds.glob("*.npz"))[:2]:
        shutil.copy(path, worlds)
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    cv2.imwrite(str(scenes / "hall.jpg"), np.full((32, 64, 3), 99, np.uint8))
    (scenes / "manifest.tsv").write_text("file\tscene\tnotes\nhall.jpg\tindoor\t\n")
    steps = []
    sheet = tmp_path / "sheet.png"
    written = judge_for_card(
        folder, labelled=[worlds], scenes=scenes, sheet=sheet, progress=lambda done, total: steps.append((done, total))
    )
    assert written == [folder / "pano_s.json", folder / "pano_s.md", sheet]
    assert steps == [(done, 5) for done in range(1, 6)]
    card = read_card(folder / "pano_s.json")
    assert [report["task"] for report in card["reports"]] == ["depth", "normals", "classes"]
    assert all(report["rows"] == 2 for report in card["reports"])
    assert card["scenes"]["rows"][0]["picture"] == "hall.jpg"
    assert card["limits"] == ["Mirrors are rooms."]
    page = (folder / "pano_s.md").read_text()
    assert "### normals: worlds, 2 pictures" in page
    assert "| hall.jpg | indoor |" in page
    assert str(tmp_path) not in json.dumps(card)


def test_a_card_is_not_judged_by_nothing(exported, tmp_path):
    out, _ = exported
    with pytest.raises(PanoError, match="pictures labelled for depth, normals, classes to judge by, got none"):
        judge_for_card(out, labelled=[tmp_path])
    with pytest.raises(PanoError, match="--scenes"):
        judge_for_card(out, labelled=[], sheet=tmp_path / "sheet.png")
    assert list(tmp_path.iterdir()) == []


def test_notes_beside_the_checkpoint_are_on_the_card(tmp_path):
    save_checkpoint(tmp_path / "run", _state())
    (tmp_path / "run" / "notes.txt").write_text("Half of it at night.\n", encoding="utf-8")
    export_model(tmp_path / "run", tmp_path / "out")
    assert "- Half of it at night." in (tmp_path / "out" / "pano_s.md").read_text(encoding="utf-8")
