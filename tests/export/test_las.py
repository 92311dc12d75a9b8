"""LAS and LAZ, read back by laspy, and their bytes by the specification."""

import json
import struct

import laspy
import numpy as np
import pytest
from export_samples import full_cloud, small_cloud

from core.cloud import FRAMES
from core.export import export, fields

SUFFIXES = pytest.mark.parametrize("suffix", [".las", ".laz"])


def facts_of(las):
    (record,) = [vlr for vlr in [*las.header.vlrs, *(las.evlrs or [])] if vlr.user_id == "PanoViewer"]
    return json.loads(record.record_data)


@SUFFIXES
@pytest.mark.parametrize("frame", FRAMES)
def test_laspy_finds_every_point(tmp_path, suffix, frame, monkeypatch):
    monkeypatch.setattr(fields, "CHUNK", 300)
    cloud = full_cloud()
    las = laspy.read(export(cloud, tmp_path / f"a{suffix}", frame=frame))
    rotation = FRAMES[frame].astype(np.float32)
    assert (str(las.header.version), las.header.point_format.id, len(las)) == ("1.4", 7, 1000)
    np.testing.assert_allclose(las.xyz, cloud.points @ rotation.T, atol=5.01e-5, rtol=0)
    colors = np.stack([las.red, las.green, las.blue], axis=-1)
    np.testing.assert_array_equal(colors, cloud.colors.astype(np.uint16) * 257)
    normals = np.stack([las["NormalX"], las["NormalY"], las["NormalZ"]], axis=-1)
    np.testing.assert_array_equal(normals, cloud.normals @ rotation.T)
    np.testing.assert_array_equal(las.classification, np.where(cloud.class_ids < 0, 1, 64 + cloud.class_ids))
    np.testing.assert_array_equal(las["label"], np.where(cloud.class_ids < 0, 255, cloud.class_ids))
    np.testing.assert_array_equal(las["instance"], np.maximum(cloud.segment_ids, 0))
    np.testing.assert_allclose(las.header.mins, np.array(las.xyz).min(axis=0), atol=1e-9)
    np.testing.assert_allclose(las.header.maxs, np.array(las.xyz).max(axis=0), atol=1e-9)
    assert set(las.return_number) == set(las.number_of_returns) == {1}


def test_the_bytes_of_a_las_are_those_of_the_specification(tmp_path):
    cloud = small_cloud(10, normals=None, class_ids=None)
    data = export(cloud, tmp_path / "a.las", frame="opencv").read_bytes()
    assert data[:4] == b"LASF"
    assert data[24:26] == b"\x01\x04"
    assert struct.unpack_from("<H", data, 6)[0] & 0b10000, "the reference system is WKT, if any"
    assert struct.unpack_from("<HH", data, 90) == (0, 0), "no day: the same cloud gives the same bytes"
    (header_size, first) = struct.unpack_from("<HI", data, 94)
    assert header_size == 375
    (kind, length) = struct.unpack_from("<BH", data, 104)
    assert (kind, length) == (7, 36)
    assert struct.unpack_from("<Q", data, 247)[0] == 10
    scales, offsets = struct.unpack_from("<3d", data, 131), struct.unpack_from("<3d", data, 155)
    rows = np.frombuffer(data, np.dtype([("xyz", "<i4", 3), ("rest", "u1", 18), ("rgb", "<u2", 3)]), 10, first)
    np.testing.assert_allclose(rows["xyz"] * scales + offsets, cloud.points, atol=5.01e-5, rtol=0)
    np.testing.assert_array_equal(rows["rgb"], cloud.colors.astype(np.uint16) * 257)


@SUFFIXES
def test_names_frame_and_unit_stand_in_the_file(tmp_path, suffix):
    cloud = full_cloud(heading=1.0, class_names=("wall", "floor", "swimming pool; natatorium"))
    las = laspy.read(export(cloud, tmp_path / f"a{suffix}", frame="enu"))
    facts = facts_of(las)
    assert (facts["frame"], facts["units"]) == ("enu", "m")
    assert facts["segment_names"] == {"3": "door", "70000": "ключ"}
    assert facts["class_names"][2] == "swimming pool; natatorium"
    (lookup,) = las.header.vlrs.get("ClassificationLookupVlr")
    assert lookup[64] == "wall"
    assert lookup[66].startswith("swimming pool")
    assert list(tmp_path.iterdir()) == [tmp_path / f"a{suffix}"]


@SUFFIXES
def test_more_names_than_a_record_holds_stand_at_the_end(tmp_path, suffix):
    names = tuple((number, f"segment {number} of a very large number") for number in range(3000))
    las = laspy.read(export(full_cloud(20, segment_names=names), tmp_path / f"a{suffix}"))
    assert len(facts_of(las)["segment_names"]) == 3000
    assert len(las) == 20


def test_classes_beyond_those_of_the_user_keep_their_label(tmp_path):
    names = tuple(f"class {number}" for number in range(300))
    cloud = small_cloud(3, class_ids=np.array([191, 192, -1], np.int16), class_names=names)
    las = laspy.read(export(cloud, tmp_path / "a.las"))
    np.testing.assert_array_equal(las.classification, [255, 1, 1])
    np.testing.assert_array_equal(las["label"], [191, 192, 65535])


@pytest.mark.parametrize(("reach", "scale"), [(100, 1e-4), (100_000, 1e-4), (200_000, 1e-3), (3e9, 10)])
def test_a_cloud_too_large_for_its_steps_takes_coarser_ones(tmp_path, reach, scale):
    points = np.full((2, 3), reach, np.float32)
    las = laspy.read(export(small_cloud(2, points=points, heading=0.8), tmp_path / "a.las", frame="enu"))
    assert las.header.scales[0] == pytest.approx(scale)
    np.testing.assert_allclose(np.linalg.norm(las.xyz, axis=-1), np.linalg.norm(points, axis=-1), atol=2 * scale)


def test_an_empty_laz_has_no_bounds(tmp_path):
    las = laspy.read(export(full_cloud(0), tmp_path / "a.laz"))
    assert len(las) == 0
    assert np.isfinite(las.header.mins).all()
    np.testing.assert_array_equal(las.header.mins, 0)
