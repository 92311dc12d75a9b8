"""Annotations come back: what was exported, what other tools wrote, and what nobody should have written."""

import base64
import io
import json
import math
import os
import shutil
import struct
import subprocess
import tracemalloc
import venv

import numpy as np
import pytest
from annotated_samples import HEIGHT, LABELS, WIDTH, all_masks, annotate, sample_project, segments_of, write_picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

from core.errors import PanoError, ProjectError
from core.export.annotated import DatasetOptions
from core.export.datasets import export_project
from core.io.imported import ImportedMask, united
from core.io.importing import IMPORTERS, import_annotations
from core.io.journal import journal_path
from core.io.lock import lock_project
from core.io.project import read_project
from core.io.project_file import read_project_file
from core.io.scene_file import annotation_path, previous_path, read_annotation
from core.scene import Review


def exported(tmp_path, form):
    """A project, its export, and a second project with the same photographs and nothing else."""
    project = sample_project(tmp_path / "in")
    export_project(project, form, tmp_path / "out")
    for name in ("hall.png", "deep/attic.jpg"):
        (tmp_path / "new" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / "in" / name, tmp_path / "new" / name)
    file = tmp_path / "out" / "instances.json" if form == "coco" else tmp_path / "out"
    return tmp_path / "in", file, tmp_path / "new"


@pytest.mark.parametrize("form", IMPORTERS)
def test_what_was_exported_comes_back_pixel_for_pixel(tmp_path, form):
    before, file, after = exported(tmp_path, form)
    report = import_annotations(file, form, after)
    assert (report.panoramas, report.segments, report.failed) == (2, len(all_masks()) + 1, ())
    for name in ("hall.png", "deep/attic.jpg"):
        old, new = (read_annotation(annotation_path(folder / name)) for folder in (before, after))
        assert new.photo == old.photo
        for one, other in zip(old.segments, new.segments, strict=True):
            assert other.mask.same_as(one.mask)
            assert other.mask.iou(one.mask) == 1.0
            for field in ("number", "label", "group", "locked", "review", "model"):
                assert getattr(other, field) == getattr(one, field), field
            assert repr(other.score) == repr(one.score)
    assert {label.name for label in read_project_file(after).labels} == {label.name for label in LABELS}
    if form == "coco":
        assert read_project_file(after).labels == LABELS
    assert not list(after.glob(".panoviewer.lock*"))


@pytest.mark.parametrize("form", IMPORTERS)
def test_a_part_of_the_sphere_comes_back_where_it_was(tmp_path, form):
    path = write_picture(tmp_path / "in" / "part.png", 24, WIDTH)
    annotate(path, segments_of({"plain": all_masks()["plain"]}), assume="crop")
    export_project(read_project(path), form, tmp_path / "out", DatasetOptions(assume="crop"))
    before = read_annotation(annotation_path(path)).segments[0].mask
    file = tmp_path / "out" / ("instances.json" if form == "coco" else "part.json")
    import_annotations(file, form, tmp_path / "in", replace_existing=True, assume="crop")
    assert read_annotation(annotation_path(path)).segments[0].mask.same_as(before)
    (sentence,) = import_annotations(file, form, tmp_path / "in", replace_existing=True).failed
    assert "--assume" in sentence


def test_annotations_that_exist_are_only_replaced_on_request_and_are_kept(tmp_path):
    before, file, _ = exported(tmp_path, "coco")
    old = (before / "hall.png.pano.json").read_bytes()
    report = import_annotations(file, "coco", before)
    assert report.panoramas == 0
    assert all("has annotations already" in sentence and "--replace" in sentence for sentence in report.failed)
    assert (before / "hall.png.pano.json").read_bytes() == old
    assert import_annotations(file, "coco", before, replace_existing=True).panoramas == 2
    assert previous_path(before / "hall.png.pano.json").read_bytes() == old
    journal_path(before / "hall.png.pano.json").write_bytes(b"x")
    (sentence,) = import_annotations(file, "coco", before, replace_existing=True).failed
    assert "edits that are not saved" in sentence


def test_a_locked_project_is_left_alone(tmp_path):
    _, file, after = exported(tmp_path, "coco")
    with lock_project(after), pytest.raises(ProjectError, match="open in another"):
        import_annotations(file, "coco", after)
    assert not list(after.rglob("*.pano.json"))


