"""Exit codes, and the event that closes the log of a run."""

import errno
import json
import os
import signal

import pytest
from commands import is_one_sentence, names, photo, start

from panoviewer import cli


def last_event(text):
    return json.loads(text.splitlines()[-1])


def no_space(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_memory(*_args, **_kwargs):
    raise MemoryError


def a_fault(*_args, **_kwargs):
    raise ZeroDivisionError


def pictures(folder, good, bad):
    for number in range(good):
        photo(folder / f"good{number}.jpg")
    for number in range(bad):
        (folder / f"bad{number}.jpg").write_bytes(b"no picture")


@pytest.mark.parametrize(
    ("good", "bad", "code"), [(1, 0, 0), (3, 0, 0), (1, 1, 1), (2, 1, 1), (1, 3, 1), (0, 1, 2), (0, 3, 2)]
)
def test_some_of_several_is_1_and_only_bad_input_is_2(tmp_path, in_process, capsys, good, bad, code):
    folder = tmp_path / "in"
    folder.mkdir()
    pictures(folder, good, bad)
    assert in_process("predict", folder, "-o", tmp_path / "out", "--tasks", "normals", "--json-log") == code
    event = last_event(capsys.readouterr().out)
    assert (event["event"], event["done"], event["failed"]) == ("finished", good, bad)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    ("place", "fault"),
    [("fake_model.room", a_fault), ("fake_model.room", no_memory), ("core.export.depth.write_npy", no_space)],
)
def test_what_is_not_the_inputs_fault_is_1_however_many_fail(tmp_path, in_process, monkeypatch, place, fault, count):
    folder = tmp_path / "in"
    folder.mkdir()
    pictures(folder, count, 0)
    if place.startswith("core.export"):
        from dataclasses import replace

        import core.export

        broken = tuple(replace(exporter, write=fault) for exporter in core.export.EXPORTERS)
        monkeypatch.setattr(core.export, "EXPORTERS", broken)
    else:
        monkeypatch.setattr(place, fault)
    assert in_process("predict", folder, "-o", tmp_path / "out", "--tasks", "depth") == 1
    assert in_process("cloud", folder / "good0.jpg", "-o", tmp_path / "a.ply") == 1


def test_one_bad_input_among_other_faults_is_1(tmp_path, in_process, monkeypatch):
    folder = tmp_path / "in"
    folder.mkdir()
    pictures(folder, 1, 1)
    monkeypatch.setattr("fake_model.room", a_fault)
    assert in_process("predict", folder, "-o", tmp_path / "out") == 1


def test_bad_pictures_beside_complete_ones_are_1(tmp_path, in_process):
    folder = tmp_path / "in"
    folder.mkdir()
    pictures(folder, 1, 1)
    command = ["predict", folder, "-o", tmp_path / "out", "--tasks", "normals", "--resume"]
    assert in_process(*command) == 1
    assert in_process(*command) == 1
    (folder / "bad0.jpg").unlink()
    assert in_process(*command) == 0


@pytest.mark.parametrize(
    "args", [["--model", "dap"], ["--assume", "half"], ["-o", "{tmp}/in/good0.jpg"], ["--device", "tpu"]]
)
def test_bad_usage_is_2(tmp_path, in_process, args):
    (tmp_path / "in").mkdir()
    pictures(tmp_path / "in", 1, 0)
    assert in_process("predict", tmp_path / "in", "-o", tmp_path / "out", *(a.format(tmp=tmp_path) for a in args)) == 2


@pytest.mark.parametrize("command", [[], ["predict"], ["cloud"], ["info"]])
def test_help_says_what_the_codes_mean(capsys, command):
    with pytest.raises(SystemExit):
        cli.main([*command, "--help"])
    told = capsys.readouterr().out
    for code in ("0 ", "1 ", "2 ", "130 "):
        assert f"\n  {code}" in told


def test_the_log_of_a_run_that_cannot_go_on_ends_with_the_reason(tmp_path, in_process, capsys):
    photo(tmp_path / "a.jpg")
    for broken in (["missing"], ["a.jpg", "-o", tmp_path / "a.jpg"], ["a.jpg", "--model", "/nowhere"]):
        path = tmp_path / broken[0]
        given = [path, "--json-log", *broken[1:], *([] if "-o" in broken else ["-o", tmp_path / "out"])]
        assert in_process("predict", *given) == 2
        told = capsys.readouterr()
        complaints = [line for line in told.err.splitlines() if line.startswith("panoviewer: ")]
        assert len(complaints) == 1
        event = last_event(told.out)
        if event["event"] == "aborted":
            assert event["error"] == complaints[0].removeprefix("panoviewer: ")
        else:
            assert (event["event"], event["failed"]) == ("finished", 1)


def test_the_log_of_an_interrupted_run_says_so(tmp_path):
    for name in ("a", "b"):
        photo(tmp_path / f"in/{name}.jpg", 64, 128)
    process = start("predict", tmp_path / "in", "-o", tmp_path / "out", "--json-log", FAKE_SECONDS="0,100")
    lines = []
    for line in process.stdout:
        lines.append(line)
        if sum('"started"' in each for each in lines) == 2:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=280)
    assert process.returncode == 130
    assert is_one_sentence(err)
    event = last_event("".join(lines) + out)
    assert (event["event"], event["done"], event["failed"]) == ("interrupted", 1, 0)
    assert not any(name.startswith("b") for name in names(tmp_path / "out"))
