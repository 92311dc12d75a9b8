import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from rich.console import Console

from core.errors import PanoError
from core.geometry.sphere import erp_rays
from core.models.pano_s import PanoS, PanoSConfig
from core.prediction import Prediction
from training import evaluate as judging
from training.checkpoint import save_checkpoint
from training.datasets import LABELS, find_layout
from training.evaluate import evaluate, open_model, report_table, round_room
from training.truths import read_truths
from training.worlds.classes import CLASS_NAMES
from training.worlds.sample import read_sample, write_sample

LABELLED = Path(__file__).resolve().parents[2] / "../shared/data/panoramas"


class Knows:
    """A model that has seen the answers, and repeats them after a change."""

    def __init__(self, folder, change=lambda prediction: prediction):
        self.answers = {}
        self.change = change
        for path in sorted(folder.glob("*.npz")):
            sample = read_sample(path)
            self.answers[sample.rgb.tobytes()] = sample

    def predict(self, rgb, *, progress=None):
        sample = self.answers[rgb.tobytes()]
        return Prediction(
            **self.change(
                {
                    "depth": sample.depth.copy(),
                    "normals": sample.normals.copy(),
                    "classes": sample.classes.astype(np.int16),
                    "class_names": CLASS_NAMES,
                    "far": sample.far.copy(),
                    "camera_height": sample.camera_height,
                    "is_metric": True,
                    "model": "knows",
                }
            )
        )


@pytest.fixture
def judge(box_worlds, monkeypatch):
    """Judges a model that repeats the answers after a change."""

    def run(task, change=lambda fields: fields):
        monkeypatch.setattr(judging, "open_model", lambda _: Knows(box_worlds, change))
        return evaluate(task, box_worlds, model="knows")

    return run


def test_one_who_knows_the_answers_makes_no_error(judge):
    depth, normals, classes = (judge(task).means for task in ("depth", "normals", "classes"))
    assert depth["AbsRel"] == pytest.approx(0, abs=1e-6)
    assert depth["AbsRel metric"] == pytest.approx(0, abs=1e-6)
    assert depth["delta1"] == 1
    assert normals["mean deg"] == pytest.approx(0, abs=1e-2)
    assert classes["mIoU"] == 1
    assert classes["wall"] == classes["floor"] == classes["ceiling"] == 1


def test_a_wrong_unit_is_forgiven_once_per_picture_but_not_in_metres(judge):
    report = judge("depth", lambda fields: fields | {"depth": 2 * fields["depth"]})
    assert report.means["AbsRel"] == pytest.approx(0, abs=1e-6)
    assert report.means["scale"] == pytest.approx(0.5)
    assert report.means["AbsRel metric"] == pytest.approx(1, abs=1e-6)


def test_what_is_left_out_is_wrong(judge):
    def without_the_lower_half(fields):
        depth = fields["depth"].copy()
        depth[16:] = np.nan
        return fields | {"depth": depth}

    report = judge("depth", without_the_lower_half)
    assert report.means["AbsRel"] == pytest.approx(0.5, abs=1e-6)
    assert report.means["missing"] == pytest.approx(0.5, abs=1e-6)


def test_classes_are_compared_by_name_and_unknown_names_are_wrong(judge):
    def renamed(fields):
        return fields | {"class_names": ("wall", "lagoon", "ceiling", *CLASS_NAMES[3:])}

    means = judge("classes", renamed).means
    assert means["wall"] == 1
    assert means["floor"] == 0
    assert means["mIoU"] == pytest.approx(2 / 3)


def test_pictures_where_nothing_is_far_do_not_speak_for_those_where_something_is(box_room, tmp_path, monkeypatch):
    for seed in range(3):
        far = np.zeros((16, 32), bool)
        far[:8] = seed == 0
        write_sample(replace(box_room(seed, 16), far=far), tmp_path / f"{seed:08d}.npz")

    def half_of_it(fields):
        far = fields["far"].copy()
        far[:, :16] = False
        return fields | {"far": far}

    monkeypatch.setattr(judging, "open_model", lambda _: Knows(tmp_path, half_of_it))
    report = evaluate("classes", tmp_path, model="knows")
    assert [row.scores["far IoU"] for row in report.rows] == pytest.approx([0.5, 1, 1])
    assert report.means["far IoU"] == pytest.approx(0.5)
    assert report.baseline["far IoU"] == 0