def test_photographs_are_found_beside_the_file_or_where_one_says_and_copied(tmp_path):
    before, file, _ = exported(tmp_path, "labelme")
    report = import_annotations(file / "hall.json", "labelme", tmp_path / "fresh", pictures=before)
    assert report.dropped[0] == "Pictures that are copied into the project: 1."
    assert (tmp_path / "fresh" / "hall.png").read_bytes() == (before / "hall.png").read_bytes()
    assert read_project(tmp_path / "fresh").entries[0].outline.segments.total() == len(all_masks())
    shutil.copy(before / "hall.png", file / "hall.png")
    assert import_annotations(file / "hall.json", "labelme", tmp_path / "other").panoramas == 1
    (sentence,) = import_annotations(file / "deep" / "attic.json", "labelme", tmp_path / "third").failed
    assert "'../../in/deep/attic.jpg' lies neither in the project nor beside the file" in sentence


def coco_file(**changes):
    """A small valid file; `changes` replace fields of its annotation, or of the file when they are its own."""
    square = [3.2, 4.0, 9.7, 4.0, 9.7, 12.0, 3.2, 12.0]
    annotation = {"id": 1, "image_id": 5, "category_id": 7, "segmentation": [square], "iscrowd": 0, "area": 1.5}
    content = {
        "images": [{"id": 5, "file_name": "hall.png", "height": HEIGHT, "width": WIDTH}],
        "annotations": [annotation],
        "categories": [{"id": 7, "name": "table"}],
    }
    for name, value in changes.items():
        (content if name in content else annotation)[name] = value
    return content


def imported(tmp_path, content, form="coco", name="file.json"):
    """Segments of the one photograph, or the sentence that says why there are none."""
    if not (tmp_path / "new" / "hall.png").exists():
        write_picture(tmp_path / "new" / "hall.png")
    file = tmp_path / "given" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    report = import_annotations(file, form, tmp_path / "new", replace_existing=True)
    if report.failed:
        raise ProjectError(report.failed[0])
    path = annotation_path(tmp_path / "new" / "hall.png")
    return read_annotation(path).segments if path.exists() else ()


def test_polygons_of_others_hold_the_pixels_whose_centres_they_hold(tmp_path):
    (segment,) = imported(tmp_path, coco_file())
    bits = np.zeros((HEIGHT, WIDTH), bool)
    bits[4:12, 3:10] = True
    np.testing.assert_array_equal(segment.mask.unpack(), bits)
    assert (segment.number, segment.label, segment.review) == (1, "table", Review.OPEN)


def test_the_parts_of_a_mask_are_joined_one_by_one():
    masks = (ImportedMask(row, 0, np.ones((2, 1000), np.bool_)) for row in range(0, 900, 3))
    joined = united(masks)
    assert (joined.row, joined.bits.shape) == (0, (899, 1000))
    np.testing.assert_array_equal(joined.bits.all(axis=1), np.arange(899) % 3 < 2)
    # Three hundred strips of the whole picture, as a mask of many parts may have, would be a hundred times as much.
    large = [np.ones((900, 1000), np.bool_)] * 300
    tracemalloc.start()
    united(ImportedMask(0, 0, bits.copy()) for bits in large)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * large[0].nbytes


@pytest.mark.parametrize("compressed", [True, False])
def test_run_lengths_of_others_are_read(tmp_path, compressed):
    bits = all_masks()["hole"]
    found = coco_mask.encode(np.asfortranarray(bits.view(np.uint8)))
    counts = found["counts"].decode()
    if not compressed:
        flat = np.concatenate([[False], bits.T.ravel(), [not bits[-1, -1]]])
        ends = np.flatnonzero(flat[1:] != flat[:-1])
        counts = np.diff(ends, prepend=0).tolist()
    (segment,) = imported(tmp_path, coco_file(segmentation={"size": [HEIGHT, WIDTH], "counts": counts}))
    np.testing.assert_array_equal(segment.mask.unpack(), bits)


def test_boxes_without_masks_are_counted_and_left_out(tmp_path):
    write_picture(tmp_path / "hall.png")
    content = coco_file()
    content["annotations"].append({"id": 2, "image_id": 5, "category_id": 7, "bbox": [0, 0, 3, 3], "segmentation": []})
    (tmp_path / "file.json").write_text(json.dumps(content))
    report = import_annotations(tmp_path / "file.json", "coco", tmp_path)
    assert report.segments == 1
    assert "Shapes without a mask that are left out: 1." in report.dropped


def labelme_file(**changes):
    png = io.BytesIO()
    Image.fromarray(np.array([[0, 1, 1], [1, 0, 1]], np.uint8)).save(png, "PNG")
    shape = {
        "label": "table", "points": [[3, 4], [5, 5]], "group_id": 2, "shape_type": "mask", "flags": {},
        "mask": base64.b64encode(png.getvalue()).decode(),
    }  # fmt: skip
    content = {
        "version": "5.5.0", "flags": {}, "shapes": [shape], "imagePath": "hall.png", "imageData": None,
        "imageHeight": HEIGHT, "imageWidth": WIDTH,
    }  # fmt: skip
    for name, value in changes.items():
        (content if name in content else shape)[name] = value
    return content


