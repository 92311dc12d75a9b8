"""Six files that are one cube map, among other pictures of a command."""

import shutil

import numpy as np
import pytest
from commands import names, photo
from PIL import Image

from core.io.cube_sets import once_per_cube

NAMED = ("front", "right", "back", "left", "up", "down")


def faces(folder, pattern="cube_{}.png", called=NAMED, size=32):
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(called):
        picture = np.full((size, size, 3), 40 * number, np.uint8)
        Image.fromarray(picture).save(folder / pattern.format(name))


def complaints(capsys):
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("panoviewer: ")]


def test_six_faces_that_are_given_one_by_one_are_one_panorama(tmp_path, in_process, capsys):
    faces(tmp_path / "in")
    photo(tmp_path / "in" / "hall.png")
    given = sorted((tmp_path / "in").iterdir())
    assert in_process("predict", *given, "-o", tmp_path / "out", "--tasks", "depth") == 0
    assert not complaints(capsys)
    assert {name.split(".")[0] for name in names(tmp_path / "out")} == {"cube_front", "hall"}


@pytest.mark.parametrize("command", [["predict", "--tasks", "depth"], ["cloud", "--format", "npz"]])
def test_six_faces_without_their_names_are_told_of_once(tmp_path, in_process, capsys, command):
    name, *options = command
    faces(tmp_path / "in", "pano_{}.png", range(6))
    photo(tmp_path / "in" / "hall.png")
    assert in_process(name, tmp_path / "in", "-o", tmp_path / "out", *options) == 1
    (told,) = complaints(capsys)
    assert "six squares from pano_0.png to pano_5.png" in told
    assert "pano_front.png, pano_right.png" in told
    assert told.endswith(f": {tmp_path / 'in'}")
    assert {name.split(".")[0] for name in names(tmp_path / "out")} == {"hall"}


@pytest.mark.parametrize("pattern", ["room{}.png", "{}.png", "a room {}.png"])
def test_the_names_that_are_proposed_for_six_faces_are_understood(tmp_path, in_process, capsys, pattern):
    faces(tmp_path / "in", pattern, range(6))
    assert in_process("predict", tmp_path / "in", "-o", tmp_path / "out", "--tasks", "depth") != 0
    (told,) = complaints(capsys)
    proposed = told.partition("call them ")[2].partition(", or say")[0].split(", ")
    for number, name in enumerate(proposed):
        (tmp_path / "in" / pattern.format(number)).rename(tmp_path / "in" / name)
    assert in_process("predict", tmp_path / "in", "-o", tmp_path / "out", "--tasks", "depth") == 0
    assert not complaints(capsys)


@pytest.mark.parametrize(
    ("called", "sets"),
    [
        ("abcdef", 1),
        (("px", "nx", "py", "front", "back", "top"), 1),
        (range(7, 13), 1),
        (("anna", "bert", "carl", "dora", "emil", "fritz"), 0),
        ((1201, 1305, 1306, 1307, 1308, 1309), 0),
        (("a", "b", "c", "d", "e", "6"), 0),
    ],
)
def test_six_squares_are_a_cube_map_by_numbers_in_a_row_by_letters_or_by_names_of_faces(tmp_path, called, sets):
    faces(tmp_path, "pano_{}.png", called)
    kept = once_per_cube(sorted(tmp_path.iterdir()))
    assert len(kept) == (1 if sets else 6)
    assert sum(bool(problem) for _, problem in kept) == sets


def test_a_face_that_is_missing_is_told_of_once(tmp_path, in_process, capsys):
    faces(tmp_path / "in", called=NAMED[:5])
    photo(tmp_path / "in" / "hall.png")
    assert in_process("predict", tmp_path / "in", "-o", tmp_path / "out", "--tasks", "depth") == 1
    (told,) = complaints(capsys)
    assert "put cube_down.png beside the others" in told


def test_squares_that_are_parts_of_the_sphere_are_all_taken(tmp_path, in_process, capsys):
    faces(tmp_path / "in", "pano_{}.png", range(6))
    options = ["--tasks", "depth", "--assume", "crop"]
    assert in_process("predict", tmp_path / "in", "-o", tmp_path / "out", *options) == 0
    assert len({name.split(".")[0] for name in names(tmp_path / "out")}) == 6
    faces(tmp_path / "seven", "pano_{}.png", range(7))
    capsys.readouterr()
    assert in_process("predict", tmp_path / "seven", "-o", tmp_path / "out", "--tasks", "depth") == 2
    assert len(complaints(capsys)) == 7


def test_panoramas_that_are_called_like_faces_are_panoramas(tmp_path, in_process):
    for name in NAMED:
        photo(tmp_path / "in" / f"house_{name}.png")
    for given in ([tmp_path / "in"], sorted((tmp_path / "in").iterdir())):
        assert in_process("predict", *given, "-o", tmp_path / "out", "--tasks", "depth") == 0
        found = {name.split(".")[0] for name in names(tmp_path / "out")}
        assert found == {f"house_{name}" for name in NAMED}
        shutil.rmtree(tmp_path / "out")


@pytest.mark.parametrize("pattern", ["cube_{}.png", "pano_{}.png"])
def test_faces_that_are_given_by_different_paths_are_one_set(tmp_path, in_process, capsys, monkeypatch, pattern):
    called = NAMED if pattern.startswith("cube") else range(6)
    faces(tmp_path / "in", pattern, called)
    (tmp_path / "link").symlink_to("in")
    monkeypatch.chdir(tmp_path)
    ways = ("in/{}", "./link/{}", str(tmp_path / "in/{}"), "link/../in/{}", "in/{}", "link/{}")
    given = [way.format(pattern.format(name)) for way, name in zip(ways, called, strict=True)]
    code = in_process("predict", *given, "-o", tmp_path / "out", "--tasks", "depth")
    if pattern.startswith("cube"):
        assert (code, complaints(capsys)) == (0, [])
        assert {name.split(".")[0] for name in names(tmp_path / "out")} == {"cube_front"}
    else:
        (told,) = complaints(capsys)
        assert "six squares from pano_0.png to pano_5.png" in told
