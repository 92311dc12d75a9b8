"""Perspective training sets, COLMAP rigs and SAM 2 videos: every pixel lies where its camera says."""

import json

import numpy as np
import pytest
from annotated_samples import HEIGHT, WIDTH, all_masks, annotate, sample_project, segments_of, write_picture
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

from core.errors import ExportError
from core.export.annotated import DatasetOptions
from core.export.colmap import quaternion
from core.export.datasets import export_project
from core.export.view_set import LAYOUTS
from core.geometry.camera import Camera, rotation_from_angles
from core.geometry.sphere import directions_to_lonlat, lonlat_to_pixels
from core.io.project import read_project

SIZE = 48


def seen_by(camera, bits):
    """What a camera sees of a mask: the pixel in which each of its rays ends."""
    rows, cols = lonlat_to_pixels(*directions_to_lonlat(camera.rays()), *bits.shape)
    return bits[rows, cols]


def camera_of(facts):
    angles = {name: np.radians(facts[f"{name}_deg"]) for name in ("yaw", "pitch", "roll", "fov_x")}
    return Camera(height=facts["height"], width=facts["width"], **angles)


def differing(a, b):
    """Share of pixels; those whose rays end on a border between two pixels may fall to either side."""
    return np.mean(a != b)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_masks_of_a_training_set_lie_where_their_cameras_look(tmp_path, layout):
    project = sample_project(tmp_path / "in")
    report = export_project(project, "views", tmp_path / "out", DatasetOptions(layout=layout, view_size=SIZE))
    about = json.loads((tmp_path / "out" / "cameras.json").read_text())
    coco = json.loads((tmp_path / "out" / "instances.json").read_text())
    count = len(LAYOUTS[layout](SIZE))
    assert len(about["views"]) == len(coco["images"]) == 2 * count
    assert {panorama["file"] for panorama in about["panoramas"]} == {"hall.png", "deep/attic.jpg"}
    masks = all_masks()
    images = {image["id"]: image for image in coco["images"]}
    by_file = {}
    for annotation in coco["annotations"]:
        image = images[annotation["image_id"]]
        found = annotation["segmentation"]
        if isinstance(found, list):
            found = coco_mask.merge(coco_mask.frPyObjects(found, SIZE, SIZE))
        by_file.setdefault(image["file_name"], {})[annotation["attributes"]["number"]] = coco_mask.decode(found) > 0
    for view in about["views"]:
        camera = camera_of(view)
        np.testing.assert_allclose(view["world_from_camera"], camera.world_from_camera, atol=1e-9)
        assert view["K"][0][0] == pytest.approx(camera.focal_px)
        assert Image.open(tmp_path / "out" / view["image"]).size == (SIZE, SIZE)
        if view["panorama"] != "hall.png":
            continue
        top = np.zeros((SIZE, SIZE), int)
        for number, bits in enumerate(masks.values(), 1):
            expected = seen_by(camera, bits)
            top[expected] = number
            found = by_file.get(view["image"], {}).get(number, np.zeros((SIZE, SIZE), bool))
            assert differing(found, expected) < 0.004
        assert differing(np.asarray(Image.open(tmp_path / "out" / view["mask"])), top) < 0.01
    assert images[1]["panorama"] == about["views"][0]["panorama"]
    assert not report.failed


