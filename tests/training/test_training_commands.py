"""`python -m training`: its flags are explained, its complaints are sentences."""

import re
from dataclasses import replace

import layout_makers as makers
import numpy as np
import pytest
from click_makers import made_view
from PIL import Image

from training.checkpoint import save_checkpoint
from training.clicks.views import write_views
from training.worlds.sample import read_sample, write_sample

COMMANDS = (
    "generate",
    "clicks",
    "check",
    "import",
    "intake",
    "label",
    "select",
    "predict",
    "train",
    "stages",
    "rank",
    "evaluate",
    "ablate",
    "export",
)


@pytest.mark.parametrize("command", [[], *([command] for command in COMMANDS)])
def test_help_is_free_of_marks_of_the_source(run, command):
    code, told, _ = run(*command, "--help")
    assert code == 0
    assert "``" not in told


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_is_explained_in_a_sentence(run, command):
    code, told, _ = run(command, "--help")
    assert code == 0
    help_of_help, *flags = re.split(r"\n[ │|] (?=--?\w)", told)[1:]
    assert "--help" in help_of_help
    assert flags
    for flag in flags:
        assert re.search(r"[\w)]\.", re.sub(r"\(default:.*?\)", "", flag, flags=re.DOTALL)), flag


def test_worlds_are_rendered_once_and_shown_on_a_sheet(run, tmp_path):
    sheet = tmp_path / "sheet.png"
    command = ("generate", "-o", tmp_path / "worlds", "--count", 2, "--height", 16, "--sheet", sheet)
    code, told, _ = run(*command)
    assert (code, "2 worlds in" in told) == (0, True)
    files = sorted((tmp_path / "worlds").iterdir())
    assert [path.name for path in files] == ["00000000.npz", "00000001.npz"]
    with Image.open(sheet) as picture:
        assert picture.height == 16
    before = [path.stat().st_mtime_ns for path in files]
    assert run(*command)[0] == 0
    assert [path.stat().st_mtime_ns for path in files] == before


def test_worlds_of_another_size_are_not_taken_for_those_that_are_asked_for(run, box_room, tmp_path):
    write_sample(box_room(1, 32), tmp_path / "00000001.npz")
    code, _, told = run("generate", "-o", tmp_path, "--count", 2, "--height", 16)
    assert code == 2
    assert "got some of 32" in told
    assert [path.name for path in tmp_path.iterdir()] == ["00000001.npz"]


