"""Formats of point clouds, read back by programs that are not ours, point by point."""

import csv
import json
import resource
from pathlib import Path

import numpy as np
import pytest
from export_samples import full_cloud, small_cloud

from core.cloud import FRAMES, PointCloud
from core.errors import ExportError
from core.export import EXPORTERS, export, fields, files_of
from core.progress import Cancelled

CLOUD_FORMATS = [entry for entry in EXPORTERS if entry.kind is PointCloud]
BY_SUFFIX = pytest.mark.parametrize("exporter", CLOUD_FORMATS, ids=lambda entry: entry.suffix)


def turned(vectors, frame):
    return vectors @ FRAMES[frame].astype(np.float32).T


def labels_of(cloud):
    return np.where(cloud.class_ids < 0, 255, cloud.class_ids)


@pytest.mark.parametrize("frame", FRAMES)
def test_open3d_finds_every_point_of_a_pcd(tmp_path, frame, monkeypatch):
    import open3d

    monkeypatch.setattr(fields, "CHUNK", 300)
    cloud = full_cloud()
    read = open3d.t.io.read_point_cloud(str(export(cloud, tmp_path / "a.pcd", frame=frame)))
    np.testing.assert_array_equal(read.point.positions.numpy(), turned(cloud.points, frame))
    np.testing.assert_array_equal(read.point.normals.numpy(), turned(cloud.normals, frame))
    np.testing.assert_array_equal(read.point.colors.numpy(), cloud.colors)
    np.testing.assert_array_equal(read.point.label.numpy().ravel(), labels_of(cloud))
    np.testing.assert_array_equal(read.point.instance.numpy().ravel(), np.maximum(cloud.segment_ids, 0))


def test_a_pcd_says_in_its_comments_what_it_is(tmp_path):
    path = export(full_cloud(10, source=Path("Zürich.jpg")), tmp_path / "a.pcd", frame="ros")
    header = path.read_bytes().split(b"DATA binary\n")[0].decode("ascii").splitlines()
    assert header[0] == "# .PCD v0.7 - Point Cloud Data file format"
    assert {
        "# frame=ros",
        "# units=m",
        r"# source=Z\xfcrich.jpg",
        "# instance 3=door",
        "VIEWPOINT 0 0 0 1 0 0 0",
    } <= set(header)


@pytest.mark.parametrize("suffix", [".xyz", ".csv"])
def test_text_holds_every_point_to_a_hundredth_of_a_millimetre(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(fields, "CHUNK", 300)
    cloud = full_cloud(points=np.random.default_rng(0).normal(size=(1000, 3), scale=50).astype(np.float32))
    path = export(cloud, tmp_path / f"a{suffix}", frame="gltf")
    separator = None if suffix == ".xyz" else ","
    table = np.loadtxt(path, delimiter=separator, skiprows=1)
    np.testing.assert_allclose(table[:, :3], turned(cloud.points, "gltf"), atol=5.01e-6, rtol=0)
    np.testing.assert_array_equal(table[:, 3:6], cloud.colors)
    np.testing.assert_allclose(table[:, 6:9], turned(cloud.normals, "gltf"), atol=5.01e-6, rtol=0)
    np.testing.assert_array_equal(table[:, 9], labels_of(cloud))
    np.testing.assert_array_equal(table[:, 10], np.maximum(cloud.segment_ids, 0))


def test_text_names_its_columns(tmp_path):
    first = export(full_cloud(2), tmp_path / "a.xyz").read_text().splitlines()[0]
    assert first == "//X Y Z R G B Nx Ny Nz Label Instance"
    with export(small_cloud(2), tmp_path / "a.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["x", "y", "z", "red", "green", "blue", "nx", "ny", "nz", "label"]
    assert len(rows) == 2
    bare = small_cloud(2, normals=None, class_ids=None)
    assert export(bare, tmp_path / "b.csv").read_text().splitlines()[0] == "x,y,z,red,green,blue"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00000"),
        (-0.0, "0.00000"),
        (1.5, "1.50000"),
        (-0.000004, "0.00000"),
        (-0.000006, "-0.00001"),
        (123456.0, "123456.00000"),
        (0.99999999, "1.00000"),
        (np.nan, "nan"),
        (np.inf, "nan"),
        (3e38, "nan"),
    ],
)
def test_numbers_are_written_as_one_reads_them(tmp_path, value, text):
    cloud = small_cloud(1, points=np.full((1, 3), value, np.float32), normals=None, class_ids=None)
    row = export(cloud, tmp_path / "a.csv", frame="opencv").read_text().splitlines()[1]
    assert row.split(",")[:3] == [text] * 3


