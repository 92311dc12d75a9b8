"""Work on many files: whoever does it, and whatever happens to him, the same files come of it."""

import hashlib
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from core.errors import PanoError
from core.io.atomic import atomic_file
from core.progress import Cancelled
from training.batch import ATTEMPTS, REJECTED, Report, Where, gathered, named_by_content, run_batch
from training.cluster import RayWorker

HERE = Where()
TWO = Where(workers=2)
RAY = Where(workers=2, cluster="local")


@pytest.fixture(autouse=True)
def _found_by_others(monkeypatch):
    """Processes that others start look for this module where this one does."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


@dataclass(frozen=True)
class Copying:
    """Copies files in capitals, slowly, and says who does it; some cannot be copied, and one ends who tries."""

    out: Path
    seconds: float = 0.0
    unfit: bool = False

    def start(self):
        if self.unfit:
            raise PanoError("Expected a model, got none; choose one.")
        (self.out / f"pid-{os.getpid()}").touch()
        return self.copy

    def copy(self, path):
        name, _ = named_by_content(path)
        target = self.out / f"{name}.out"
        if target.exists():
            return False
        text = path.read_text()
        if text == "bad":
            raise PanoError(f"Expected a good file, got a bad one; leave it out: {path}")
        if text == "odd":
            raise ZeroDivisionError("nobody thought of this")
        if text == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        with (self.out / f"begun-{os.getpid()}").open("a") as stream:
            stream.write(f"{path.name}\n")
        time.sleep(self.seconds)
        with atomic_file(target) as stream:
            stream.write(text.upper().encode())
        return True


def make_files(folder, count, **others):
    folder.mkdir()
    for number in range(count):
        (folder / f"f{number:02d}.txt").write_text(f"text {number}")
    for name, text in others.items():
        (folder / f"{name}.txt").write_text(text)
    return sorted(folder.iterdir())


def made(out):
    return sorted(path.read_text() for path in out.glob("*.out"))


def kill_one_at_work(out, killed):
    """Kill -9 a process that has finished a file and is at another one."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for path in out.glob("begun-*"):
            if len(path.read_text().splitlines()) >= 2:
                pid = int(path.name.removeprefix("begun-"))
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                return
        time.sleep(0.01)


@pytest.mark.parametrize(
    "where", [HERE, TWO, pytest.param(RAY, marks=pytest.mark.slow)], ids=["here", "processes", "ray"]
)
def test_everything_is_done_once_and_what_cannot_be_is_listed(tmp_path, where):
    files, out, seen = make_files(tmp_path / "in", 6, bad="bad", odd="odd"), tmp_path / "out", []
    report = run_batch(Copying(out), files, out, where, progress=lambda *counts: seen.append(counts))
    assert (report.done, report.kept, len(report.bad)) == (6, 0, 2)
    assert made(out) == sorted(f"TEXT {number}" for number in range(6))
    assert seen == [(number, 8) for number in range(9)]
    rows = (out / REJECTED).read_text().splitlines()
    assert rows[0] == "file\treason"
    assert rows[1].startswith(f"{tmp_path / 'in' / 'bad.txt'}\tExpected a good file")
    assert "unexpected ZeroDivisionError: nobody thought of this" in rows[2]
    for name in ("bad", "odd"):
        (tmp_path / "in" / f"{name}.txt").write_text(name * 2)
    again = run_batch(Copying(out), files, out, where)
    assert (again.done, again.kept, again.bad) == (2, 6, {})
    assert not (out / REJECTED).exists()


def test_what_could_not_be_done_stays_listed_when_other_files_are_worked_on(tmp_path):
    out = tmp_path / "out"
    first = make_files(tmp_path / "first", 1, bad="bad")
    second = make_files(tmp_path / "second", 1, worse="bad")

    def listed():
        return [row.partition("\t")[0] for row in (out / REJECTED).read_text().splitlines()[1:]]

    run_batch(Copying(out), first, out)
    assert listed() == [str(tmp_path / "first" / "bad.txt")]
    run_batch(Copying(out), second, out)
    assert listed() == [str(tmp_path / "first" / "bad.txt"), str(tmp_path / "second" / "worse.txt")]
    (tmp_path / "first" / "bad.txt").write_text("good again")
    run_batch(Copying(out), first, out)
    assert listed() == [str(tmp_path / "second" / "worse.txt")]


