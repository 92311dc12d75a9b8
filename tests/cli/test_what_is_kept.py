"""What somebody has set in the window, level and scale, holds for the commands."""

import json

import numpy as np
import pytest
from commands import photo

from core.edits import set_level
from core.geometry.camera import rotation_from_angles
from core.geometry.sphere import directions_to_lonlat, erp_rays, lonlat_to_directions
from core.io.header import read_header
from core.io.images import read_panorama
from core.io.kept_scale import read_scale, write_scale
from core.io.project_file import NAME, ProjectFile, read_project_file, write_project_file
from core.io.scene_file import annotation_path, open_scene
from core.known_scale import KnownScale
from core.scene import Label

LEVEL = (0.12, -0.2)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "photos" / "a.jpg"
    path.parent.mkdir()
    photo(path)
    return path


def level(picture):
    file = open_scene(read_panorama(picture))
    file.save(set_level(LEVEL)(file.scene))
    file.close()


def test_a_kept_camera_height_scales_predict_and_cloud(picture, tmp_path, in_process, capsys):
    out = tmp_path / "out"
    assert in_process("predict", picture, "-o", out) == 0
    before = np.load(out / "a.depth.npy")
    write_scale(picture.parent, KnownScale(3.2))
    assert in_process("predict", picture, "-o", out) == 0
    np.testing.assert_allclose(np.load(out / "a.depth.npy"), 2 * before, rtol=1e-6)
    about = json.loads((out / "a.json").read_text())
    assert (about["camera_height"], about["camera_height_from"]) == (pytest.approx(3.2), "user")
    assert any("3.2 m" in note for note in about["notes"])
    assert in_process("cloud", picture, "-o", tmp_path / "a.npz", "--keep-edges") == 0
    with np.load(tmp_path / "a.npz") as archive:
        ranges = np.linalg.norm(archive["points"], axis=-1)
    assert ranges.max() == pytest.approx(2 * np.nanmax(before), rel=1e-5)


@pytest.mark.parametrize(("height", "doubted"), [("1.4", False), ("4.9", True), ("200", True)])
def test_an_unlikely_camera_height_counts_and_is_doubted(picture, tmp_path, in_process, capsys, height, doubted):
    assert in_process("predict", picture, "-o", tmp_path / "out", "--camera-height", height) == 0
    assert (f"height of {height} m is far from the 1.6 m" in capsys.readouterr().err) is doubted
    about = json.loads((tmp_path / "out" / "a.json").read_text())
    assert about["camera_height"] == float(height)
    assert any("far from" in note for note in about["notes"]) is doubted
    write_scale(picture.parent, KnownScale(float(height)))
    assert in_process("cloud", picture, "-o", tmp_path / "a.ply") == 0
    assert ("is far from the 1.6 m" in capsys.readouterr().err) is doubted


def test_what_is_known_of_another_model_is_not_said_of_this_one(picture, tmp_path, in_process):
    write_scale(picture.parent, KnownScale(factors={"another": 2.0}))
    assert in_process("predict", picture, "-o", tmp_path / "out") == 0
    assert json.loads((tmp_path / "out" / "a.json").read_text())["camera_height_from"] == "model"


def test_resume_leaves_what_only_another_model_has_learned_of_sizes(picture, tmp_path, in_process, capsys):
    out = tmp_path / "out"
    assert in_process("predict", picture, "-o", out) == 0
    capsys.readouterr()
    write_scale(picture.parent, KnownScale(factors={"another": 2.0}))
    assert in_process("predict", picture, "-o", out, "--resume") == 0
    assert "complete, skipped" in capsys.readouterr().err


