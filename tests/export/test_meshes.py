"""GLB and OBJ, read back by trimesh, corner by corner."""

import io
import json
import resource
import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh
from fake_model import room
from PIL import Image

from core.cloud import FRAMES, CloudOptions
from core.errors import ExportError
from core.export import EXPORTERS, export, files_of
from core.geometry.sphere import erp_rays
from core.mesh import Mesh, MeshOptions, mesh_from_prediction
from core.panorama import Panorama
from core.prediction import Prediction
from core.progress import Cancelled

MESH_FORMATS = [entry for entry in EXPORTERS if entry.kind is Mesh]
BY_SUFFIX = pytest.mark.parametrize("exporter", MESH_FORMATS, ids=lambda entry: entry.suffix)


def small_mesh(**facts):
    rgb = ((erp_rays(32, 64) + 1) * 127).astype(np.uint8)
    depth, normals, classes = room(32, 64)
    depth = depth.copy()
    depth[3:6, 60:] = np.nan
    prediction = Prediction(depth, normals, classes, ("wall", "floor", "end"), is_metric=True, camera_height=1.6)
    return mesh_from_prediction(Panorama(rgb, **facts), prediction, CloudOptions(stride=2), MeshOptions())


def triangles(points, uv, faces):
    """(F, 3, 5) positions and places of the corners."""
    return np.concatenate([points, uv], axis=-1)[faces]


def expected(mesh, frame):
    points = (mesh.cloud.points @ FRAMES[frame].astype(np.float32).T)[mesh.corners]
    # trimesh counts both from below.
    return triangles(points, np.stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]], axis=-1), mesh.faces)


def read(path):
    loaded = trimesh.load(path, process=False)
    (geometry,) = loaded.geometry.values() if isinstance(loaded, trimesh.Scene) else (loaded,)
    return geometry


def document(path):
    data = path.read_bytes()
    length, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    assert struct.unpack_from("<4sII", data) == (b"glTF", 2, len(data))
    return json.loads(data[20 : 20 + length])


def test_trimesh_finds_every_triangle_of_a_glb_y_up(tmp_path):
    mesh = small_mesh()
    read_back = read(export(mesh, tmp_path / "a.glb"))
    found = triangles(read_back.vertices, read_back.visual.uv, read_back.faces)
    np.testing.assert_allclose(found, expected(mesh, "gltf"), atol=1.1e-5)
    assert np.array(read_back.visual.material.baseColorTexture).shape == mesh.texture.shape
    is_below = read_back.visual.uv[:, 1] < 0.5
    assert (read_back.vertices[is_below, 1] < 0).all()
    assert (read_back.vertices[~is_below, 1] > 0).all()


@pytest.mark.parametrize("frame", FRAMES)
def test_trimesh_finds_every_triangle_of_an_obj(tmp_path, frame):
    mesh = small_mesh()
    read_back = read(export(mesh, tmp_path / "a.obj", frame=frame))
    found = triangles(read_back.vertices, read_back.visual.uv, read_back.faces)
    np.testing.assert_allclose(found, expected(mesh, frame), atol=3e-5)
    assert np.array(read_back.visual.material.image).shape == mesh.texture.shape


def test_points_of_an_obj_are_shared_across_seam_and_poles(tmp_path):
    mesh = small_mesh()
    lines = export(mesh, tmp_path / "a.obj").read_text().splitlines()
    assert sum(line.startswith("v ") for line in lines) == len(mesh.cloud)
    assert sum(line.startswith("vt ") for line in lines) == len(mesh.corners) > len(mesh.cloud)
    faces = np.array([[int(pair.split("/")[0]) for pair in line.split()[1:]] for line in lines if line[0] == "f"])
    solid = trimesh.Trimesh(np.zeros((len(mesh.cloud), 3)), faces - 1, process=False, validate=False)
    assert len(solid.faces) == len(mesh)
    open_edges = trimesh.grouping.group_rows(solid.edges_sorted, require_count=1)
    assert 0 < len(open_edges) < 30, "only the hole of the unknown is open"


