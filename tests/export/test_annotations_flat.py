"""Annotations in the formats of flat pictures, read back by others' readers and by hand."""

import base64
import errno
import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from annotated_samples import (
    HEIGHT,
    LABELS,
    WIDTH,
    all_masks,
    annotate,
    disc,
    sample_project,
    segments_of,
    write_picture,
)
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from core.errors import ExportError, ProjectError
from core.export.annotated import DatasetOptions
from core.export.coco import segmentation
from core.export.datasets import DATASETS, export_project
from core.geometry.shapes import polygon
from core.geometry.sphere import lonlat_to_directions
from core.io.folder import EXPORT_MARKER
from core.io.picture_grid import FlatMask
from core.io.project import read_project
from core.mask import SphereMask
from core.progress import Cancelled
from core.scene import Review


def decoded(annotation, height=HEIGHT, width=WIDTH):
    """A mask as pycocotools understands it."""
    found = annotation["segmentation"]
    if isinstance(found, list):
        found = coco_mask.merge(coco_mask.frPyObjects(found, height, width))
    return coco_mask.decode(found).astype(bool)


def test_pycocotools_finds_every_mask_pixel_for_pixel(tmp_path, capsys):
    report = export_project(sample_project(tmp_path / "in"), "coco", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["instances.json"]
    coco = COCO(str(tmp_path / "out" / "instances.json"))
    capsys.readouterr()
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["door", LABELS[1].name, "unlabelled"]
    images = {image["file_name"]: image for image in coco.loadImgs(coco.getImgIds())}
    assert set(images) == {"hall.png", "deep/attic.jpg"}
    hall = coco.loadAnns(coco.getAnnIds(imgIds=images["hall.png"]["id"]))
    for (name, bits), annotation in zip(all_masks().items(), hall, strict=True):
        np.testing.assert_array_equal(coco.annToMask(annotation), bits, err_msg=name)
        assert annotation["area"] == bits.sum()
        assert annotation["bbox"] == coco_mask.toBbox(coco.annToRLE(annotation)).tolist()
        assert annotation["iscrowd"] == 0
        is_polygon = isinstance(annotation["segmentation"], list)
        assert is_polygon == (name in ("plain", "parts", "covered")), name
    assert report.panoramas == 2
    assert report.segments == len(all_masks()) + 1
    assert "Without annotations and left out: 1 panorama." in report.dropped
    assert "Clicks and boxes are left out of 4 segments." in report.dropped


def test_coco_says_where_on_the_sphere_an_object_lies(tmp_path):
    export_project(sample_project(tmp_path / "in"), "coco", tmp_path / "out")
    content = json.loads((tmp_path / "out" / "instances.json").read_text())
    found = {annotation["attributes"]["number"]: annotation for annotation in content["annotations"][1:]}
    seam = found[2]
    assert seam["bbox"][2] == WIDTH
    x, y, width, height = seam["attributes"]["wrapped_bbox"]
    assert x + width > WIDTH
    assert (y, height) == (seam["bbox"][1], seam["bbox"][3])
    assert seam["attributes"]["solid_angle_sr"] == pytest.approx(2 * np.pi * (1 - np.cos(np.radians(20))), rel=0.02)
    bfov = seam["attributes"]["bfov"]
    assert (bfov["lon"], bfov["lat"]) == (pytest.approx(178, abs=2), pytest.approx(-5, abs=2))
    assert (bfov["fov_w"], bfov["fov_h"]) == (pytest.approx(40, abs=6), pytest.approx(40, abs=6))
    assert seam["attributes"]["centroid"]["lon"] == pytest.approx(178, abs=1)
    assert "wrapped_bbox" not in found[1]["attributes"]
    assert found[1]["attributes"]["review"] == "accepted"


@given(arrays.arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8))), st.integers(0, 2), st.integers(0, 2))
def test_polygons_and_run_lengths_are_the_same_pixels_to_pycocotools(bits, above, left):
    whole = np.pad(bits, ((above, 1), (left, 2)))
    flat = FlatMask.of(bits, above, left, whole.shape)
    if not flat.is_empty:
        np.testing.assert_array_equal(decoded({"segmentation": segmentation(flat)}, *whole.shape), whole)


