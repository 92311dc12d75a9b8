"""Training in stages: one command from worlds and photographs to a network, whatever ends it in between."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from colonnades import colonnade
from PIL import Image

from core.errors import PanoError
from core.models import load_model
from core.models.networks.vit import ViTConfig
from training.checkpoint import load_checkpoint
from training.labelled import labelled_files, read_labelled, write_labelled
from training.recipes import transformers
from training.recipes.transformers import Size
from training.stages.discriminator import PatchDiscriminator, QualityPlan
from training.stages.intake import IntakePlan
from training.stages.record import FILE_NAME, PAGE_NAME
from training.stages.staged import MODEL, STAGES, Show, StagedTraining, judged, run_stages
from training.worlds.sample import read_fields
from training.worlds.shards import world_files, write_shard

ROOT = Path(__file__).resolve().parents[2]
TINY = Size(ViTConfig(64, 4), (8, 8, 16, 16), 8)


@pytest.fixture(scope="module")
def tiny():
    """Size T is one that takes a step in no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(transformers.SIZES, "T", TINY)
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(4):
        Image.fromarray(np.roll(colonnade(seed=seed), 30 * seed, axis=1)).save(folder / f"{seed}.png")
    Image.fromarray(np.full((256, 512, 3), 90, np.uint8)).save(folder / "plain.png")
    return folder


def config_of(out, worlds, photos, **fields):
    few = StagedTraining(
        out=out, photos=(photos,), worlds=worlds, held_out=4, size="T", height=32, batch=2, steps=3, warmup=1,
        ema=0.5, log_steps=1, top=0.5, compared=4, device="cpu", intake=IntakePlan(height=64),
        discriminator=QualityPlan(width=4, steps=4, batch=2),
    )  # fmt: skip
    return replace(few, **fields)


def weights_of(out):
    return (out / MODEL / "dap.safetensors").read_bytes()


class Ends(Show):
    """Ctrl+C at one moment."""

    def __init__(self, at):
        self.at = at

    def training(self, steps):
        show = self

        class Within:
            def __enter__(self):
                show.at -= 1
                if show.at == 0:
                    raise KeyboardInterrupt
                return lambda _row: None

            def __exit__(self, *_error):
                return None

        return Within()


@pytest.fixture(scope="module")
def whole(tiny, box_worlds, photos, tmp_path_factory):
    """The configuration of stages that were done by one command and, after an interrupt, by the same again."""
    shards = tmp_path_factory.mktemp("shards")
    write_shard(((path.stem, read_fields(path)) for path in world_files(box_worlds)), shards / "worlds-000000.tar")
    config = config_of(tmp_path_factory.mktemp("stages") / "whole", shards, photos)
    with pytest.raises(KeyboardInterrupt, match="Interrupted in second; the same command goes on"):
        run_stages(config, Ends(at=3))
    assert (config.out / PAGE_NAME).read_text().count("not run") == 3
    run_stages(config)
    return config


@pytest.mark.slow
def test_worlds_and_photographs_become_a_network_and_a_record_of_how(whole, box_room):
    out = whole.out
    told = json.loads((out / FILE_NAME).read_text())
    assert list(told["done"]) == list(STAGES)
    results = {name: done["results"] for name, done in told["done"].items()}
    photos = results["photos"]
    assert (photos["indoor"] + photos["outdoor"], photos["left_out"]) == (4, 1)
    for name in ("labeller", "second", "final"):
        assert results[name]["steps"] == 3
        assert results[name]["absrel"] == load_checkpoint(out / name, "dap")["history"][-1]["absrel"]
    assert results["labels"] == results["relabelled"] == {"labelled": 4, "left_out": 0}
    assert results["said"] == {"labelled": 4 + 4, "left_out": 0}
    assert 0 <= results["selection"]["told_apart"] <= 1
    assert -1 <= results["selection"]["rank_correlation"] <= 1
    assert told["settings"]["top"] == 0.5
    page = (out / PAGE_NAME).read_text()
    assert "not run" not in page
    assert f"absrel {results['final']['absrel']:.3g}" in page
    # Who teaches and what is learned from is what the paper says.
    for folder, labeller in (("labels", "labeller"), ("relabelled", "second")):
        (teacher,) = read_labelled(labelled_files(out / folder)[0]).origin["teachers"]
        version = json.loads((out / folder / "labels.json").read_text())["teachers"][0]["sha256"]
        assert teacher["sha256"] == version
        assert (out / labeller / MODEL / "dap.safetensors").is_file()
    learned_from = {
        name: load_checkpoint(out / name, "dap")["config"]["labelled"] for name in ("labeller", "second", "final")
    }
    assert learned_from == {
        "labeller": [],
        "second": [str(out / "selection" / "selected")],
        "final": [str(out / "relabelled")],
    }
    with Image.open(out / "selection" / "sheet.png") as sheet:
        assert sheet.size == (480, 4 * 120)
    assert 1 <= len(labelled_files(out / "selection" / "selected")) < 4
    assert load_model(str(out / MODEL)).predict(np.asarray(box_room(1, 32).rgb)).depth is not None


