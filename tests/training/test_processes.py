"""A run is the same however often it is killed, and however many processes share it. All processes here are real."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_recipe import write_points

from training.checkpoint import load_checkpoint

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("tiny_recipe.py")


def command(out, *, processes=1, **settings):
    base = {"batch": 4, "warmup": 5, "learning_rate": 1e-2, "log_steps": 1, "evaluate_minutes": 60.0}
    start = [sys.executable]
    if processes > 1:
        start += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [*start, str(SCRIPT), str(out), json.dumps({**base, **settings})]


def environment():
    paths = [str(ROOT), str(SCRIPT.parent)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def run(out, **settings):
    work = command(out, **settings)
    done = subprocess.run(work, check=False, env=environment(), timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((out / "rows.json").read_text())


def losses(rows):
    return np.array([row["loss"] for row in rows if "loss" in row])


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    folder = tmp_path_factory.mktemp("points")
    write_points(folder, ["0.5", "bad", "-1", "0.25", "1", "0", "bad", "0.75", "-0.5"])
    return folder


@pytest.fixture(scope="module")
def alone(points):
    """One process, two parts: the folder and its rows."""
    out = points / "alone"
    return out, run(out, steps=12, parts=2)


@pytest.mark.parametrize("strategy", ["ddp", pytest.param("fsdp", marks=pytest.mark.slow)])
def test_two_processes_give_the_losses_of_one_with_the_same_parts(points, alone, strategy):
    out = points / strategy
    rows = run(out, processes=2, steps=12, strategy=strategy)
    np.testing.assert_allclose(losses(rows), losses(alone[1]), rtol=1e-5)
    first, second = (load_checkpoint(folder, "tiny") for folder in (alone[0], out))
    for part in ("model", "ema"):
        assert first[part].keys() == second[part].keys()
        for name, value in first[part].items():
            torch.testing.assert_close(second[part][name], value, rtol=1e-4, atol=1e-5)
    assert second["history"][-1]["error"] == pytest.approx(first["history"][-1]["error"], rel=1e-4)
    facts = json.loads((out / "config.json").read_text())
    chosen = {choice["setting"]: choice for choice in facts["choices"]}
    assert (facts["parts"], facts["strategy"], chosen["parts"]["reason"]) == (2, strategy, "one for each process")


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_run_goes_on_with_other_processes_than_it_began_with(points, alone, strategy):
    out = points / f"{strategy} and one"
    # The end of a shorter run would lower its learning rate where the longer one does not.
    run(out, processes=2, steps=5, strategy=strategy, schedule="constant")
    rows = run(out, steps=12, resume=True)
    np.testing.assert_allclose(losses(rows), losses(alone[1])[5:], rtol=1e-4)


def test_a_run_that_is_killed_at_any_moment_ends_with_the_same_weights_to_the_last_bit(points):
    whole, killed = points / "whole", points / "killed"
    settings = {"steps": 150, "parts": 2, "save_minutes": 0.0}
    run(whole, **settings)
    rng = random.Random()
    for _ in range(2):
        resume = (killed / "last.pt").exists()
        with subprocess.Popen(command(killed, resume=resume, **settings), env=environment()) as process:
            before = step_of(killed) if resume else 0
            deadline = time.monotonic() + 240
            while step_of(killed) <= before + rng.randrange(3) and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(rng.random() / 10)
            process.send_signal(signal.SIGKILL)
        assert process.returncode in (-signal.SIGKILL, 0)
    assert load_checkpoint(killed, "tiny")["step"] > 0
    run(killed, resume=True, **settings)
    first, second = (load_checkpoint(folder, "tiny") for folder in (whole, killed))
    assert first["step"] == second["step"] == 150
    for part in ("model", "ema"):
        assert all(torch.equal(second[part][name], value) for name, value in first[part].items())
    for name, memory in first["optimizer"].items():
        assert all(torch.equal(second["optimizer"][name][key], value) for key, value in memory.items())
    logs = [(folder / "log.tsv").read_text().splitlines() for folder in (whole, killed)]
    assert [line for line in logs[0] if "hours" not in line] == [line for line in logs[1] if "hours" not in line]


def step_of(out):
    log = out / "log.tsv"
    return len(log.read_text().splitlines()) if log.exists() and (out / "last.pt").exists() else 0
