"""What a cloud's file says about the photograph: height of the camera, crop, pose."""

import json

import numpy as np
import plyfile
import pytest
from export_samples import small_prediction

from core.cloud import CloudOptions, cloud_from_prediction
from core.export import export
from core.geometry.camera import rotation_from_angles
from core.panorama import Panorama

PITCH, ROLL = np.radians(10), np.radians(-4)
POSE = rotation_from_angles(0.0, PITCH, -ROLL)


def part_of_a_sphere():
    """A posed photograph of 60 x 25 that runs over the seam of a sphere of 120 x 60."""
    valid = np.zeros((60, 120), bool)
    valid[10:35, 100:] = valid[10:35, :40] = True
    return Panorama(np.zeros((60, 120, 3), np.uint8), valid=valid, level_from_world=POSE, heading=np.radians(90.5))


def comments(path):
    return dict(comment.split("=", 1) for comment in plyfile.PlyData.read(path).comments if "=" in comment)


def meta(path):
    with np.load(path, allow_pickle=False) as archive:
        return json.loads(str(archive["meta"]))


def test_ply_comments_state_camera_height_crop_pose_and_grid(tmp_path):
    cloud = cloud_from_prediction(part_of_a_sphere(), small_prediction(), CloudOptions(edges=None))
    facts = comments(export(cloud, tmp_path / "a.ply"))
    assert facts["camera_height"] == "1.6"
    assert facts["crop"] == "left=100 top=10 width=60 height=25 full_width=120 full_height=60"
    assert facts["pose"] == "heading_deg=90.5 pitch_deg=10 roll_deg=-4"
    assert facts["level"] == "yes"
    assert facts["depth_size"] == "12 x 6"


def test_a_whole_level_photograph_says_so(tmp_path):
    cloud = cloud_from_prediction(Panorama(np.zeros((60, 120, 3), np.uint8)), small_prediction(camera_height=None))
    facts = comments(export(cloud, tmp_path / "a.ply"))
    assert facts["camera_height"] == "unknown"
    assert facts["crop"] == "none"
    assert facts["pose"] == "heading_deg=unknown pitch_deg=0 roll_deg=0"


@pytest.mark.parametrize("voxel", [None, 0.5])
def test_npz_states_the_same_as_numbers(tmp_path, voxel):
    options = CloudOptions(edges=None, voxel=voxel, raw_pose=True)
    cloud = cloud_from_prediction(part_of_a_sphere(), small_prediction(), options)
    facts = meta(export(cloud, tmp_path / "a.npz"))
    assert facts["camera_height"] == 1.6
    assert facts["crop"] == {"left": 100, "top": 10, "width": 60, "height": 25, "full_width": 120, "full_height": 60}
    pose = facts["pose"]
    assert (pose["heading_deg"], pose["pitch_deg"], pose["roll_deg"]) == pytest.approx((90.5, 10, -4), abs=1e-6)
    np.testing.assert_allclose(pose["level_from_world"], POSE, atol=1e-12)
    assert facts["level"] != "yes"
    assert facts["depth_size"] == {"height": 6, "width": 12}


def test_npz_of_a_whole_photograph_has_no_crop_and_no_height(tmp_path):
    cloud = cloud_from_prediction(Panorama(np.zeros((60, 120, 3), np.uint8)), small_prediction(camera_height=None))
    facts = meta(export(cloud, tmp_path / "a.npz"))
    assert facts["camera_height"] is None
    assert facts["crop"] is None
    assert facts["pose"]["heading_deg"] is None
