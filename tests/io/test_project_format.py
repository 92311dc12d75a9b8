"""The annotation file: what is written, that it comes back, and what strangers may put into it."""

import base64
import json
import math
import os
import tracemalloc
import zlib
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from own_time import own_seconds
from project_samples import HEIGHT, WIDTH, annotations, open_photo, some_annotation, some_scene, some_segment, state

from core.errors import ProjectError
from core.io import annotation as format_
from core.io.annotation import decode, decode_outline, encode
from core.io.checked_json import MAX_BYTES, FieldError
from core.io.project_file import ProjectFile, Rename, read_project_file, write_project_file
from core.io.project_file import encode as encode_project
from core.io.scene_file import annotation_path, open_scene, read_annotation, write_annotation
from core.mask import SphereMask
from core.scene import Box, Click, Label, Review, Segment

GOLDEN = """\
{
 "format": "panoviewer-annotation",
 "version": 1,
 "photo": {"path": "hall.png", "bytes": 1234, "sha256": "%s", "height": 16, "width": 32},
 "review": "rejected",
 "labels": [
  {"name": "door", "color": "#823c1e"},
  {"name": "окно", "color": "#0ac8fa"}
 ],
 "segments": [
  {
   "number": 1,
   "label": "door",
   "color": "#0102ff",
   "group": 3,
   "locked": true,
   "review": "accepted",
   "score": 0.875,
   "model": "click-s",
   "box": {"west": 3.0, "south": -0.5, "east": -3.0, "north": 0.25},
   "clicks": [
    {"lon": 0.1, "lat": -0.2, "positive": true},
    {"lon": -3.0, "lat": 1.5, "positive": false}
   ],
   "mask": {"row": 3, "col": 30, "rows": 1, "cols": 4, "count": 3}
  },
  {
   "number": 5,
   "label": "",
   "color": null,
   "group": 0,
   "locked": false,
   "review": "open",
   "score": null,
   "model": "",
   "box": null,
   "clicks": [],
   "mask": {"row": 0, "col": 0, "rows": 0, "cols": 0, "count": 0}
  }
 ],
 "masks": {
  "1": "eAG7AAAA0QDR",
  "5": ""
 }
}
"""


def golden():
    across_the_seam = np.zeros((HEIGHT, WIDTH), bool)
    across_the_seam[3, [30, 31, 1]] = True
    return some_annotation(
        segments=(
            some_segment(1, mask=SphereMask.pack(across_the_seam)),
            Segment(5, SphereMask.empty(HEIGHT, WIDTH)),
        )
    )


def test_a_file_of_version_1_opens_forever():
    text = GOLDEN % golden().photo.sha256
    assert state(decode(text.encode())) == state(golden())
    assert decode(text.encode()).photo == golden().photo


def test_the_layout_is_the_documented_one():
    # The deflated bytes may differ between versions of zlib; everything else is fixed.
    expected = (GOLDEN % golden().photo.sha256).splitlines()
    got = encode(golden()).decode().splitlines()
    at = next(row for row, line in enumerate(got) if line.startswith('  "1": '))
    assert got[:at] == expected[:at]
    assert got[at + 1 :] == expected[at + 1 :]


def test_a_level_stands_behind_the_photo_and_makes_it_version_2():
    text = (GOLDEN % golden().photo.sha256).replace('"version": 1', '"version": 2')
    text = text.replace(' "review": "rejected"', ' "level": {"pitch": 0.25, "roll": -0.5},\n "review": "rejected"', 1)
    levelled = replace(golden(), level=(0.25, -0.5))
    assert decode(text.encode()).level == (0.25, -0.5)
    assert encode(levelled).decode().splitlines()[:6] == text.splitlines()[:6]
    assert decode(encode(levelled)).level == (0.25, -0.5)
    assert decode_outline(encode(levelled)).level == (0.25, -0.5)


@pytest.mark.parametrize("level", [{"pitch": 2.0, "roll": 0.0}, {"pitch": 0.0}, {"pitch": "x", "roll": 0}, [0, 0], 1])
def test_a_level_that_is_none_is_refused(level):
    values = json.loads(encode(replace(golden(), level=(0.25, -0.5)))) | {"level": level}
    with pytest.raises(FieldError, match="level"):
        decode(json.dumps(values).encode())


@given(annotations)
def test_everything_comes_back_and_the_same_annotations_give_the_same_bytes(annotation):
    data = encode(annotation)
    read = decode(data)
    assert state(read) == state(annotation)
    assert read.photo == annotation.photo
    assert encode(read) == data