@pytest.mark.parametrize("suffix", [".pcd", ".xyz", ".csv"])
def test_what_has_no_place_in_the_file_stands_beside_it(tmp_path, suffix):
    path = export(full_cloud(10, source=tmp_path / "hall.jpg", heading=0.5), tmp_path / f"a{suffix}", frame="enu")
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"a{suffix}", f"a{suffix}.json"]
    facts = json.loads((tmp_path / f"a{suffix}.json").read_text())
    assert facts["file"] == path.name
    assert facts["points"] == 10
    assert (facts["frame"], facts["units"], facts["source"]) == ("enu", "m", "hall.jpg")
    assert facts["class_names"] == ["wall", "floor", "tree; plant"]
    assert facts["segment_names"] == {"3": "door", "70000": "ключ"}
    assert str(tmp_path) not in json.dumps(facts), "folders are private"


@pytest.mark.parametrize(("bearing_deg", "expected"), [(0, (0, 2)), (90, (2, 0)), (180, (0, -2)), (270, (-2, 0))])
def test_enu_puts_the_middle_of_the_picture_at_its_bearing(tmp_path, bearing_deg, expected):
    ahead = small_cloud(1, points=np.array([[0, -1, 2]], np.float32), heading=np.radians(bearing_deg))
    with np.load(export(ahead, tmp_path / "a.npz", frame="enu")) as archive:
        np.testing.assert_allclose(archive["points"], [[*expected, 1]], atol=1e-6)


def test_enu_turns_normals_as_it_turns_points(tmp_path):
    heading = np.radians(30)
    cloud = small_cloud(heading=heading, normals=small_cloud().points / 3)
    with np.load(export(cloud, tmp_path / "a.npz", frame="enu")) as archive:
        np.testing.assert_allclose(archive["normals"], archive["points"] / 3, atol=1e-6)
        x, y, z = cloud.points.T.astype(np.float64)
        east, north = x * np.cos(heading) + z * np.sin(heading), -x * np.sin(heading) + z * np.cos(heading)
        np.testing.assert_allclose(archive["points"], np.stack([east, north, -y], axis=-1), atol=1e-6)


@BY_SUFFIX
def test_unasked_a_cloud_is_z_up_as_cloudcompare_shows_it(tmp_path, exporter):
    (tmp_path / "asked").mkdir()
    unasked = export(small_cloud(), tmp_path / f"a{exporter.suffix}")
    asked = export(small_cloud(), tmp_path / "asked" / f"a{exporter.suffix}", frame="z-up")
    assert unasked.read_bytes() == asked.read_bytes()
    assert exporter.frames[0] == "z-up"


@BY_SUFFIX
def test_without_a_bearing_there_is_no_enu(tmp_path, exporter):
    with pytest.raises(ExportError, match="GPano:PoseHeadingDegrees"):
        export(small_cloud(), tmp_path / f"a{exporter.suffix}", frame="enu")
    with pytest.raises(ExportError, match="own tilt"):
        export(small_cloud(heading=1.0, is_level=False), tmp_path / f"a{exporter.suffix}", frame="enu")
    assert list(tmp_path.iterdir()) == []


@BY_SUFFIX
def test_the_photograph_may_have_a_name_that_is_no_text(tmp_path, exporter):
    path = export(full_cloud(10, source=Path("h\udce4ll.jpg")), tmp_path / f"a{exporter.suffix}")
    for beside in files_of(exporter, path)[1:]:
        assert json.loads(beside.read_bytes())["source"] == "h\udce4ll.jpg"


@BY_SUFFIX
def test_an_empty_cloud_is_a_file_in_every_format(tmp_path, exporter):
    assert export(full_cloud(0), tmp_path / f"a{exporter.suffix}").stat().st_size > 0


@BY_SUFFIX
def test_the_same_cloud_gives_the_same_bytes_in_every_format(tmp_path, exporter):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        export(full_cloud(), tmp_path / folder / f"a{exporter.suffix}")
    for path in files_of(exporter, tmp_path / "first" / f"a{exporter.suffix}"):
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


@BY_SUFFIX
def test_a_cloud_that_does_not_fit_on_the_disk_leaves_the_old_files(tmp_path, exporter):
    paths = files_of(exporter, tmp_path / f"a{exporter.suffix}")
    for path in paths:
        path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(ExportError, match="larger than this disk"):
            export(full_cloud(1000), paths[0])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(paths, b"old")


@BY_SUFFIX
def test_a_cloud_that_is_cancelled_leaves_the_old_files(tmp_path, exporter):
    paths = files_of(exporter, tmp_path / f"a{exporter.suffix}")
    for path in paths:
        path.write_bytes(b"old")

    def cancel(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        export(full_cloud(10), paths[0], progress=cancel)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(paths, b"old")


@BY_SUFFIX
def test_a_format_reports_how_far_it_is(tmp_path, exporter, monkeypatch):
    monkeypatch.setattr(fields, "CHUNK", 100)
    heard = []
    export(small_cloud(205), tmp_path / f"a{exporter.suffix}", progress=lambda done, total: heard.append((done, total)))
    assert heard[0][0] == 0
    assert heard == sorted(heard)
    assert all(0 <= done <= total for done, total in heard)
    assert len(heard) >= 3 or exporter.suffix == ".npz"
