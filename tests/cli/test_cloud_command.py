"""`panoviewer cloud`."""

import numpy as np
import plyfile
import pytest
from commands import names, photo

from core.cloud import FRAMES
from core.geometry.camera import rotation_from_angles
from core.geometry.sphere import erp_rays


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
        ["-o", "{tmp}/a.obj"],
        ["-o", "{tmp}/a.ply", "--min-range", "3", "--max-range", "2"],
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
