"""The commands that keep weights."""

import json

import cv2
import numpy as np
import pytest
from commands import is_one_sentence, photo
from tiny_dap import published, tiny

from core.models import find_model, weights_file
from core.models.dap import Dap
from panoviewer import cli

__all__ = ["published", "tiny"]


def run(*args):
    return cli.main([str(arg) for arg in args])


def test_the_way_of_a_new_user(published, tmp_path, capsys):
    image = photo(tmp_path / "a.png", 64, 128)
    assert run("predict", image, "--model", "dap", "-o", tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told)
    assert "panoviewer models add" in told

    assert run("models", "add", published, "--as", "dap") == 0
    told = capsys.readouterr().out
    assert "dap: added" in told
    assert find_model("dap").licence in told
    assert run("models", "verify") == 0
    assert run("predict", image, "--model", "dap", "-o", tmp_path / "out") == 0
    depth = np.load(tmp_path / "out" / "a.depth.npy")
    assert depth.shape == (64, 128)
    report = json.loads((tmp_path / "out" / "a.json").read_text())
    assert report["model"] == "dap"
    assert report["metric"] is True
    assert report["native_size"] == {"height": 64, "width": 128}
    assert report["weights_sha256"]

    assert run("models", "run", "dap", image, "--raw", "-o", tmp_path / "raw.npz") == 0
    raw = np.load(tmp_path / "raw.npz")
    assert sorted(raw) == ["pred_depth", "pred_mask"]
    rgb = cv2.imread(str(image))[..., ::-1]
    own = Dap(device="cpu").raw(np.ascontiguousarray(rgb))
    for name, values in own.items():
        assert raw[name].dtype == np.float32
        np.testing.assert_array_equal(raw[name], values)

    assert run("models", "remove", "dap") == 0
    assert not weights_file(find_model("dap")).exists()


def test_the_list_says_what_is_there_and_under_which_licence(published, capsys):
    def listed():
        capsys.readouterr()
        assert run("models", "list", "--json") == 0
        return {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}

    before = listed()
    assert before["dap"]["state"] == "missing"
    assert before["pano-s"]["state"] == "bundled"
    assert before["click-s"]["tasks"] == ["clicks"]
    assert before["dap"]["expected_seconds"] > before["pano-s"]["expected_seconds"] > 0
    assert (before["dap"]["non_commercial"], before["pano-s"]["non_commercial"]) == (True, False)
    assert before["pano-s"]["parameters"] > 1e6
    run("models", "add", published)
    after = listed()["dap"]
    assert after["state"] == "added"
    assert after["bytes"] == weights_file(find_model("dap")).stat().st_size
    assert len(after["sha256"]) == 64
    assert run("models", "list") == 0
    text = capsys.readouterr().out
    for row in before.values():
        assert row["name"] in text
        assert row["licence"] in text
    place = f"at {weights_file(find_model('dap'))}"
    assert f" {place}\n" in text
    assert f" to be at {weights_file(find_model('mtpano-140k'))}\n" in text
    assert "missing, about 2358.1 MB, 589.5 million parameters" in text
    assert "commercial use: no, or not stated" in text
    assert "memory not known" not in text


def test_a_changed_file_is_told_by_verify(published, capsys):
    run("models", "add", published)
    with weights_file(find_model("dap")).open("ab") as stream:
        stream.write(b"x")
    capsys.readouterr()
    assert run("models", "verify", "dap") == 2
    assert is_one_sentence(capsys.readouterr().err)


def test_what_is_wrong_with_one_model_hides_nothing_of_the_others(published, capsys):
    run("models", "add", published)
    bare = [weights_file(find_model(name)) for name in ("mtpano-140k", "mtpano-408k")]
    for path in bare:
        path.write_bytes(b"nobody knows what this was")
    capsys.readouterr()
    assert run("models", "verify") == 2
    told = capsys.readouterr()
    assert "dap: as it was added" in told.out
    complaints = told.err.splitlines()
    assert len(complaints) == 2
    assert all(map(is_one_sentence, complaints))
    assert all(str(path.with_suffix(".json")) in line for path, line in zip(bare, complaints, strict=True))


