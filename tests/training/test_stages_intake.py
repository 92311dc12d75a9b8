"""Photographs and videos are taken in; what is no good is listed with the reason, once."""

import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from colonnades import colonnade
from PIL import Image

from core.errors import PanoError
from core.geometry.camera import rotation_from_angles
from core.geometry.warp import turn_erp
from core.io.images import read_panorama
from training.manifest import read_scenes
from training.stages.horizon import tilt_deg
from training.stages.intake import IntakePlan, read_items, take_in

PLAN = IntakePlan(height=64, seconds=1.0)


class Says:
    """Tells indoor from outdoor by whether the picture is dark."""

    def read(self, rgb):
        self.size = rgb.shape
        return type("Reading", (), {"indoor_probability": float(rgb.mean() < 110)})()


@pytest.mark.parametrize(("roll", "pitch"), [(0, 0), (3, 0), (15, 0), (0, 25), (14, 14)])
def test_the_lean_of_a_horizon_is_measured_by_its_verticals(roll, pitch):
    rotation = rotation_from_angles(0.4, np.radians(pitch), np.radians(roll))
    expected = np.degrees(np.arccos(rotation[1, 1]))
    assert tilt_deg(turn_erp(colonnade(), rotation)) == pytest.approx(expected, abs=1.6)


def test_of_a_picture_without_lines_nothing_is_said():
    noise = np.random.default_rng(0).integers(0, 255, (256, 512, 3), np.uint8)
    assert np.isnan(tilt_deg(noise)) or tilt_deg(noise) <= 5
    assert np.isnan(tilt_deg(np.full((256, 512, 3), 90, np.uint8)))


def write_video(path, frames, rate):
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), rate, (512, 256))
    assert video.isOpened()
    for frame in frames:
        video.write(np.ascontiguousarray(frame[..., ::-1]))
    video.release()


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / "in"
    (folder / "more").mkdir(parents=True)

    def save(name, rgb):
        Image.fromarray(rgb).save(folder / name, quality=95)

    save("bright.png", np.minimum(colonnade().astype(int) + 60, 255).astype(np.uint8))
    save("more/dark.jpg", colonnade() // 2)
    save("leans.png", turn_erp(colonnade(), rotation_from_angles(0, 0, np.radians(25))))
    save("flat.png", np.full((256, 512, 3), 90, np.uint8))
    save("small.png", colonnade(64))
    save("wide.png", np.zeros((256, 700, 3), np.uint8))
    save("half.png", np.concatenate([colonnade()[:, :256] // 20, colonnade()[:, 256:]], axis=1))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "broken.mp4").write_bytes(b"no video")
    (folder / "notes.txt").write_text("nothing")
    shifts = [0, 0, 0, 0, 40, 40, 40, 40, 80, 80]
    write_video(folder / "walk.avi", [np.roll(colonnade(), shift, axis=1) // 2 for shift in shifts], rate=2)
    return folder


def test_what_is_good_is_taken_and_all_else_is_listed_with_the_reason(sources, tmp_path):
    says = Says()
    items = take_in([sources], tmp_path / "out", PLAN, model=says)
    assert says.size == (64, 128, 3)
    by_name = {}
    for item in items:
        by_name.setdefault(item.source.rpartition("/")[2], []).append(item)
    reasons = {name: of[0].reason for name, of in by_name.items()}
    for name, said in {
        "leans.png": "leans by 2",
        "flat.png": "one colour",
        "small.png": "256 rows",
        "wide.png": "twice as wide",
        "half.png": "borders do not meet",
        "broken.jpg": "",
        "broken.mp4": "without a frame",
    }.items():
        assert said in reasons[name]
        assert reasons[name]
    assert "notes.txt" not in by_name
    assert by_name["bright.png"][0].scene == "outdoor"
    assert by_name["dark.jpg"][0].scene == "indoor"
    # Two frames a second, one taken every second; those that show the same as before are left out.
    assert [item.frame for item in by_name["walk.avi"]] == [0, 2, 4, 6, 8]
    assert [bool(item.file) for item in by_name["walk.avi"]] == [True, False, True, False, True]
    taken = {item.file for item in items if item.file}
    assert taken == {path.name for path in (tmp_path / "out").glob("*.jpg")}
    assert {row["file"] for row in read_scenes(tmp_path / "out")} == taken
    assert read_panorama(tmp_path / "out" / by_name["dark.jpg"][0].file).rgb.shape == (64, 128, 3)


def test_what_cannot_be_read_does_not_stop_the_rest(tmp_path):
    sources = tmp_path / "in"
    sources.mkdir()
    (sources / "a_link.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (sources / "folder.jpg").mkdir()
    Image.fromarray(colonnade()).save(sources / "room.png")
    items = take_in([sources], tmp_path / "out", PLAN, model=Says())
    assert [bool(item.file) for item in items] == [False, False, True]
    assert "can be read" in items[0].reason


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are text")
def test_names_that_are_no_text_are_kept(tmp_path):
    sources = tmp_path / "in"
    sources.mkdir()
    Image.fromarray(colonnade()).save(sources / "h\udce4ll.png", "PNG")
    first = take_in([sources], tmp_path / "out", PLAN, model=Says())
    assert take_in([sources], tmp_path / "out", PLAN, model=Says()) == first
    (row,) = read_scenes(tmp_path / "out")
    assert (tmp_path / "out" / row["file"]).is_file()


def test_a_second_run_does_nothing_again_and_takes_in_what_is_new(tmp_path):
    sources = tmp_path / "in"
    sources.mkdir()
    Image.fromarray(colonnade()).save(sources / "first.png")
    (sources / "broken.jpg").write_bytes(b"no picture")
    first = take_in([sources], tmp_path / "out", PLAN, model=Says())
    assert len(first) == 2
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.jpg")}
    Image.fromarray(colonnade(seed=1)).save(sources / "later.png")
    second = take_in([sources], tmp_path / "out", PLAN, model=Says())
    assert second[: len(first)] == first
    assert len(second) == len(first) + 1
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [item for item in read_items(tmp_path / "out") if item.frame > -2] == second


@pytest.mark.parametrize("other", [{"height": 32}, {"seconds": 2.0}, {"lean": 5.0}])
def test_a_folder_is_not_filled_further_in_another_way(tmp_path, other):
    sources = tmp_path / "in"
    sources.mkdir()
    Image.fromarray(colonnade()).save(sources / "first.png")
    first = take_in([sources], tmp_path / "out", PLAN, model=Says())
    Image.fromarray(colonnade(seed=1)).save(sources / "later.png")
    with pytest.raises(PanoError, match=f"another {next(iter(other))}; choose another folder"):
        take_in([sources], tmp_path / "out", replace(PLAN, **other), model=Says())
    assert [item for item in read_items(tmp_path / "out") if item.frame > -2] == first
    (tmp_path / "out" / "intake.json").write_text("{")
    with pytest.raises(PanoError, match="in the same way"):
        take_in([sources], tmp_path / "out", PLAN, model=Says())


def test_a_folder_without_pictures_is_told(tmp_path):
    with pytest.raises(PanoError, match="photographs or videos"):
        take_in([tmp_path], tmp_path / "out", PLAN, model=Says())