def test_what_an_interrupted_run_did_not_reach_stays_listed(tmp_path):
    out = tmp_path / "out"
    files = make_files(tmp_path / "in", 2, zzz="bad")
    before = run_batch(Copying(out), files, out).bad

    def stops(done, total):
        if done:
            raise Cancelled

    with pytest.raises(Cancelled):
        run_batch(Copying(out), [*make_files(tmp_path / "more", 1), *files], out, progress=stops)
    (row,) = (out / REJECTED).read_text().splitlines()[1:]
    assert row.partition("\t")[0] == str(*before)


@pytest.mark.parametrize("where", [TWO, pytest.param(RAY, marks=pytest.mark.slow)], ids=["processes", "ray"])
def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing(tmp_path, where):
    files, out, killed = make_files(tmp_path / "in", 16), tmp_path / "out", []
    out.mkdir()
    killer = threading.Thread(target=kill_one_at_work, args=(out, killed))
    killer.start()
    report = run_batch(Copying(out, seconds=0.2), files, out, where)
    killer.join()
    assert killed
    assert not report.bad
    assert report.done + report.kept == 16
    assert made(out) == sorted(f"TEXT {number}" for number in range(16))
    assert len(list(out.glob("pid-*"))) >= 3  # two, and who took the place of the killed one
    parts = [path for path in out.iterdir() if not path.name.startswith(("pid-", "begun-")) and path.suffix != ".out"]
    assert not parts
    # What had been done was not done again: two may have been at work on the file at which one was killed.
    begun = [line for path in out.glob("begun-*") for line in path.read_text().splitlines()]
    assert len(set(begun)) == 16
    assert len(begun) <= 17


@pytest.mark.parametrize("where", [TWO, pytest.param(RAY, marks=pytest.mark.slow)], ids=["processes", "ray"])
def test_a_file_that_nobody_survives_is_listed_and_the_rest_goes_on(tmp_path, where):
    files, out = make_files(tmp_path / "in", 4, deadly="deadly"), tmp_path / "out"
    report = run_batch(Copying(out), files, out, where)
    assert [path.name for path in report.bad] == ["deadly.txt"]
    assert "its worker was ended" in next(iter(report.bad.values()))
    assert len(made(out)) == 4


@pytest.mark.parametrize(
    "where", [HERE, TWO, pytest.param(RAY, marks=pytest.mark.slow)], ids=["here", "processes", "ray"]
)
def test_who_cannot_begin_says_why_at_once(tmp_path, where):
    files, out = make_files(tmp_path / "in", 3), tmp_path / "out"
    with pytest.raises(PanoError, match="Expected a model, got none"):
        run_batch(Copying(out, unfit=True), files, out, where)


@pytest.mark.parametrize("where", [HERE, TWO], ids=["here", "processes"])
def test_an_interrupted_run_goes_on_where_it_was(tmp_path, where):
    files, out = make_files(tmp_path / "in", 6, a_bad="bad"), tmp_path / "out"

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(Copying(out), files, out, where, progress=stop)
    for pid in {int(path.name.removeprefix("pid-")) for path in out.glob("pid-*")} - {os.getpid()}:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.out")}
    assert before
    if where is HERE:  # of processes, the one with the bad file need not be among the first to answer
        assert (out / REJECTED).exists()
    report = run_batch(Copying(out), files, out, where)
    assert report.kept == len(before)
    assert report.done == 6 - len(before)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_processes_end_with_the_run(tmp_path):
    files, out = make_files(tmp_path / "in", 4), tmp_path / "out"
    run_batch(Copying(out), files, out, TWO)
    pids = [int(path.name.removeprefix("pid-")) for path in out.glob("pid-*")]
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_files_are_found_in_folders_but_not_among_results(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / ".parts").mkdir()
    for name in ("b.jpg", "deep/a.png", "w.npz", "out/c.jpg", "a.depth.png", "note.txt", ".parts/x.npz"):
        (tmp_path / name).touch()
    inputs = [tmp_path, tmp_path / "b.jpg"]
    names = [path.name for path in gathered(inputs, tmp_path / "out", worlds=True)]
    assert names == ["b.jpg", "a.png", "w.npz"]
    assert [path.name for path in gathered(inputs, tmp_path / "out", worlds=False)] == ["b.jpg", "a.png"]
    with pytest.raises(PanoError, match="Expected photographs"):
        gathered([tmp_path / "out"], tmp_path / "out", worlds=True)