def test_the_sheet_of_one_world_is_its_photograph(run, tmp_path):
    """In this way the bundled sample was made."""
    sheet = tmp_path / "sheet.png"
    code, _, _ = run("generate", "-o", tmp_path, "--count", 1, "--first-seed", 18, "--height", 16, "--sheet", sheet)
    assert code == 0
    np.testing.assert_array_equal(np.asarray(Image.open(sheet)), read_sample(tmp_path / "00000018.npz").rgb)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["generate", "-o", "{tmp}/out", "--count", "0"], "--count of at least 1, got 0"),
        (["train", "nobody"], "pano-s, click-s"),
        (["train", "pano-s", "--out", "{tmp}/out", "--height", "33"], "at least 32 that is a multiple of 16, got 33"),
        (["train", "click-s", "--out", "{tmp}/out", "--height", "80"], "at least 64 that is a multiple of 32, got 80"),
        (["train", "pano-s", "--worlds", "{tmp}"], "generate"),
        (["train", "pano-s", "--worlds", "{tmp}"], "--held-out"),
        (["train", "pano-s", "--out", "{tmp}/run", "--resume", "--worlds", "{tmp}"], "train first"),
        (["evaluate", "depth", "{tmp}"], "labels for depth"),
        (["evaluate", "clicks", "{tmp}"], "hand-drawn objects"),
        (["export", "{tmp}", "-o", "{tmp}/out"], "train first"),
        (["export", "{tmp}/clicks", "-o", "{tmp}/out", "--scenes", "{tmp}"], "--scenes for a run of pano-s only"),
        (["export", "{tmp}/pano", "-o", "{tmp}/out", "--photos", "{tmp}"], "--photos for a run of click-s only"),
        (["clicks", "{tmp}", "-o", "{tmp}/views"], "columns file and licence"),
        (["check", "{tmp}/out"], "folder of a data set"),
        (["import", "{tmp}", "-o", "{tmp}/out", "--layout", "deep360"], "_12_rgb1.png"),
        (["generate", "-o", "{tmp}/out", "--height", "30"], "multiple of 4 from 16 to 2048, got 30"),
        (["generate", "-o", "{tmp}/out", "--height", "4096"], "multiple of 4 from 16 to 2048, got 4096"),
        (["generate", "-o", "{tmp}/out", "--first-seed=-1"], "--first-seed of at least 0, got -1"),
        (["generate", "-o", "{tmp}/out", "--workers", "0"], "--workers of at least 1, got 0"),
        (["generate", "-o", "{tmp}/out", "--shards", "--shard-size", "0"], "--shard-size of at least 1, got 0"),
        (["generate", "-o", "{tmp}/out", "--sheet", "{tmp}/sheet.gif"], "name of a picture"),
        (["label", "{tmp}", "-o", "{tmp}/out", "--sheet", "{tmp}/sheet"], "name of a picture"),
        (["train", "pano-s", "--out", "{tmp}/out", "--batch", "0"], "--batch of 1 or more, got 0"),
        (["train", "pano-s", "--out", "{tmp}/out", "--log-steps", "0"], "--log-steps of 1 or more, got 0"),
        (["train", "pano-s", "--out", "{tmp}/out", "--seed=-1"], "--seed from 0"),
        (["train", "pano-s", "--out", "{tmp}/out", "--held-out", "0"], "--held-out of 1 or more, got 0"),
        (["train", "click-s", "--out", "{tmp}/out", "--ema", "1.5"], "--ema from 0 to 1, got 1.5"),
        (
            ["train", "dap", "--out", "{tmp}/out", "--learning-rate", "nan"],
            "--learning-rate from 1e-12 to 1000, got nan",
        ),
        (["train", "dap", "--out", "{tmp}/out", "--mirror", "2"], "--mirror from 0 to 1, got 2"),
        (["train", "mtpano", "--out", "{tmp}/out", "--views-from=-5"], "--views-from of 0 or more, got -5"),
        (["train", "sap", "--out", "{tmp}/out", "--frames", "0"], "--frames of 1 or more, got 0"),
        (["train", "pano-s", "--out", "{tmp}/out", "--device", "cuda:1"], "--device auto, cpu or cuda, got cuda:1"),
        (["train", "--resume", "pano-s", "--out", "{tmp}/run", "--height", "64"], "train first"),
        (["train", "--out", "dap", "--resume", "pano-s"], "the model first"),
        (["ablate", "dap", "-o", "{tmp}/out", "--worlds", "{tmp}", "--seeds", "0"], "--seeds of 1 or more, got 0"),
        (["ablate", "nothing", "-o", "{tmp}/out", "--worlds", "{tmp}"], "sap, dap, mtpano"),
        (
            ["stages", "dap", "-o", "{tmp}/out", "--discriminator.steps", "0"],
            "--steps of the discriminator of 1 or more",
        ),
        (["intake", "{tmp}", "-o", "{tmp}/out", "--lean", "nan"], "--lean of the intake from 0 to 90, got nan"),
        (["clicks", "{tmp}", "-o", "{tmp}/out", "--per-world=-1"], "--per-world of 0 or more, got -1"),
        (["rank", "{tmp}", "{tmp}", "--steps", "0"], "--steps of 1 or more, got 0"),
        (["generate", "-o", "{tmp}/file", "--count", "1", "--height", "16"], "where the folder belongs"),
        (["ablate", "dap", "-o", "{tmp}/file", "--worlds", "{tmp}", "--steps", "1"], "where the folder belongs"),
        (["export", "{tmp}/pano", "-o", "{tmp}/out", "--sheet", "{tmp}/sheet.gif"], "name of a picture"),
        (["evaluate", "depth", "{tmp}/broken"], "got something broken (no archive of arrays)"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_code_2(run, tmp_path, args, said):
    for recipe, folder in (("click-s", "clicks"), ("pano-s", "pano")):
        save_checkpoint(tmp_path / folder, {"recipe": recipe, "ema": {}, "step": 1, "config": {}})
    (tmp_path / "file").touch()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "00000000.npz").write_bytes(b"no archive")
    code, _, told = run(*(arg.format(tmp=tmp_path) for arg in args))
    assert code == 2
    assert said in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.fixture