def test_a_mask_of_labelme_is_a_picture_of_its_box(tmp_path):
    project = sample_project(tmp_path / "in")
    export_project(project, "labelme", tmp_path / "out")
    content = json.loads((tmp_path / "out" / "hall.json").read_text())
    assert (tmp_path / "out" / content["imagePath"]).resolve() == tmp_path / "in" / "hall.png"
    assert (content["imageHeight"], content["imageWidth"], content["imageData"]) == (HEIGHT, WIDTH, None)
    for (name, bits), shape in zip(all_masks().items(), content["shapes"], strict=True):
        (x0, y0), (x1, y1) = shape["points"]
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"]))))
        assert picture.shape == (y1 - y0 + 1, x1 - x0 + 1)
        restored = np.zeros_like(bits)
        restored[y0 : y1 + 1, x0 : x1 + 1] = picture
        np.testing.assert_array_equal(restored, bits, err_msg=name)
    assert (tmp_path / "out" / "deep" / "attic.json").is_file()


def test_lines_of_yolo_are_the_parts_within_a_pixel(tmp_path):
    report = export_project(sample_project(tmp_path / "in"), "yolo", tmp_path / "out")
    lines = (tmp_path / "out" / "labels" / "hall.txt").read_text().splitlines()
    drawn = {}
    for line in lines:
        number, *shares = line.split()
        corners = np.array(shares, float).reshape(-1, 2)
        assert ((corners >= 0) & (corners <= 1)).all()
        canvas = np.zeros((HEIGHT * 8, WIDTH * 8), np.uint8)
        cv2.fillPoly(canvas, [np.rint(corners * (WIDTH * 8, HEIGHT * 8)).astype(int)], 1)
        drawn.setdefault(int(number), []).append(canvas.reshape(HEIGHT, 8, WIDTH, 8).mean((1, 3)) > 0.5)
    for number, names in {1: ["plain", "parts", "band"], 0: ["hole", "south", "dotted"], 2: ["seam", "north"]}.items():
        for name in names:
            bits = all_masks()[name]
            filled = bits if name != "hole" else disc(90, 20, 25)
            inside = [mask for mask in drawn[number] if (mask & filled).any()]
            if name != "dotted":
                union = np.any(inside, axis=0)
                assert (union & filled).sum() / (union | filled).sum() > 0.8, name
    data = (tmp_path / "out" / "data.yaml").read_text()
    assert '  0: "door"\n  1: "Окно & <b>"\n' in data
    assert (tmp_path / "out" / "images" / "hall.png").read_bytes() == (tmp_path / "in" / "hall.png").read_bytes()
    dropped = " ".join(report.dropped)
    for said in ("Holes are filled in 2 segments", "Cut at the seam: 5 segments", "simplified by up to 0.5 pixel"):
        assert said in dropped, said


def test_cvat_gets_run_lengths_along_the_rows_of_each_box(tmp_path):
    export_project(sample_project(tmp_path / "in"), "cvat", tmp_path / "out")
    root = ET.parse(tmp_path / "out" / "annotations.xml").getroot()
    assert root.findtext("version") == "1.1"
    assert [name.text for name in root.findall("meta/task/labels/label/name")] == ["door", LABELS[1].name, "unlabelled"]
    image = next(image for image in root.findall("image") if image.get("name") == "hall.png")
    assert (image.get("width"), image.get("height")) == (str(WIDTH), str(HEIGHT))
    for (name, bits), mask in zip(all_masks().items(), image.findall("mask"), strict=True):
        left, top, width, height = (int(mask.get(side)) for side in ("left", "top", "width", "height"))
        lengths = [int(length) for length in mask.get("rle").split(", ")]
        values = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(height, width)
        restored = np.zeros_like(bits)
        restored[top : top + height, left : left + width] = values
        np.testing.assert_array_equal(restored, bits, err_msg=name)


