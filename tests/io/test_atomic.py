"""A file is written completely or not at all."""

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from core.errors import ExportError
from core.io.atomic import atomic_file, atomic_files, is_same_file
from core.progress import Cancelled

ROOT = Path(__file__).resolve().parents[2]


def write(path, data, failure=None):
    with atomic_file(path) as stream:
        stream.write(data)
        if failure is not None:
            raise failure


def test_the_content_appears_under_the_name_and_nothing_beside_it(tmp_path):
    with atomic_file(tmp_path / "cloud.ply") as stream:
        stream.write(b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["cloud.ply"]
    assert (tmp_path / "cloud.ply").read_bytes() == b"new"


def test_the_target_is_untouched_until_the_block_ends(tmp_path):
    target = tmp_path / "cloud.ply"
    target.write_bytes(b"old")
    with atomic_file(target) as stream:
        stream.write(b"new")
        stream.flush()
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"


def test_the_stream_can_be_read_and_sought(tmp_path):
    with atomic_file(tmp_path / "a.bin") as stream:
        stream.write(b"0000")
        stream.seek(0)
        stream.write(b"12")
        stream.seek(0)
        assert stream.read() == b"1200"
    assert (tmp_path / "a.bin").read_bytes() == b"1200"


def test_numpy_writes_into_the_stream(tmp_path):
    values = np.arange(12, dtype=np.float32)
    with atomic_file(tmp_path / "a.npy") as stream:
        np.save(stream, values)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), values)


