"""From a run to a model of PanoViewer: trained in small, exported, listed, and predicted or clicked with."""

import json
import shutil

import cv2
import numpy as np
import pytest
from click_makers import made_view, made_world
from safetensors import safe_open

from core.errors import PanoError
from panoviewer.cli import main
from training.checkpoint import load_checkpoint
from training.click_card import judge_clicks_for_card
from training.click_methods import click_network, network_methods
from training.clicks.views import write_views
from training.evaluate import evaluate, worlds_held_out
from training.export_model import export_run
from training.instance_evaluate import evaluate_instances, instance_means
from training.judge_card import judge_run_for_card
from training.model_card import shipped_page
from training.recipes import RECIPES
from training.trainer import train
from training.worlds.sample import write_sample

SETTINGS = {
    "dap": {"size": "T", "height": 32},
    "mtpano": {"size": "T", "height": 32},
    "pano-s": {"height": 32},
    "click-s": {"height": 64},
    "sap": {"height": 64, "network": "click-s-small", "fresh": True, "frames": 2, "judged": 1, "judged_clicks": 1},
}


@pytest.fixture
def trained(box_worlds, tmp_path):
    """Trains a recipe for one step; gives the folder of the run."""

    def work(name, **others):
        folders = {"worlds": box_worlds}
        if name in ("click-s", "sap"):
            folders = {"worlds": tmp_path / "worlds"}
            folders["worlds"].mkdir()
            for seed in range(3):
                write_sample(made_world(seed), folders["worlds"] / f"{seed:08d}.npz")
        if name == "click-s":
            folders["views"] = tmp_path / "views"
            folders["views"].mkdir()
            write_views([made_view(seed) for seed in range(6)], folders["views"] / "a.npz")
        base = {"batch": 2, "steps": 1, "warmup": 1, "held_out": 1, "device": "cpu", "out": tmp_path / "run"}
        config = RECIPES[name].config_class()(**{**base, **folders, **SETTINGS[name], **others})
        return train(name, config, resume=False, report=lambda _: None)

    return work


