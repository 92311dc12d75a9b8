"""`panoviewer predict`: which files, and what stands in them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import plyfile
import pytest
import tifffile
from commands import PROGRAM, ROOT, SUFFIXES, environment, is_one_sentence, names, photo, run
from fake_model import NATIVE, room
from PIL import Image

from core.export import results
from core.export.normals import AXES
from core.geometry.camera import rotation_from_angles
from panoviewer import arguments, cli


def test_predict_writes_the_promised_files_at_full_size(tmp_path):
    photo(tmp_path / "room.jpg")
    done = run("predict", tmp_path / "room.jpg", "-o", tmp_path / "out")
    assert done.returncode == 0, done.err
    assert names(tmp_path / "out") == sorted(f"room{suffix}" for suffix in SUFFIXES)
    depth = np.load(tmp_path / "out/room.depth.npy")
    normals = np.load(tmp_path / "out/room.normals.npy")
    classes = np.asarray(Image.open(tmp_path / "out/room.classes.png"))
    far = cv2.imread(str(tmp_path / "out/room.far.png"), cv2.IMREAD_UNCHANGED)
    assert depth.shape == classes.shape == far.shape == (48, 96)
    assert normals.shape == (48, 96, 3)
    assert depth.dtype == normals.dtype == np.float32
    assert classes.dtype == far.dtype == np.uint8
    assert not far.any()
    exact = room(48, 96)[0]
    assert np.median(np.abs(depth / exact - 1)) < 0.02


def test_the_report_says_what_was_done(tmp_path, in_process):
    tags = {
        "ProjectionType": "equirectangular", "PoseHeadingDegrees": 90, "PosePitchDegrees": 5, "PoseRollDegrees": -3,
        "CroppedAreaImageWidthPixels": 96, "CroppedAreaImageHeightPixels": 32, "FullPanoWidthPixels": 96,
        "FullPanoHeightPixels": 48, "CroppedAreaLeftPixels": 0, "CroppedAreaTopPixels": 10,
    }  # fmt: skip
    photo(tmp_path / "part.jpg", 32, 96, tags)
    code = in_process(
        "predict", tmp_path / "part.jpg", "-o", tmp_path / "out", "--camera-height", "3.2", "--format", "png,npy",
        "--size", "native",
    )  # fmt: skip
    assert code == 0
    report = json.loads((tmp_path / "out/part.json").read_text())
    assert report["class_names"] == ["wall", "floor", "end"]
    assert report["model"] == "pano-s"
    assert report["device"] == "cpu"
    assert report["seconds"] > 0
    assert report["size"] == {"height": NATIVE[0], "width": NATIVE[1]}
    assert report["unit"] == "m"
    assert report["metric"] is True
    assert report["camera_height"] == 3.2
    assert report["crop"] == {"top": 10, "left": 0, "height": 32, "width": 96, "full_height": 48, "full_width": 96}
    pose = report["pose"]
    assert (pose["heading_deg"], pose["pitch_deg"], pose["roll_deg"]) == pytest.approx((90, 5, -3), abs=1e-5)
    expected = rotation_from_angles(0, np.radians(5), np.radians(3))
    np.testing.assert_allclose(pose["level_from_world"], expected, atol=1e-9)
    assert "x right" in report["frame"]
    assert report["depth_png_scale"] == 0.001
    assert report["source"]["file"] == "part.jpg"
    assert len(report["source"]["sha256"]) == 64
    assert sorted(report["outputs"]) == [name for name in names(tmp_path / "out") if not name.endswith(".json")]
    assert str(tmp_path) not in (tmp_path / "out/part.json").read_text(), "folders are private"
    depth = np.load(tmp_path / "out/part.depth.npy")
    seen = np.isfinite(depth).any(axis=1)
    assert not seen[:6].any()
    assert not seen[-3:].any()
    assert seen[8:27].all()
    nadirwards = depth[26, 0]
    assert nadirwards > 1.6, "twice as high as the model thought"


@pytest.mark.parametrize("content", [b'{"shapes": [], "imagePath": "room.jpg"}', b"[1, 2]"])
def test_what_another_program_keeps_under_the_reports_name_is_left_alone(tmp_path, in_process, capsys, content):
    photo(tmp_path / "room.jpg")
    foreign = tmp_path / "room.json"
    foreign.write_bytes(content)
    assert in_process("predict", tmp_path / "room.jpg", "-o", tmp_path) == 2
    assert foreign.read_bytes() == content
    assert names(tmp_path) == ["room.jpg", "room.json"]
    assert "another program's" in capsys.readouterr().err


def test_folders_keep_their_sub_paths_and_labels_are_skipped_with_a_line(tmp_path):
    for name in ("in/a.jpg", "in/sub/deeper/a.jpg", "in/b.png"):
        photo(tmp_path / name)
    photo(tmp_path / "in/a.instances.png")
    (tmp_path / "in/notes.txt").write_text("no picture")
    done = run("predict", tmp_path / "in", "-o", tmp_path / "out", "--tasks", "classes")
    assert done.returncode == 0, done.err
    stems = ("a", "b", "sub/deeper/a")
    assert names(tmp_path / "out") == sorted(
        f"{stem}{suffix}" for stem in stems for suffix in (".classes.png", ".json")
    )
    assert "a.instances.png" in done.err
    again = run("predict", tmp_path / "in", "-o", tmp_path / "in/results", "--tasks", "classes")
    assert again.returncode == 0
    third = run("predict", tmp_path / "in", "-o", tmp_path / "in/results", "--tasks", "classes", "--json-log")
    finished = [json.loads(line) for line in third.out.splitlines()][-1]
    assert (finished["event"], finished["done"]) == ("finished", 3), "results are no inputs"


def test_help_explains_every_event_and_number_of_the_json_log(tmp_path, in_process, capsys):
    photo(tmp_path / "in/a.jpg")
    photo(tmp_path / "in/b.png", 40, 77)
    photo(tmp_path / "in/a.instances.png")
    command = ["predict", tmp_path / "in", "-o", tmp_path / "out", "--tasks", "depth", "--json-log", "--resume"]
    assert in_process(*command) == 1
    (tmp_path / "out/a.depth.npy").unlink()
    assert in_process(*command) == 1
    assert in_process(*command, "--detail-model", "one") == 2
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    last = [event for event in events if event["event"] == "finished"][-1]
    assert {name: last[name] for name in ("done", "resumed", "failed", "refused")} == {
        "done": 1, "resumed": 0, "failed": 1, "refused": 1,
    }  # fmt: skip
    said = {event["event"] for event in events} | {name for event in events for name in event}
    assert said >= {"started", "done", "failed", "skipped", "redone", "finished", "aborted"}
    with pytest.raises(SystemExit):
        in_process("predict", "--help")
    told = capsys.readouterr().out
    assert not [name for name in said if not re.search(rf"\b{name}\b", told)]


@pytest.mark.parametrize("json_log", [False, True])
def test_pictures_of_other_kinds_are_skipped_with_a_line_each(tmp_path, in_process, capsys, json_log):
    photo(tmp_path / "in/a.jpg")
    others = ("b.bmp", "sub/c.GIF", "d.jxl", "e.jp2", "a.insp", "f.psd")
    for name in (*others, ".g.bmp", "notes.txt", "a.depth.exr"):
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"whatever")
    option = ["--json-log"] if json_log else []
    assert in_process("predict", tmp_path / "in", "-o", tmp_path / "out", "--tasks", "normals", *option) == 0
    told = capsys.readouterr()
    if json_log:
        events = [json.loads(line) for line in told.out.splitlines()]
        skipped = {Path(e["file"]).name: e["reason"] for e in events if e["event"] == "skipped"}
    else:
        skipped = {Path(line).name: line for line in told.err.splitlines() if line.startswith("Skipped")}
    assert skipped.keys() == {Path(name).name for name in others} | {"a.depth.exr"}
    assert "BMP" in skipped["b.bmp"]
    assert "label" in skipped["a.depth.exr"]
    assert names(tmp_path / "out") == ["a.json", "a.normals.npy"]


def test_a_folder_of_nothing_but_other_kinds_says_which(tmp_path, in_process, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.bmp").write_bytes(b"BM")
    assert in_process("predict", tmp_path / "in", "-o", tmp_path / "out") == 2
    assert "BMP" in capsys.readouterr().err


def test_pictures_with_one_stem_keep_their_full_names(tmp_path, in_process):
    photo(tmp_path / "in/a.jpg")
    photo(tmp_path / "in/a.png")
    photo(tmp_path / "in/B.png")
    photo(tmp_path / "in/b.jpg")
    photo(tmp_path / "in/c.jpg")
    assert in_process("predict", tmp_path / "in", "-o", tmp_path / "out", "--tasks", "normals") == 0
    stems = ("B.png", "a.jpg", "a.png", "b.jpg", "c")
    assert names(tmp_path / "out") == sorted(
        f"{stem}{suffix}" for stem in stems for suffix in (".json", ".normals.npy")
    )


def test_results_of_another_picture_with_the_same_stem_are_kept_from_run_to_run(tmp_path, in_process):
    first, second = photo(tmp_path / "in/same.jpg"), photo(tmp_path / "in/same.png", 64, 128)
    out = tmp_path / "out"
    assert in_process("predict", first, "-o", out, "--tasks", "depth") == 0
    before = {name: (out / name).read_bytes() for name in names(out)}
    assert in_process("predict", second, "-o", out, "--tasks", "depth") == 0
    assert {name: (out / name).read_bytes() for name in before} == before
    suffixes = (".depth.npy", ".far.png", ".json")
    assert names(out) == sorted(f"{stem}{suffix}" for stem in ("same", "same.png") for suffix in suffixes)
    assert json.loads((out / "same.png.json").read_text())["source"]["file"] == "same.png"
    photo(first, 96, 192)
    assert in_process("predict", first, "-o", out, "--tasks", "depth") == 0
    assert json.loads((out / "same.json").read_text())["size"] == {"height": 96, "width": 192}, "edited, and done again"
    assert len(names(out)) == 6


def test_a_picture_for_whose_results_no_name_is_left_is_refused_and_others_go_on(tmp_path, in_process, capsys):
    out = tmp_path / "out"
    for name in ("same.jpg", "same.png.jpg"):
        assert in_process("predict", photo(tmp_path / name), "-o", out, "--tasks", "depth") == 0
    before = {name: (out / name).read_bytes() for name in names(out)}
    photos = [photo(tmp_path / name) for name in ("same.png", "other.jpg")]
    capsys.readouterr()
    assert in_process("predict", *photos, "-o", out, "--tasks", "depth") == 1
    told = capsys.readouterr().err
    assert "those of same.png, got those of same.png.jpg; choose another folder" in told
    assert {name: (out / name).read_bytes() for name in before} == before
    assert (out / "other.json").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux only")
def test_names_that_are_not_text_are_no_obstacle(tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9 \n.jpg")
    photo(tmp_path / "plain.jpg").rename(odd)
    for json_log in ([], ["--json-log"]):
        done = run("predict", os.fsencode(odd), "-o", tmp_path / "out", *json_log, LC_ALL="C", PYTHONUTF8="0")
        assert done.returncode == 0, done.err
    assert json.loads((tmp_path / "out" / f"{odd.stem}.json").read_text())["source"]["file"] == odd.name
    done = run("cloud", os.fsencode(odd), "-o", tmp_path / "a.ply")
    assert done.returncode == 0, done.err
    assert any("source=caf" in comment for comment in plyfile.PlyData.read(tmp_path / "a.ply").comments)
    assert run("info", os.fsencode(odd)).returncode == 0


def test_two_pictures_of_one_name_from_two_folders_are_refused_before_any_work(tmp_path, in_process, capsys):
    first, second = photo(tmp_path / "x/a.jpg"), photo(tmp_path / "y/a.jpg")
    assert in_process("predict", first, second, "-o", tmp_path / "out") == 2
    assert is_one_sentence(capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_one_bad_file_does_not_stop_the_rest(tmp_path):
    photo(tmp_path / "in/a.jpg")
    (tmp_path / "in/b.jpg").write_bytes(b"not a picture")
    photo(tmp_path / "in/c.jpg")
    photo(tmp_path / "in/d.jpg", 50, 60)
    done = run("predict", tmp_path / "in", "-o", tmp_path / "out", "--tasks", "depth")
    assert done.returncode == 1
    assert {name.split(".")[0] for name in names(tmp_path / "out")} == {"a", "c"}
    complaints = [line for line in done.err.splitlines() if line.startswith("panoviewer: ")]
    assert len(complaints) == 2
    assert "b.jpg" in complaints[0]
    assert "--assume full" in complaints[1]
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "args",
    [
        ["{tmp}/missing.jpg"],
        ["{tmp}/empty.jpg"],
        ["{tmp}/broken.jpg"],
        ["{tmp}/wide.jpg"],
        ["{tmp}/no-pictures"],
        ["{tmp}/good.jpg", "--model", "dap"],
        ["{tmp}/good.jpg", "--tasks", "depth,colour"],
        ["{tmp}/good.jpg", "--format", "bmp"],
        ["{tmp}/good.jpg", "--size", "huge"],
        ["{tmp}/good.jpg", "--camera-height", "-1.5"],
        ["{tmp}/good.jpg", "--camera-height", "nan"],
        ["{tmp}/good.jpg", "--camera-height", "1e9"],
        ["{tmp}/good.jpg", "--camera-height", "10001"],
        ["{tmp}/good.jpg", "--camera-height", "0.001"],
        ["{tmp}/good.jpg", "--camera-height", "0"],
        ["{tmp}/good.jpg", "--resum"],
        ["{tmp}/good.jpg", "-o", "{tmp}/good.jpg"],
        [],
    ],
)
def test_bad_input_is_one_sentence_and_code_2(tmp_path, in_process, capsys, args):
    photo(tmp_path / "good.jpg")
    photo(tmp_path / "wide.jpg", 10, 96)
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "good.jpg").read_bytes()[:300])
    (tmp_path / "no-pictures").mkdir()
    given = [arg.format(tmp=tmp_path) for arg in args]
    output = [] if "-o" in given else ["-o", str(tmp_path / "out")]
    assert in_process("predict", *given, *output) == 2
    sentence = [line for line in capsys.readouterr().err.splitlines() if line.startswith("panoviewer: ")]
    assert len(sentence) == 1
    assert names(tmp_path / "out") == []


def test_json_log_is_one_object_per_line(tmp_path):
    photo(tmp_path / "in/a.jpg")
    (tmp_path / "in/b.jpg").write_bytes(b"")
    photo(tmp_path / "in/a.depth.png")
    done = run("predict", tmp_path / "in", "-o", tmp_path / "out", "--json-log")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert all("time" in event for event in events)
    kinds = [event["event"] for event in events if event["event"] != "progress"]
    assert kinds == ["skipped", "started", "done", "started", "failed", "finished"]
    ready = next(event for event in events if event["event"] == "done")
    assert sorted(Path(path).name for path in ready["outputs"]) == names(tmp_path / "out")
    assert ready["device"] == "cpu"
    assert events[-1]["done"] == events[-1]["failed"] == 1
    assert is_one_sentence(done.err)


def test_a_terminal_gets_a_progress_bar(tmp_path):
    import pty

    photo(tmp_path / "a.jpg")
    master, slave = pty.openpty()
    command = [*PROGRAM, "predict", str(tmp_path / "a.jpg"), "-o", str(tmp_path / "out")]
    process = subprocess.Popen(command, env=environment(FAKE_SECONDS="1", TERM="xterm"), stderr=slave, cwd=ROOT)
    os.close(slave)
    shown = b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(master)
    assert process.wait(timeout=280) == 0
    assert "━".encode() in shown
    assert b"0/1" in shown


COMPLETED = {
    "ProjectionType": "equirectangular", "CroppedAreaImageWidthPixels": 80, "CroppedAreaImageHeightPixels": 30,
    "FullPanoWidthPixels": 96, "FullPanoHeightPixels": 48, "CroppedAreaLeftPixels": 0, "CroppedAreaTopPixels": 10,
}  # fmt: skip
TWICE_AS_LARGE = {
    "ProjectionType": "equirectangular", "CroppedAreaImageWidthPixels": 160, "CroppedAreaImageHeightPixels": 40,
    "FullPanoWidthPixels": 192, "FullPanoHeightPixels": 96, "CroppedAreaLeftPixels": 0, "CroppedAreaTopPixels": 4,
}  # fmt: skip


def test_what_is_assumed_of_a_picture_is_told_everywhere(tmp_path, in_process, capsys):
    path = photo(tmp_path / "a.jpg", tags=COMPLETED)
    assert in_process("predict", path, "-o", tmp_path / "out", "--json-log", "--tasks", "depth") == 0
    told = capsys.readouterr()
    (note,) = [event for event in map(json.loads, told.out.splitlines()) if event["event"] == "note"]
    assert "full sphere" in note["note"]
    assert note["file"] == str(path)
    assert "full sphere" in told.err
    assert str(path) in told.err
    assert json.loads((tmp_path / "out/a.json").read_text())["notes"] == [note["note"]]
    assert in_process("cloud", path, "-o", tmp_path / "a.ply") == 0
    assert "full sphere" in capsys.readouterr().err
    assert in_process("info", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["notes"] == [note["note"]]


def test_tags_that_contradict_the_picture_are_refused_until_something_is_assumed(tmp_path, in_process, capsys):
    path = photo(tmp_path / "a.jpg", tags=TWICE_AS_LARGE | {"CroppedAreaTopPixels": 90})
    for command in (["predict", path, "-o", tmp_path / "out"], ["cloud", path, "-o", tmp_path / "a.ply"]):
        assert in_process(*command) == 2
        told = capsys.readouterr().err
        assert "--assume full" in told
        assert "metadata" in told
        assert in_process(*command, "--assume", "full") == 0
        assert "--assume full" in capsys.readouterr().err
    assert in_process("info", path) == 0
    assert "--assume full" in capsys.readouterr().out


def test_a_part_that_was_resized_evenly_is_scaled_and_told(tmp_path, in_process, capsys):
    path = photo(tmp_path / "a.jpg", 20, 80, TWICE_AS_LARGE)
    assert in_process("predict", path, "-o", tmp_path / "out", "--tasks", "depth") == 0
    assert "resized" in capsys.readouterr().err
    crop = json.loads((tmp_path / "out/a.json").read_text())["crop"]
    assert crop == {"top": 2, "left": 0, "height": 20, "width": 80, "full_height": 48, "full_width": 96}


def test_a_model_of_the_users_own_is_chosen_by_its_folder(tmp_path, capsys):
    resources = ROOT / "resources"
    if not (resources / "pano_s.safetensors").is_file():
        pytest.skip("pano-s has not been trained yet")
    mine = tmp_path / "secret" / "mine"
    mine.mkdir(parents=True)
    for name in ("pano_s.safetensors", "pano_s.onnx"):
        shutil.copy(resources / name, mine / name)
    (mine / "pano_s.json").write_text('{"model": "pano-s"}')
    path = photo(tmp_path / "a.jpg")
    command = ["predict", str(path), "-o", str(tmp_path / "out"), "--tasks", "depth", "--size", "native"]
    assert cli.main([*command, "--model", str(mine)]) == 0
    report = json.loads((tmp_path / "out/a.json").read_text())
    assert report["model"] == "pano-s (pano_s.safetensors)"
    assert "secret" not in json.dumps(report), "folders are private"
    capsys.readouterr()
    assert cli.main([*command, "--model", str(mine), "--resume"]) == 0
    assert "complete, skipped" in capsys.readouterr().err
    assert cli.main(["cloud", str(path), "-o", str(tmp_path / "a.ply"), "--model", str(mine)]) == 0
    assert cli.main([*command, "--model", str(tmp_path)]) == 2
    assert "safetensors" in capsys.readouterr().err


def test_every_format_is_written_and_the_report_says_what_is_unknown_and_which_way_normals_point(tmp_path, in_process):
    photo(tmp_path / "room.jpg")
    formats = ",".join(arguments.FORMATS)
    out = tmp_path / "out"
    assert in_process("predict", tmp_path / "room.jpg", "-o", out, "--format", formats, "--normals-axes", "opengl") == 0
    assert (results.FORMATS, tuple(AXES)) == (arguments.FORMATS, arguments.NORMALS_AXES)
    endings = ("depth.npy", "depth.exr", "depth.tiff", "depth.png", "normals.npy", "normals.exr", "normals.png")
    assert {f"room.{ending}" for ending in endings} <= set(names(out))
    report = json.loads((out / "room.json").read_text())
    assert report["depth_unknown"] == {"npy": "NaN", "exr": 0, "png": 0, "tiff": "NaN"}
    assert report["normals_axes"] == "x right, y up, z backward"
    normals = np.load(out / "room.normals.npy")
    turned = OpenEXR.File(str(out / "room.normals.exr")).channels()["RGB"].pixels
    np.testing.assert_allclose(turned, normals * [1, -1, -1], atol=1e-3)
    np.testing.assert_array_equal(tifffile.imread(out / "room.depth.tiff"), np.load(out / "room.depth.npy"))


def test_a_model_that_is_neither_known_nor_a_place_is_told_as_both(tmp_path, in_process, capsys):
    photo(tmp_path / "a.jpg")
    assert in_process("predict", tmp_path / "a.jpg", "-o", tmp_path / "out", "--model", "bogus") == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told)
    assert "pano-s" in told
    assert "got bogus, and no folder or file of that name was found" in told
