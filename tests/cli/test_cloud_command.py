"""`panoviewer cloud`."""

import laspy
import numpy as np
import plyfile
import pytest
from commands import names, photo
from PIL import Image

from core.cloud import FRAMES
from core.export.geometry import GEOMETRY
from core.export.told_source import told_source
from core.geometry.camera import rotation_from_angles
from core.geometry.sphere import erp_rays
from panoviewer.arguments import GEOMETRY_NAMES


@pytest.mark.parametrize("frame", FRAMES)
def test_every_point_of_a_cloud_is_depth_times_ray_of_a_pixel_of_predict(tmp_path, in_process, frame):
    tags = {"ProjectionType": "equirectangular", "PosePitchDegrees": 10, "PoseRollDegrees": 4}
    photo(tmp_path / "a.jpg", tags=tags)
    assert in_process("predict", tmp_path / "a.jpg", "-o", tmp_path) == 0
    assert in_process("cloud", tmp_path / "a.jpg", "-o", tmp_path / "a.ply", "--frame", frame, "--keep-edges") == 0
    vertex = plyfile.PlyData.read(tmp_path / "a.ply")["vertex"]
    points = np.stack([vertex["x"], vertex["y"], vertex["z"]], axis=-1)
    depth = np.load(tmp_path / "a.depth.npy").astype(np.float64)
    level_from_world = rotation_from_angles(0, np.radians(10), np.radians(-4))
    world = (erp_rays(48, 96) * depth[..., None]).reshape(-1, 3)
    expected = world @ (FRAMES[frame] @ level_from_world).T
    np.testing.assert_allclose(points, expected[np.isfinite(expected[:, 0])], atol=1e-5)


def test_range_stride_voxel_and_raw_pose_change_the_cloud(tmp_path, in_process):
    photo(tmp_path / "a.jpg", tags={"ProjectionType": "equirectangular", "PosePitchDegrees": 20})

    def points(*options):
        assert in_process("cloud", tmp_path / "a.jpg", "-o", tmp_path / "a.npz", *options) == 0
        with np.load(tmp_path / "a.npz") as archive:
            return archive["points"]

    every = points()
    ranges = np.linalg.norm(points("--min-range", "2", "--max-range", "3.5"), axis=-1)
    assert 2 <= ranges.min() < ranges.max() <= 3.5 + 1e-5
    assert len(points("--stride", "2")) == pytest.approx(len(every) / 4, rel=0.1)
    assert len(points("--voxel", "0.5")) < len(every) / 2
    assert not np.allclose(points("--raw-pose"), every, atol=0.01)
    higher = points("--camera-height", "3.2")
    np.testing.assert_allclose(higher, 2 * every, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        ["-o", "{tmp}/a.usd"],
        ["-o", "{tmp}/a.glb", "--frame", "ros"],
        ["-o", "{tmp}/a.glb", "--voxel", "0.1"],
        ["-o", "{tmp}/a.las", "--triangles", "1000"],
        ["-o", "{tmp}/a.las", "--texture", "1000"],
        ["-o", "{tmp}/a.obj", "--triangles", "10"],
        ["-o", "{tmp}/a.obj", "--texture", "5"],
        ["-o", "{tmp}/a.las", "--frame", "enu"],
        ["-o", "{tmp}/a.obj", "--min-range", "100"],
        ["-o", "{tmp}/a.ply", "--min-range", "3", "--max-range", "2"],
        ["-o", "{tmp}/a.ply", "--max-range", "0"],
        ["-o", "{tmp}/a.ply", "--min-range", "-1"],
        ["-o", "{tmp}/a.ply", "--min-range", "100"],
        ["-o", "{tmp}/a.ply", "--voxel", "0"],
        ["-o", "{tmp}/a.ply", "--stride", "1.5"],
        ["-o", "{tmp}/a.ply", "--frame", "unity"],
    ],
)
def test_a_cloud_that_cannot_be_is_one_sentence(tmp_path, in_process, capsys, options):
    photo(tmp_path / "a.jpg")
    assert in_process("cloud", tmp_path / "a.jpg", *(option.format(tmp=tmp_path) for option in options)) == 2
    assert len([line for line in capsys.readouterr().err.splitlines() if line.startswith("panoviewer: ")]) == 1
    assert names(tmp_path) == ["a.jpg"]


def test_the_command_knows_every_format_of_points_and_triangles():
    assert tuple(exporter.suffix[1:] for exporter in GEOMETRY) == GEOMETRY_NAMES


@pytest.mark.parametrize("suffix", GEOMETRY_NAMES)
def test_every_format_is_written_by_its_ending(tmp_path, in_process, suffix):
    photo(tmp_path / "a.jpg")
    assert in_process("cloud", tmp_path / "a.jpg", "-o", tmp_path / "deep" / f"room.{suffix}") == 0
    assert f"room.{suffix}" in names(tmp_path / "deep")