@pytest.mark.parametrize(
    ("changes", "inside"),
    [
        ({}, {(4, 4), (4, 5), (5, 3), (5, 5)}),
        ({"points": [[5.0, 5.0], [3.0, 4.0]]}, {(4, 4), (4, 5), (5, 3), (5, 5)}),
        ({"shape_type": "rectangle", "points": [[3, 4], [6, 6]]}, {(r, c) for r in (4, 5) for c in (3, 4, 5)}),
        (
            {"shape_type": "polygon", "points": [[3, 4], [6, 4], [6, 6], [3, 6]]},
            {(r, c) for r in (4, 5) for c in (3, 4, 5)},
        ),
        ({"shape_type": "circle", "points": [[4.5, 4.5], [5.4, 4.5]]}, {(4, 4)}),
    ],
)
def test_shapes_of_labelme_become_masks(tmp_path, changes, inside):
    (segment,) = imported(tmp_path, labelme_file(**changes), "labelme")
    assert {(int(row), int(col)) for row, col in np.argwhere(segment.mask.unpack())} == inside
    assert (segment.label, segment.group) == ("table", 2)


def test_lines_and_points_are_counted_and_left_out(tmp_path):
    write_picture(tmp_path / "hall.png")
    (tmp_path / "file.json").write_text(json.dumps(labelme_file(shape_type="linestrip")))
    report = import_annotations(tmp_path / "file.json", "labelme", tmp_path)
    assert "Shapes of the kind linestrip that are left out: 1." in report.dropped
    assert report.panoramas == 0


huge = {"size": [HEIGHT, WIDTH], "counts": [2**40]}


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("coco", b""),
        ("coco", b"\xff\xfe"),
        ("coco", b"[]"),
        ("coco", b"[" * 100_000),
        ("coco", b'{"images": NaN}'),
        ("coco", {"images": []}),
        ("coco", coco_file(images=[{"id": 5, "file_name": "hall.png", "height": 10**9, "width": 10**9}])),
        ("coco", coco_file(images=[{"id": 5, "file_name": "hall.png", "height": 32, "width": 64}])),
        ("coco", coco_file(images=[{"id": 5, "file_name": "../secret.png", "height": HEIGHT, "width": WIDTH}])),
        ("coco", coco_file(images=[{"id": 5, "file_name": "/etc/passwd", "height": HEIGHT, "width": WIDTH}])),
        ("coco", coco_file(images=[{"id": 5, "file_name": "a\0b.png", "height": HEIGHT, "width": WIDTH}])),
        ("coco", coco_file(images=[{"id": 5, "file_name": "x" * 300 + ".png", "height": HEIGHT, "width": WIDTH}])),
        ("coco", coco_file(images=[])),
        ("coco", coco_file(image_id=6)),
        ("coco", coco_file(category_id=6)),
        ("coco", coco_file(category_id=True)),
        ("coco", coco_file(segmentation=[["1", "2"] * 4])),
        ("coco", coco_file(segmentation=[[10**400, 1, 2, 3, 4, 5]])),
        ("coco", coco_file(segmentation=[[1e300, 1, 2, 3, 4, 5]])),
        ("coco", coco_file(segmentation=[1, 2, 3])),
        ("coco", coco_file(segmentation=[[1, 2, 3]])),
        ("coco", coco_file(segmentation="masks")),
        ("coco", coco_file(segmentation=huge)),
        ("coco", coco_file(segmentation={**huge, "counts": [HEIGHT * WIDTH - 1]})),
        ("coco", coco_file(segmentation={**huge, "counts": [-1, HEIGHT * WIDTH + 1]})),
        ("coco", coco_file(segmentation={**huge, "counts": "not counts \u20ac"})),
        ("coco", coco_file(segmentation={"size": [1, 2], "counts": [2]})),
        ("coco", coco_file(segmentation={"size": "big", "counts": [2]})),
        ("labelme", {"shapes": []}),
        ("labelme", labelme_file(shapes={"a": 1})),
        ("labelme", labelme_file(imageHeight=32)),
        ("labelme", labelme_file(imageHeight=True)),
        ("labelme", labelme_file(imageHeight=10**9, imageWidth=10**9)),
        ("labelme", labelme_file(imagePath="..\\..\\secret.png")),
        ("labelme", labelme_file(label=7)),
        ("labelme", labelme_file(mask=None)),
        ("labelme", labelme_file(mask="no base64!")),
        ("labelme", labelme_file(mask="aGVsbG8=")),
        ("labelme", labelme_file(points=[[3, 4], [9, 9]])),
        ("labelme", labelme_file(points=[[3, 4], [3, 10**400]])),
        ("labelme", labelme_file(points=[[WIDTH - 1, 4], [WIDTH + 1, 5]])),
        ("labelme", labelme_file(points=[])),
        ("labelme", labelme_file(points=[[1, 2, 3], [4, 5, 6]])),
        ("labelme", labelme_file(shape_type="polygon", points=[[1, 2], [3, 4]])),
        ("labelme", labelme_file(shape_type="circle", points=[[1, 2], [1e308, -1e308]])),
        ("labelme", labelme_file(shape_type="rectangle", points=[[1, 2]])),
    ],
)
def test_a_hostile_file_is_one_sentence_and_writes_nothing(tmp_path, form, content):
    write_picture(tmp_path / "secret.png")
    with pytest.raises(PanoError) as told:
        imported(tmp_path, content, form)
    assert len(str(told.value).splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given", "new", "secret.png"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["hall.png"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path):
    write_picture(tmp_path / "elsewhere" / "hall.png")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "hall.png").symlink_to(tmp_path / "elsewhere" / "hall.png")
    (tmp_path / "file.json").write_text(json.dumps(coco_file()))
    (sentence,) = import_annotations(tmp_path / "file.json", "coco", tmp_path / "new").failed
    assert "lies neither in the project" in sentence