def test_outlines_on_the_sphere_hold_every_pixel_that_is_not_at_their_border(tmp_path):
    export_project(sample_project(tmp_path / "in"), "spherical", tmp_path / "out")
    content = json.loads((tmp_path / "out" / "hall.spherical.json").read_text())
    assert content["photo"]["file"] == "hall.png"
    assert content["tolerance_deg"] == pytest.approx(180 / HEIGHT / 2)
    for (name, bits), segment in zip(all_masks().items(), content["segments"], strict=True):
        drawn = np.zeros_like(bits)
        for part in segment["polygons"]:
            drawn |= filled(part["outer"])
            for hole in part["holes"]:
                drawn &= ~filled(hole)
        mask, other = SphereMask.pack(bits), SphereMask.pack(drawn)
        if name == "band":
            # Its two borders are the outline and the hole of a ring around the sphere.
            assert [len(part["holes"]) for part in segment["polygons"]] == [1]
        elif name != "dotted":
            assert (mask.eroded(np.radians(4)) - other).is_empty, name
            assert (other - mask.dilated(np.radians(4))).is_empty, name
        assert segment["solid_angle_sr"] == pytest.approx(mask.solid_angle())


def filled(corners):
    """What is inside of a polygon of [lon, lat] in degrees, by another module."""
    lon, lat = np.radians(np.array(corners)).T
    row, col, inside = polygon(HEIGHT, WIDTH, lonlat_to_directions(lon, lat))
    return SphereMask.from_window(HEIGHT, WIDTH, row, col % WIDTH, inside).unpack()


def test_masks_are_pictures_of_the_photographs_size(tmp_path):
    report = export_project(sample_project(tmp_path / "in"), "masks", tmp_path / "out")
    folder = tmp_path / "out"
    names = json.loads((folder / "classes.json").read_text())
    assert names == {"1": "door", "2": LABELS[1].name, "3": "unlabelled"}
    segments = np.asarray(Image.open(folder / "hall.segments.png"))
    classes = Image.open(folder / "hall.classes.png")
    assert segments.dtype == np.uint16
    assert classes.mode == "P"
    assert classes.getpalette()[3:6] == [130, 60, 30]
    expected = np.zeros((HEIGHT, WIDTH), int)
    for number, bits in enumerate(all_masks().values(), 1):
        expected[bits] = number
        (path,) = (folder / "hall").glob(f"{number:04d}_*.png")
        np.testing.assert_array_equal(np.asarray(Image.open(path)), bits * 255)
    np.testing.assert_array_equal(segments, expected)
    np.testing.assert_array_equal(
        np.asarray(classes), np.array([0, 2, 3, 1])[np.where(expected, (expected - 1) % 3 + 1, 0)]
    )
    assert any("Covered in part by later ones" in sentence for sentence in report.dropped)


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_every_format_writes_the_same_bytes_twice_and_leaves_no_half_file(dataset, tmp_path):
    project = sample_project(tmp_path / "in")
    options = DatasetOptions(view_size=32)
    reports = [export_project(project, dataset.name, tmp_path / name, options) for name in ("a", "b")]
    contents = [
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file() and path.name != EXPORT_MARKER
        }
        for name in ("a", "b")
    ]
    assert contents[0] == contents[1]
    assert reports[0] == reports[1]
    assert reports[0].files == len(contents[0]) > 0
    assert not reports[0].failed
    assert all(sentence.endswith(".") for sentence in reports[0].dropped)
    assert not any(path.name.endswith(".part") for path in contents[0])


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_cancelling_an_export_leaves_only_complete_files(dataset, tmp_path):
    project = sample_project(tmp_path / "in")

    def stop(done, total):
        if done == 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        export_project(project, dataset.name, tmp_path / "out", DatasetOptions(view_size=32), progress=stop)
    for path in (tmp_path / "out").rglob("*.json"):
        json.loads(path.read_text())
    for path in (tmp_path / "out").rglob("*.png"):
        Image.open(path).load()


def test_a_part_of_the_sphere_gets_masks_in_its_own_pixels(tmp_path):
    path = write_picture(tmp_path / "part.png", 24, WIDTH)
    annotate(path, segments_of(all_masks()), assume="crop")
    report = export_project(read_project(path), "coco", tmp_path / "out", DatasetOptions(assume="crop"))
    content = json.loads((tmp_path / "out" / "instances.json").read_text())
    assert content["images"][0]["height"] == 24
    top = (HEIGHT - 24) // 2
    shown = [bits for bits in all_masks().values() if bits[top : top + 24].any()]
    for bits, annotation in zip(shown, content["annotations"], strict=True):
        np.testing.assert_array_equal(decoded(annotation, 24), bits[top : top + 24])
    assert any(sentence.startswith("What lies outside of the picture is cut off") for sentence in report.dropped)
    assert "Outside of what the picture shows and left out: 2 segments." in report.dropped
    unassumed = export_project(read_project(path), "coco", tmp_path / "other")
    assert unassumed.panoramas == 0
    assert "--assume" in unassumed.failed[0]