def test_a_mesh_is_as_fine_as_it_is_asked_for(tmp_path, in_process):
    photo(tmp_path / "a.jpg")
    assert (
        in_process("cloud", tmp_path / "a.jpg", "-o", tmp_path / "room.obj", "--triangles", "500", "--texture", "40")
        == 0
    )
    faces = [line for line in (tmp_path / "room.obj").read_text().splitlines() if line.startswith("f ")]
    assert 100 < len(faces) <= 500
    assert Image.open(tmp_path / "room.texture.jpg").size == (40, 20)


def test_enu_turns_the_cloud_by_the_bearing_of_the_photograph(tmp_path, in_process):
    photo(tmp_path / "a.jpg", tags={"ProjectionType": "equirectangular", "PoseHeadingDegrees": 90})
    read = {}
    for frame in ("z-up", "enu"):
        assert in_process("cloud", tmp_path / "a.jpg", "-o", tmp_path / "a.las", "--frame", frame) == 0
        read[frame] = np.array(laspy.read(tmp_path / "a.las").xyz)
    x, y, z = read["z-up"].T
    np.testing.assert_allclose(read["enu"], np.stack([y, -x, z], axis=-1), atol=2e-4)


def test_a_folder_of_photographs_becomes_a_folder_of_clouds(tmp_path, in_process):
    photo(tmp_path / "in" / "a.jpg")
    photo(tmp_path / "in" / "deep" / "b.jpg")
    (tmp_path / "in" / "c.jpg").write_bytes(b"no picture")
    assert in_process("cloud", tmp_path / "in", "-o", tmp_path / "out", "--format", "laz") == 1
    assert names(tmp_path / "out") == ["a.laz", "deep/b.laz"]
    assert in_process("cloud", tmp_path / "in" / "a.jpg", "-o", tmp_path / "one", "--format", "pcd") == 0
    assert names(tmp_path / "one") == ["a.pcd", "a.pcd.json"]
    (tmp_path / "in" / "c.jpg").unlink()
    assert in_process("cloud", tmp_path / "in", "-o", tmp_path / "plain") == 0
    assert names(tmp_path / "plain") == ["a.ply", "deep/b.ply"]
    np.testing.assert_array_equal(
        laspy.read(tmp_path / "out" / "a.laz").xyz, laspy.read(tmp_path / "out" / "deep" / "b.laz").xyz
    )


def test_a_folder_does_not_become_one_file(tmp_path, in_process, capsys):
    photo(tmp_path / "in" / "a.jpg")
    assert in_process("cloud", tmp_path / "in", "-o", tmp_path / "room.las") == 2
    assert "Expected a folder" in capsys.readouterr().err
    assert names(tmp_path) == ["in/a.jpg"]


def test_a_texture_never_replaces_the_photograph(tmp_path, in_process, capsys):
    source = photo(tmp_path / "hall.texture.jpg")
    before = source.read_bytes()
    assert in_process("cloud", source, "-o", tmp_path / "hall.obj") == 2
    assert "got itself" in capsys.readouterr().err
    assert source.read_bytes() == before
    assert names(tmp_path) == ["hall.texture.jpg"]


def test_a_file_of_a_set_that_cannot_be_written_is_told_before_the_work(tmp_path, in_process, capsys):
    photo(tmp_path / "hall.jpg")
    (tmp_path / "hall.mtl").mkdir()
    assert in_process("cloud", tmp_path / "hall.jpg", "-o", tmp_path / "hall.obj") == 2
    assert "hall.mtl" in capsys.readouterr().err
    assert names(tmp_path) == ["hall.jpg"]


def test_one_point_is_not_called_points(tmp_path, in_process, capsys):
    photo(tmp_path / "a.jpg")
    assert in_process("cloud", tmp_path / "a.jpg", "-o", tmp_path / "a.ply", "--stride", "96") == 0
    told = capsys.readouterr().err
    assert len(plyfile.PlyData.read(tmp_path / "a.ply")["vertex"].data) == 1
    assert ": 1 point," in told


@pytest.mark.parametrize("suffix", ["ply", "laz", "obj"])
def test_a_cloud_of_another_photograph_with_the_same_stem_is_kept(tmp_path, in_process, suffix):
    first, second = photo(tmp_path / "one" / "same.jpg"), photo(tmp_path / "two" / "same.png")
    assert in_process("cloud", first, "-o", tmp_path / "out", "--format", suffix) == 0
    before = (tmp_path / "out" / f"same.{suffix}").read_bytes()
    assert in_process("cloud", second, "-o", tmp_path / "out", "--format", suffix) == 0
    assert in_process("cloud", second.parent, "-o", tmp_path / "out", "--format", suffix) == 0
    assert (tmp_path / "out" / f"same.{suffix}").read_bytes() == before
    assert told_source(tmp_path / "out" / f"same.png.{suffix}") == "same.png"
    clouds = [name for name in names(tmp_path / "out") if name.endswith(f".{suffix}")]
    assert clouds == [f"same.{suffix}", f"same.png.{suffix}"]
    photo(first, height=24, width=48)
    assert in_process("cloud", first.parent, "-o", tmp_path / "out", "--format", suffix) == 0
    assert (tmp_path / "out" / f"same.{suffix}").read_bytes() != before
    assert [name for name in names(tmp_path / "out") if name.endswith(f".{suffix}")] == clouds
