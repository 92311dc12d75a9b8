"""One program at a time writes into a project."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import ProjectError
from core.io.lock import NAME, Owner, ProjectLocked, lock_owner, lock_project

ROOT = Path(__file__).resolve().parents[2]

HOLD = """
import sys
from pathlib import Path
from core.io.lock import lock_project
with lock_project(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
print("released", flush=True)
"""
TRY = """
import sys
from pathlib import Path
from core.errors import ProjectError
from core.io.lock import lock_project
sys.stdin.readline()
try:
    lock_project(Path(sys.argv[1]))
except ProjectError:
    print("refused", flush=True)
else:
    print("held", flush=True)
sys.stdin.read()
"""


def start(program, folder):
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip


def finish(process):
    process.stdin.close()
    process.stdout.read()
    process.stdout.close()
    process.wait(120)


def lie(folder, **values):
    """Write a lock as somebody else."""
    lock = lock_project(folder)
    path = folder / NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return lock


def test_a_lock_is_held_until_the_end_of_the_block(tmp_path):
    with lock_project(tmp_path) as lock:
        assert lock.is_held
        assert lock_owner(tmp_path).pid == os.getpid()
    assert not lock.is_held
    assert lock_owner(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_second_lock_in_the_same_program_is_refused(tmp_path):
    with lock_project(tmp_path), pytest.raises(ProjectLocked) as caught:
        lock_project(tmp_path)
    assert str(os.getpid()) in str(caught.value)
    assert "this computer" in str(caught.value)
    assert str(caught.value).endswith(str(tmp_path))
    lock_project(tmp_path).release()


def test_another_process_is_refused_until_the_first_lets_go(tmp_path):
    holder = start(HOLD, tmp_path)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ProjectLocked) as caught:
            lock_project(tmp_path)
        assert caught.value.owner.pid == holder.pid
    finally:
        finish(holder)
    lock_project(tmp_path).release()


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    holder = start(HOLD, tmp_path)
    try:
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGKILL)
        # The parent has not asked for its exit yet: a zombie is dead, too.
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
        assert (tmp_path / NAME).exists()
        assert lock_owner(tmp_path) is None
        with lock_project(tmp_path) as lock:
            assert lock.is_held
    finally:
        finish(holder)


def test_of_many_processes_that_find_a_dead_lock_one_gets_it(tmp_path):
    lie(tmp_path, pid=2**22 + 5, process="gone")
    racers = [start(TRY, tmp_path) for _ in range(4)]
    try:
        for racer in racers:
            racer.stdin.write("go\n")
            racer.stdin.flush()
        assert sorted(racer.stdout.readline() for racer in racers) == ["held\n"] + ["refused\n"] * 3
    finally:
        for racer in racers:
            finish(racer)


def test_a_process_that_inherited_the_number_is_not_taken_for_the_owner(tmp_path):
    lie(tmp_path, process="another-boot 123")
    with lock_project(tmp_path) as lock:
        assert lock.is_held


def test_of_another_machine_nothing_is_certain_and_the_user_decides(tmp_path):
    lost = lie(tmp_path, host="elsewhere", pid=1, token="theirs")
    assert not lost.is_held
    with pytest.raises(ProjectLocked, match=r"elsewhere since .*; close it there, or take it over") as caught:
        lock_project(tmp_path)
    assert caught.value.owner.host == "elsewhere"
    with lock_project(tmp_path, take_over=True) as lock:
        assert lock.is_held


def test_a_lock_that_was_taken_over_is_not_released_by_the_loser(tmp_path):
    loser = lock_project(tmp_path)
    winner = lock_project(tmp_path, take_over=True)
    loser.release()
    assert winner.is_held
    winner.release()
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize(
    "data",
    [b"", b"rubbish", b"[]", b"\xff\xfe", b'{"format": "panoviewer-lock"}', b'{"format": "x"}', b"[" * 9000],
)
def test_a_damaged_lock_asks_the_user(data, tmp_path):
    (tmp_path / NAME).write_bytes(data)
    with pytest.raises(ProjectLocked, match="damaged; take it over") as caught:
        lock_project(tmp_path)
    assert caught.value.owner is None
    with lock_project(tmp_path, take_over=True) as lock:
        assert lock.is_held


@pytest.mark.parametrize("values", [{"pid": -1}, {"pid": 0}, {"pid": 10**30}, {"pid": True}, {"host": 5}, {"x": 1}])
def test_a_hostile_lock_asks_the_user(values, tmp_path):
    lie(tmp_path, **values)
    with pytest.raises(ProjectLocked, match="damaged"):
        lock_project(tmp_path)


def test_a_lock_that_is_a_link_is_not_written_through(tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / NAME).symlink_to(outside)
    for take_over in (False, True):
        with pytest.raises(ProjectError, match="link"):
            lock_project(folder, take_over=take_over)
    assert outside.read_bytes() == b"precious"


def test_a_lock_in_a_folder_that_is_not_there_gets_a_sentence(tmp_path):
    with pytest.raises(ProjectError, match="cannot be opened"):
        lock_project(tmp_path / "missing")


def test_an_owner_knows_itself():
    assert Owner.here().is_here
    assert not Owner.here().is_dead
