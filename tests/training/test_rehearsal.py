"""A rehearsal does everything once and leaves nothing; what it says of memory is counted."""

import sys

import pytest
import torch
from torch import nn

from training import __main__ as commands
from training.memory import Kept, Need


@pytest.mark.parametrize(
    ("name", "flags"),
    [("pano-s", ["--height", "32"]), pytest.param("dap", ["--size", "L", "--height", "64"], marks=pytest.mark.slow)],
)
def test_a_rehearsal_does_one_step_of_everything_and_leaves_nothing(
    name, flags, box_worlds, tmp_path, monkeypatch, capsys
):
    arguments = ["train", name, "--worlds", box_worlds, "--out", tmp_path / "run", "--dry-run", "--held-out", "2"]
    monkeypatch.setattr(sys, "argv", ["panoviewer-train", *map(str, arguments), *flags])
    monkeypatch.setattr("training.config.TrainConfig.reduced", smaller)
    commands.main()
    told = capsys.readouterr().out
    for word in ("loaded", "backward", "averaging", "checkpoint", "went on", "exported", "without numbers", "80 GB"):
        assert word in told
    assert "computed, not measured" in told
    assert list(tmp_path.iterdir()) == []


def smaller(config):
    """The worlds of tests have 32 rows."""
    from dataclasses import replace

    size = {"size": "T"} if hasattr(config, "size") else {}
    return replace(config, batch=2, steps=2, warmup=1, height=32, **size)


def test_what_is_kept_for_the_gradient_is_counted_once_and_without_the_weights():
    network = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5))
    for device, expected in (("cpu", 4 * (8 * 10 + 8 * 20)), ("meta", 4 * (8 * 10 + 8 * 20))):
        network = network.to(device)
        with Kept(network) as kept:
            said = network(torch.zeros(8, 10, device=device))
        assert kept.bytes == expected
        del said


def test_a_batch_that_is_said_to_fit_fits_and_one_more_does_not():
    need = Need(trained=10_000_000, fixed=5_000_000, fixed_bytes=220_000_000, sample_bytes=300_000_000, how="")
    for half in (False, True):
        count = need.largest_batch(12, bfloat16=half)
        room = (12 * 0.92 - 1) * 1e9
        assert need.total(count, bfloat16=half) <= room < need.total(count + 1, bfloat16=half)
    assert need.largest_batch(1, bfloat16=False) == 0
