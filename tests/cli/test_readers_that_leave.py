"""Whoever reads what the program says may leave at any time; the files are written none the less."""

import pytest
from commands import photo, run, start


def pictures(folder, bad):
    for name in ("a", "b", "c"):
        photo(folder / f"{name}.jpg")
    if bad:
        (folder / "b.jpg").write_bytes(b"no picture")


@pytest.mark.parametrize("bad", [False, True])
@pytest.mark.parametrize("is_read", [0, 1])
def test_the_work_goes_on_without_its_log(tmp_path, bad, is_read):
    pictures(tmp_path / "in", bad)
    command = ["predict", tmp_path / "in", "-o", tmp_path / "out", "--tasks", "normals"]
    process = start(*command, "--json-log")
    for _ in range(is_read):
        process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=280)
    assert process.returncode == (1 if bad else 0)
    assert err.count("\n") == (1 if bad else 0)
    reports = sorted(path.name for path in (tmp_path / "out").glob("*.json"))
    assert reports == (["a.json", "c.json"] if bad else ["a.json", "b.json", "c.json"])


@pytest.mark.parametrize("bad", [False, True])
def test_the_work_goes_on_without_its_lines(tmp_path, bad):
    pictures(tmp_path / "in", bad)
    process = start("predict", tmp_path / "in", "-o", tmp_path / "out", "--tasks", "normals")
    process.stderr.close()
    process.stderr = None
    process.communicate(timeout=280)
    assert process.returncode == (1 if bad else 0)
    assert len(list((tmp_path / "out").glob("*.json"))) == (2 if bad else 3)


def test_a_refusal_that_nobody_hears_keeps_its_code(tmp_path):
    process = start("predict", tmp_path / "missing", "-o", tmp_path / "out")
    process.stderr.close()
    process.stderr = None
    process.communicate(timeout=280)
    assert process.returncode == 2


def test_a_cloud_is_written_when_nobody_hears_of_it(tmp_path):
    photo(tmp_path / "a.jpg")
    process = start("cloud", tmp_path / "a.jpg", "-o", tmp_path / "a.ply")
    process.stderr.close()
    process.stderr = None
    process.communicate(timeout=280)
    assert process.returncode == 0
    assert run("cloud", tmp_path / "a.jpg", "-o", tmp_path / "b.ply").returncode == 0
    assert (tmp_path / "a.ply").read_bytes() == (tmp_path / "b.ply").read_bytes()
