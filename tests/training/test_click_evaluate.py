"""Objects cut out by clicks are judged on the sphere."""

import json
import math

import cv2
import numpy as np
import pytest

from core.errors import PanoError
from training.click_evaluate import ClickRow, click_table, evaluate_clicks, next_click
from training.metrics import mask_iou


@pytest.fixture
def drawn(tmp_path):
    """A folder with one panorama and an object that crosses the seam."""
    labels = np.zeros((32, 64), np.uint8)
    labels[10:20, :6] = 1
    labels[10:20, -6:] = 1
    cv2.imwrite(str(tmp_path / "a.png"), np.full((32, 64, 3), 80, np.uint8))
    cv2.imwrite(str(tmp_path / "a.instances.png"), labels)
    described = {
        "image": "a.png",
        "labels": "a.instances.png",
        "instances": [{"id": 1, "name": "chest", "click_lonlat_deg": [-180.0, 5.0]}],
    }
    (tmp_path / "a.instances.json").write_text(json.dumps(described))
    return tmp_path, labels == 1


def test_a_method_that_knows_the_answer_gets_one_and_one_that_sees_nothing_gets_zero(drawn):
    folder, truth = drawn
    methods = {"knows": lambda _: lambda _: truth, "blind": lambda _: lambda _: np.zeros_like(truth)}
    rows = evaluate_clicks(folder, methods)
    assert [(row.method, row.ious) for row in rows] == [("knows", (1.0,) * 3), ("blind", (0.0,) * 3)]
    table = click_table(rows)
    assert "a: chest" in table
    assert table.splitlines()[-1].split() == ["mean", "1.000", "1.000", "0.000", "0.000"]


def test_each_click_is_given_after_the_ones_before_it(drawn):
    folder, truth = drawn
    seen = []

    def method(_):
        def answer(clicks):
            seen.append(list(clicks))
            return np.zeros_like(truth)

        return answer

    evaluate_clicks(folder, {"blind": method})
    assert [len(clicks) for clicks in seen] == [1, 2, 3]
    assert seen[1][0] is seen[0][0]
    assert seen[0][0].lon == pytest.approx(-math.pi)
    assert seen[1][1].positive


def test_the_next_click_is_the_middle_of_the_largest_error_on_the_sphere():
    truth = np.zeros((64, 128), bool)
    truth[28:37, 60:69] = True
    click = next_click(np.zeros_like(truth), truth)
    assert click.positive
    assert (click.lon, click.lat) == pytest.approx((0.5 / 128 * 2 * math.pi, -0.5 / 64 * math.pi + 0.0), abs=0.06)
    # Many pixels beside a pole are a small error.
    said = truth.copy()
    said[0, :] = True
    said[28:37, 60:66] = False
    assert next_click(said, truth).positive
    said = truth.copy()
    said[28:37, 75:85] = True
    assert not next_click(said, truth).positive
    assert next_click(truth, truth) is None


def test_what_is_said_outside_the_object_counts_as_wrong(drawn):
    folder, truth = drawn
    everything = evaluate_clicks(folder, {"all": lambda _: lambda _: np.ones_like(truth)}, clicks=1)
    assert everything[0].ious[0] == pytest.approx(mask_iou(np.ones_like(truth), truth))
    assert everything[0].ious[0] < 0.1


def test_objects_of_the_same_name_keep_their_own_rows(drawn):
    folder, truth = drawn
    described = json.loads((folder / "a.instances.json").read_text())
    described["instances"] += [
        {"id": 2, "name": "chest", "click_lonlat_deg": [0.0, 5.0]},
        {"id": 3, "name": "chest 2", "click_lonlat_deg": [90.0, 5.0]},
    ]
    (folder / "a.instances.json").write_text(json.dumps(described))
    rows = evaluate_clicks(folder, {"knows the first": lambda _: lambda _: truth}, clicks=1)
    assert [row.name for row in rows] == ["chest", "chest 2", "chest 2 2"]
    lines = click_table(rows).splitlines()
    assert [line.split()[-1] for line in lines[2:]] == ["1.000", "0.000", "0.000", "0.333"]


def test_a_table_of_many_methods_and_long_names_fits_80_columns():
    methods = ("zigzag", "raster", "resized ERP", "first view only", "GrabCut", "colour flood")
    rows = [
        ClickRow(picture, "thing", method, (number / 10, 0.5, number / 10 + 0.3))
        for picture in ("a", "a photograph with a long name " * 3)
        for number, method in enumerate(methods)
    ]
    lines = click_table(rows).splitlines()
    assert all(len(line) <= 80 for line in lines if not line.startswith("a photograph"))
    for number, method in enumerate(methods):
        assert sum(method in line for line in lines) == 1
        assert sum(f"{number / 10:.3f} {number / 10 + 0.3:.3f}" in line for line in lines) == 3  # two objects, the mean


def test_broken_files_give_sentences(drawn, tmp_path):
    folder, _ = drawn
    with pytest.raises(PanoError, match="hand-drawn objects"):
        evaluate_clicks(folder / "nothing", {})
    (folder / "a.instances.json").write_text('{"image": "a.png"}')
    with pytest.raises(PanoError, match="cannot be read"):
        evaluate_clicks(folder, {})