@pytest.mark.parametrize("failure", [Cancelled(), KeyboardInterrupt(), SystemExit(1), ZeroDivisionError()])
def test_whatever_stops_the_block_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    target = tmp_path / "cloud.ply"
    target.write_bytes(b"old")
    with pytest.raises(type(failure)):
        write(target, b"x" * 100_000, failure)
    assert [p.name for p in tmp_path.iterdir()] == ["cloud.ply"]
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize(("code", "words"), [(errno.ENOSPC, "no space left"), (errno.EROFS, "read-only")])
def test_an_error_of_the_disk_becomes_a_sentence_that_ends_with_the_path(tmp_path, code, words):
    target = tmp_path / "cloud.ply"
    with pytest.raises(ExportError, match=words) as caught:
        write(target, b"x", OSError(code, os.strerror(code)))
    assert str(caught.value).endswith(str(target))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_outgrows_the_limit_leaves_the_old_one(tmp_path):
    target = tmp_path / "cloud.ply"
    target.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(ExportError, match="larger than"):
            write(target, b"x" * 1_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["cloud.ply"]


def test_a_failure_that_shows_only_when_the_buffer_is_written_is_told_too(tmp_path):
    target = tmp_path / "cloud.ply"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(ExportError, match="larger than"):
            write(target, b"x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_a_sentence(tmp_path):
    with pytest.raises(ExportError, match="folder of the file does not exist"), atomic_file(tmp_path / "no" / "a.ply"):
        pass


def test_a_file_in_place_of_the_folder_is_a_sentence(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(ExportError, match="folder"), atomic_file(tmp_path / "a" / "b.ply"):
        pass


def test_a_folder_as_target_is_a_sentence(tmp_path):
    with pytest.raises(ExportError, match="got a folder"), atomic_file(tmp_path):
        pass
    assert tmp_path.is_dir()


def test_a_device_is_never_replaced():
    with pytest.raises(ExportError, match="device"), atomic_file("/dev/null"):
        pass
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_name_that_is_too_long_is_a_sentence(tmp_path):
    with pytest.raises(ExportError, match="too long"):
        write(tmp_path / ("x" * 300), b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_the_greatest_length_is_written(tmp_path):
    target = tmp_path / ("ü" * 120 + ".ply")
    with atomic_file(target) as stream:
        stream.write(b"x")
    assert target.read_bytes() == b"x"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that takes no files")
def test_a_place_that_takes_no_files_is_a_sentence():
    with pytest.raises(ExportError, match=r"/proc/a\.ply$"):
        write("/proc/a.ply", b"x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_a_sentence(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ExportError, match="not permitted"), atomic_file(tmp_path / "a.ply"):
        pass


def test_permissions_of_a_replaced_file_are_kept(tmp_path):
    target = tmp_path / "a.ply"
    target.write_bytes(b"old")
    target.chmod(0o640)
    with atomic_file(target) as stream:
        stream.write(b"new")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_new_file_gets_the_usual_permissions(tmp_path):
    (tmp_path / "usual").write_bytes(b"")
    with atomic_file(tmp_path / "a.ply") as stream:
        stream.write(b"new")
    assert (tmp_path / "a.ply").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "real.ply").write_bytes(b"old")
    (tmp_path / "link.ply").symlink_to("real.ply")
    with atomic_file(tmp_path / "link.ply") as stream:
        stream.write(b"new")
    assert (tmp_path / "link.ply").is_symlink()
    assert (tmp_path / "real.ply").read_bytes() == b"new"


def _run_until_writing(folder: Path, *, without_nameless_files: bool) -> subprocess.Popen:
    """A process that has written half of a file and waits."""
    program = f"""
        import os, sys, time
        if {without_nameless_files}:
            del os.O_TMPFILE
        from core.io.atomic import atomic_file
        with atomic_file({str(folder / "a.ply")!r}) as stream:
            stream.write(b"x" * 1_000_000)
            stream.flush()
            print("writing", flush=True)
            time.sleep(600)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout.readline() == b"writing\n"
    return process


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files without a name are a Linux feature")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_leaves_the_old_file_and_nothing_else(tmp_path, number):
    (tmp_path / "a.ply").write_bytes(b"old")
    process = _run_until_writing(tmp_path, without_nameless_files=False)
    process.send_signal(number)
    process.wait(120)
    assert [p.name for p in tmp_path.iterdir()] == ["a.ply"]
    assert (tmp_path / "a.ply").read_bytes() == b"old"


def test_an_interrupted_process_removes_its_named_part_file(tmp_path):
    process = _run_until_writing(tmp_path, without_nameless_files=True)
    assert [p.suffix for p in tmp_path.iterdir()] == [".part"]
    process.send_signal(signal.SIGINT)
    process.wait(120)
    assert list(tmp_path.iterdir()) == []


def test_named_part_files_end_the_same_way(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    with atomic_file(tmp_path / "a.ply") as stream:
        stream.write(b"new")
        assert [p.suffix for p in tmp_path.iterdir()] == [".part"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.ply"]
    with pytest.raises(Cancelled):
        write(tmp_path / "a.ply", b"half", Cancelled())
    assert (tmp_path / "a.ply").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.ply"]


def test_two_writers_of_one_file_do_not_mix(tmp_path):
    target = tmp_path / "a.ply"
    with atomic_file(target) as first, atomic_file(target) as second:
        first.write(b"first" * 10)
        second.write(b"second")
    assert target.read_bytes() == b"first" * 10


def test_files_that_belong_together_appear_together(tmp_path):
    (tmp_path / "a.obj").write_bytes(b"old")
    with atomic_files((tmp_path / "a.obj", tmp_path / "a.mtl")) as (first, second):
        first.write(b"mesh")
        second.write(b"material")
        assert [p.name for p in tmp_path.iterdir()] == ["a.obj"]
    assert (tmp_path / "a.obj").read_bytes() == b"mesh"
    assert (tmp_path / "a.mtl").read_bytes() == b"material"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mtl", "a.obj"]


def write_both(first, data, second, other_data):
    with atomic_files((first, second)) as (stream, other):
        stream.write(data)
        other.write(other_data)


@pytest.mark.parametrize("nameless", [True, False])
def test_when_one_of_several_files_does_not_fit_none_is_replaced(tmp_path, nameless, monkeypatch):
    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    for name in ("a.obj", "a.mtl"):
        (tmp_path / name).write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(ExportError, match=r"larger than.*a\.obj$"):
            write_both(tmp_path / "a.obj", b"new", tmp_path / "a.mtl", b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a.obj": b"old", "a.mtl": b"old"}


def test_when_one_of_several_files_may_not_be_written_nothing_is_begun(tmp_path):
    (tmp_path / "a.mtl").mkdir()
    with pytest.raises(ExportError, match="got a folder"), atomic_files((tmp_path / "a.obj", tmp_path / "a.mtl")):
        pytest.fail("the block must not run")
    assert [p.name for p in tmp_path.iterdir()] == ["a.mtl"]


def test_two_names_of_one_file_are_the_same(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    (tmp_path / "link.png").symlink_to(path)
    assert is_same_file(path, tmp_path / "link.png")
    assert not is_same_file(path, tmp_path / "b.png")
    assert is_same_file(tmp_path / "b.png", tmp_path / "c" / ".." / "b.png")
    assert not is_same_file(path, tmp_path / "a\0b")
