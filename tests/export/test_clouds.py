import hashlib
import json

import numpy as np
import plyfile
import pytest
from export_samples import small_cloud

from core.cloud import FRAMES, CloudOptions
from core.errors import ExportError
from core.export import export, fields


def read_ply(path):
    data = plyfile.PlyData.read(path)
    assert not data.text
    assert data.byte_order == "<"
    return data


def columns(vertex, *names):
    return np.stack([vertex[name] for name in names], axis=-1)


@pytest.mark.parametrize("frame", FRAMES)
def test_an_independent_reader_finds_every_point_in_its_frame(tmp_path, frame):
    cloud = small_cloud(fields.CHUNK + 17)
    vertex = read_ply(export(cloud, tmp_path / "a.ply", frame=frame))["vertex"]
    rotation = FRAMES[frame].astype(np.float32)
    np.testing.assert_array_equal(columns(vertex, "x", "y", "z"), cloud.points @ rotation.T)
    np.testing.assert_array_equal(columns(vertex, "nx", "ny", "nz"), cloud.normals @ rotation.T)
    np.testing.assert_array_equal(columns(vertex, "red", "green", "blue"), cloud.colors)
    np.testing.assert_array_equal(vertex["label"], np.where(cloud.class_ids < 0, 255, cloud.class_ids))
    assert vertex["x"].dtype == np.float32
    assert vertex["label"].dtype == np.uint8


def test_the_default_frame_is_z_up(tmp_path):
    up = small_cloud(1, points=np.array([[0, -2, 0]], np.float32))
    vertex = read_ply(export(up, tmp_path / "a.ply"))["vertex"]
    assert (vertex["x"][0], vertex["y"][0], vertex["z"][0]) == (0, 0, 2)


def test_comments_say_where_the_points_come_from(tmp_path):
    source = tmp_path / "Zürich\nlake.jpg"
    source.write_bytes(b"a photograph")
    cloud = small_cloud(10, source=source, class_ids=np.array([0, 2, -1] + [0] * 7, np.int16))
    comments = read_ply(export(cloud, tmp_path / "a.ply", frame="ros")).comments
    assert "frame=ros" in comments
    assert "units=m" in comments
    assert "scale=metric" in comments
    assert "level=yes" in comments
    assert r"source=Z\xfcrich\nlake.jpg" in comments
    assert f"source_sha256={hashlib.sha256(b'a photograph').hexdigest()}" in comments
    assert "model=fake" in comments
    assert "range=0.5 30" in comments
    assert "stride=2" in comments
    assert "edge_filter=min_angle_deg=20 min_jump=0.02 min_tilt_deg=20" in comments
    assert "label 0=wall" in comments
    assert "label 2=tree; plant" in comments
    assert not any(comment.startswith("label 1") for comment in comments)
    assert not any(str(tmp_path) in comment for comment in comments), "folders are private"


def test_a_relative_cloud_with_nothing_but_points_says_so(tmp_path):
    cloud = small_cloud(
        5, normals=None, class_ids=None, is_metric=False, is_level=False, options=CloudOptions(edges=None)
    )
    data = read_ply(export(cloud, tmp_path / "a.ply"))
    assert [prop.name for prop in data["vertex"].properties] == ["x", "y", "z", "red", "green", "blue"]
    assert "units=relative" in data.comments
    assert "edge_filter=off" in data.comments
    assert "level=no, in the photograph's own frame" in data.comments


def test_more_classes_than_a_byte_holds_take_two_bytes(tmp_path):
    names = tuple(f"class {number}" for number in range(300))
    cloud = small_cloud(3, class_ids=np.array([299, -1, 0], np.int16), class_names=names)
    labels = read_ply(export(cloud, tmp_path / "a.ply"))["vertex"]["label"]
    np.testing.assert_array_equal(labels, [299, 65535, 0])


def test_an_empty_cloud_is_a_file_with_no_points(tmp_path):
    assert read_ply(export(small_cloud(0), tmp_path / "a.ply"))["vertex"].count == 0


@pytest.mark.parametrize("suffix", [".ply", ".npz", ".PLY"])
def test_the_same_cloud_gives_the_same_bytes(tmp_path, suffix):
    first = export(small_cloud(), tmp_path / f"a{suffix}").read_bytes()
    assert export(small_cloud(), tmp_path / f"b{suffix}").read_bytes() == first


@pytest.mark.parametrize("frame", FRAMES)
def test_npz_holds_the_arrays_and_their_meaning(tmp_path, frame):
    cloud = small_cloud()
    with np.load(export(cloud, tmp_path / "a.npz", frame=frame), allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["points"], cloud.points @ FRAMES[frame].astype(np.float32).T)
        np.testing.assert_array_equal(archive["normals"], cloud.normals @ FRAMES[frame].astype(np.float32).T)
        np.testing.assert_array_equal(archive["colors"], cloud.colors)
        np.testing.assert_array_equal(archive["class_ids"], cloud.class_ids)
        np.testing.assert_array_equal(archive["pixels"], cloud.pixels)
        assert archive["points"].dtype == np.float32
        meta = json.loads(str(archive["meta"]))
    assert meta["frame"] == frame
    assert meta["units"] == "m"
    assert meta["class_names"] == ["wall", "floor", "tree; plant"]


@pytest.mark.parametrize("suffix", [".ply", ".npz"])
def test_an_unknown_frame_is_refused_and_leaves_what_was_there(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"before")
    with pytest.raises(ExportError, match="z-up, opencv, gltf, ros, enu"):
        export(small_cloud(), path, frame="unity")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