def test_every_picture_has_a_row_and_the_baseline_stands_beside(judge):
    report = judge("depth")
    assert [row.picture for row in report.rows] == [f"{seed:08d}" for seed in range(12)]
    assert report.baseline["AbsRel"] > 0.02
    assert set(report.baseline) == set(report.means)


@pytest.mark.parametrize("task", ["depth", "normals", "classes"])
def test_a_report_is_readable_in_80_columns(judge, task):
    report = judge(task)
    page = io.StringIO()
    Console(width=80, soft_wrap=True, file=page).print(report_table(report))
    text = page.getvalue()
    assert "…" not in text
    for row in report.rows:
        assert re.search(rf"^ +{row.picture} ", text, re.MULTILINE)
    for name, value in [*report.rows[0].scores.items(), *report.means.items()]:
        assert set(name.split()) <= set(text.split())
        assert np.isnan(value) or f"{value:.3f}" in text.split()


@pytest.mark.parametrize("task", ["depth", "normals", "classes"])
def test_a_report_can_be_printed_and_stored(judge, task):
    report = judge(task)
    page = io.StringIO()
    Console(width=200, file=page).print(report_table(report))
    text = page.getvalue()
    assert "00000011" in text
    assert "never looks" in text
    assert "Wanted" not in text
    known = replace(report, rows=(*report.rows, replace(report.rows[0], picture="03_lebombo")))
    assert "Wanted on 03_lebombo" in str(report_table(known).caption)
    stored = json.loads(json.dumps(report.facts()))
    assert stored["means"] == dict(report.means)
    assert len(stored["rows"]) == 12


def test_a_run_is_not_judged_by_the_worlds_that_it_was_trained_on(box_worlds, tmp_path, monkeypatch):
    monkeypatch.setattr(judging, "open_model", lambda _: Knows(box_worlds))
    elsewhere = tmp_path / "worlds"
    shutil.copytree(box_worlds, elsewhere)
    config = {"worlds": str(elsewhere), "held_out": 3}
    save_checkpoint(tmp_path / "run", {"recipe": "pano-s", "ema": {}, "step": 1, "config": config})
    seen, held_out = [f"{seed:08d}" for seed in range(12)], ["00000000", "00000001", "00000002"]
    for model, run in ((tmp_path / "run", None), (tmp_path / "a.safetensors", tmp_path / "run" / "last.pt")):
        judged = evaluate("depth", elsewhere, model=model, run=run)
        assert [row.picture for row in judged.rows] == held_out
        other = evaluate("depth", box_worlds, model=model, run=run)
        assert [row.picture for row in other.rows] == seen


def test_a_model_that_lacks_the_task_is_told(judge):
    with pytest.raises(PanoError, match="choose another task or model"):
        judge("normals", lambda fields: fields | {"normals": None})


def test_a_folder_without_labels_is_told_with_the_path_last(tmp_path):
    with pytest.raises(PanoError, match="labels for depth") as error:
        next(read_truths(tmp_path, "depth"))
    assert str(error.value).endswith(str(tmp_path))


def test_the_round_room_is_round_and_stands_on_its_floor():
    room = round_room(64)
    points = room.depth[..., None] * erp_rays(64, 128)
    floor, wall = room.classes == 1, room.classes == 0
    np.testing.assert_allclose(points[floor][:, 1], room.camera_height, rtol=1e-5)
    np.testing.assert_allclose(np.hypot(points[wall][:, 0], points[wall][:, 2]), 2.7 * 1.5, rtol=1e-5)
    np.testing.assert_array_equal(room.normals[floor], np.broadcast_to([0, -1, 0], (floor.sum(), 3)))
    assert ((room.normals * erp_rays(64, 128)).sum(axis=-1) < 0).all()
    np.testing.assert_allclose(np.linalg.norm(room.normals, axis=-1), 1, atol=1e-6)