def test_a_name_tells_content_apart(tmp_path):
    first, second = tmp_path / "a.jpg", tmp_path / "b" / "a.jpg"
    second.parent.mkdir()
    first.write_bytes(b"one")
    second.write_bytes(b"two")
    names = {named_by_content(path)[0] for path in (first, second)}
    assert len(names) == 2
    assert all(name.startswith("a-") and len(name) == 14 for name in names)
    with pytest.raises(PanoError, match="can be read"):
        named_by_content(tmp_path / "none.jpg")


def test_nonsense_is_told():
    with pytest.raises(PanoError, match="worker"):
        Where(workers=0)
    assert Report().done == 0


@pytest.mark.slow
def test_a_machine_that_a_cluster_loses_costs_nothing(tmp_path):
    """Two nodes, as Ray's own tests make them of processes; one of them is gone while both are at work."""
    from ray.cluster_utils import Cluster

    files, out, lost = make_files(tmp_path / "in", 24), tmp_path / "out", []
    out.mkdir()
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100 << 20},
    )
    other = cluster.add_node(num_cpus=1, object_store_memory=100 << 20)

    def lose():
        deadline = time.monotonic() + 120
        while len(list(out.glob("begun-*"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        cluster.remove_node(other, allow_graceful=False)
        lost.append(other)

    loser = threading.Thread(target=lose)
    loser.start()
    try:
        report = run_batch(Copying(out, seconds=0.4), files, out, Where(workers=2, cluster=cluster.address))
    finally:
        loser.join()
        cluster.shutdown()
    assert lost
    assert not report.bad
    assert report.done + report.kept == 24
    assert made(out) == sorted(f"TEXT {number}" for number in range(24))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:99999"])
def test_a_cluster_that_is_not_there_is_told_at_once(tmp_path, address):
    with pytest.raises(PanoError, match="Expected a Ray cluster, got none"):
        run_batch(Copying(tmp_path), make_files(tmp_path / "in", 1), tmp_path, Where(cluster=address))


def test_a_worker_of_a_cluster_leaves_marks_that_tell_the_next_one(tmp_path):
    """What Ray begins again without end is given up; `test_a_file_that_nobody_survives` shows it with Ray itself."""
    (path,), out, begun = make_files(tmp_path / "in", 1), tmp_path / "out", tmp_path / "begun"
    out.mkdir()
    begun.mkdir()
    marks = []

    class Watching(Copying):
        def copy(self, path):
            marks.append([mark.stat().st_size for mark in begun.iterdir()])
            return super().copy(path)

    worker = RayWorker(Watching(out), begun)
    answer = worker({"file": np.array([str(path)])})
    assert (answer["file"][0], answer["done"][0], answer["reason"][0]) == (str(path), True, "")
    assert marks == [[1]]
    assert not list(begun.iterdir())
    mark = begun / hashlib.sha256(str(path).encode()).hexdigest()
    mark.write_bytes(b".." if ATTEMPTS == 3 else b"")
    assert not worker({"file": np.array([str(path)])})["reason"][0]
    mark.write_bytes(b"." * ATTEMPTS)
    assert "its worker was ended" in worker({"file": np.array([str(path)])})["reason"][0]


def test_without_ray_it_is_told_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PanoError, match=r"pip install 'panoviewer\[cluster\]'"):
        run_batch(Copying(tmp_path), make_files(tmp_path / "in", 1), tmp_path, RAY)