@pytest.fixture
def own_folder(monkeypatch, tmp_path):
    """Added weights lie where nobody else's do."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def picture(folder):
    file = folder / "hall.png"
    rng = np.random.default_rng(0)
    cv2.imwrite(str(file), cv2.resize(rng.integers(0, 255, (16, 32, 3), np.uint8), (128, 64)))
    return file


def test_exporting_again_removes_graphs_of_the_weights_before_and_nothing_else(trained, tmp_path):
    run, out = trained("dap"), tmp_path / "my-model"
    weights = next(path for path in export_run(run, out) if path.suffix == ".safetensors")
    stale, others = weights.with_suffix(".onnx"), weights.with_name(f"{weights.stem}-of-another.onnx")
    stale.write_bytes(b"reads its numbers from " + weights.name.encode())
    others.write_bytes(b"reads its numbers from elsewhere")
    export_run(run, out)
    assert not stale.exists()
    assert others.exists()


@pytest.mark.parametrize(
    "name", ["dap", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mtpano", "pano-s"))]
)
def test_a_trained_model_is_listed_and_predicts_from_the_command_line(name, trained, own_folder, tmp_path, capsys):
    run = trained(name)
    written = export_run(run, tmp_path / "my-model")
    assert sorted(path.suffix for path in written) == [".json", ".md", ".safetensors"]
    assert main(["models", "add", str(tmp_path / "my-model")]) == 0
    assert "my-model: added" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "my-model")
    assert main(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    card = json.loads(next((tmp_path / "data").rglob("my-model/*.json")).read_text())
    assert rows["my-model"]["state"] == "added"
    assert rows["my-model"]["licence"] == card["licence"]
    assert rows["my-model"]["parameters"] == card["parameters"]
    assert main(["models", "verify"]) == 0
    assert "my-model: as it was added" in capsys.readouterr().out
    weights = next((tmp_path / "data").rglob("my-model/*.safetensors"))
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert main(["models", "verify", "my-model"]) == 2
    assert "changed since" in capsys.readouterr().err
    weights.write_bytes(content)
    out = tmp_path / "out"
    assert main(["predict", str(picture(tmp_path)), "--model", "my-model", "-o", str(out), "--device", "cpu"]) == 0
    assert list(out.rglob("*depth*"))
    assert main(["models", "remove", "my-model"]) == 0
    assert main(["models", "list"]) == 0
    assert "my-model" not in capsys.readouterr().out.split("free again")[-1]


def test_a_trained_model_is_judged_from_its_run_its_folder_and_its_weights(trained, box_worlds, tmp_path):
    run = trained("dap")
    weights = export_run(run, tmp_path / "my-model")[0]
    of_run = evaluate("depth", box_worlds, model=run)
    assert len(of_run.rows) == 1  # what it held out
    for model in (weights.parent, str(weights)):
        of_weights = evaluate("depth", box_worlds, model=model)
        assert len(of_weights.rows) == 12
        assert of_weights.rows[0].scores == pytest.approx(of_run.rows[0].scores, nan_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["click-s", "sap"])
def test_a_trained_network_for_clicks_cuts_out_from_the_command_line(name, trained, own_folder, tmp_path):
    export_run(trained(name), tmp_path / "my-clicks")
    assert main(["models", "add", str(tmp_path / "my-clicks")]) == 0
    out = tmp_path / "mask.png"
    for model in ("my-clicks", str(tmp_path / "my-clicks")):
        args = [
            "segment",
            str(picture(tmp_path)),
            "--click",
            "0,0",
            "--model",
            model,
            "-o",
            str(out),
            "--device",
            "cpu",
        ]
        assert main(args) == 0
        assert cv2.imread(str(out)).shape == (64, 128, 3)
        out.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("network", ["click-s-small", "sam2.1-least"])
def test_clicks_of_a_run_and_of_its_export_are_judged_alike_and_go_into_the_card(network, trained, tmp_path):
    run = trained("sap", network=network)
    written = export_run(run, tmp_path / "out")
    worlds = tmp_path / "worlds"
    means = []
    for choice in (run, tmp_path / "out"):
        methods = {"zigzag": network_methods(click_network(choice))["zigzag"]}
        rows = evaluate_instances(worlds, methods, worlds=worlds_held_out(str(run), worlds))
        assert {row.picture for row in rows} == {"00000000"}
        means.append(instance_means(rows)["zigzag"])
    assert means[0] == pytest.approx(means[1])
    judge_clicks_for_card(
        written[0].with_suffix(".json"), drawn=None, worlds=[worlds / "00000000.npz"], page=shipped_page
    )
    assert "## Objects of held-out worlds" in written[0].with_suffix(".md").read_text()


def test_what_is_no_network_for_clicks_is_told(trained):
    with pytest.raises(PanoError, match="a run of click-s or sap to click with, got one of dap"):
        click_network(trained("dap"))
    with pytest.raises(PanoError, match=r"sam2\.1-tiny"):
        click_network("sam2.1-tiny")
    with pytest.raises(PanoError, match="one of the models click-s"):
        click_network("nobody")


def test_the_card_tells_data_steps_hardware_results_and_licence_and_the_weights_are_the_averaged_ones(
    trained, box_worlds, tmp_path
):
    run = trained("dap")
    export_run(run, tmp_path / "out")
    card = json.loads((tmp_path / "out" / "dap.json").read_text())
    state = load_checkpoint(run, "dap")
    assert (card["model"], card["recipe"], card["runs"][0]["steps"]) == ("dap", "dap", 1)
    assert "cpu" in card["runs"][0]["hardware"]
    assert card["runs"][0]["held_out"][-1]["absrel"] == state["history"][-1]["absrel"]
    assert card["licence"]
    assert card["data"]
    page = (tmp_path / "out" / "dap.md").read_text()
    assert "lower is better" in page
    assert str(tmp_path) not in page
    with safe_open(tmp_path / "out" / "dap.safetensors", framework="pt") as file:
        for key in file.keys():  # noqa: SIM118 - it is no mapping
            assert file.get_tensor(key).equal(state["ema"][key])
    # What the weights are judged by joins it; dap says nothing of normals and classes.
    judge_run_for_card(tmp_path / "out" / "dap.json", labelled=[box_worlds], run=run)
    judged = json.loads((tmp_path / "out" / "dap.json").read_text())
    assert [(report["task"], report["rows"]) for report in judged["reports"]] == [("depth", 1)]
    assert {name: value for name, value in judged.items() if name != "reports"} == card
    assert "### depth: " in (tmp_path / "out" / "dap.md").read_text()
    with pytest.raises(PanoError, match="labelled for depth to judge by"):
        judge_run_for_card(tmp_path / "out" / "dap.json", labelled=[tmp_path], run=run)