@pytest.mark.parametrize("command", ["verify", "remove"])
def test_of_weights_that_were_never_added_it_is_said_how_to_get_them(published, capsys, command):
    assert run("models", command, "dap") == 2
    told = capsys.readouterr().err
    assert "panoviewer models pull dap" in told
    assert "panoviewer models add FILE --as dap" in told


def test_without_added_weights_there_is_nothing_to_verify(published, capsys):
    assert run("models", "verify") == 0
    assert "No weights" in capsys.readouterr().out


WRONG = {
    "no command": ["models"],
    "unknown command": ["models", "nonsense"],
    "no file": ["models", "add", "missing.pth"],
    "unknown model": ["models", "add", "FILE", "--as", "nonsense"],
    "remove what was not added": ["models", "remove", "dap"],
    "remove what is bundled": ["models", "remove", "pano-s"],
    "verify what was not added": ["models", "verify", "dap"],
    "pull what is bundled": ["models", "pull", "pano-s"],
    "pull an unknown model": ["models", "pull", "nonsense"],
    "convert to another kind": ["models", "convert", "FILE", "-o", "OUT.txt"],
    "convert what is not there": ["models", "convert", "missing.pth", "-o", "OUT.safetensors"],
    "a mirror that is none": ["models", "settings", "--mirror", "nonsense"],
    "run without raw": ["models", "run", "dap", "IMAGE", "-o", "OUT.npz"],
    "run without weights": ["models", "run", "dap", "IMAGE", "--raw", "-o", "OUT.npz"],
    "run an unknown model": ["models", "run", "nonsense", "IMAGE", "--raw", "-o", "OUT.npz"],
    "another kind of file": ["models", "run", "dap", "IMAGE", "--raw", "-o", "OUT.txt"],
    "no picture": ["models", "run", "dap", "missing.png", "--raw", "-o", "OUT.npz"],
}


@pytest.mark.parametrize("command", WRONG.values(), ids=WRONG)
def test_what_makes_no_sense_is_one_sentence(published, tmp_path, capsys, command):
    places = {"FILE": published, "IMAGE": photo(tmp_path / "a.png", 64, 128)}
    places |= {name: tmp_path / name for name in ("OUT.npz", "OUT.txt", "OUT.safetensors")}
    assert run(*(places.get(word, word) for word in command)) == 2
    assert is_one_sentence(capsys.readouterr().err)
    assert not (tmp_path / "OUT.npz").exists()


def test_a_model_without_published_outputs_says_so(published, tmp_path, capsys):
    image = photo(tmp_path / "a.png", 64, 128)
    assert run("models", "run", "pano-s", image, "--raw", "-o", tmp_path / "a.npz", "--device", "cpu") == 2
    assert "predict" in capsys.readouterr().err


def test_a_picture_that_the_network_cannot_read_as_it_is_is_refused(published, tmp_path, capsys):
    run("models", "add", published)
    capsys.readouterr()
    image = photo(tmp_path / "a.png", 50, 100)
    assert run("models", "run", "dap", image, "--raw", "-o", tmp_path / "a.npz") == 2
    assert "multiples of 16" in capsys.readouterr().err


def test_the_list_fits_into_a_narrow_terminal_and_stays_whole_for_programs(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    assert run("models", "list") == 0
    whole = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run("models", "list") == 0
    narrow = capsys.readouterr().out
    assert max(map(len, whole.splitlines())) > 100
    assert max(len(line) for line in narrow.splitlines() if len(line.split()) > 1) <= 60
    assert narrow.split() == whole.split()
    assert "\nsam2.1-base-plus missing" in whole


@pytest.mark.parametrize("command", ["list", "pull", "add", "verify", "convert", "remove", "settings", "run"])
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["models", command, "--help"])
    assert ended.value.code == 0
    assert f"panoviewer models {command}" in capsys.readouterr().out
