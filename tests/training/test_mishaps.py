"""Numbers that are not finite, full disks and broken files do not end a run, and are told."""

import resource
from dataclasses import replace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_recipe import write_points

from core.errors import OutOfSpace, PanoError
from training.checkpoint import FILE_NAME, load_checkpoint, save_checkpoint
from training.config import TrainConfig
from training.quarantine import DELAY
from training.trainer import train


def tiny(folder, **changes):
    base = {"batch": 2, "steps": 10, "warmup": 2, "log_steps": 1, "evaluate_minutes": 60.0, "device": "cpu"}
    return TrainConfig(out=folder / "run", **{**base, **changes})


def test_a_sample_whose_loss_is_not_finite_is_found_listed_and_left_out(tmp_path, caplog):
    write_points(tmp_path, ["0.5", "nan", "1", "0.25"])
    config = tiny(tmp_path, steps=DELAY + 40)
    rows = []
    train("tiny", config, resume=False, report=rows.append)
    spoilt = [row["step"] for row in rows if "loss" in row and row["loss"] != row["loss"]]
    assert spoilt
    assert max(spoilt) <= spoilt[0] + DELAY
    (line,) = (config.out / "quarantine.tsv").read_text().splitlines()
    assert line.split("\t")[1] == "loss not finite"
    assert line.split("\t")[2].endswith("001.txt")
    assert f"Step {spoilt[0] - 1} was left out" in caplog.text
    state = load_checkpoint(config.out, "tiny")
    assert all(value.isfinite().all() for part in ("model", "ema") for value in state[part].values())
    assert state["history"][-1]["error"] < 10


def test_a_run_that_is_resumed_leaves_spoilt_samples_out_from_the_same_step_on(tmp_path):
    write_points(tmp_path, ["0.5", "nan", "1", "0.25", "bad"])
    whole = tiny(tmp_path, steps=DELAY + 40)
    train("tiny", whole, resume=False, report=lambda _: None)
    cut = replace(whole, out=tmp_path / "cut", save_minutes=0.0)

    class Cut(Exception):
        pass

    def cut_off(row):
        if row["step"] == DELAY - 10:
            raise Cut

    with pytest.raises(Cut):
        train("tiny", cut, resume=False, report=cut_off)
    train("tiny", cut, resume=True, report=lambda _: None)
    first, second = (load_checkpoint(config.out, "tiny") for config in (whole, cut))
    for part in ("model", "ema"):
        assert all(torch.equal(first[part][name], second[part][name]) for name in first[part])


def test_a_run_without_any_finite_gradient_ends_with_advice(tmp_path):
    write_points(tmp_path, ["nan"])
    with pytest.raises(PanoError, match="lower --learning-rate"):
        train("tiny", tiny(tmp_path, steps=100), resume=False, report=lambda _: None)


@pytest.fixture
def full_disk():
    """No file may grow beyond a few kilobytes any more, as the system itself sees to it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))

    yield fill
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_last_checkpoint_and_the_run_goes_on(tmp_path, caplog, full_disk):
    write_points(tmp_path, ["0.5", "1"])
    config = tiny(tmp_path, save_minutes=0.0)

    def fill(row):
        if row["step"] == 4:
            full_disk()

    with pytest.raises(OutOfSpace, match=r"last\.pt"):
        train("tiny", config, resume=False, report=fill)
    assert load_checkpoint(config.out, "tiny")["step"] == 3
    assert "training goes on" in caplog.text
    assert [path.name for path in config.out.iterdir() if path.name.startswith(".")] == []


def test_a_checkpoint_that_does_not_fit_is_told_in_a_sentence(tmp_path, full_disk):
    full_disk()
    with pytest.raises(OutOfSpace, match="choose another"):
        save_checkpoint(tmp_path, {"recipe": "tiny", "weights": torch.zeros(100_000)})
    assert not (tmp_path / FILE_NAME).exists()


def test_figures_and_pictures_are_there_for_tensorboard(tmp_path):
    write_points(tmp_path, ["0.5", "1"])
    config = tiny(tmp_path, steps=4, evaluate_first=True)
    train("tiny", config, resume=False, report=lambda _: None)
    events = EventAccumulator(str(config.out / "board"))
    events.Reload()
    assert [event.step for event in events.Scalars("training/loss")] == [1, 2, 3, 4]
    assert [event.step for event in events.Scalars("held out/error")] == [0, 4]
    assert (events.Images("grey")[-1].width, events.Images("grey")[-1].height) == (8, 4)
    history = load_checkpoint(config.out, "tiny")["history"]
    assert [row["step"] for row in history] == [0, 4]
