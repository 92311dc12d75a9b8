"""Comparisons: what is trained once, what a kill costs, and how results read."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace

import numpy as np
import pytest
from click_makers import made_world

from core.errors import PanoError
from training.ablations.ladder import Ladder, Row, Score, Stage
from training.ablations.ladders import LADDERS, find_ladder
from training.ablations.results import read_results, results_table
from training.ablations.run import Ablation, run_ladder
from training.ablations.sap import judge_scan
from training.checkpoint import load_checkpoint
from training.recipes import find_recipe
from training.recipes.sap import SapRecipe
from training.worlds.sample import write_sample

TINY = {
    "network": "click-s-small", "height": 32, "frames": 2, "corrections": 1, "batch": 1, "judged": 1,
    "judged_clicks": 1, "warmup": 1,
}  # fmt: skip
BASE = Stage("sap", {**TINY, "fresh": True, "encoder": True, "zigzags": 0.0})
FURTHER = Stage("sap", TINY, follows="start", alone={"fresh": True})
LADDER = Ladder(
    name="tiny",
    about="A small one.",
    rows=(
        Row("full", "full", (BASE, FURTHER), published=".773", headline=True),
        Row("scan", "zigzag, memory by index", (BASE, FURTHER), {"memory": "index"}),
        Row("none", "none", (BASE,), {"looks": "whole"}, headline=True),
    ),
    scores=(Score("iou_1", "mIoU"), Score("seam_pole", "seam and poles")),
    judge=judge_scan,
    published="published",
)  # fmt: skip


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worlds")
    for seed in range(3):
        write_sample(made_world(seed), folder / f"{seed:08d}.npz")
    return folder


def plan_for(worlds, out, **changes):
    return Ablation(out, worlds, **{"held_out": 1, "steps": 1, "seeds": 2, **changes})


def test_rows_come_headline_first_and_share_what_they_begin_with(worlds, tmp_path):
    lines = []
    results = run_ladder(LADDER, plan_for(worlds, tmp_path), report=lines.append)
    order = [line.split(": ", 1)[1] for line in lines if " of 6: " in line]
    assert order == [
        "full, seed 0", "none, seed 0", "full, seed 1", "none, seed 1",
        "zigzag, memory by index, seed 0", "zigzag, memory by index, seed 1",
    ]  # fmt: skip
    # Two seeds of the base, and two of the second stage, which two rows have in common.
    assert len(list((tmp_path / "runs").iterdir())) == 4
    told = json.loads((tmp_path / "results.json").read_text())
    assert told["settings"]["steps"] == [1, 1]
    assert told["runs"] == results.runs
    for row in ("full", "scan", "none"):
        assert set(told["runs"][row]) == {"0", "1"}
        assert 0 <= told["runs"][row]["0"]["scores"]["iou_1"] <= 1
    assert told["hardware"]
    # A second stage goes on from the first one's averaged weights.
    states = [load_checkpoint(folder, "sap") for folder in (tmp_path / "runs").iterdir()]
    starts = [state["config"]["start"] for state in states]
    assert sum(start is not None for start in starts) == 2


def test_what_is_done_is_not_done_again_and_rows_and_seeds_can_be_added(worlds, tmp_path):
    plan = plan_for(worlds, tmp_path, seeds=1)
    lines = []
    run_ladder(LADDER, plan, rows=("none",), report=lines.append)
    table = (tmp_path / "results.md").read_text()
    assert "| none (1 seed) |" in table
    assert table.count("not run") == 2 * len(LADDER.scores)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("last.pt")}
    run_ladder(LADDER, replace(plan, seeds=2), rows=("none", "full"), report=lines.append)
    assert "not run" in (tmp_path / "results.md").read_text()
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    assert set(read_results(tmp_path).runs["none"]) == {"0", "1"}


def test_a_comparison_does_not_go_on_with_other_settings(worlds, tmp_path):
    plan = plan_for(worlds, tmp_path)
    run_ladder(LADDER, replace(plan, seeds=1), rows=("none",))
    with pytest.raises(PanoError, match="held out worlds 1, got 2"):
        run_ladder(LADDER, replace(plan, held_out=2))
    with pytest.raises(PanoError, match=r"steps 1 \+ 1, got 3 \+ 3"):
        run_ladder(LADDER, replace(plan, steps=3))
    with pytest.raises(PanoError, match="comparison other"):
        run_ladder(replace(LADDER, name="other"), plan)
    with pytest.raises(PanoError, match="full, scan, none"):
        run_ladder(LADDER, plan, rows=("some",))
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(PanoError, match="cannot be read"):
        run_ladder(LADDER, plan)


def test_minutes_become_the_same_number_of_steps_for_all_rows(worlds, tmp_path, monkeypatch):
    taken, when_told = [], []
    real = SapRecipe.loss

    def loss(recipe, network, batch):
        taken.append(batch.step)
        return real(recipe, network, batch)

    def report(line):
        if "s for a step" in line:
            when_told.append(len(taken))

    monkeypatch.setattr(SapRecipe, "loss", loss)
    plan = plan_for(worlds, tmp_path, steps=0, minutes_per_run=1e-9, seeds=1)
    results = run_ladder(LADDER, plan, rows=("none",), report=report)
    # Steps were really taken for each of the two stages before anything was said of their time.
    first, second = when_told
    assert 1 < first < second - 1
    assert results.settings["steps"] == [10, 10]
    assert results.runs["none"]["0"]["steps"] == [10]


def test_the_table_has_means_spreads_and_what_was_not_reached(worlds, tmp_path):
    results = run_ladder(LADDER, plan_for(worlds, tmp_path, seeds=1), rows=("none",))
    results.put("full", 0, {"scores": {"iou_1": 0.4}, "seconds": 60.0, "steps": [2, 2]}, "a machine")
    results.put("full", 1, {"scores": {"iou_1": 0.6}, "seconds": 120.0, "steps": [2, 2]}, "a machine")
    table = results_table(LADDER, results)
    assert f"| full (2 seeds) | 0.500 ± {np.std([0.4, 0.6], ddof=1):.3f} | - | 1.5 | .773 |" in table
    assert "| zigzag, memory by index | not run | not run |  |  |" in table
    assert table.index("| none") < table.index("| zigzag")
    assert "a machine" in table


@pytest.mark.slow
def test_a_killed_comparison_goes_on_and_ends_as_if_nothing_had_happened(worlds, tmp_path):
    command = [
        sys.executable, "-m", "training", "ablate", "sap", "--worlds", str(worlds), "--steps", "6", "--seeds", "1",
        "--held-out", "1", "--rows", "none", "scan", "--out",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen([*command, str(tmp_path / "killed")], env=environment, stdout=subprocess.DEVNULL)
    results = tmp_path / "killed" / "results.json"
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not list((tmp_path / "killed").glob("runs/*/config.json")):
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert json.loads(results.read_text())["runs"] == {}
    for name in ("killed", "whole"):
        done = subprocess.run(
            [*command, str(tmp_path / name)], check=False, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    told = [json.loads((tmp_path / name / "results.json").read_text())["runs"] for name in ("killed", "whole")]
    assert set(told[0]) == {"none", "scan"}
    for row in told[0]:
        assert told[0][row]["0"]["scores"] == told[1][row]["0"]["scores"]
    assert "not run" in done.stdout


@pytest.mark.parametrize("name", sorted(LADDERS))
def test_every_ladder_asks_for_what_its_recipes_know(name):
    ladder = find_ladder(name)
    assert ladder.name == name
    assert ladder.rows[0].headline
    assert len({row.key for row in ladder.rows}) == len(ladder.rows)
    assert len({row.title for row in ladder.rows}) == len(ladder.rows)
    for row in ladder.rows:
        for stage in row.stages:
            kind = find_recipe(stage.recipe).config_class()
            names = {f.name for f in fields(kind)}
            assert set(stage.changes) | set(stage.alone) <= names
            assert not stage.follows or stage.follows in names
            plain = {name: value for name, value in stage.changes.items() if "Made" not in repr(value)}
            find_recipe(stage.recipe).make(replace(kind(), **{**plain, **stage.alone}))


def test_there_is_one_sentence_for_a_comparison_that_is_not_there():
    with pytest.raises(PanoError, match="sap"):
        find_ladder("nothing")