def test_what_is_rejected_or_has_another_label_stays_at_home_and_is_counted(tmp_path):
    path = write_picture(tmp_path / "hall.png")
    segments = segments_of(all_masks())
    rejected = (replace(segments[0], review=Review.REJECTED), *segments[1:])
    annotate(path, rejected)
    project = read_project(tmp_path)
    assert (
        export_project(project, "coco", tmp_path / "a").dropped[0]
        == "Rejected by the reviewer and left out: 1 segment."
    )
    kept = export_project(project, "coco", tmp_path / "b", DatasetOptions(with_rejected=True))
    assert kept.segments == len(segments)
    doors = export_project(project, "coco", tmp_path / "c", DatasetOptions(labels=("door",)))
    assert doors.segments == sum(segment.label == "door" for segment in segments)
    content = json.loads((tmp_path / "c" / "instances.json").read_text())
    assert [category["name"] for category in content["categories"]] == ["door"]
    with pytest.raises(ProjectError, match=r"labels of the project, .*door.*, got dor"):
        export_project(project, "coco", tmp_path / "d", DatasetOptions(labels=("dor",)))
    annotate(path, segments, review=Review.REJECTED)
    assert export_project(read_project(tmp_path), "coco", tmp_path / "e").panoramas == 0


def test_a_panorama_that_cannot_be_read_does_not_stop_the_rest(tmp_path):
    sample_project(tmp_path / "in")
    (tmp_path / "in" / "hall.png").write_bytes(b"no picture")
    report = export_project(read_project(tmp_path / "in"), "views", tmp_path / "out", DatasetOptions(view_size=16))
    assert report.panoramas == 1
    assert len(report.failed) == 1
    assert "hall.png" in report.failed[0]
    (tmp_path / "in" / "deep" / "attic.jpg.pano.json").write_text("{")
    assert len(export_project(read_project(tmp_path / "in"), "coco", tmp_path / "out").failed) == 2


def test_names_that_differ_only_in_their_ending_stay_apart(tmp_path):
    for name in ("a.png", "A.jpg", "b.png"):
        annotate(write_picture(tmp_path / "in" / name), segments_of({"seam": all_masks()["seam"]}))
    export_project(read_project(tmp_path / "in"), "labelme", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["A.jpg.json", "a.png.json", "b.json"]


def test_a_project_without_annotations_and_an_unknown_format_are_sentences(tmp_path):
    write_picture(tmp_path / "in" / "bare.png")
    project = read_project(tmp_path / "in")
    with pytest.raises(ProjectError, match="Expected annotated panoramas, found none"):
        export_project(project, "coco", tmp_path / "out")
    with pytest.raises(ExportError, match="coco, labelme, yolo"):
        export_project(project, "voc", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_annotation_file_is_a_project_of_one(tmp_path):
    sample_project(tmp_path / "in")
    for name in ("hall.png", "hall.png.pano.json"):
        report = export_project(read_project(tmp_path / "in" / name), "spherical", tmp_path / name)
        assert (report.panoramas, report.files) == (1, 1)


def test_a_photograph_that_cannot_be_read_is_not_told_as_a_file_that_cannot_be_written(tmp_path, monkeypatch):
    project = sample_project(tmp_path / "in")
    read_bytes = Path.read_bytes

    def broken(path):
        if path.name == "hall.png":
            raise OSError(errno.EIO, "Input/output error")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", broken)
    report = export_project(project, "yolo", tmp_path / "out")
    (sentence,) = report.failed
    assert sentence.startswith("The photograph cannot be read (Input/output error); ")
    assert sentence.endswith(str(tmp_path / "in" / "hall.png"))
    assert sorted(path.stem for path in (tmp_path / "out" / "labels").rglob("*.txt")) == ["attic"]
    assert not list((tmp_path / "out").rglob("hall*"))
