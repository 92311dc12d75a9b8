"""Which photograph an exported file tells of."""

from pathlib import Path

import pytest
from export_samples import full_cloud
from test_meshes import small_mesh

from core.cloud import PointCloud
from core.export import export, files_of
from core.export.geometry import GEOMETRY
from core.export.told_source import is_of_another, told_source

NAMES = ["hall.jpg", 'Größe & "10" <b> source=x.png', "no\udcfftext.tif", "back\\slash.jpg"]


def written(folder, exporter, source):
    value = full_cloud(source=source) if exporter.kind is PointCloud else small_mesh(path=source)
    return export(value, folder / f"cloud{exporter.suffix}")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("exporter", GEOMETRY, ids=lambda exporter: exporter.suffix)
def test_every_format_tells_the_name_of_its_photograph(tmp_path, exporter, name):
    path = written(tmp_path, exporter, Path("/photos", name))
    assert told_source(path) == name
    assert not is_of_another(path, Path("/elsewhere", name))
    assert is_of_another(path, Path("/photos/other.jpg"))


@pytest.mark.parametrize("exporter", GEOMETRY, ids=lambda exporter: exporter.suffix)
def test_what_is_damaged_or_not_there_tells_of_no_photograph(tmp_path, exporter):
    path = written(tmp_path, exporter, Path("hall.jpg"))
    for file in files_of(exporter, path):
        data = file.read_bytes()
        file.write_bytes(data[: len(data) // 2].replace(b"hall", b"\xff\x00"))
    assert told_source(path) in (None, "\xff\x00.jpg")
    path.unlink()
    assert told_source(path) is None
    path.mkdir()
    assert told_source(path) is None


def test_a_long_list_of_segments_hides_no_photograph(tmp_path):
    names = tuple((number, f"a thing with a rather long name {number}") for number in range(4000))
    cloud = full_cloud(segment_names=names, source=Path("hall.jpg"))
    for suffix in (".las", ".ply", ".e57", ".npz"):
        assert told_source(export(cloud, tmp_path / f"cloud{suffix}")) == "hall.jpg"
