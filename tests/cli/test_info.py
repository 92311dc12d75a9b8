"""`panoviewer info`."""

import json
import os
import re
import struct
import zlib

import cv2
import numpy as np
import pytest
from commands import is_one_sentence, photo, start

from core.io.images import read_panorama
from core.models import MODELS, SEGMENTERS
from panoviewer import cli


def test_info_about_the_installation(capsys):
    assert cli.main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert re.fullmatch(r"\d+\.\d+\.\d+", facts["panoviewer"]), "known without an installation, too"
    assert facts["packages"]["numpy"] == np.__version__
    assert facts["devices"]["cores"] == os.cpu_count()
    assert [model["name"] for model in facts["models"]] == [spec.name for spec in (*MODELS, *SEGMENTERS)]
    assert facts["models"][0]["name"] == "pano-s"
    assert facts["models"][-1]["tasks"] == ["clicks"]
    assert all(model["weights"]["there"] for model in facts["models"] if model["name"] in ("pano-s", "click-s"))
    assert facts["window"]["available"] == (facts["window"]["missing"] == [])
    assert cli.main(["info"]) == 0
    text = capsys.readouterr().out
    assert "pano-s" in text
    assert np.__version__ in text


def test_info_about_a_picture(tmp_path, capsys):
    tags = {
        "ProjectionType": "equirectangular", "PoseHeadingDegrees": 90.5, "PosePitchDegrees": -5,
        "CroppedAreaImageWidthPixels": 40, "CroppedAreaImageHeightPixels": 30, "FullPanoWidthPixels": 96,
        "FullPanoHeightPixels": 48, "CroppedAreaLeftPixels": 7, "CroppedAreaTopPixels": 10,
    }  # fmt: skip
    photo(tmp_path / "part.jpg", 30, 40, tags)
    assert cli.main(["info", str(tmp_path / "part.jpg"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["width"], facts["height"], facts["format"]) == (40, 30, "JPEG")
    assert facts["pose_heading_deg"] == 90.5
    assert facts["pose_pitch_deg"] == -5
    assert facts["crop"] == {"left": 7, "top": 10, "width": 40, "height": 30}
    assert facts["sphere"] == "96 x 48"
    assert facts["memory_needed_bytes"] > 0
    assert cli.main(["info", str(tmp_path / "part.jpg")]) == 0
    assert "pose heading: 90.5°" in capsys.readouterr().out


def test_info_about_a_picture_that_is_no_panorama_says_why(tmp_path, capsys):
    photo(tmp_path / "wide.jpg", 10, 96)
    assert cli.main(["info", str(tmp_path / "wide.jpg")]) == 0
    assert "--assume" in capsys.readouterr().out
    assert cli.main(["info", str(tmp_path / "missing.jpg")]) == 2


def test_a_reader_that_leaves_early_gets_no_complaint():
    process = start("info", "--json")
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=280)
    assert err == ""
    assert process.returncode == 0


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_info_about_a_picture_that_is_cut_short_says_so(tmp_path, capsys, suffix, share):
    path = photo(tmp_path / f"cut{suffix}", 64, 128)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    code = cli.main(["info", str(path), "--json"])
    told = capsys.readouterr()
    if code == 0:
        facts = json.loads(told.out)
        assert facts["problem"]
        assert facts["width"] == 128, "what the header says is told all the same"
    else:
        assert code == 2
        assert is_one_sentence(told.err)


def test_info_about_a_jpeg_without_its_last_bytes_says_the_same_as_predict(tmp_path, capsys, in_process):
    for name in ("plain.jpg", "grey.jpg"):
        path = photo(tmp_path / name, 64, 128)
        if name == "grey.jpg":
            cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        path.write_bytes(path.read_bytes()[:-2])
        assert in_process("info", path) == 0
        assert "cut short" in capsys.readouterr().out
        assert in_process("predict", path, "-o", tmp_path / "out") == 2
        assert "cut short" in capsys.readouterr().err


def test_info_about_a_good_picture_has_no_problem(tmp_path, capsys):
    for suffix in (".jpg", ".png", ".tif", ".webp"):
        assert cli.main(["info", str(photo(tmp_path / f"good{suffix}")), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["problem"] is None


def test_info_about_an_odd_picture_that_is_cut_short_says_both(tmp_path, capsys):
    path = photo(tmp_path / "wide.jpg", 10, 96)
    path.write_bytes(path.read_bytes()[:-100])
    assert cli.main(["info", str(path), "--json"]) == 0
    problem = json.loads(capsys.readouterr().out)["problem"]
    assert "--assume" in problem
    assert "short" in problem or "damaged" in problem


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"InitialViewHeadingDegrees": 30, "InitialViewPitchDegrees": -10, "InitialHorizontalFOVDegrees": 60},
        {"PoseHeadingDegrees": 90, "PosePitchDegrees": 5, "InitialViewHeadingDegrees": 30},
        {
            "CroppedAreaImageWidthPixels": 96, "CroppedAreaImageHeightPixels": 48, "FullPanoWidthPixels": 400,
            "FullPanoHeightPixels": 200, "CroppedAreaLeftPixels": 300, "CroppedAreaTopPixels": 10,
        },
    ],
)  # fmt: skip
def test_info_names_the_first_view_that_opening_gives(tmp_path, capsys, tags):
    path = photo(tmp_path / "a.jpg", tags=tags)
    assert cli.main(["info", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["opens_on"]
    view = read_panorama(path).initial_view
    angles = np.degrees([view.yaw, view.pitch, view.roll, view.fov_x])
    assert [told[f"{name}_deg"] for name in ("yaw", "pitch", "roll", "fov")] == pytest.approx(list(angles), abs=1e-5)
    if not tags:
        assert (told["yaw_deg"], told["fov_deg"]) == (0, 90)


def test_info_about_a_picture_that_is_too_large_names_the_sphere_that_opening_names(tmp_path, capsys, in_process):
    path = tmp_path / "huge.png"
    head = b"IHDR" + struct.pack(">IIBBBBB", 2_000_000, 1_000_000, 8, 2, 0, 0, 0)
    chunks = (head, b"IDAT" + zlib.compress(bytes(100)), b"IEND")
    parts = [struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert in_process("info", path, "--json") == 0
    problem = json.loads(capsys.readouterr().out)["problem"]
    assert "on a sphere of 2000000 x 1000000 needs" in problem
    assert in_process("predict", path, "-o", tmp_path / "out") == 2
    assert problem.partition(" needs")[0] in capsys.readouterr().err
