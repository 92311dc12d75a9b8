"""E57, read back by libE57, which checks the checksum of every page."""

import io
import json

import numpy as np
import pye57
import pytest
from export_samples import full_cloud, small_cloud
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pye57 import libe57

from core.cloud import FRAMES, CloudOptions, cloud_from_prediction
from core.export import e57, export, fields
from core.geometry.camera import rotation_from_angles
from core.geometry.sphere import erp_rays
from core.panorama import Panorama
from core.prediction import Prediction

TYPES = {"cartesianInvalid": "b", "cartesian": "f", "nor:": "f", "color": "B", "pano:label": "H", "pano:instance": "q"}


def read_points(path):
    """Every field of the first scan."""
    file = libe57.ImageFile(str(path), "r")
    points = file.root()["data3D"][0]["points"]
    prototype = libe57.StructureNode(points.prototype())
    names = [prototype.get(i).elementName() for i in range(prototype.childCount())]
    buffers, arrays = libe57.VectorSourceDestBuffer(), {}
    for name in names:
        kind = next(kind for start, kind in TYPES.items() if name.startswith(start))
        arrays[name] = np.empty(points.childCount(), kind)
        buffers.append(libe57.SourceDestBuffer(file, name, arrays[name], len(arrays[name]), True, True))
    if points.childCount():
        assert points.reader(buffers).read() == points.childCount()
    file.close()
    return arrays


def stacked(arrays, start):
    return np.stack([arrays[f"{start}{axis}"] for axis in "XYZ"], axis=-1)


@pytest.mark.parametrize("frame", FRAMES)
def test_libe57_finds_every_point(tmp_path, frame, monkeypatch):
    monkeypatch.setattr(fields, "CHUNK", 5000)
    cloud = full_cloud(12_345)
    arrays = read_points(export(cloud, tmp_path / "a.e57", frame=frame))
    rotation = FRAMES[frame].astype(np.float32)
    np.testing.assert_array_equal(stacked(arrays, "cartesian"), cloud.points @ rotation.T)
    np.testing.assert_array_equal(stacked(arrays, "nor:normal"), np.nan_to_num(cloud.normals) @ rotation.T)
    colors = np.stack([arrays[f"color{name}"] for name in ("Red", "Green", "Blue")], axis=-1)
    np.testing.assert_array_equal(colors, cloud.colors)
    np.testing.assert_array_equal(arrays["pano:label"], np.where(cloud.class_ids < 0, 255, cloud.class_ids))
    np.testing.assert_array_equal(arrays["pano:instance"], np.maximum(cloud.segment_ids, 0))
    assert not arrays["cartesianInvalidState"].any()


@pytest.mark.parametrize("count", [0, 1, 2, 5_000])
def test_pye57_reads_points_and_colours_in_its_own_way(tmp_path, count):
    cloud = small_cloud(count, normals=None, class_ids=None)
    path = export(cloud, tmp_path / "a.e57", frame="opencv")
    with pye57.E57(str(path)) as file:
        header = file.get_header(0)
        assert header.point_count == count
        if count:
            data = file.read_scan_raw(0)
            np.testing.assert_array_equal(stacked(data, "cartesian"), cloud.points)
            np.testing.assert_array_equal(data["colorGreen"], cloud.colors[:, 1])
            assert header.has_pose()
            np.testing.assert_array_equal(header.rotation, [1, 0, 0, 0])
            limits = [
                (header["cartesianBounds"][f"{axis}{end}"].value()) for end in ("Minimum", "Maximum") for axis in "xyz"
            ]
            np.testing.assert_allclose(limits, [*cloud.points.min(axis=0), *cloud.points.max(axis=0)])
        assert len(file.root["images2D"]) == 0