def test_colmap_masks_take_out_every_segment_and_poses_are_those_of_the_cameras(tmp_path):
    project = sample_project(tmp_path / "in")
    export_project(project, "colmap", tmp_path / "out", DatasetOptions(view_size=SIZE))
    folder = tmp_path / "out"
    cameras = LAYOUTS["icosahedron"](SIZE)
    everything = np.any(list(all_masks().values()), axis=0)
    for number, camera in enumerate(cameras):
        assert (folder / "images" / f"{number:02d}" / "hall.jpg").is_file()
        assert (folder / "images" / f"{number:02d}" / "deep" / "attic.jpg").is_file()
        mask = np.asarray(Image.open(folder / "masks" / f"{number:02d}" / "hall.jpg.png"))
        assert differing(mask, np.where(seen_by(camera, everything), 0, 255)) < 0.01
    (rig,) = json.loads((folder / "rig_config.json").read_text())
    assert rig["cameras"][0]["ref_sensor"]
    reference = cameras[0].world_from_camera
    for camera, entry in zip(cameras[1:], rig["cameras"][1:], strict=True):
        rotation = matrix(entry["cam_from_rig_rotation"])
        np.testing.assert_allclose(rotation, camera.world_from_camera.T @ reference, atol=1e-12)
        assert entry["camera_params"] == [camera.focal_px] * 2 + [SIZE / 2] * 2
    lines = [line for line in (folder / "sparse" / "images.txt").read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == 2 * 2 * len(cameras)
    for line in lines[::2]:
        _, *pose, camera, name = line.split()
        assert name.startswith(f"{int(camera) - 1:02d}/")
        expected = cameras[int(camera) - 1].world_from_camera.T
        np.testing.assert_allclose(matrix([float(part) for part in pose[:4]]), expected, atol=1e-12)


def matrix(quaternion):
    """Of a quaternion w, x, y, z, by its definition."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


angles = st.floats(-np.pi, np.pi)


@given(angles, angles, angles)
def test_a_quaternion_is_its_rotation(yaw, pitch, roll):
    rotation = rotation_from_angles(yaw, pitch, roll)
    found = quaternion(rotation)
    assert found[0] >= 0
    np.testing.assert_allclose(np.linalg.norm(found), 1, atol=1e-12)
    np.testing.assert_allclose(matrix(found), rotation, atol=1e-12)


def test_a_sam2_video_is_the_zigzag_with_object_numbers_in_palettes(tmp_path):
    project = sample_project(tmp_path / "in")
    export_project(project, "sam2-video", tmp_path / "out", DatasetOptions(view_size=SIZE))
    folder = tmp_path / "out"
    assert (folder / "train.txt").read_text().splitlines() == ["deep__attic", "hall"]
    cameras = LAYOUTS["zigzag"](SIZE)
    names = [f"{number:05d}" for number in range(len(cameras))]
    assert sorted(path.name for path in (folder / "JPEGImages" / "hall").iterdir()) == [f"{name}.jpg" for name in names]
    about = {video["video"]: video for video in json.loads((folder / "videos.json").read_text())["videos"]}
    assert [entry["segment"] for entry in about["hall"]["objects"]] == list(range(1, len(all_masks()) + 1))
    top = np.zeros((HEIGHT, WIDTH), int)
    for entry, bits in zip(about["hall"]["objects"], all_masks().values(), strict=True):
        top[bits] = entry["object"]
    for name, camera, frame in zip(names, cameras, about["hall"]["frames"], strict=True):
        picture = Image.open(folder / "Annotations" / "hall" / f"{name}.png")
        assert picture.mode == "P"
        assert differing(np.asarray(picture), seen_by(camera, top)) < 0.01
        assert camera_of(frame).yaw == pytest.approx(camera.yaw)


def test_views_of_a_partial_photograph_show_only_what_it_saw(tmp_path):
    path = write_picture(tmp_path / "part.png", 24, WIDTH)
    annotate(path, segments_of({"plain": all_masks()["plain"]}), assume="crop")
    options = DatasetOptions(layout="cube", view_size=SIZE, assume="crop")
    report = export_project(read_project(path), "colmap", tmp_path / "out", options)
    assert "The photograph shows nothing there, and left out are 2 views." in report.dropped
    valid = np.zeros((HEIGHT, WIDTH), bool)
    valid[20:44] = True
    mask = np.asarray(Image.open(tmp_path / "out" / "masks" / "02" / "part.jpg.png"))
    assert differing(mask, np.where(seen_by(LAYOUTS["cube"](SIZE)[2], valid), 255, 0)) < 0.02


@pytest.mark.parametrize("form", ["views", "colmap", "sam2-video"])
def test_of_a_photograph_that_cannot_be_decoded_nothing_is_told_but_that(tmp_path, form):
    sample_project(tmp_path / "in")
    hall = tmp_path / "in" / "hall.png"
    hall.write_bytes(hall.read_bytes()[:-200])
    whole = export_project(read_project(tmp_path / "in"), form, tmp_path / "out", DatasetOptions(view_size=16))
    assert len(whole.failed) == 1
    assert str(hall) in whole.failed[0]
    (tmp_path / "in" / "hall.png.pano.json").unlink()
    hall.unlink()
    alone = export_project(read_project(tmp_path / "in"), form, tmp_path / "alone", DatasetOptions(view_size=16))
    assert alone.failed == ()
    changed = "The photograph was changed after it was annotated; check the masks of 1 panorama."
    assert set(whole.dropped) == {*alone.dropped, changed}


def test_layouts_and_sizes_that_do_not_exist_are_sentences(tmp_path):
    project = sample_project(tmp_path / "in")
    for name in ("views", "colmap", "sam2-video"):
        with pytest.raises(ExportError, match="cube, icosahedron, zigzag, got fan"):
            export_project(project, name, tmp_path / "out", DatasetOptions(layout="fan"))
        with pytest.raises(ExportError, match="16 to 8192"):
            export_project(project, name, tmp_path / "out", DatasetOptions(view_size=1))
    assert not (tmp_path / "out").exists()


def test_views_of_a_levelled_photograph_are_upright_and_their_masks_lie_right(tmp_path):
    level = (0.2, -0.35)
    write_picture(tmp_path / "in" / "hall.png")
    segments = segments_of(all_masks())
    annotate(tmp_path / "in" / "hall.png", segments, level=level)
    options = DatasetOptions(layout="cube", view_size=SIZE)
    export_project(read_project(tmp_path / "in"), "views", tmp_path / "out", options)
    about = json.loads((tmp_path / "out" / "cameras.json").read_text())
    rotation = rotation_from_angles(0, *level)
    for view, camera in zip(about["views"], LAYOUTS["cube"](SIZE), strict=True):
        np.testing.assert_allclose(rotation @ view["world_from_camera"], camera.world_from_camera, atol=1e-9)
        numbers = np.array(Image.open(tmp_path / "out" / view["mask"]))
        top = np.zeros((HEIGHT, WIDTH), np.int32)
        for segment in segments:
            segment.mask.paint(top, segment.number)
        assert differing(numbers, seen_by(camera_of(view), top)) < 0.02