def test_edits_that_are_not_saved_are_told_of_by_every_command(picture, tmp_path, in_process, capsys):
    level(picture)
    file = open_scene(read_panorama(picture))
    file.record("Level", set_level((0.3, 0.0))(file.scene))
    saved = read_panorama(picture).with_level(LEVEL).level_from_world
    commands = (
        ["predict", "-o", tmp_path / "out"],
        ["cloud", "-o", tmp_path / "a.ply"],
        ["convert", "-o", tmp_path / "b.png"],
    )
    for command, *options in commands:
        assert in_process(command, picture, *options) == 0
        assert "edits that are not saved" in capsys.readouterr().err, command
    np.testing.assert_allclose(json.loads((tmp_path / "out/a.json").read_text())["pose"]["level_from_world"], saved)
    assert in_process("info", picture, "--json") == 0
    assert json.loads(capsys.readouterr().out)["kept"]["unsaved_edits"] is True
    file.close()


def test_info_tells_what_is_kept_for_a_photograph_and_its_folder(picture, in_process, capsys):
    def kept():
        assert in_process("info", picture, "--json") == 0
        return json.loads(capsys.readouterr().out)["kept"]

    assert set(kept().values()) == {None, False}
    level(picture)
    write_scale(picture.parent, KnownScale(1.62, {"another": 2.5}))
    found = kept()
    assert (found["pitch_deg"], found["roll_deg"]) == tuple(pytest.approx(np.degrees(angle)) for angle in LEVEL)
    assert (found["camera_height"], found["depth_factors"]) == (1.62, {"another": 2.5})
    assert (found["unsaved_edits"], found["problem"]) == (False, None)
    assert in_process("info", picture) == 0
    assert "camera height: 1.62" in capsys.readouterr().out
    write_project_file(picture.parent, ProjectFile(settings={"camera_height": "high"}))
    found = kept()
    assert "the setting camera_height to be a number" in found["problem"]
    assert found["pitch_deg"] is not None


def test_options_come_before_what_is_kept(picture, tmp_path, in_process):
    out = tmp_path / "out"
    assert in_process("predict", picture, "-o", out) == 0
    before = np.load(out / "a.depth.npy")
    write_scale(picture.parent, KnownScale(3.2))
    assert in_process("predict", picture, "-o", out, "--camera-height", "model") == 0
    np.testing.assert_array_equal(np.load(out / "a.depth.npy"), before)
    assert in_process("predict", picture, "-o", out, "--camera-height", "0.8") == 0
    np.testing.assert_allclose(np.load(out / "a.depth.npy"), before / 2, rtol=1e-6)
    assert in_process("predict", picture, "-o", out, "--camera-height", "many") == 2


def test_resume_does_again_what_was_scaled_or_levelled_since(picture, tmp_path, in_process, capsys):
    out = tmp_path / "out"
    assert in_process("predict", picture, "-o", out) == 0

    def again():
        capsys.readouterr()
        assert in_process("predict", picture, "-o", out, "--resume") == 0
        return capsys.readouterr()

    assert "complete" in again().err
    write_scale(picture.parent, KnownScale(3.2))
    assert "other options (scale)" in again().err
    assert "complete" in again().err
    level(picture)
    assert "other options (level)" in again().err
    assert "complete" in again().err


def test_a_kept_level_is_that_of_clouds_results_and_exported_panoramas(picture, tmp_path, in_process):
    level(picture)
    rotation = rotation_from_angles(0, *LEVEL)
    out = tmp_path / "out"
    assert in_process("predict", picture, "-o", out) == 0
    pose = json.loads((out / "a.json").read_text())["pose"]
    np.testing.assert_allclose(pose["level_from_world"], rotation, atol=1e-12)
    assert in_process("cloud", picture, "-o", tmp_path / "a.npz", "--keep-edges", "--frame", "opencv") == 0
    with np.load(tmp_path / "a.npz") as archive:
        points = archive["points"]
    depth = np.load(out / "a.depth.npy").astype(np.float64)
    expected = (erp_rays(*depth.shape) * depth[..., None]).reshape(-1, 3) @ rotation.T
    np.testing.assert_allclose(points, expected[np.isfinite(expected[:, 0])], atol=1e-4)

    assert in_process("convert", picture, "-o", tmp_path / "same.jpg") == 0
    stated = read_header(tmp_path / "same.jpg").gpano.level_from_world
    np.testing.assert_allclose(stated, rotation, atol=1e-6)
    assert in_process("convert", picture, "--level", "-o", tmp_path / "level.jpg") == 0
    assert read_panorama(tmp_path / "level.jpg").is_level