def test_a_picture_of_a_mask_is_refused_by_its_header_however_large_it_says_it_is(tmp_path):
    data = bytearray(base64.b64decode(labelme_file()["shapes"][0]["mask"]))
    data[16:24] = struct.pack(">II", 20_000, 20_000)
    with pytest.raises(ProjectError, match="a mask of 3 x 2, got '20000 x 20000'"):
        imported(tmp_path, labelme_file(mask=base64.b64encode(data).decode()), "labelme")


def test_fields_that_others_use_differently_are_passed_over(tmp_path):
    strange = {"number": "seven", "group": -1, "score": True, "review": ["open"], "model": 3, "locked": "no"}
    for extras in (strange, [1, 2], "text", None):
        (segment,) = imported(tmp_path, coco_file(attributes=extras))
        assert (segment.number, segment.group, segment.locked, segment.model) == (1, 0, False, "")
        assert math.isnan(segment.score)


def test_numbers_that_come_twice_are_given_anew(tmp_path):
    content = coco_file(attributes={"number": 9})
    content["annotations"] *= 2
    assert [segment.number for segment in imported(tmp_path, content)] == [1, 2]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value, path=()):
    """Paths to all values within a value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*path, key))


@pytest.mark.parametrize("form", IMPORTERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_whatever_stands_in_a_file_it_is_read_or_refused_with_a_sentence(tmp_path, form, data):
    content = coco_file() if form == "coco" else labelme_file()
    path = data.draw(st.sampled_from([path for path in places(content) if path]))
    target = content
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = data.draw(values)
    text = json.dumps(content).encode()
    sentence = ""
    try:
        imported(tmp_path, data.draw(st.sampled_from([text, text[: len(text) // 2], text[::-1]])), form)
    except PanoError as error:
        sentence = str(error)
    assert len(sentence.splitlines()) <= 1
    assert not any(entry.problem for entry in read_project(tmp_path / "new").entries)


READER = """
import sys
import numpy as np
from labelme import LabelFile
height, width = map(int, sys.argv[2:4])
masks = []
for shape in LabelFile(sys.argv[1]).shapes:
    (x0, y0), (x1, y1) = shape["points"]
    mask = np.zeros((height, width), bool)
    mask[y0 : y1 + 1, x0 : x1 + 1] = shape["mask"]
    masks.append(mask)
np.save(sys.argv[4], np.stack(masks))
"""


@pytest.mark.slow
def test_labelme_itself_reads_every_mask_pixel_for_pixel(tmp_path):
    # labelme brings a Qt of its own, so it gets an environment of its own.
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    got = subprocess.run([python, "-m", "pip", "install", "labelme"], capture_output=True, text=True, check=False)
    if got.returncode:
        pytest.skip(f"labelme cannot be installed here: {got.stderr.strip()[-200:]}")
    export_project(sample_project(tmp_path / "in"), "labelme", tmp_path / "out")
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    arguments = [tmp_path / "out" / "hall.json", HEIGHT, WIDTH, tmp_path / "masks.npy"]
    done = subprocess.run(
        [python, "-c", READER, *map(str, arguments)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "masks.npy"), np.stack(list(all_masks().values())))