@pytest.mark.slow
def test_what_is_done_is_not_done_again_and_other_settings_are_refused(whole, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in whole.out.rglob("*") if path.is_file()}
    run_stages(replace(whole, threads=2))
    assert {path: path.stat().st_mtime_ns for path in whole.out.rglob("*") if path.is_file()} == before
    with pytest.raises(PanoError, match="another top; give the same"):
        run_stages(replace(whole, top=0.4))
    broken = replace(whole, out=tmp_path)
    (tmp_path / FILE_NAME).write_text("{")
    with pytest.raises(PanoError, match="cannot be read"):
        run_stages(broken)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"photos": ()}, "--photos"),
        ({"top": 0}, "--top"),
        ({"compared": 0}, "--compared"),
        ({"height": 128}, "--intake.height"),
        ({"held_out": 12}, "--held-out"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_begun(tiny, box_worlds, photos, tmp_path, fields, said):
    with pytest.raises(PanoError, match=said):
        run_stages(replace(config_of(tmp_path / "out", box_worlds, photos), **fields))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_what_each_stage_takes_in_steps_is_told_at_once_with_its_flag(whole):
    told = []
    show = Show()
    show.line = told.append
    run_stages(whole, show)
    assert "3 of each of the three trainings (--steps)" in told[0]
    assert "4 of the discriminator (--discriminator.steps)" in told[0]


def test_a_ranking_is_judged_by_how_right_the_depth_of_unseen_worlds_is(box_worlds, tmp_path):
    """By networks that find depth true where it is known, and where it is not."""

    class Known(PatchDiscriminator):
        def forward(self, maps):
            return maps[:, 7:8]

    class Unknown(PatchDiscriminator):
        def forward(self, maps):
            return 1 - maps[:, 7:8]

    pairs = []
    for count, path in enumerate(sorted(box_worlds.glob("*.npz"))[:5]):
        world = read_labelled(path)
        depth = np.array(world.depth)
        depth[10 : 10 + 2 * count] = np.nan
        write_labelled(replace(world, depth=depth), tmp_path / path.name)
        pairs.append((path, tmp_path / path.name))
    assert judged(Known(1), pairs, height=32) == {"told_apart": 0.8, "rank_correlation": pytest.approx(1)}
    assert judged(Unknown(1), pairs, height=32) == {"told_apart": 0.0, "rank_correlation": pytest.approx(-1)}
    assert judged(Known(1), pairs[:2], height=32) == {"told_apart": 0.5}


SCRIPT = """
import sys
from core.models.networks.vit import ViTConfig
from training.recipes import transformers
from training.recipes.transformers import Size
transformers.SIZES["T"] = Size(ViTConfig(64, 4), (8, 8, 16, 16), 8)
from training.__main__ import main
main()
"""


@pytest.mark.slow
def test_a_command_that_is_killed_again_and_again_ends_with_the_same_weights(box_worlds, photos, tmp_path):
    def command(out):
        flags = (
            "--photos", photos, "--worlds", box_worlds, "--held-out", 4, "--size", "T", "--height", 32, "--batch", 2,
            "--steps", 40, "--warmup", 1, "--ema", 0.5, "--log-steps", 1, "--save-minutes", 0, "--top", 0.5,
            "--compared", 4, "--device", "cpu", "--intake.height", 64, "--discriminator.width", 4,
            "--discriminator.steps", 60, "--discriminator.batch", 2,
        )  # fmt: skip
        return [sys.executable, "-c", SCRIPT, "stages", "dap", "-o", str(out), *map(str, flags)]

    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = subprocess.run(command(whole), check=False, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    rng, kills = random.Random(), 0
    # Wherever a stage has just begun to leave something, and a moment later.
    for trace in ("labeller/last.pt", "labels/labels.json", "selection/discriminator.safetensors", "final/last.pt"):
        with subprocess.Popen(command(killed), env=environment, stdout=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 300
            while not (killed / trace).exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(rng.random() / 2)
            process.send_signal(signal.SIGKILL)
        kills += process.returncode == -signal.SIGKILL
    assert kills >= 3
    done = subprocess.run(command(killed), check=False, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert weights_of(killed) == weights_of(whole)
    first, second = (load_checkpoint(folder / "final", "dap") for folder in (whole, killed))
    assert all(torch.equal(second["model"][name], value) for name, value in first["model"].items())
    tables = [(folder / "selection" / "selection.tsv").read_bytes() for folder in (whole, killed)]
    assert tables[0] == tables[1]
