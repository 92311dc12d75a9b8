"""Labelling folders: photographs and worlds in, the same files out whoever makes them and however often."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.edits import set_level
from core.errors import PanoError
from core.geometry.camera import rotation_from_angles
from core.geometry.sphere import erp_rays
from core.geometry.warp import turn_erp
from core.io.images import read_panorama
from core.io.kept_scale import write_scale
from core.io.saved_prediction import read_prediction
from core.io.scene_file import open_scene
from core.known_scale import KnownScale
from training.batch import REJECTED, Where
from training.labelled import labelled_files, read_labelled
from training.labels.job import PLAN, LabelWork, label_folder, read_subject
from training.labels.label import LabelPlan
from training.worlds.sample import read_fields, read_sample, write_sample
from training.worlds.shards import write_shard

SMALL = LabelPlan(teachers=("oracle",), height=32, views=16, view_size=48, patch_size=24)
FLAGS = ("--teachers", "oracle", "--height", 32, "--views", 16, "--view-size", 48, "--patch-size", 24)
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" '
    'GPano:ProjectionType="equirectangular" GPano:PosePitchDegrees="{pitch}" GPano:PoseRollDegrees="{roll}"/>'
    "</rdf:RDF></x:xmpmeta>"
)


@pytest.fixture
def worlds(tmp_path, box_room):
    folder = tmp_path / "worlds"
    folder.mkdir()
    for seed in range(5):
        write_sample(box_room(seed, 32), folder / f"{seed:08d}.npz")
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_worlds_become_labelled_panoramas_that_recipes_read(worlds, tmp_path, run):
    out, sheet = tmp_path / "labels", tmp_path / "sheet.png"
    code, told, _ = run("label", worlds, "-o", out, *FLAGS, "--sheet", sheet)
    assert code == 0
    with Image.open(sheet) as picture:
        assert picture.size == (7 * 320, 5 * 160)
    assert "5 panoramas labelled" in told
    files = labelled_files(out)
    assert len(files) == 5
    for file in files:
        said = read_labelled(file)
        (source,) = worlds.glob(f"{file.name.split('-')[0]}.npz")
        truth = read_sample(source)
        np.testing.assert_array_equal(said.rgb, truth.rgb)
        assert np.median(np.abs(said.depth / truth.depth - 1)) < 0.006
        assert (said.classes == truth.classes).mean() > 0.99
        assert said.is_metric
        assert said.camera_height == pytest.approx(1.5)
        assert said.patches.depth.shape == (16, 24, 24)
    assert json.loads((out / PLAN).read_bytes())["views"] == 16
    before = contents(out)
    code, told, _ = run("label", worlds, "-o", out, *FLAGS)
    assert (code, "5 kept" in told) == (0, True)
    assert contents(out) == before


@pytest.mark.slow
def test_worlds_in_shards_are_labelled_as_those_in_files(worlds, tmp_path, run):
    files = sorted(worlds.iterdir())
    packed, out = tmp_path / "packed", tmp_path / "labels"
    packed.mkdir()
    write_shard(((path.stem, read_fields(path)) for path in files[:3]), packed / "worlds-000000.tar")
    (packed / "worlds-000001.tar").write_bytes(b"no shard")
    code, told, _ = run("label", packed, "-o", out, *FLAGS)
    assert (code, "3 panoramas labelled" in told) == (1, True)
    assert "worlds-000001.tar" in (out / REJECTED).read_text()
    said = {read_labelled(file).origin["name"]: read_labelled(file) for file in labelled_files(out)}
    assert sorted(said) == [path.stem for path in files[:3]]
    for path in files[:3]:
        truth = read_sample(path)
        np.testing.assert_array_equal(said[path.stem].rgb, truth.rgb)
        assert np.median(np.abs(said[path.stem].depth / truth.depth - 1)) < 0.006
    assert "3 kept" in run("label", packed / "worlds-000000.tar", "-o", out, *FLAGS)[1]
    # Another world under the same name in another shard is not taken for it.
    fields = {**read_fields(files[0]), "seed": np.array(77)}
    write_shard([(files[0].stem, fields)], tmp_path / "worlds-000000.tar")
    assert "1 panoramas labelled" in run("label", tmp_path / "worlds-000000.tar", "-o", out, *FLAGS)[1]


def test_labels_are_the_same_to_the_last_bit_in_any_order(worlds, tmp_path):
    files = sorted(worlds.iterdir())[:2]
    first, second = tmp_path / "a", tmp_path / "b"
    label_folder(files, first, SMALL)
    label_folder(files[::-1], second, SMALL)
    assert contents(first) == contents(second)


def test_bad_pictures_are_listed_and_the_rest_goes_on(worlds, tmp_path, run):
    folder, out = tmp_path / "photos", tmp_path / "labels"
    folder.mkdir()
    (folder / "broken.jpg").write_text("no picture")
    (folder / "flat.png").write_bytes(b"")
    (folder / "old.bmp").write_bytes(b"BM")
    Image.fromarray(read_sample(worlds / "00000001.npz").rgb).save(folder / "room.png")
    (worlds / "00000009.npz").write_bytes((worlds / "00000001.npz").read_bytes()[:2000])
    # Whom the oracle does not know, is listed, too.
    code, told, _ = run("label", folder, worlds, "-o", out, *FLAGS)
    assert code == 1
    assert "5 panoramas labelled" in told
    rows = dict(row.split("\t") for row in (out / REJECTED).read_text().splitlines()[1:])
    assert {Path(name).name for name in rows} == {"broken.jpg", "flat.png", "old.bmp", "room.png", "00000009.npz"}
    assert all("Expected" in reason or "oracle" in reason for reason in rows.values())
    code, _, told = run("label", folder, "-o", tmp_path / "none", *FLAGS)
    assert code == 2
    assert "None of 4 panoramas could be labelled" in told


def test_a_folder_is_labelled_in_one_way(worlds, tmp_path, run):
    out = tmp_path / "labels"
    assert run("label", worlds / "00000001.npz", "-o", out, *FLAGS)[0] == 0
    code, _, told = run("label", worlds, "-o", out, *FLAGS, "--seed", 1)
    assert code == 2
    assert "got one with another seed" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--teachers", "nobody"), "Expected one of the models"),
        (("--views", 3), "Expected --views from 16"),
        (("--workers", 0), "at least one worker"),
    ],
)
def test_nonsense_is_told_in_a_sentence(worlds, tmp_path, run, flags, told):
    code, _, error = run("label", worlds, "-o", tmp_path / "out", *flags)
    assert code == 2
    assert told in error
    assert "Traceback" not in error


def test_a_photograph_is_labelled_by_the_bundled_model(worlds, tmp_path, run):
    folder, out = tmp_path / "photos", tmp_path / "labels"
    folder.mkdir()
    Image.fromarray(read_sample(worlds / "00000001.npz").rgb).resize((256, 128)).save(folder / "room.png")
    code, _, _ = run("label", folder, "-o", out, *FLAGS[2:])
    assert code == 0
    (file,) = labelled_files(out)
    said = read_labelled(file)
    assert said.tasks == ("depth", "normals", "classes")
    assert said.size == (32, 64)
    assert said.is_metric
    assert 0.5 < np.nanmedian(said.depth) < 20
    assert said.origin["teachers"][0]["name"] == "pano-s"
    assert len(said.origin["teachers"][0]["sha256"]) == 64


def test_a_photograph_that_leans_is_made_level(tmp_path):
    rays = erp_rays(64, 128)
    level = ((rays @ np.array([[0.5, 0.1, 0.2], [0.1, 0.8, -0.3], [0.2, -0.3, 0.6]], np.float32) + 1) * 110).clip(
        0, 255
    )
    pitch, roll = np.radians(12), np.radians(-7)
    # The pose says how the camera leant: its right side up is a roll to the left.
    level_from_world = rotation_from_angles(0, pitch, -roll)
    leaning = turn_erp(level.astype(np.uint8), level_from_world.T)
    path = tmp_path / "leaning.jpg"
    Image.fromarray(leaning).save(path, quality=98, xmp=XMP.format(pitch=12, roll=-7).encode())
    subject = read_subject(path, "0" * 64, max_width=4096)
    off = np.abs(subject.rgb.astype(float) - level)
    assert np.quantile(off, 0.99) < 6
    assert np.quantile(np.abs(leaning.astype(float) - level), 0.5) > 4


def leaning_photo(worlds, folder):
    """A photograph that somebody has levelled in the window; what it shows when it is level."""
    folder.mkdir()
    pixels = np.asarray(Image.fromarray(read_sample(worlds / "00000001.npz").rgb).resize((256, 128)))
    Image.fromarray(pixels).save(folder / "room.png")
    file = open_scene(read_panorama(folder / "room.png"))
    file.save(set_level((0.12, -0.2))(file.scene))
    file.close()
    return turn_erp(pixels, rotation_from_angles(0, 0.12, -0.2))


def test_a_photograph_that_somebody_has_levelled_is_labelled_level(worlds, tmp_path):
    level = leaning_photo(worlds, tmp_path / "photos")
    subject = read_subject(tmp_path / "photos" / "room.png", "0" * 64, max_width=4096)
    np.testing.assert_array_equal(subject.rgb, level)


def test_what_somebody_has_set_for_a_photograph_holds_for_many(worlds, tmp_path, run):
    folder, out = tmp_path / "photos", tmp_path / "predictions"
    leaning_photo(worlds, folder)
    assert run("predict", folder, "-o", out)[0] == 0
    (report,) = out.glob("room-*.json")
    about = json.loads(report.read_text())
    np.testing.assert_allclose(about["pose"]["level_from_world"], rotation_from_angles(0, 0.12, -0.2), atol=1e-12)
    write_scale(folder, KnownScale(3.2))
    code, told, _ = run("predict", folder, "-o", out)
    assert (code, "1 panoramas predicted" in told) == (0, True)
    about = json.loads(report.read_text())
    assert (about["camera_height"], about["camera_height_from"]) == (pytest.approx(3.2), "user")
    assert "1 kept" in run("predict", folder, "-o", out)[1]


def test_photographs_are_predicted_once_into_sets_that_are_read_back(worlds, tmp_path, run):
    folder, out = tmp_path / "photos", tmp_path / "predictions"
    (folder / "deep").mkdir(parents=True)
    rgb = read_sample(worlds / "00000001.npz").rgb
    for number, name in enumerate(("room.png", "deep/room.png")):
        Image.fromarray(np.roll(rgb, number, axis=1)).resize((256, 128)).save(folder / name)
    (folder / "broken.png").write_text("no picture")
    code, told, _ = run("predict", folder, "-o", out)
    assert code == 1
    assert "2 panoramas predicted" in told
    reports = sorted(out.glob("room-*.json"))
    assert len(reports) == 2
    saved = read_prediction(reports[0])
    assert saved.prediction.size == (256, 512)
    assert saved.source_name == "room.png"
    before = contents(out)
    code, told, _ = run("predict", folder, "-o", out)
    assert "2 kept" in told
    assert contents(out) == before


@dataclass(frozen=True)
class SlowLabelling:
    """Labelling that says who does it, and takes its time."""

    work: LabelWork

    def start(self):
        do = self.work.start()

        def slowly(path):
            done = do(path)
            with (self.work.out.parent / f"begun-{os.getpid()}").open("a") as stream:
                stream.write(f"{path.name} {done}\n")
            time.sleep(0.3)
            return done

        return slowly


def kill_one_at_work(folder, killed):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for path in folder.glob("begun-*"):
            killed.append(int(path.name.removeprefix("begun-")))
            os.kill(killed[0], signal.SIGKILL)
            return
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.parametrize("cluster", ["", "local"], ids=["processes", "ray"])
def test_a_worker_killed_while_labelling_loses_nothing_and_doubles_nothing(tmp_path, box_room, monkeypatch, cluster):
    """As `test_batch` shows it for any work: the files are those of an undisturbed run, to the last bit."""
    from training.batch import run_batch

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    worlds = tmp_path / "worlds"
    worlds.mkdir()
    for seed in range(12):
        write_sample(box_room(seed, 32), worlds / f"{seed:08d}.npz")
    files = sorted(worlds.iterdir())
    label_folder(files, tmp_path / "undisturbed", SMALL)
    out, killed = tmp_path / "run" / "labels", []
    out.mkdir(parents=True)
    killer = threading.Thread(target=kill_one_at_work, args=(out.parent, killed))
    killer.start()
    report = run_batch(SlowLabelling(LabelWork(out, SMALL)), files, out, Where(workers=2, cluster=cluster))
    killer.join()
    assert killed
    assert not report.bad
    assert report.done + report.kept == 12
    assert len(list(out.parent.glob("begun-*"))) >= 3
    undisturbed = contents(tmp_path / "undisturbed")
    del undisturbed[PLAN]
    assert contents(out) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize(
    "where", [("--workers", "2"), ("--workers", "2", "--cluster", "local")], ids=["processes", "ray"]
)
def test_an_interrupt_ends_the_command_and_the_next_one_goes_on(tmp_path, box_room, where):
    worlds, out = tmp_path / "worlds", tmp_path / "labels"
    worlds.mkdir()
    for seed in range(20):
        write_sample(box_room(seed, 64), worlds / f"{seed:08d}.npz")
    flags = [str(flag) for flag in (*FLAGS[:2], "--height", 64, "--views", 32, "--view-size", 96)]
    command = [sys.executable, "-m", "training", "label", str(worlds), "-o", str(out), *flags, *where]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 120
    while not list(out.glob("*.npz")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.strip().splitlines()[-1] == "Interrupted."
    assert "Traceback" not in told
    before = contents(out)
    made = [name for name in before if name.endswith(".npz")]
    assert 0 < len(made) < 20
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0
    assert f"{20 - len(made)} panoramas labelled" in ended.stdout
    after = contents(out)
    assert len(labelled_files(out)) == 20
    assert all(after[name] == before[name] for name in made)


@pytest.mark.slow
def test_perspective_networks_teach_depth_and_classes(tmp_path, box_room, run):
    import tiny_published

    tiny_published.write(tmp_path / "depth", tiny_published.depth_anything())
    tiny_published.write(tmp_path / "classes", tiny_published.segformer())
    Image.fromarray(box_room(3, 128).rgb).save(tmp_path / "room.png")
    teachers = ("--teachers", tmp_path / "depth", tmp_path / "classes", "--height", 64, "--patch-size", 32)
    code, told, error = run("label", tmp_path / "room.png", "-o", tmp_path / "labels", *teachers)
    assert code == 0, told + error
    (file,) = labelled_files(tmp_path / "labels")
    said = read_labelled(file)
    assert said.tasks == ("depth", "classes")
    assert not said.is_metric
    assert np.nanmedian(said.depth) == pytest.approx(1, rel=0.01)
    assert len(said.class_names) == 150
    assert said.patches.depth.shape == said.patches.classes.shape == (32, 32, 32)
    assert [teacher["name"] for teacher in said.origin["teachers"]] == ["depth", "classes"]
    assert said.depth_confidence.max() > 0


def test_a_file_that_is_no_plan_is_not_overwritten(worlds, tmp_path):
    out = tmp_path / "labels"
    out.mkdir()
    (out / PLAN).write_text("no plan")
    with pytest.raises(PanoError, match="labelled in the same way"):
        label_folder(sorted(worlds.iterdir()), out, SMALL)
    assert (out / PLAN).read_text() == "no plan"