def test_the_texture_is_the_photo(tmp_path):
    mesh = small_mesh()
    export(mesh, tmp_path / "a.obj")
    as_jpeg = np.asarray(Image.open(tmp_path / "a.texture.jpg"), np.int16)
    assert np.abs(as_jpeg - mesh.texture).max() < 25
    data = export(mesh, tmp_path / "a.glb").read_bytes()
    (view,) = [
        document(tmp_path / "a.glb")["bufferViews"][image["bufferView"]]
        for image in document(tmp_path / "a.glb")["images"]
    ]
    start = len(data) - document(tmp_path / "a.glb")["buffers"][0]["byteLength"] + view["byteOffset"]
    inside = Image.open(io.BytesIO(data[start : start + view["byteLength"]]))
    np.testing.assert_array_equal(np.asarray(inside), as_jpeg)


def test_a_glb_says_what_it_is_and_repeats_across_the_seam(tmp_path):
    gltf = document(export(small_mesh(), tmp_path / "a.glb"))
    extras = gltf["asset"]["extras"]
    assert (extras["frame"], extras["units"], extras["camera_height"]) == ("gltf", "m", 1.6)
    assert gltf["materials"][0]["extensions"] == {"KHR_materials_unlit": {}}
    assert gltf["samplers"][0]["wrapS"] == 10497
    assert all(view["byteOffset"] % 4 == 0 for view in gltf["bufferViews"])


def test_the_files_of_an_obj_refer_to_each_other(tmp_path):
    photo = tmp_path / "grand hall.jpg"
    photo.write_bytes(b"the photograph")
    path = export(small_mesh(path=photo), tmp_path / "grand hall.obj")
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        *("grand hall.jpg", "grand hall.obj", "grand hall.obj.json", "grand_hall.mtl", "grand_hall.texture.jpg")
    ]
    assert photo.read_bytes() == b"the photograph"
    assert "mtllib grand_hall.mtl" in path.read_text()
    assert "map_Kd grand_hall.texture.jpg" in (tmp_path / "grand_hall.mtl").read_text()
    facts = json.loads((tmp_path / "grand hall.obj.json").read_text())
    assert (facts["frame"], facts["units"], facts["source"]) == ("z-up", "m", "grand hall.jpg")
    assert read(path).visual.material.image is not None


def test_a_glb_is_y_up_or_refused(tmp_path):
    with pytest.raises(ExportError, match=r"y up by definition.*got ros"):
        export(small_mesh(), tmp_path / "a.glb", frame="ros")
    assert list(tmp_path.iterdir()) == []


@BY_SUFFIX
def test_photograph_and_mesh_may_have_names_that_are_no_text(tmp_path, exporter):
    path = export(small_mesh(path=Path("h\udce4ll.jpg")), tmp_path / f"h\udce4ll{exporter.suffix}")
    for written in files_of(exporter, path):
        assert written.stat().st_size > 0
    if exporter.suffix == ".obj":
        assert b"mtllib h\xe4ll.mtl" in path.read_bytes()


@BY_SUFFIX
def test_the_same_mesh_gives_the_same_bytes(tmp_path, exporter):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        export(small_mesh(), tmp_path / folder / f"a{exporter.suffix}")
    for path in files_of(exporter, tmp_path / "first" / f"a{exporter.suffix}"):
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


@BY_SUFFIX
def test_a_mesh_that_does_not_fit_or_is_cancelled_leaves_the_old_files(tmp_path, exporter):
    paths = files_of(exporter, tmp_path / f"a{exporter.suffix}")
    for path in paths:
        path.write_bytes(b"old")

    def cancel(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        export(small_mesh(), paths[0], progress=cancel)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
    try:
        with pytest.raises(ExportError, match="larger than this disk"):
            export(small_mesh(), paths[0])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(paths, b"old")


@BY_SUFFIX
def test_a_mesh_format_reports_how_far_it_is(tmp_path, exporter, monkeypatch):
    heard = []
    export(small_mesh(), tmp_path / f"a{exporter.suffix}", progress=lambda *step: heard.append(step))
    assert heard == sorted(heard)
    assert len(heard) >= 3
