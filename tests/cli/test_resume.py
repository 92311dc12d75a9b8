"""`panoviewer predict --resume`."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from commands import names, photo


@pytest.fixture
def resume(tmp_path, in_process, capsys):
    """Runs `predict --resume` over the folder `in`; tells what was done and why something was done again."""

    def work(*options):
        command = ["predict", tmp_path / "in", "-o", tmp_path / "out", "--resume", "--json-log", "--tasks", "depth"]
        assert in_process(*command, *options) == 0
        told = capsys.readouterr()
        events = [json.loads(line) for line in told.out.splitlines()]
        done = {Path(event["file"]).stem for event in events if event["event"] == "done"}
        reasons = {Path(event["file"]).stem: event["reason"] for event in events if event["event"] == "redone"}
        assert reasons.keys() <= done
        return done, reasons

    return work


def test_resume_skips_what_is_complete_and_redoes_what_is_not(tmp_path, resume, monkeypatch):
    for name in "abcd":
        photo(tmp_path / f"in/{name}.jpg")
    assert resume() == (set("abcd"), {}), "nothing to say where nothing was"
    assert resume() == (set(), {})
    (tmp_path / "out/a.json").unlink()
    (tmp_path / "out/b.depth.npy").unlink()
    photo(tmp_path / "in/c.jpg", 50, 100)
    os.utime(tmp_path / "in/d.jpg", (1, 1))
    done, reasons = resume()
    assert done == set("abc"), "a touched but equal picture is the same"
    assert "a.json" in reasons["a"]
    assert "b.depth.npy" in reasons["b"]
    assert "c.jpg" in reasons["c"]
    done, reasons = resume("--size", "native")
    assert done == set("abcd")
    assert all("size" in reason for reason in reasons.values())
    assert resume("--size", "native", "--camera-height", "2")[0] == set("abcd")
    assert resume()[0] == set("abcd")
    newer = tmp_path / "newer.safetensors"
    newer.write_bytes(b"other numbers")
    monkeypatch.setattr("core.export.results.weights_file", lambda _spec: newer)
    assert resume()[0] == set("abcd"), "a new version of the model"
    assert resume()[0] == set()


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b"")


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def put_a_stranger_there(path):
    """The result of another photograph of the same size, as a confused copy would leave it."""
    shape, dtype = (48, 96), np.float32
    np.save(path, np.ones(shape, dtype)) if path.suffix == ".npy" else path.write_bytes(path.read_bytes()[::-1])


@pytest.mark.parametrize("suffix", [".depth.npy", ".far.png"])
@pytest.mark.parametrize("damage", [cut, empty, flip_a_bit, put_a_stranger_there])
def test_outputs_with_other_content_are_done_again(tmp_path, resume, damage, suffix):
    for name in "ab":
        photo(tmp_path / f"in/{name}.jpg")
    resume()
    before = {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")}
    damage(tmp_path / f"out/a{suffix}")
    done, reasons = resume()
    assert done == {"a"}
    assert f"a{suffix}" in reasons["a"]
    for name in ("a.depth.npy", "a.far.png"):
        assert (tmp_path / "out" / name).read_bytes() == before[name]
    assert resume() == (set(), {})


def test_outputs_that_were_copied_elsewhere_are_still_complete(tmp_path, resume):
    photo(tmp_path / "in/a.jpg")
    resume()
    for name in names(tmp_path / "out"):
        os.utime(tmp_path / "out" / name, (5, 5))
    assert resume() == (set(), {})


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"schema": 2, "outputs": 5}', "[" * 100_000, '{"a": ' * 5000, "\x00", "\ud800"],
)
def test_a_broken_report_is_done_again(tmp_path, resume, text):
    photo(tmp_path / "in/a.jpg")
    resume()
    (tmp_path / "out/a.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    done, reasons = resume()
    assert done == {"a"}
    assert "a" in reasons


@pytest.mark.parametrize("key", ["outputs", "source", "options", "weights_sha256", "schema"])
@pytest.mark.parametrize("value", [None, 3, "x", [], {}, {"a.depth.npy": 3, "bytes": "x"}])
def test_a_report_with_impossible_values_is_done_again(tmp_path, resume, key, value):
    photo(tmp_path / "in/a.jpg")
    resume()
    report = tmp_path / "out/a.json"
    report.write_text(json.dumps({**json.loads(report.read_text()), key: value}))
    assert resume()[0] == {"a"}


def test_a_photograph_that_has_gone_is_told_of_as_itself(tmp_path, in_process, capsys):
    photo(tmp_path / "a.jpg")
    command = ["predict", tmp_path / "a.jpg", "-o", tmp_path / "out", "--tasks", "depth", "--resume"]
    assert in_process(*command) == 0
    (tmp_path / "a.jpg").unlink()
    capsys.readouterr()
    assert in_process(*command) == 2
    assert "found no such file" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_in_place_of_a_report_or_a_result_does_not_hold_the_work_up(tmp_path, in_process):
    photo(tmp_path / "in/a.jpg")
    command = ["predict", tmp_path / "in", "-o", tmp_path / "out", "--tasks", "depth", "--resume"]
    assert in_process(*command) == 0
    (tmp_path / "out/a.depth.npy").unlink()
    os.mkfifo(tmp_path / "out/a.depth.npy")
    assert in_process(*command) != 0, "told, not waited for"


def test_people_are_told_why_something_is_done_again(tmp_path, in_process, capsys):
    photo(tmp_path / "in/a.jpg")
    command = ["predict", tmp_path / "in", "-o", tmp_path / "out", "--tasks", "depth", "--resume"]
    assert in_process(*command) == 0
    cut(tmp_path / "out/a.depth.npy")
    capsys.readouterr()
    assert in_process(*command) == 0
    told = capsys.readouterr().err
    assert "a.depth.npy" in told
    assert "again" in told


def test_the_report_holds_size_and_hash_of_every_output(tmp_path, in_process):
    import hashlib

    photo(tmp_path / "a.jpg")
    assert in_process("predict", tmp_path / "a.jpg", "-o", tmp_path / "out", "--format", "npy,png") == 0
    report = json.loads((tmp_path / "out/a.json").read_text())
    assert sorted([*report["outputs"], "a.json"]) == names(tmp_path / "out")
    for name, facts in report["outputs"].items():
        data = (tmp_path / "out" / name).read_bytes()
        assert facts == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert report["source"]["bytes"] == (tmp_path / "a.jpg").stat().st_size
