"""A session that is killed at any moment has lost nothing that was acknowledged."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from annotating import digest
from project_samples import open_photo

from core.io.lock import lock_owner, lock_project
from core.io.scene_file import open_scene

PROGRAM = Path(__file__).with_name("annotating.py")
LEFT = {"hall.png", "hall.png.pano.json", "hall.png.pano.json.bak", ".hall.png.pano.journal"}


@contextmanager
def sessions():
    """A process that begins sessions; its input."""
    process = subprocess.Popen([sys.executable, str(PROGRAM)], stdin=subprocess.PIPE, text=True, bufsize=1)
    try:
        yield process.stdin
    finally:
        process.stdin.close()
        process.wait(60)


def kill_a_session(begin, photo, seed, pipe, lines, delay):
    """Begin a session and kill it a moment after so many lines; the lines that it wrote completely."""
    begin.write(f"{photo}\t{seed}\t{pipe}\n")
    with open(pipe, "rb") as stream:
        pid = int(stream.readline())
        said = [stream.readline() for _ in range(lines)]
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)
        said += stream.readlines()
    return [line.decode().strip() for line in said if line.endswith(b"\n")]


def wait_for_the_end(folder):
    """The pipe closes a moment before the process is gone."""
    until = time.monotonic() + 60
    while lock_owner(folder) is not None and time.monotonic() < until:
        time.sleep(0.001)


def check_kills(folder, kills, seed):
    dice = random.Random(seed)
    project = folder / "project"
    panorama = open_photo(project)
    pipe = folder / "report"
    os.mkfifo(pipe)
    recovered = 0
    with sessions() as begin:
        for kill in range(kills):
            lines, delay = dice.randrange(1, 40), dice.uniform(0, 0.004)
            said = kill_a_session(begin, panorama.path, dice.randrange(10**9), pipe, lines, delay)
            safe = max(at for at, line in enumerate(said) if line.startswith("!"))
            allowed = {line[1:] for line in said[safe:]}
            wait_for_the_end(project)
            with lock_project(project):
                file = open_scene(panorama)
                assert file.notes == (), f"kill {kill}"
                recovered += file.recovery is not None
                scene = file.scene if file.recovery is None else file.accept_recovery()
                assert digest(scene) in allowed, f"kill {kill}: {said[-4:]}"
                # The next session finds a saved file, or the journal that this one goes on with, or neither.
                if dice.random() < 0.3:
                    file.save(scene)
                file.close()
            left = {path.name for path in project.iterdir()}
            assert {name for name in left if not name.endswith(".part")} <= LEFT, f"kill {kill}"
    assert recovered > kills / 3


def test_twelve_kills_lose_nothing_that_was_acknowledged(tmp_path):
    check_kills(tmp_path, 12, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_three_hundred_kills_lose_nothing_that_was_acknowledged(tmp_path):
    check_kills(tmp_path, 300, seed=2)
