"""Interrupts, full disks and folders that may not be written."""

import json
import resource
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import PROGRAM, ROOT, SUFFIXES, environment, is_one_sentence, names, photo, run, start

from panoviewer import interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_with_130_and_leaves_no_half_file(tmp_path, number):
    photo(tmp_path / "in/a.jpg", 256, 512)
    photo(tmp_path / "in/b.jpg", 256, 512)
    process = start("predict", tmp_path / "in", "-o", tmp_path / "out", "--json-log", FAKE_SECONDS="0,100")
    seen = 0
    for line in process.stdout:
        seen += '"started"' in line
        if seen == 2:
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=280)
    assert process.returncode == 130
    assert is_one_sentence(err)
    assert names(tmp_path / "out") == sorted(f"a{suffix}" for suffix in SUFFIXES)
    resumed = run("predict", tmp_path / "in", "-o", tmp_path / "out", "--resume", "--json-log")
    assert resumed.returncode == 0
    events = [json.loads(line) for line in resumed.out.splitlines()]
    assert [Path(e["file"]).name for e in events if e["event"] == "done"] == ["b.jpg"]


@pytest.mark.parametrize("delay", [0.05, 0.15, 0.3, 0.6])
def test_an_interrupt_while_the_program_is_loaded_shows_no_traceback(tmp_path, delay):
    photo(tmp_path / "a.jpg", 256, 512)
    command = [sys.executable, "-m", "panoviewer", "predict", str(tmp_path / "a.jpg"), "-o", str(tmp_path / "out")]
    told, deaf = tmp_path / "told", tmp_path / "deaf"
    script = f"trap '' INT; : > {shlex.quote(str(deaf))}; exec {shlex.join(command)} 2> {shlex.quote(str(told))}"
    process = subprocess.Popen(["bash", "-c", script], env=environment(), cwd=ROOT)
    while not deaf.exists():
        time.sleep(0.01)
    time.sleep(delay)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    assert process.returncode in (0, 130), told.read_text()
    assert "Traceback" not in told.read_text()
    assert not any(name.startswith(".") for name in names(tmp_path / "out"))


def test_interrupts_at_any_moment_leave_only_complete_files(tmp_path):
    photo(tmp_path / "in/a.jpg", 512, 1024)
    for number in range(8):
        out = tmp_path / f"out{number}"
        process = start("predict", tmp_path / "in", "-o", out, "--json-log", "--format", "npy,png")
        for line in process.stdout:
            if '"started"' in line:
                break
        time.sleep(0.04 * number)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=280)
        assert process.returncode in (0, 130)
        for name in names(out) if out.exists() else []:
            assert not Path(name).name.startswith("."), "no part file"
            path = out / name
            if path.suffix == ".npy":
                assert np.load(path).shape[:2] == (512, 1024)
            elif path.suffix == ".png":
                assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape[:2] == (512, 1024)
            else:
                assert json.loads(path.read_text())["outputs"]


def limited(size):
    """Let a child write no file beyond `size` bytes: what a full disk looks like to it."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize("command", ["predict", "cloud"])
def test_a_full_disk_is_one_sentence_and_leaves_what_was_there(tmp_path, command):
    photo(tmp_path / "a.jpg", 256, 512)
    out = tmp_path / "out"
    out.mkdir()
    target = out / ("a.normals.npy" if command == "predict" else "a.ply")
    target.write_bytes(b"before")
    output = out if command == "predict" else target
    done = subprocess.run(
        [*PROGRAM, command, str(tmp_path / "a.jpg"), "-o", str(output)],
        env=environment(NUMBA_CACHE_DIR=str(tmp_path / "numba")), cwd=ROOT, capture_output=True, text=True, timeout=280,
        preexec_fn=limited(600_000), check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    complaints = [line for line in done.stderr.splitlines() if line.startswith("panoviewer: ")]
    assert len(complaints) == 1
    assert "Traceback" not in done.stderr
    assert target.read_bytes() == b"before"
    assert not any(name.startswith(".") or name.endswith(".json") for name in names(out))


def test_an_impatient_second_interrupt_does_not_disturb_the_tidying_up_after_the_first():
    tidied = []

    def work():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.raise_signal(number)
                tidied.append(number)

    with interrupts.interruptible(), pytest.raises(KeyboardInterrupt):
        work()
    assert tidied == [signal.SIGINT, signal.SIGTERM]


def test_an_interrupt_that_a_library_swallowed_can_be_repeated(monkeypatch):
    monkeypatch.setattr(interrupts, "GRACE_SECONDS", 0.05)
    with interrupts.interruptible():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            time.sleep(0.1)


def test_an_interrupt_where_python_drops_every_error_is_heard_afterwards(capfd):
    class Dropping:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    def wait():
        Dropping()
        time.sleep(10)

    with interrupts.interruptible(), pytest.raises(KeyboardInterrupt):
        wait()
    assert not capfd.readouterr().err


def test_interrupts_without_end_while_the_program_leaves_are_no_tracebacks(tmp_path):
    photo(tmp_path / "a.jpg", 64, 128)
    process = start("predict", tmp_path / "a.jpg", "-o", tmp_path / "out", "--json-log", FAKE_SECONDS="100")
    for line in process.stdout:
        if '"started"' in line:
            break
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.001)
    assert process.returncode == 130
    assert is_one_sentence(process.stderr.read())