def test_a_project_with_annotations_is_levelled_and_scaled_alike(picture, tmp_path, in_process):
    level(picture)
    write_scale(picture.parent, KnownScale(3.2))
    assert in_process("cloud", picture.parent, "-o", tmp_path / "clouds", "--format", "npz", "--keep-edges") == 0
    assert in_process("cloud", picture, "-o", tmp_path / "a.npz", "--keep-edges") == 0
    clouds = [np.load(path)["points"] for path in (tmp_path / "clouds" / "a.jpg.npz", tmp_path / "a.npz")]
    np.testing.assert_array_equal(*clouds)


def test_two_verticals_level_a_picture_from_the_command_line(picture, tmp_path, in_process):
    rotation = rotation_from_angles(0, *LEVEL)
    options = []
    for lon in (0.3, 1.7):
        ends = [directions_to_lonlat(rotation.T @ lonlat_to_directions(lon, lat)) for lat in (-0.5, 0.4)]
        options += ["--vertical=" + ",".join(f"{np.degrees(angle):.9f}" for end in ends for angle in end)]
    assert in_process("convert", picture, *options, "--to", "erp", "-o", tmp_path / "level.png") == 0
    assert read_panorama(tmp_path / "level.png").is_level
    assert in_process("convert", picture, options[0], options[0], "-o", tmp_path / "one.png") == 0


def test_the_scale_of_a_folder_shares_its_file_with_labels_and_other_settings(tmp_path):
    labels = (Label("door", (1, 2, 3)),)
    write_project_file(tmp_path, ProjectFile(labels, settings={"camera_height": 2, "other": "x"}))
    (tmp_path / "below").mkdir()
    assert read_scale(tmp_path / "below" / "a.jpg") == KnownScale(2.0)
    scale = KnownScale(None, {"dap": 1.25})
    write_scale(tmp_path, scale)
    assert read_scale(tmp_path / "a.jpg") == scale
    project = read_project_file(tmp_path)
    assert project.labels == labels
    assert dict(project.settings) == {"other": "x", "depth_factor.dap": 1.25}
    write_scale(tmp_path, KnownScale())
    assert dict(read_project_file(tmp_path).settings) == {"other": "x"}


def test_nothing_known_makes_no_project(tmp_path):
    write_scale(tmp_path, KnownScale())
    assert not list(tmp_path.iterdir())
    assert not read_scale(tmp_path / "a.jpg")


@pytest.mark.parametrize("value", [0, -1, "tall", True, 1e9])
def test_a_height_that_no_camera_has_is_a_sentence(picture, tmp_path, in_process, capsys, value):
    write_project_file(picture.parent, ProjectFile(settings={"camera_height": value}))
    assert in_process("cloud", picture, "-o", tmp_path / "a.ply") == 2
    told = capsys.readouterr().err
    assert "camera_height" in told
    assert NAME in told


def test_annotations_that_are_replaced_by_an_import_keep_the_level(picture, tmp_path, in_process):
    level(picture)
    labelme = tmp_path / "a.json"
    corners = [[10, 10], [40, 10], [40, 30]]
    shape = {"label": "x", "points": corners, "shape_type": "polygon", "group_id": None, "flags": {}}
    about = {"version": "5", "flags": {}, "imagePath": "a.jpg", "imageData": None, "imageHeight": 48, "imageWidth": 96}
    labelme.write_text(json.dumps(about | {"shapes": [shape]}))
    assert in_process("import", labelme, "--from", "labelme", "-o", picture.parent, "--replace") == 0
    found = open_scene(read_panorama(picture)).scene
    assert annotation_path(picture).is_file()
    assert len(found.segments) == 1
    assert found.panorama.level == LEVEL