def test_no_field_of_a_segment_is_forgotten():
    default = Segment(1, SphereMask.empty(HEIGHT, WIDTH))
    full = some_segment(1)
    for field in fields(Segment):
        if field.name not in ("number", "mask"):
            assert repr(getattr(full, field.name)) != repr(getattr(default, field.name)), f"the sample lacks {field}"
    read = decode(encode(some_annotation(segments=(full,)))).segments[0]
    for field in fields(Segment):
        if field.name != "mask":
            assert getattr(read, field.name) == getattr(full, field.name), field.name
    assert read.mask.same_as(full.mask)


def test_numbers_of_numpy_are_stored_as_numbers():
    segment = some_segment(
        np.int64(4),
        clicks=(Click(np.float32(0.5), np.float64(0.25), np.True_),),
        score=np.float32(0.5),
        color=tuple(np.array([1, 2, 3], np.uint8)),
        group=np.int32(2),
    )
    read = decode(encode(some_annotation(segments=(segment,)))).segments[0]
    assert (read.number, read.clicks, read.score, read.color, read.group) == (4, (Click(0.5, 0.25),), 0.5, (1, 2, 3), 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"clicks": (Click(math.nan, 0),)},
        {"clicks": (Click(0, math.inf),)},
        {"box": Box(0, 0, math.nan, 0)},
        {"number": 0},
        {"group": -1},
        {"label": "\ud800"},
        {"label": "x" * 2000},
        {"color": (0, 0, 256)},
        {"review": "fine"},
    ],
)
def test_what_cannot_be_read_is_never_written(changes):
    with pytest.raises(ValueError, match=r".+"):
        encode(
            some_annotation(segments=(some_segment(1, **changes),) if "number" not in changes else (some_segment(0),))
        )


def test_two_segments_of_one_number_are_never_written():
    with pytest.raises(ValueError, match="segment numbers"):
        encode(some_annotation(segments=(some_segment(1), some_segment(1))))


def test_an_infinite_score_is_stored_as_none():
    read = decode(encode(some_annotation(segments=(some_segment(1, score=math.inf),))))
    assert math.isnan(read.segments[0].score)


def test_the_outline_is_read_without_the_masks():
    annotation = some_annotation(3)
    data = encode(annotation)
    head = data[: format_.head_end(data)] + b'\n "masks": {garbage'
    outline = decode_outline(head)
    assert outline == decode_outline(data)
    assert outline.photo == annotation.photo
    assert outline.segments == {"door": 3}
    assert outline.reviews == {Review.ACCEPTED: 3}
    assert (outline.labels, outline.review) == (annotation.labels, annotation.review)


def test_a_file_that_was_laid_out_anew_reads_the_same():
    data = encode(some_annotation())
    compact = json.dumps(json.loads(data)).encode()
    assert state(decode(compact)) == state(some_annotation())
    assert decode_outline(compact) == decode_outline(data)
    assert state(decode(b"\xef\xbb\xbf" + data)) == state(some_annotation())


# What strangers may write. Each entry changes the parsed file in place.


def change(*path, to):
    def edit(values):
        for name in path[:-1]:
            values = values[name]
        if to is ...:
            del values[path[-1]]
        else:
            values[path[-1]] = to

    return edit


def bomb(size):
    return base64.b64encode(zlib.compress(b"\xff" * size, 9)).decode()


