"""A run learns, survives being killed, and goes on from where it was."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.errors import PanoError
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import TrainConfig
from training.recipes.pano_s import PanoSRecipe, PanoSTraining
from training.trainer import learning_rate, train

ROOT = Path(__file__).resolve().parents[2]


def config_for(worlds, out, **changes):
    base = {
        "height": 32,
        "batch": 4,
        "steps": 30,
        "held_out": 2,
        "warmup": 5,
        "evaluate_minutes": 60.0,
        "device": "cpu",
    }
    return PanoSTraining(worlds=worlds, out=out, **{**base, **changes})


def test_a_short_run_learns_box_rooms(box_worlds, tmp_path):
    rows = []
    config = config_for(box_worlds, tmp_path, steps=80, evaluate_first=True)
    train("pano-s", config, resume=False, report=rows.append)
    state = load_checkpoint(tmp_path, "pano-s")
    assert state["step"] == 80
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < 0.7 * losses[0]
    before, after = state["history"]
    assert after["absrel"] < min(0.3, 0.7 * before["absrel"])
    assert after["normals_deg"] < 0.85 * before["normals_deg"]


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_checkpoint(box_worlds, tmp_path):
    flags = ["--worlds", box_worlds, "--out", tmp_path, "--height", "32", "--batch", "2", "--held-out", "2"]
    flags += ["--save-minutes", "0", "--evaluate-minutes", "60"]
    command = [sys.executable, "-m", "training", "train", "pano-s", *map(str, flags)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*command, "--steps", "100000"], env=environment, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 280
        while not (tmp_path / "last.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(1.0)
        process.send_signal(signal.SIGKILL)
    before = load_checkpoint(tmp_path, "pano-s")["step"]
    assert before >= 1
    goal = before + 5
    subprocess.run([*command, "--resume", "--steps", str(goal)], env=environment, check=True, timeout=280)
    assert load_checkpoint(tmp_path, "pano-s")["step"] == goal


def test_a_run_that_was_cut_off_ends_with_the_weights_of_one_that_was_not(box_worlds, tmp_path):
    class Cut(Exception):
        pass

    def cut_off(row):
        if row["step"] == 3:
            raise Cut

    whole = config_for(box_worlds, tmp_path / "whole", steps=5)
    train("pano-s", whole, resume=False, report=lambda _: None)
    cut = config_for(box_worlds, tmp_path / "cut", steps=5, save_minutes=0.0, evaluate_minutes=0.0)
    with pytest.raises(Cut):
        train("pano-s", cut, resume=False, report=cut_off)
    assert load_checkpoint(cut.out, "pano-s")["step"] == 2
    train("pano-s", cut, resume=True, report=lambda _: None)
    first, second = (load_checkpoint(config.out, "pano-s") for config in (whole, cut))
    for part in ("model", "ema"):
        assert all(torch.equal(first[part][name], second[part][name]) for name in first[part])


def test_an_interrupt_finishes_the_step_and_saves_it_and_the_run_goes_on_from_there(box_worlds, tmp_path):
    def interrupt(row):
        if row["step"] == 3:
            signal.raise_signal(signal.SIGINT)

    whole = config_for(box_worlds, tmp_path / "whole", steps=5)
    train("pano-s", whole, resume=False, report=lambda _: None)
    config = config_for(box_worlds, tmp_path / "run", steps=5, evaluate_minutes=0.0)
    with pytest.raises(KeyboardInterrupt, match="Interrupted after step 3; go on with --resume"):
        train("pano-s", config, resume=False, report=interrupt)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert load_checkpoint(config.out, "pano-s")["step"] == 3
    train("pano-s", config, resume=True, report=lambda _: None)
    first, second = (load_checkpoint(each.out, "pano-s") for each in (whole, config))
    assert all(torch.equal(first["model"][name], second["model"][name]) for name in first["model"])


def test_a_second_interrupt_waits_for_nothing(box_worlds, tmp_path):
    def insist(_):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    config = config_for(box_worlds, tmp_path, steps=5, evaluate_minutes=0.0)
    with pytest.raises(KeyboardInterrupt):
        train("pano-s", config, resume=False, report=insist)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not (tmp_path / "last.pt").exists()


def test_no_step_is_logged_twice_when_a_killed_run_goes_on(box_worlds, tmp_path):
    class Killed(Exception):
        pass

    def kill(row):
        if row["step"] == 3:
            raise Killed

    config = config_for(box_worlds, tmp_path, steps=5, save_minutes=0.0, evaluate_minutes=0.0)
    with pytest.raises(Killed):
        train("pano-s", config, resume=False, report=kill)
    log = tmp_path / "log.tsv"
    assert steps_of(log) == [1, 2, 3]
    with log.open("a") as stream:
        stream.write("step=4\theig")  # a line that was cut off
    train("pano-s", config, resume=True, report=lambda _: None)
    assert steps_of(log) == [1, 2, 3, 4, 5]


def steps_of(log):
    return [int(line.split("\t")[0].removeprefix("step=")) for line in log.read_text().splitlines()]


def test_a_checkpoint_of_another_network_is_refused_in_a_sentence(box_worlds, tmp_path):
    config = config_for(box_worlds, tmp_path, steps=1)
    train("pano-s", config, resume=False, report=lambda _: None)
    state = load_checkpoint(tmp_path, "pano-s")
    state["model"].pop(next(iter(state["model"])))
    save_checkpoint(tmp_path, state)
    with pytest.raises(PanoError, match="start a new run"):
        train("pano-s", config, resume=True, report=lambda _: None)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_told_before_anything_else(box_worlds, tmp_path):
    with pytest.raises(PanoError, match="choose cpu"):
        train("pano-s", config_for(box_worlds, tmp_path, device="cuda"), resume=False, report=lambda _: None)


def test_a_run_in_the_way_is_not_overwritten(box_worlds, tmp_path):
    train("pano-s", config_for(box_worlds, tmp_path, steps=2), resume=False, report=lambda _: None)
    with pytest.raises(PanoError, match="--resume"):
        train("pano-s", config_for(box_worlds, tmp_path, steps=2), resume=False, report=lambda _: None)


def test_there_must_be_something_to_resume(box_worlds, tmp_path):
    with pytest.raises(PanoError, match="train first"):
        train("pano-s", config_for(box_worlds, tmp_path, steps=2), resume=True, report=lambda _: None)


def test_a_run_cannot_end_before_where_it_is(box_worlds, tmp_path):
    train("pano-s", config_for(box_worlds, tmp_path, steps=2), resume=False, report=lambda _: None)
    train("pano-s", config_for(box_worlds, tmp_path, steps=2), resume=True, report=lambda _: None)
    with pytest.raises(PanoError, match="at least the 2 that the run has made, got 1"):
        train("pano-s", config_for(box_worlds, tmp_path, steps=1), resume=True, report=lambda _: None)


def test_the_same_seed_gives_the_same_weights(box_worlds, tmp_path):
    for name in ("a", "b"):
        train("pano-s", config_for(box_worlds, tmp_path / name, steps=4), resume=False, report=lambda _: None)
    first, second = (load_checkpoint(tmp_path / name, "pano-s")["model"] for name in ("a", "b"))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_the_resolved_configuration_lies_beside_the_checkpoint(box_worlds, tmp_path):
    train("pano-s", config_for(box_worlds, tmp_path, steps=1), resume=False, report=lambda _: None)
    described = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert described["recipe"] == "pano-s"
    assert described["batch"] == 4


def test_a_folder_without_worlds_gives_a_sentence(tmp_path):
    with pytest.raises(PanoError, match="generate"):
        train("pano-s", config_for(tmp_path, tmp_path / "run"), resume=False, report=lambda _: None)


def test_an_unknown_recipe_names_the_known_ones(box_worlds, tmp_path):
    with pytest.raises(PanoError, match="pano-s"):
        train("nobody", config_for(box_worlds, tmp_path), resume=False, report=lambda _: None)


def test_the_learning_rate_rises_holds_and_falls():
    config = TrainConfig(steps=1000, warmup=100, cooldown=0.5, learning_rate=1.0)
    assert learning_rate(0, config) == pytest.approx(0.01)
    assert learning_rate(300, config) == 1.0
    assert learning_rate(750, config) == pytest.approx(0.5)
    assert learning_rate(1000, config) == 0.0


def test_a_run_begins_with_the_weights_that_it_is_given(box_worlds, tmp_path):
    first = train("pano-s", config_for(box_worlds, tmp_path / "first", steps=3), resume=False, report=lambda _: None)
    learned = load_checkpoint(first, "pano-s")["ema"]
    recipe = PanoSRecipe(config_for(box_worlds, tmp_path / "second", start=first))
    recipe.open()
    begun = recipe.build().state_dict()
    assert all(torch.equal(begun[name], learned[name]) for name in learned)
    exported = tmp_path / "weights.safetensors"
    save_file(learned, exported)
    again = PanoSRecipe(config_for(box_worlds, tmp_path / "third", start=exported))
    again.open()
    assert all(torch.equal(value, learned[name]) for name, value in again.build().state_dict().items())


def test_panels_of_pano_s_show_pictures_what_was_said_and_the_truth(box_worlds, tmp_path):
    recipe = PanoSRecipe(config_for(box_worlds, tmp_path))
    recipe.open()
    network = recipe.build().train()
    panels = recipe.panels(network)
    assert network.training
    assert {name: panel.shape for name, panel in panels.items()} == dict.fromkeys(
        ("depth", "normals", "classes"), (2 * 16, 3 * 32, 3)
    )
    for panel in panels.values():
        picture, said, true = np.split(panel, 3, axis=1)
        assert panel.dtype == np.uint8
        assert np.array_equal(picture, np.split(panels["depth"], 3, axis=1)[0])
        assert not np.array_equal(said, true)
    # The floor under the camera of a box room is the same all around, and its normal points up.
    below = np.split(panels["normals"], 3, axis=1)[2][15]
    assert (np.abs(below.astype(int) - [128, 0, 128]) <= 1).all()


def test_weights_of_another_network_are_no_start(box_worlds, tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(PanoError, match="lacks"):
        train(
            "pano-s",
            config_for(box_worlds, tmp_path / "run", start=tmp_path / "other.safetensors"),
            resume=False,
            report=lambda _: None,
        )


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_memory_that_a_step_freed_is_kept_for_the_next_one():
    program = """
import sys
from pathlib import Path
import numpy as np
from training.heap import keep_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if "keep" in sys.argv:
    assert keep_freed_memory()
before = resident()
piece = np.ones(25_000_000)
del piece
print(resident() - before)
"""

    def kept(*arguments):
        command = [sys.executable, "-c", program, *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return int(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)

    assert kept() < 50e6
    assert kept("keep") > 150e6
