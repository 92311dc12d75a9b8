"""Labelled panoramas on disk, and what they carry in themselves."""

import io
import math
import pickle
import zipfile

import numpy as np
import pytest

from core.errors import PanoError
from core.geometry.camera import Camera
from core.geometry.sphere import angle_between, erp_rays
from training.auxiliary import edge_distance, image_gradient, point_map
from training.labelled import Labelled, Patches, from_world, labelled_files, read_labelled, write_labelled
from training.worlds.classes import CLASS_NAMES
from training.worlds.sample import read_fields, read_sample, write_sample
from training.worlds.shards import write_shard

SIZE = 32, 64


def labelled(**changes):
    rng = np.random.default_rng(3)
    far = rng.random(SIZE) < 0.2
    depth = np.exp(rng.uniform(-2, 6, SIZE)).astype(np.float32)
    normals = rng.normal(size=(*SIZE, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    values = {
        "rgb": rng.integers(0, 256, (*SIZE, 3), np.uint8),
        "depth": np.where(far, np.float32(np.nan), depth),
        "normals": np.where(far[..., None], np.float32(np.nan), normals),
        "classes": rng.integers(-1, 3, SIZE).astype(np.int16),
        "class_names": ("wall", "sky", "lama"),
        "far": far,
        "depth_confidence": rng.random(SIZE).astype(np.float32),
        "is_metric": True,
        "indoor": True,
        "camera_height": 1.5,
        "origin": {"file": "a.jpg"},
    }
    return Labelled(**{**values, **changes})


def test_labels_come_back_as_they_were_written(tmp_path):
    written = labelled()
    write_labelled(written, tmp_path / "a.npz")
    read = read_labelled(tmp_path / "a.npz")
    np.testing.assert_array_equal(read.rgb, written.rgb)
    np.testing.assert_allclose(read.depth, written.depth, rtol=5e-4)
    np.testing.assert_array_equal(read.classes, written.classes)
    np.testing.assert_array_equal(read.far, written.far)
    np.testing.assert_allclose(read.depth_confidence, written.depth_confidence, atol=0.5 / 255 + 1e-6)
    known = ~written.far
    assert np.degrees(angle_between(read.normals[known], written.normals[known])).max() < 0.4
    assert np.isnan(read.normals[~known]).all()
    assert (read.class_names, read.is_metric, read.indoor) == (("wall", "sky", "lama"), True, True)
    assert read.camera_height == 1.5
    assert math.isnan(read.ceiling_height)
    assert read.origin == {"file": "a.jpg"}
    assert read.tasks == ("depth", "normals", "classes")


def test_what_is_missing_stays_missing(tmp_path):
    bare = labelled(depth=None, normals=None, far=None, depth_confidence=None, indoor=None)
    write_labelled(bare, tmp_path / "a.npz")
    read = read_labelled(tmp_path / "a.npz")
    assert read.tasks == ("classes",)
    assert (read.depth, read.normals, read.far, read.depth_confidence, read.patches) == (None,) * 5
    assert read.indoor is None


def test_worlds_are_read_by_the_same_function(tmp_path, box_room):
    sample = box_room(5, 32)
    write_sample(sample, tmp_path / "00000005.npz")
    (path,) = labelled_files(tmp_path)
    read = read_labelled(path)
    np.testing.assert_array_equal(read.rgb, sample.rgb)
    np.testing.assert_allclose(read.depth, sample.depth, rtol=5e-4)
    np.testing.assert_array_equal(read.classes, sample.classes)
    assert read.class_names == CLASS_NAMES
    assert read.depth_confidence is None
    assert (read.indoor, read.is_metric, read.camera_height) == (True, True, 1.5)
    assert read.origin == {"name": "00000005", "seed": 5}


def test_classes_find_their_names_in_another_list():
    classes = np.array([[0, 1], [2, -1]], np.int16)
    rgb = np.zeros((2, 2, 3), np.uint8)
    here = Labelled(rgb, classes=classes, class_names=("wall", "sky", "lama"))
    np.testing.assert_array_equal(here.classes_among(("sky", "door", "wall")), [[2, 0], [-1, -1]])


def test_patches_come_back_and_lie_where_their_view_looked(tmp_path):
    cameras = tuple(Camera(yaw, pitch, 0.0, 1.5, 48, 48) for yaw, pitch in ((3.1, 0.2), (0.0, 1.4), (1.0, -1.5)))
    # A range that is known for every ray: that of an ellipsoid with one focus here.
    towards = np.array([0.2, 0.9, 0.4]) / np.linalg.norm([0.2, 0.9, 0.4])
    depth = np.stack([2 / (1.5 + camera.rays() @ towards) for camera in cameras]).astype(np.float32)
    patches = Patches(cameras, depth=depth, scales=np.array([1.0, 1.1, 0.9], np.float32))
    write_labelled(labelled(patches=patches), tmp_path / "a.npz")
    assert read_labelled(tmp_path / "a.npz", patches=False).patches is None
    read = read_labelled(tmp_path / "a.npz").patches
    assert read.cameras == cameras
    np.testing.assert_allclose(read.depth, depth, rtol=5e-4)
    np.testing.assert_array_equal(read.scales, patches.scales)
    wanted = 2 / (1.5 + erp_rays(64, 128) @ towards)
    for view, camera in enumerate(cameras):
        there = read.depth_on_sphere(view, 64, 128)
        along = erp_rays(64, 128) @ camera.world_from_camera
        half = math.tan(0.75)
        seen = (along[..., 2] > 0) & (np.abs(along[..., :2]) <= half * along[..., 2:]).all(axis=-1)
        np.testing.assert_array_equal(np.isfinite(there), seen)
        # Beyond the centres of its outermost pixels a view goes on as they end.
        inside = seen & (np.abs(along[..., :2]) <= half * (1 - 1 / 48) * along[..., 2:]).all(axis=-1)
        np.testing.assert_allclose(there[inside], wanted[inside], rtol=2e-3)
        np.testing.assert_allclose(there[seen], wanted[seen], rtol=1.5e-2)


class Trap:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("kind", ["world", "labelled", "shard"])
def test_whatever_is_broken_in_a_file_is_a_sentence(tmp_path, box_room, kind):
    """Or a single file of a million would end a training, instead of being left out of it."""
    whole, broken = tmp_path / "00000001.npz", tmp_path / "broken.npz"
    sample = box_room(1, 32)
    read = read_sample
    if kind == "labelled":
        write_labelled(from_world(sample, "a"), whole)
        read = read_labelled
    else:
        write_sample(sample, whole)
    if kind == "shard":
        fields = read_fields(whole)
        whole, broken = tmp_path / "a.tar", tmp_path / "broken.tar"
        write_shard([("00000001", fields)], whole)
    rng = np.random.default_rng(0)
    failures = []
    for number in range(400):
        data = bytearray(whole.read_bytes())
        # Headers are at the ends of the file and between its parts; most bytes are pixels.
        places = [*rng.integers(len(data), size=3), *rng.integers(400, size=2), *-rng.integers(1, 800, size=2)]
        for place in rng.choice(places, 3):
            data[place] = rng.integers(256)
        broken.write_bytes(data[: rng.integers(len(data))] if number % 8 == 0 else data)
        try:
            read(broken / "00000001.npz" if kind == "shard" else broken)
        except PanoError as error:
            failures.append(str(error))
    assert len(failures) > 50
    assert all(str(broken) in failure for failure in failures)


def test_a_broken_or_foreign_file_is_refused_and_no_code_in_it_is_run(tmp_path, capsys):
    write_labelled(labelled(), tmp_path / "good.npz")
    content = (tmp_path / "good.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    trap = io.BytesIO()
    np.lib.format.write_array_header_1_0(trap, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    with zipfile.ZipFile(tmp_path / "trap.npz", "w") as archive:
        archive.writestr("labelled.npy", trap.getvalue() + pickle.dumps([Trap()]))
        archive.writestr("rgb.npy", trap.getvalue() + pickle.dumps([Trap()]))
    for name in ("cut", "text", "other", "trap"):
        with pytest.raises(PanoError, match=f"Expected a labelled panorama or a world.*{name}.npz"):
            read_labelled(tmp_path / f"{name}.npz")
    assert capsys.readouterr().out == ""


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(PanoError, match="panoviewer-train label"):
        labelled_files(tmp_path)


def test_maps_of_another_grid_are_refused():
    with pytest.raises(ValueError, match="grid"):
        labelled(depth=np.ones((3, 6), np.float32), normals=None, far=None)


def test_gradients_wrap_at_the_seam():
    rgb = np.zeros((16, 32, 3), np.uint8)
    rgb[:, 16:] = 255
    gradient = image_gradient(rgb)
    np.testing.assert_allclose(gradient[1:-1, [15, 16], 0], 4, rtol=1e-5)
    np.testing.assert_allclose(gradient[1:-1, [31, 0], 0], -4, rtol=1e-5)
    assert not gradient[..., 1].any()
    assert not gradient[[0, -1]].any()
    np.testing.assert_array_equal(np.roll(gradient, 5, axis=1), image_gradient(np.roll(rgb, 5, axis=1)))


def test_the_distance_to_an_edge_runs_on_across_the_seam():
    rgb = np.zeros((64, 128, 3), np.uint8)
    rgb[30:34, 120:124] = 255
    distance = np.expm1(edge_distance(rgb))
    # From the right side's outer pixels, column 124, to column 10 it is 14 steps around.
    assert distance[31, 10] == pytest.approx(14, abs=1e-3)
    assert distance[31, 119] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(np.roll(edge_distance(rgb), 9, axis=1), edge_distance(np.roll(rgb, 9, axis=1)))


def test_a_picture_without_edges_has_a_finite_distance():
    np.testing.assert_allclose(edge_distance(np.full((16, 32, 3), 99, np.uint8)), np.log1p(32), rtol=1e-6)


def test_points_lie_as_far_along_their_rays_as_the_depth_says():
    depth = np.random.default_rng(0).uniform(0.5, 9, (8, 16)).astype(np.float32)
    depth[2, 3] = np.nan
    points = point_map(depth)
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), depth, rtol=1e-5)
    # The middle of the picture looks forward, along z.
    assert points[4, 8, 2] > 0.9 * depth[4, 8]


def test_the_distance_to_an_edge_is_the_same_to_the_last_bit_on_every_call():
    rng = np.random.default_rng(1)
    blocks = np.where(rng.random((8, 16, 1)) < 0.06, 250, 20).astype(np.uint8)
    rgb = blocks.repeat(3, 2).repeat(4, 0).repeat(4, 1)
    first, held = edge_distance(rgb), []
    for _ in range(60):
        # Where arrays come to lie changes from call to call.
        held += [rgb.copy(), np.empty(int(rng.integers(1, 5000)), np.uint8)]
        np.testing.assert_array_equal(edge_distance(held[-2]), first)