@pytest.fixture
def pictures(tmp_path):
    """A picture with labels of every kind, in the format of the public data."""
    cv2.imwrite(str(tmp_path / "a.jpg"), np.full((8, 16, 3), 128, np.uint8))
    depth = np.full((8, 16), 1500, np.uint16)
    depth[0] = 0
    normals = np.zeros((8, 16, 3), np.uint8)
    normals[6:] = (128, 255, 128)
    normals[3, 0] = (13, 128, 184)
    classes = np.zeros((8, 16), np.uint8)
    classes[2:], classes[5:], classes[1] = 1, 2, 3
    cv2.imwrite(str(tmp_path / "a.depth_rel.png"), depth)
    cv2.imwrite(str(tmp_path / "a.normal.png"), normals[..., ::-1])
    cv2.imwrite(str(tmp_path / "a.semantic.png"), classes)
    return tmp_path


def test_labels_beside_a_picture_are_read_in_our_frame(pictures):
    layout, (entry,) = find_layout(pictures)
    truth = layout.read(entry, LABELS)
    assert truth.name == "a"
    assert np.isnan(truth.depth[0]).all()
    assert (truth.depth[1:] == 1500).all()
    np.testing.assert_allclose(truth.normals[7, 0], [0, -1, 0], atol=0.005)  # a floor looks up, and y points down
    np.testing.assert_allclose(truth.normals[3, 0], [-0.898, 0, 0.443], atol=0.005)
    assert np.isnan(truth.normals[0]).all()
    assert truth.classes[:, 0].tolist() == [-1, 2, 0, 0, 0, 1, 1, 1]
    assert truth.class_names == ("wall", "floor", "ceiling")
    assert not truth.is_metric


def test_only_what_is_labelled_for_the_task_is_read(pictures):
    (pictures / "a.normal.png").unlink()
    (truth,) = read_truths(pictures, "depth")
    assert truth.normals is None
    with pytest.raises(PanoError, match="labels for normals"):
        next(read_truths(pictures, "normals"))


def test_labels_without_their_picture_are_not_passed_over(pictures):
    (pictures / "a.jpg").unlink()
    with pytest.raises(PanoError, match=r"a\.jpg"):
        next(read_truths(pictures, "depth"))


def test_labels_of_another_size_are_refused(pictures):
    cv2.imwrite(str(pictures / "a.depth_rel.png"), np.ones((4, 8), np.uint16))
    with pytest.raises(PanoError, match="16 x 8, got 8 x 4"):
        next(read_truths(pictures, "depth"))


def test_the_public_room_agrees_with_itself():
    """Its normals are those of its depth: a wrong axis or sign would be tens of degrees off."""
    if not (LABELLED / "03_lebombo.depth_rel.png").is_file():
        pytest.skip(f"needs the labelled photographs of {LABELLED}")
    (truth,) = read_truths(LABELLED, "normals")
    points = truth.depth[..., None] * erp_rays(*truth.depth.shape)
    across = np.roll(points, -1, axis=1) - np.roll(points, 1, axis=1)
    down = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    normals = np.cross(across, down)
    normals *= -np.sign((normals * points).sum(axis=-1, keepdims=True))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    for index, least in ((0, 0.99), (1, 0.999), (2, 0.999)):
        cosines = (normals * truth.normals).sum(axis=-1)[truth.classes == index]
        assert np.nanmedian(cosines) > least
    assert (truth.normals[truth.classes == 1][:, 1] < -0.99).all()


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A training run that has hardly begun."""
    torch.manual_seed(0)
    network = PanoSConfig(CLASS_NAMES).build()
    folder = tmp_path_factory.mktemp("run")
    state = {
        "recipe": "pano-s",
        "ema": network.state_dict(),
        "step": 3,
        "samples": 24,
        "seconds": 36.0,
        "hardware": "test",
        "history": [{"step": 3, "height": 256, "hours": 0.01, "absrel": 0.5, "miou": 0.1}],
        "config": {"height": 256, "seed": 5, "photos": None, "steps": 10, "worlds": "/home/me/worlds"},
    }
    save_checkpoint(folder, state)
    return folder


def test_a_model_is_opened_from_a_run_a_checkpoint_or_its_weights(run_folder, tmp_path):
    from training.export_model import export_model

    export_model(run_folder, tmp_path)
    for model in (run_folder, str(run_folder), run_folder / "last.pt", tmp_path / "pano_s.safetensors"):
        assert isinstance(open_model(model), PanoS)


def test_a_name_that_is_no_model_is_told(tmp_path):
    with pytest.raises(PanoError, match="pano-s"):
        open_model("pano-xl")
    with pytest.raises(PanoError, match="checkpoint"):
        open_model(tmp_path)