def judged_clicks(run, box_worlds, tmp_path, monkeypatch):
    """Exports a run that held out three worlds, but saw views of one of them; gives what it is judged by."""
    (tmp_path / "views").mkdir()
    write_views([replace(made_view(), source="00000001.npz")], tmp_path / "views" / "world-00000001.npz")
    config = {"worlds": str(box_worlds), "held_out": 3, "views": str(tmp_path / "views")}
    save_checkpoint(tmp_path / "run", {"recipe": "click-s", "ema": {}, "step": 1, "config": config})
    monkeypatch.setattr("training.click_card.export_click_s", lambda *_args, **_kwargs: [])
    heard = {}
    monkeypatch.setattr("training.click_card.judge_clicks_for_card", lambda *_args, **kwargs: heard.update(kwargs))

    def work(*folders):
        code, _, told = run("export", tmp_path / "run", "-o", tmp_path / "out", "--judge", *folders)
        return code, told, heard

    return work


def test_clicks_are_judged_by_drawn_objects_and_by_worlds_that_the_run_has_not_seen(
    judged_clicks, box_worlds, tmp_path
):
    (tmp_path / "drawn").mkdir()
    (tmp_path / "drawn" / "hall.instances.json").write_text("{}")
    code, told, heard = judged_clicks(tmp_path / "drawn", box_worlds)
    assert code == 0, told
    assert heard["drawn"] == tmp_path / "drawn"
    assert [path.name for path in heard["worlds"]] == ["00000000.npz", "00000002.npz"]


def test_a_folder_by_which_clicks_cannot_be_judged_is_not_passed_over(judged_clicks, tmp_path):
    for name in ("one", "two", "empty"):
        (tmp_path / name).mkdir()
    for name in ("one", "two"):
        (tmp_path / name / "hall.instances.json").write_text("{}")
    for folders, said in ((("one", "two"), "one folder of hand-drawn objects, got 2"), (("one", "empty"), "not seen")):
        code, told, heard = judged_clicks(*(tmp_path / name for name in folders))
        assert (code, heard) == (2, {})
        assert said in told


@pytest.mark.parametrize(
    ("sentence", "said"), [([], "Interrupted."), (["Interrupted after step 3."], "Interrupted after step 3.")]
)
def test_an_interrupt_ends_with_130_and_a_sentence(run, tmp_path, monkeypatch, sentence, said):
    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt(*sentence)

    monkeypatch.setattr("training.worlds.generate.generate_worlds", interrupted)
    code, _, heard = run("generate", "-o", tmp_path)
    assert (code, heard) == (130, f"{said}\n")


def test_bad_files_of_a_set_are_listed_and_the_exit_code_tells(run, box_room, tmp_path):
    makers.matterport3d(tmp_path, box_room(2, 32))
    assert run("check", tmp_path)[0] == 0
    (depth,) = tmp_path.rglob("*_depth.png")
    depth.write_bytes(b"no picture")
    code, told, _ = run("check", tmp_path)
    assert code == 1
    assert str(depth) in told
    assert "Matterport3D: panoramas 1, bad files 2" in told  # normals find no frame without it
