"""Click-s learns, in small."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from click_makers import made_view, made_world

from core.errors import PanoError
from training.checkpoint import load_checkpoint
from training.clicks.losses import mask_loss, open_loss, quality_loss, sphere_iou
from training.clicks.split import held_out_sources
from training.clicks.views import write_views
from training.dataset import WorldFolder
from training.draw import Draw
from training.recipes.base import Batch
from training.recipes.click_s import ClickSRecipe, ClickSTraining
from training.trainer import train
from training.worlds.sample import write_sample


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    worlds, views = tmp_path_factory.mktemp("worlds"), tmp_path_factory.mktemp("views")
    for seed in range(3):
        write_sample(made_world(seed), worlds / f"{seed:08d}.npz")
    write_views([made_view(seed) for seed in range(6)], views / "a.npz")
    return worlds, views


def config_for(folders, out, **changes):
    worlds, views = folders
    base = {"height": 64, "batch": 4, "steps": 30, "warmup": 5, "held_out": 1, "evaluate_minutes": 60.0}
    return ClickSTraining(worlds=worlds, views=views, out=out, **{**base, **changes})


def opened(config):
    recipe = ClickSRecipe(config)
    recipe.open()
    return recipe


@pytest.mark.slow
def test_a_short_run_learns_and_beats_fresh_weights(folders, tmp_path):
    config = config_for(folders, tmp_path, steps=40, learning_rate=2e-3)
    rows = []
    train("click-s", config, resume=False, report=rows.append)
    state = load_checkpoint(tmp_path, "click-s")
    assert state["step"] == 40
    recipe = opened(config)
    torch.manual_seed(0)
    learned, fresh = recipe.build(), recipe.build()
    learned.load_state_dict(state["model"])
    assert first_loss(recipe, learned, config) < 0.7 * first_loss(recipe, fresh, config)


def test_a_run_goes_on_from_the_weights_of_another(folders, tmp_path):
    first = train("click-s", config_for(folders, tmp_path, steps=2), resume=False, report=lambda _: None)
    learned = load_checkpoint(first, "click-s")["ema"]
    begun = opened(config_for(folders, tmp_path / "further", start=first)).build().state_dict()
    assert all(torch.equal(begun[name], learned[name]) for name in learned)


def first_loss(recipe, network, config):
    with torch.no_grad():
        losses = []
        for seed in range(4):
            batch = Batch(recipe.load(Draw(0, seed)), seed)
            losses.append(float(recipe.loss(network, batch)[0]))
    return np.mean(losses)


def test_every_weight_learns_from_some_batch(folders, tmp_path):
    config = config_for(folders, tmp_path)
    recipe = opened(config)
    network = recipe.build()
    kinds = set()
    for seed in range(12):
        batch = Batch(recipe.load(Draw(0, seed)), seed)
        kinds.add(int(batch["frames"]) > 1)
        loss, parts = recipe.loss(network, batch)
        loss.backward()
        assert np.isfinite(list(parts.values())).all()
    assert kinds == {True, False}
    idle = [name for name, weight in network.named_parameters() if weight.grad is None]
    assert idle == []
    assert all(torch.isfinite(weight.grad).all() for weight in network.parameters())


def test_sequences_hold_views_without_the_object_which_teach_that_it_is_absent(folders, tmp_path):
    config = config_for(folders, tmp_path)
    recipe = opened(config)
    network = recipe.build()
    absent = 0
    for seed in range(24):
        batch = Batch(recipe.load(Draw(0, seed)), seed)
        if int(batch["frames"]) == 1:
            continue
        missing = batch["meant"].sum(dim=(1, 2, 3)) == 0
        absent += int(missing.sum())
        if missing.any():
            network.zero_grad()
            loss, parts = recipe.loss(network, batch)
            loss.backward()
            assert parts["presence"] > 0.1
            assert all(float(weight.grad.abs().sum()) > 0 for weight in network.presence.parameters())
            break
    assert absent > 0


def test_what_was_told_by_no_other_frame_is_judged_on_its_own():
    target, judged = torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)
    target[..., :4], judged[0, ..., 3:] = 1, 1
    logits = torch.full((2, 1, 8, 8), -10.0)
    logits[..., :2] = 10
    # The first row misses what is open of the object, the second has nothing open.
    loss, ious = open_loss(logits, target, judged)
    assert float(loss) > 0.5
    assert ious.tolist() == []
    judged[0] = 1
    loss, ious = open_loss(logits, target, judged)
    assert ious.tolist() == [0.5]
    none, _ = open_loss(logits, target, torch.zeros(2, 1, 8, 8))
    assert float(none) == 0


def test_a_run_needs_views(folders, tmp_path):
    with pytest.raises(PanoError, match="panoviewer-train clicks"):
        train("click-s", config_for((folders[0], tmp_path), tmp_path / "run"), resume=False, report=lambda _: None)


def test_a_world_is_judged_by_or_trained_on_in_views_as_in_sequences(folders):
    worlds = WorldFolder(folders[0], held_out=2)
    names = ["00000000.npz", "00000001.npz", "00000002.npz", "00000907.npz"]
    assert held_out_sources(names, worlds).tolist() == [True, True, False, False]


def test_files_of_one_photograph_are_on_one_side_and_at_least_six_photographs_are_judged_by(folders):
    worlds = WorldFolder(folders[0], held_out=1)
    names = [f"photo_{number}{suffix}" for number in range(20) for suffix in (".jpg", ".hdr", ".small.png")]
    held = held_out_sources(names, worlds).reshape(20, 3)
    assert (held == held[:, :1]).all()
    assert held[:, 0].sum() == 6
    many = [f"photo_{number}.jpg" for number in range(800)]
    assert 25 < held_out_sources(many, worlds).sum() < 100
    assert held_out_sources(["a.jpg", "b.jpg", "c.jpg"], worlds).sum() == 1


def test_photographs_that_are_added_take_none_of_the_others_out_of_training(folders):
    worlds = WorldFolder(folders[0], held_out=1)
    names = [f"photo_{number}.jpg" for number in range(40)]
    before, after = held_out_sources(names, worlds), held_out_sources([*names, "another.jpg"], worlds)
    assert not (after[:40] & ~before).any()


def test_what_is_shown_of_a_run_is_the_view_what_was_meant_and_what_was_found(folders, tmp_path):
    sources = ["a.jpg", "b.jpg", "00000000.npz", "00000001.npz"]
    write_views([replace(made_view(seed), source=source) for seed, source in enumerate(sources)], tmp_path / "a.npz")
    recipe = opened(config_for((folders[0], tmp_path), tmp_path / "run"))
    torch.manual_seed(0)
    network = recipe.build()
    panels = recipe.panels(network)
    assert network.training
    assert {name: panel.shape for name, panel in panels.items()} == {"photo": (64, 192, 3), "world": (64, 192, 3)}
    for panel in panels.values():
        view, meant, _ = np.split(panel, 3, axis=1)
        assert view.std() > 5
        changed = (view != meant).any(axis=-1)
        assert changed.mean() > 0.005
        assert (meant[changed][:, 0] >= 127).all()


def test_a_right_answer_costs_little_and_a_wrong_one_much():
    target = torch.zeros(1, 1, 8, 8)
    target[..., 2:6, 2:6] = 1
    judged = torch.ones(1, 1, 8, 8)
    right, wrong = mask_loss(target * 20 - 10, target, judged), mask_loss(10 - target * 20, target, judged)
    assert float(right) < 0.01
    assert float(wrong) > 10


def test_what_is_not_judged_costs_nothing():
    target = torch.zeros(1, 1, 4, 4)
    logits = torch.full((1, 1, 4, 4), -10.0)
    logits[..., 0] = 10
    judged = torch.ones(1, 1, 4, 4)
    judged[..., 0] = 0
    assert float(mask_loss(logits, target, judged)) < 0.01


def test_quality_counts_what_lies_beyond_the_view():
    target = torch.ones(1, 1, 2, 2)
    areas = torch.full((1, 1, 2, 2), 0.25)
    said = torch.full((1, 1, 2, 2), 5.0)
    assert float(sphere_iou(said, target, areas, torch.tensor([[2.0]]))) == pytest.approx(0.5)
    unknown = sphere_iou(said, target, areas, torch.tensor([[torch.nan]]))
    assert torch.isnan(unknown).all()
    counts = torch.ones(1, 1, dtype=torch.bool)
    assert float(quality_loss(torch.zeros(1, 1), unknown, counts)) == 0
    assert float(quality_loss(torch.zeros(1, 1), torch.tensor([[1.0]]), counts)) == pytest.approx(0.5)