@pytest.mark.parametrize("count", [1, 5, 12_345])
def test_the_plain_call_of_pye57_reads_a_file_with_everything(tmp_path, count):
    cloud = full_cloud(count)
    with pye57.E57(str(export(cloud, tmp_path / "a.e57", frame="opencv"))) as file:
        data = file.read_scan(0, colors=True)
    np.testing.assert_allclose(stacked(data, "cartesian"), cloud.points, atol=1e-6)
    colors = np.stack([data[f"color{name}"] for name in ("Red", "Green", "Blue")], axis=-1)
    np.testing.assert_array_equal(colors, cloud.colors)


def test_more_classes_than_a_byte_holds_take_two(tmp_path):
    names = tuple(f"class {number}" for number in range(300))
    cloud = small_cloud(3, class_ids=np.array([299, -1, 0], np.int16), class_names=names)
    np.testing.assert_array_equal(read_points(export(cloud, tmp_path / "a.e57"))["pano:label"], [299, 65535, 0])


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("raw_pose", [False, True])
def test_each_point_lies_behind_its_pixel_of_the_photograph_inside(tmp_path, frame, raw_pose):
    height, width = 40, 80
    rgb = ((erp_rays(height, width) + 1) * 127).astype(np.uint8)
    panorama = Panorama(rgb, level_from_world=rotation_from_angles(0, 0.2, -0.1), heading=0.4)
    depth = np.random.default_rng(0).uniform(1, 3, (height, width)).astype(np.float32)
    cloud = cloud_from_prediction(panorama, Prediction(depth), CloudOptions(edges=None, raw_pose=raw_pose))
    path = export(cloud, tmp_path / "a.e57", frame=frame)
    points = stacked(read_points(path), "cartesian")
    file = libe57.ImageFile(str(path), "r")
    image = file.root()["images2D"][0]
    sphere = image["sphericalRepresentation"]
    data = sphere["jpegImage"].read_buffer().tobytes()
    assert (sphere["imageWidth"].value(), sphere["imageHeight"].value()) == (width, height)
    w, x, y, z = (image["pose"]["rotation"][name].value() for name in "wxyz")
    turn = pye57.e57.Quaternion(w, x, y, z).rotation_matrix
    across, down = sphere["pixelWidth"].value(), sphere["pixelHeight"].value()
    file.close()
    # In the image's own frame: x through its middle, azimuth counter-clockwise, elevation upwards.
    x, y, z = (points @ turn).T
    col = width / 2 - np.arctan2(y, x) / across
    row = height / 2 - np.arctan2(z, np.hypot(x, y)) / down
    np.testing.assert_allclose(col, cloud.pixels % width + 0.5, atol=1e-4)
    np.testing.assert_allclose(row, cloud.pixels // width + 0.5, atol=1e-4)
    inside = np.asarray(Image.open(io.BytesIO(data)), np.int16)
    assert np.abs(inside - rgb).max() < 30


def test_facts_and_names_stand_in_the_file(tmp_path):
    cloud = full_cloud(10, source=tmp_path / "<hall> & ]]> \x07ü.jpg", is_metric=False)
    file = libe57.ImageFile(str(export(cloud, tmp_path / "a.e57", frame="ros")), "r")
    facts = json.loads(file.root()["pano:facts"].value())
    assert (facts["frame"], facts["units"]) == ("ros", "relative")
    assert facts["segment_names"] == {"3": "door", "70000": "ключ"}
    assert facts["source"] == cloud.source.name
    scan = file.root()["data3D"][0]
    assert "frame ros, relative" in scan["description"].value()
    assert scan["name"].value().startswith("<hall> & ]]>")
    file.close()


@given(st.tuples(*[st.floats(-np.pi, np.pi)] * 3))
def test_a_quaternion_is_its_rotation(angles):
    rotation = rotation_from_angles(*angles)
    values = e57.quaternion(rotation)
    np.testing.assert_allclose(pye57.e57.Quaternion(*values).rotation_matrix, rotation, atol=1e-12)
    assert values[0] >= 0