FIRST = ("segments", 0)
HOSTILE = {
    "future version": (change("version", to=3), "update PanoViewer"),
    "version 2 without a level": (change("version", to=2), "level"),
    "a level in version 1": (change("level", to={"pitch": 0.1, "roll": 0.1}), "level"),
    "version 0": (change("version", to=0), "version"),
    "version as text": (change("version", to="1"), "version"),
    "version true": (change("version", to=True), "version"),
    "another format": (change("format", to="coco"), "panoviewer-annotation"),
    "no format": (change("format", to=...), "format"),
    "unknown field": (change("extra", to=1), "extra"),
    "unknown field of a segment": (change(*FIRST, "extra", to=1), "extra"),
    "unknown field of a mask": (change(*FIRST, "mask", "extra", to=1), "extra"),
    "unknown field of a click": (change(*FIRST, "clicks", 0, "extra", to=1), "extra"),
    "path out of the folder": (change("photo", "path", to="../../etc/passwd"), "within the folder"),
    "path out of the folder, hidden": (change("photo", "path", to="a/../../b.jpg"), "within the folder"),
    "absolute path": (change("photo", "path", to="/etc/passwd"), "within the folder"),
    "drive": (change("photo", "path", to="C:\\Windows\\a.jpg"), "within the folder"),
    "share": (change("photo", "path", to="\\\\server\\a.jpg"), "within the folder"),
    "path with NUL": (change("photo", "path", to="a\0.jpg"), "within the folder"),
    "empty path": (change("photo", "path", to=""), "within the folder"),
    "the folder itself": (change("photo", "path", to="."), "within the folder"),
    "long path": (change("photo", "path", to="a" * 5000), "1000 characters"),
    "short hash": (change("photo", "sha256", to="abc"), "64 hexadecimal"),
    "capital hash": (change("photo", "sha256", to="A" * 64), "64 hexadecimal"),
    "not 2:1": (change("photo", "height", to=17), "twice as wide"),
    "huge photo": (change("photo", "height", to=10**12), "photo.height"),
    "photo of no size": (change("photo", "width", to=0), "photo.width"),
    "photo of negative size": (change("photo", "width", to=-32), "photo.width"),
    "width as float": (change("photo", "width", to=32.0), "photo.width"),
    "width true": (change("photo", "width", to=True), "photo.width"),
    "photo as list": (change("photo", to=[]), "photo to be an object"),
    "segments as object": (change("segments", to={}), "segments to be a list"),
    "segment as text": (change("segments", 0, to="cat"), r"segments\[0\] to be an object"),
    "segments as text": (change("segments", to="cat"), "segments to be a list"),
    "labels as text": (change("labels", to="cat"), "labels to be a list"),
    "label twice": (change("labels", 1, to={"name": "door", "color": "#000000"}), "names of labels"),
    "colour by name": (change("labels", 0, "color", to="red"), "colour"),
    "colour as list": (change("labels", 0, "color", to=[1, 2, 3]), "colour"),
    "colour too long": (change("labels", 0, "color", to="#11223344"), "colour"),
    "review of another word": (change("review", to="maybe"), "'open' or 'accepted' or 'rejected'"),
    "review as number": (change("review", to=1), "'open' or"),
    "number twice": (change("segments", 1, "number", to=1), "segment numbers"),
    "number 0": (change(*FIRST, "number", to=0), "number"),
    "number as text": (change(*FIRST, "number", to="1"), "number"),
    "huge number": (change(*FIRST, "number", to=10**4000), "number"),
    "number without mask": (change(*FIRST, "number", to=77), "77"),
    "negative group": (change(*FIRST, "group", to=-1), "group"),
    "locked as number": (change(*FIRST, "locked", to=1), "true or false"),
    "score as text": (change(*FIRST, "score", to="good"), "score"),
    "label as number": (change(*FIRST, "label", to=7), "label"),
    "label null": (change(*FIRST, "label", to=None), "label"),
    "click as list": (change(*FIRST, "clicks", 0, to=[0, 0]), "an object"),
    "click without lat": (change(*FIRST, "clicks", 0, "lat", to=...), "'lat'"),
    "click at a huge whole number": (change(*FIRST, "clicks", 0, "lon", to=10**400), "lon"),
    "box as list": (change(*FIRST, "box", to=[0, 0, 1, 1]), "an object"),
    "box without a side": (change(*FIRST, "box", "north", to=...), "'north'"),
    "mask missing": (change(*FIRST, "mask", to=...), "'mask'"),
    "mask null": (change(*FIRST, "mask", to=None), "an object"),
    "mask beyond the bottom": (change(*FIRST, "mask", "rows", to=17), "rows"),
    "mask too wide": (change(*FIRST, "mask", "cols", to=33), "cols"),
    "mask at a column outside": (change(*FIRST, "mask", "col", to=32), "col"),
    "mask with a wrong count": (change(*FIRST, "mask", "count", to=1), "mask of segment 1"),
    "mask with a count beyond its box": (change(*FIRST, "mask", "count", to=10**6), "count"),
    "mask with a negative row": (change(*FIRST, "mask", "row", to=-1), "row"),
    "data not base64": (change("masks", "1", to="###"), "base64"),
    "data not ASCII": (change("masks", "1", to="дверь"), "base64"),
    "data as number": (change("masks", "1", to=1), "masks.1"),
    "data not deflated": (change("masks", "1", to="AAAA"), "mask of segment 1"),
    "data cut short": (change("masks", "1", to=bomb(20)[:12]), "mask of segment 1"),
    "data too short": (change("masks", "1", to=bomb(1)), "mask of segment 1"),
    "deflate bomb": (change("masks", "1", to=bomb(50_000_000)), "mask of segment 1"),
    "no data": (change("masks", "1", to=...), "'1'"),
    "data of nobody": (change("masks", "99", to=""), "99"),
    "masks as list": (change("masks", to=[]), "masks to be an object"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_gets_one_sentence_that_ends_with_its_path(name, tmp_path):
    edit, words = HOSTILE[name]
    values = json.loads(encode(some_annotation()))
    edit(values)
    path = tmp_path / "hall.png.pano.json"
    path.write_text(json.dumps(values))
    before = path.read_bytes()
    with pytest.raises(ProjectError, match=words) as caught:
        read_annotation(path)
    message = str(caught.value)
    assert message.endswith(f": {path}")
    assert "\n" not in message
    assert len(message) < 400
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


RAW = {
    "nothing": (b"", "JSON"),
    "not UTF-8": (b'{"format": "\xff\xfe"}', "UTF-8"),
    "UTF-16": ('{"format": "panoviewer-annotation"}'.encode("utf-16"), "UTF-8"),
    "a list": (b"[]", "an object"),
    "null": (b"null", "an object"),
    "NaN": (b'{"version": NaN}', "finite"),
    "infinity": (b'{"version": -Infinity}', "finite"),
    "a number beyond floats": (b'{"format": "panoviewer-annotation", "version": 1e999}', "version"),
    "too many digits": (b'{"version": ' + b"9" * 5000 + b"}", "JSON"),
    "a name twice": (b'{"version": 1, "version": 2}', "every name once"),
    "deep nesting": (b"[" * 100_000, "JSON|levels"),
    "deep nesting of objects": (b'{"a":' * 100_000, "levels"),
    "half a file": (encode(some_annotation())[:900], "JSON"),
    "half a surrogate pair": (
        encode(some_annotation()).replace(b'"label": "door"', b'"label": "\\ud800"'), "surrogate"
    ),
    "a million empty lists": (b'{"a": [' + b"[]," * 5_000_000 + b"0]}", "values in a file"),
    "a million equal names": (b'{"a": 1' + b',"b": 1' * 300_000 + b"}", "every name once"),
    "an infinite click": (encode(some_annotation()).replace(b'"lon": 0.1', b'"lon": 1e999'), "finite"),
    "zeros": (bytes(4096), "JSON"),
}  # fmt: skip


@pytest.mark.parametrize("name", RAW)
def test_what_is_no_annotation_file_gets_one_sentence(name, tmp_path):
    data, words = RAW[name]
    path = tmp_path / "hall.png.pano.json"
    path.write_bytes(data)
    with pytest.raises(ProjectError, match=words) as caught:
        read_annotation(path)
    assert str(caught.value).endswith(f": {path}")
    assert len(str(caught.value)) < 500


def test_a_file_that_is_too_large_is_not_even_read(tmp_path):
    path = tmp_path / "hall.png.pano.json"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(ProjectError, match="at most 256 MiB"):
        read_annotation(path)


def test_masks_that_together_unpack_to_too_much_are_refused_before_the_first_is(tmp_path):
    annotation = some_annotation(0)
    values = json.loads(encode(annotation))
    values["photo"] |= {"height": 400_000, "width": 800_000}
    box = {"row": 0, "col": 0, "rows": 400_000, "cols": 800_000, "count": 1}
    plain = json.loads(encode(some_annotation(1)))["segments"][0]
    values["segments"] = [plain | {"mask": box}]
    values["masks"] = {"1": bomb(1000)}
    began, _ = own_seconds()
    with pytest.raises(FieldError, match="pixels"):
        decode(json.dumps(values).encode())
    assert own_seconds()[0] - began < 30


def test_a_mask_that_the_free_memory_does_not_hold_is_refused_before_it_is_unpacked(monkeypatch):
    asked = []
    monkeypatch.setattr(format_, "default_memory_budget", lambda: asked.append(1) or 200_000_000)
    decode(encode(some_annotation()))
    assert not asked
    values = json.loads(encode(some_annotation(1)))
    values["photo"] |= {"height": 8192, "width": 16384}
    values["segments"][0]["mask"] = {"row": 0, "col": 0, "rows": 8192, "cols": 16384, "count": 1}
    with pytest.raises(FieldError, match=r"403 MB of free memory for the largest mask \(close other programs\), got"):
        decode(json.dumps(values).encode())
    assert asked == [1]


def test_a_bomb_takes_no_more_memory_than_its_box(tmp_path):
    values = json.loads(encode(some_annotation()))
    values["masks"]["1"] = bomb(200_000_000)
    data = json.dumps(values).encode()
    tracemalloc.start()
    with pytest.raises(FieldError, match="mask of segment 1"):
        decode(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * len(data) < 20_000_000


def test_a_photograph_that_is_annotated_without_labels_leaves_no_project_file(tmp_path):
    panorama = open_photo(tmp_path)
    open_scene(panorama, tmp_path).save(replace(some_scene(panorama), labels=()))
    assert not (tmp_path / "panoviewer.project.json").exists()
    open_scene(panorama, tmp_path).save(some_scene(panorama))
    assert read_project_file(tmp_path).labels == some_scene(panorama).labels


def test_a_file_for_a_picture_of_another_size_is_refused_before_a_mask_is_unpacked(tmp_path):
    panorama = open_photo(tmp_path)
    values = json.loads(encode(some_annotation()))
    values["photo"] |= {"height": 2 * HEIGHT, "width": 2 * WIDTH}
    annotation_path(panorama.path).write_text(json.dumps(values))
    with pytest.raises(ProjectError, match="32 x 16, got '64 x 32'"):
        open_scene(panorama)


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_ordinary_file_is_neither_read_nor_written(kind, tmp_path):
    outside = tmp_path / "outside.json"
    outside.write_bytes(encode(some_annotation()))
    folder = tmp_path / "project"
    folder.mkdir()
    panorama = open_photo(folder)
    path = annotation_path(panorama.path)
    if kind == "link":
        path.symlink_to(outside)
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    before = outside.read_bytes()
    with pytest.raises(ProjectError):
        read_annotation(path)
    with pytest.raises(ProjectError):
        open_scene(panorama)
    with pytest.raises(ProjectError):
        write_annotation(path, some_annotation(1))
    assert outside.read_bytes() == before


def test_the_journal_and_the_previous_generation_are_not_written_through_links(tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    folder = tmp_path / "project"
    folder.mkdir()
    panorama = open_photo(folder)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    (folder / "hall.png.pano.json.bak").symlink_to(outside)
    with pytest.raises(ProjectError, match="link"):
        file.save(some_scene(panorama, 2))
    file.close(discard=True)
    (folder / ".hall.png.pano.journal").symlink_to(outside)
    again = open_scene(panorama)
    assert "link" in again.notes[0]
    again.record("Add segment", some_scene(panorama, 2))
    assert open_scene(panorama).recovery.edits == 1
    assert outside.read_bytes() == b"precious"


def test_the_project_file_comes_back(tmp_path):
    project = ProjectFile(
        labels=(Label("door", (1, 2, 3)), Label("дверь", (0, 0, 0))),
        renames=(Rename("a", "b"), Rename("b", "c")),
        settings={"camera_height": 1.6, "name": "House", "count": 3, "tripod": True},
    )
    write_project_file(tmp_path, project)
    read = read_project_file(tmp_path)
    assert (read.labels, read.renames, dict(read.settings)) == (project.labels, project.renames, project.settings)
    assert encode_project(read) == (tmp_path / "panoviewer.project.json").read_bytes()


@pytest.mark.parametrize(
    ("change_", "words"),
    [
        (change("version", to=9), "update PanoViewer"),
        (change("labels", to=[{"name": "a", "color": "#000000"}] * 2), "names of labels"),
        (change("renames", to=[{"old": "a"}]), "'new'"),
        (change("settings", to=[]), "an object"),
        (change("settings", to={"a": {}}), "a number"),
        (change("settings", to={"a": None}), "a number"),
        (change("settings", to={str(n): n for n in range(2000)}), "1000 settings"),
        (change("extra", to=0), "extra"),
    ],
)
def test_a_hostile_project_file_gets_a_sentence(change_, words, tmp_path):
    values = json.loads(encode_project(ProjectFile()))
    change_(values)
    (tmp_path / "panoviewer.project.json").write_text(json.dumps(values))
    with pytest.raises(ProjectError, match=words) as caught:
        read_project_file(tmp_path)
    assert str(caught.value).endswith("panoviewer.project.json")
