"""SAP's recipe: what is trained, what stays as it is, and that it learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from click_makers import made_view, made_world

from core.errors import PanoError
from core.models.click_s import ClickS
from core.models.weights import read_metadata
from core.segment.network import MemoryFrame
from core.segment.options import MemoryChoice, Policy
from training.checkpoint import load_checkpoint
from training.clicks.views import write_views
from training.draw import Draw
from training.recipes.base import Batch
from training.recipes.sap import SapRecipe, SapTraining
from training.sap.clips import collate_clips, zigzag_clip
from training.sap.layouts import Layout, Looks
from training.sap.recall import Recall
from training.sap.scan import Scan, ScanOptions, judge_worlds
from training.sap.segmenters import Answer, segmenter_for
from training.trainer import train
from training.worlds.generate import generate_worlds
from training.worlds.sample import write_sample


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    worlds = tmp_path_factory.mktemp("worlds")
    for seed in range(3):
        write_sample(made_world(seed), worlds / f"{seed:08d}.npz")
    return worlds


def config_for(folder, out, **changes):
    base = {
        "network": "click-s-small", "fresh": True, "height": 64, "frames": 4, "batch": 2, "corrections": 1,
        "warmup": 3, "held_out": 1, "judged_clicks": 1, "evaluate_minutes": 60.0, "out": out, "worlds": folder,
    }  # fmt: skip
    return SapTraining(**{**base, **changes})


def batch_of(recipe, step=0):
    return Batch(recipe.load(Draw(0, step)), step)


def opened(config):
    recipe = SapRecipe(config)
    recipe.open()
    return recipe


def test_a_short_run_learns_and_finds_objects_of_a_held_out_world(folder, tmp_path):
    config = config_for(
        folder, tmp_path, steps=60, learning_rate=3e-3, clip=1.0, ema=0.9, encoder=True, frames=2, zigzags=0.5,
        drifts=0.0,
    )  # fmt: skip
    recipe = opened(config)
    torch.manual_seed(0)
    before = recipe.evaluate(recipe.build())
    rows = []
    train("sap", config, resume=False, report=rows.append)
    losses = [row["mask"] for row in rows if "mask" in row]
    assert losses[-1] < 0.7 * losses[0]
    assert load_checkpoint(tmp_path, "sap")["history"][-1]["iou_1"] > before["iou_1"] + 0.1


@pytest.mark.slow
def test_minutes_of_training_on_generated_worlds_lower_the_loss_and_find_more_of_held_out_objects(tmp_path):
    """For 150 steps no mask is drawn at all: focal loss tells a fresh network first of all that most is background."""
    generate_worlds(tmp_path / "worlds", range(60), height=256)
    config = config_for(
        tmp_path / "worlds", tmp_path / "run", steps=800, batch=4, frames=2, zigzags=0.5, drifts=0.0, held_out=8,
        judged=8, learning_rate=3e-3, clip=1.0, encoder=True, ema=0.97, warmup=10, evaluate_first=True,
    )  # fmt: skip
    rows = []
    train("sap", config, resume=False, report=rows.append)
    losses = [row["mask"] for row in rows if "mask" in row]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:3])
    before, *_, after = load_checkpoint(tmp_path / "run", "sap")["history"]
    assert after["iou_1"] > 1.2 * before["iou_1"]


@pytest.mark.parametrize("network", ["click-s-small", "sam2.1-least"])
def test_all_but_the_image_encoder_learns(folder, tmp_path, network):
    config = config_for(folder, tmp_path, network=network, zigzags=1.0)
    recipe = opened(config)
    torch.manual_seed(0)
    model = recipe.build()
    for step in range(4):
        loss, parts = recipe.loss(model, batch_of(recipe, step))
        loss.backward()
        assert torch.isfinite(loss)
        assert {"mask", "iou", "presence"} <= set(parts)
    encoders = ("vision_encoder.", "stem.", "to_quarter.", "to_eighth.", "to_body.", "look.")
    for name, weight in model.named_parameters():
        assert weight.requires_grad != name.startswith(encoders), name
        assert (weight.grad is not None) == weight.requires_grad
    moved = {
        name.split(".")[0] for name, weight in model.named_parameters() if weight.grad is not None and weight.grad.any()
    }
    if network == "sam2.1-least":
        wanted = {"memory_attention", "memory_encoder", "prompt_encoder", "mask_decoder", "object_pointer_proj"}
        assert wanted | {"memory_temporal_positional_encoding", "no_memory_embedding"} <= moved
    else:
        assert {"memory_layers", "memory_out", "memory_join", "ask_body", "up_body", "last", "no_memory"} <= moved


def test_a_step_follows_from_its_number_alone(folder, tmp_path):
    one, other = opened(config_for(folder, tmp_path)), opened(config_for(folder, tmp_path))
    torch.manual_seed(0)
    model = one.build()
    for step in (0, 3):
        first, again = batch_of(one, step), batch_of(other, step)
        assert all(torch.equal(first[name], again[name]) for name in first.tensors)
        assert float(one.loss(model, first)[0].detach()) == float(other.loss(model, again)[0].detach())
    assert not torch.equal(batch_of(one, 0)["seed"], batch_of(one, 1)["seed"])


def test_the_loss_of_a_batch_is_the_mean_of_its_clips(folder, tmp_path):
    recipe = opened(config_for(folder, tmp_path, zigzags=1.0, batch=3))
    torch.manual_seed(0)
    model = recipe.build()
    batch = batch_of(recipe)
    with torch.no_grad():
        whole = float(recipe.loss(model, batch)[0])
        each = [
            float(recipe.loss(model, Batch({name: value[k : k + 1] for name, value in batch.tensors.items()}, 0))[0])
            for k in range(3)
        ]
    assert whole == pytest.approx(np.mean(each), rel=1e-5)


def test_clips_come_from_zigzags_drifts_and_pictures(folder, tmp_path):
    write_views([made_view(seed) for seed in range(4)], tmp_path / "a.npz")
    recipe = opened(config_for(folder, tmp_path / "run", pictures=tmp_path, zigzags=0.4, drifts=0.3))
    shapes = {tuple(batch_of(recipe, step)["rgb"].shape[:2]) for step in range(20)}
    assert shapes == {(2, 4), (2, 1)}
    steps = [batch_of(recipe, step)["distance"] for step in range(20)]
    assert len({tuple(d[0].flatten().tolist()) for d in steps}) >= 2


def test_views_are_recalled_by_the_rule_of_the_driver():
    order = torch.arange(6.0)
    distance = (order[:, None] - order[None])[None]
    angle = torch.rand(1, 6, 6, generator=torch.Generator().manual_seed(0))
    rows = torch.tensor([0])
    for choice in MemoryChoice:
        recall = Recall(distance, angle, choice, most=3)
        for frame in range(5):
            recall.keep(rows, [frame], [frame in (0, 1, 2)], [f"m{frame}"])
        got = recall.frames_for(0, 5)
        near = -distance[0, 5] if choice is MemoryChoice.INDEX else angle[0, 5]
        near = abs(near)
        clicked = sorted((0, 1, 2), key=lambda k: float(near[k]))[:2]
        rest = sorted(set(range(5)) - set(clicked), key=lambda k: float(near[k]))[:1]
        assert [frame.memory for frame in got] == [f"m{k}" for k in (*clicked, *rest)]
        assert [frame.prompted for frame in got] == [k in (0, 1, 2) for k in (*clicked, *rest)]
        assert got[0].distance == 5 - clicked[0]


class Oracle:
    """Answers with the truth of a red object wherever it is; its memories are what it was shown."""

    stride = 1

    def __init__(self):
        self.asked, self.recalled = [], []

    def look(self, rgb, fov):
        from core.models.networks.sam2 import Maps

        return Maps(rgb, rgb, rgb)

    def attend(self, features, memories):
        self.recalled.append([len(row) for row in memories])
        return features

    def answer(self, features, prompt):
        self.asked.append(prompt.signs.abs().sum(dim=1).tolist())
        red = features.fine[:, 0] - features.fine[:, 1] > 0.3
        logits = torch.where(red, 10.0, -10.0)[:, None]
        there = torch.where(red.flatten(1).any(dim=1), 5.0, -5.0)
        count = len(logits)
        return Answer(
            logits, torch.ones(count, 1, dtype=torch.bool), torch.ones(count, 1), there,
            torch.zeros(count, dtype=torch.long), torch.zeros(count, 1, 0),
        )  # fmt: skip

    def remember(self, features, logits, presence, pointers):
        return list(logits)


@pytest.mark.parametrize(("policy", "clicked", "blind"), [(Policy.P1, 4, 4), (Policy.P2, 4, 1), (Policy.P3, 1, 1)])
def test_policies_decide_who_gets_the_click_and_who_sees_without_memories(policy, clicked, blind):
    rgb = np.zeros((64, 128, 3), np.uint8)
    rgb[20:40, 60:70] = (200, 20, 20)
    oracle = Oracle()
    scan = Scan(oracle, rgb, 64, ScanOptions(policy=policy), torch.device("cpu"))
    from core.scene import Click

    (mask,) = scan.masks([[Click(0.05, 0.07, positive=True)]])
    truth = rgb[..., 0] > 100
    assert (mask & truth).sum() / (mask | truth).sum() > 0.8
    asked = [row[0] for row in oracle.asked]
    recalled = [row[0] for row in oracle.recalled]
    assert asked[0] == 1
    assert abs(sum(asked) - clicked) <= (0 if policy is Policy.P3 else 2)
    assert sum(count == 0 for count in recalled) == (sum(asked) if blind == 4 else blind)
    assert max(recalled) == 6


def test_every_layout_can_be_judged_and_cropping_costs_nothing_of_the_truth(folder):
    files = sorted(folder.glob("*.npz"))[:1]
    recipe = SapRecipe(SapTraining(network="click-s-small", fresh=True))
    torch.manual_seed(0)
    model = recipe.build()
    for layout in (Layout(Looks.WHOLE), Layout(Looks.CROPS), Layout(overlap=False)):
        scores = judge_worlds(model, files, ScanOptions(layout), size=32)
        assert scores["objects"] >= 1
        assert 0 <= scores["iou_1"] <= 1
    assert model.training


def test_what_is_shipped_is_opened_by_the_program(tmp_path):
    from safetensors.torch import save_file

    recipe = SapRecipe(SapTraining(network="click-s-small", fresh=True, height=96))
    model = recipe.build()
    shipped = recipe.ship(model)
    save_file(dict(model.state_dict()), tmp_path / "click_s.safetensors", metadata=dict(shipped.metadata))
    network = ClickS(tmp_path / "click_s.safetensors", device="cpu")
    assert network.view_size == 96


def test_a_trained_sam2_of_any_encoder_is_opened_with_the_views_of_its_training(tmp_path):
    from safetensors.torch import save_file

    from core.models.sam2 import sap_tiny

    recipe = SapRecipe(SapTraining(network="sam2.1-least", fresh=True, height=64))
    torch.manual_seed(0)
    model = recipe.build().eval()
    shipped = recipe.ship(model)
    assert shipped.model == "sap-tiny"
    path = tmp_path / "sap.safetensors"
    save_file({k: v.contiguous().clone() for k, v in model.state_dict().items()}, path, metadata=dict(shipped.metadata))
    assert "sam2" in read_metadata(path)
    network = sap_tiny(path, device="cpu")
    assert network.view_size == 64
    # The adapter and what is trained say the same of a view.
    view = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    segmenter = segmenter_for(model)
    rgb = torch.from_numpy(view).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        features = segmenter.look(rgb, torch.ones(1))
        first = segmenter.attend(features, [[]])
    from core.models.networks.click_prompts import ClickPrompt
    from core.segment.network import ViewPrompt

    unknown = torch.full((1, 4), torch.nan), torch.full((1, 1, 16, 16), torch.nan)
    with torch.no_grad():
        answer = segmenter.answer(first, ClickPrompt(torch.tensor([[[20.5, 30.5]]]), torch.ones(1, 1), *unknown))
    seen = network.encode(view)
    said = network.decode(network.attend(seen, []), ViewPrompt(np.array([[20.5, 30.5]], np.float32), np.array([True])))
    np.testing.assert_allclose(answer.quality[0, 1:].numpy(), said.quality[:3], atol=1e-5)
    assert float(answer.presence[0]) == pytest.approx(said.presence, abs=1e-4)
    # And of a second view that recalls the first.
    with torch.no_grad():
        logits, pointers = answer.given()
        (kept,) = segmenter.remember(features, logits, answer.presence, pointers)
        mine = segmenter.attend(features, [[MemoryFrame(kept, 1, 0.5, prompted=False)]])
    memory = network.remember(
        seen, logits[0].numpy(), presence=said.presence, prompted=False, pointer=pointers[0].numpy()
    )
    theirs = network.attend(seen, [MemoryFrame(memory, 1, 0.5, prompted=False)])
    np.testing.assert_allclose(mine.coarse[0].numpy(), theirs.coarse, atol=0.02)


def test_a_run_begins_with_the_numbers_it_is_told_to(folder, tmp_path):
    config = config_for(folder, tmp_path / "a", steps=1)
    train("sap", config, resume=False, report=lambda _: None)
    further = opened(replace(config, fresh=False, start=tmp_path / "a"))
    ema = load_checkpoint(tmp_path / "a", "sap")["ema"]
    assert all(torch.equal(value, ema[name]) for name, value in further.build().state_dict().items())
    with pytest.raises(PanoError, match="--start"):
        opened(replace(config, fresh=False))
    with pytest.raises(PanoError, match="same network"):
        opened(replace(config, network="click-s", fresh=False, start=tmp_path / "a")).build()
    with pytest.raises(PanoError, match="multiple of 32"):
        SapRecipe(replace(config, height=100))


def test_the_recipe_is_built_without_numbers_on_the_meta_device():
    with torch.device("meta"):
        model = SapRecipe(SapTraining(network="sam2.1-least", fresh=True)).build()
    assert all(weight.is_meta for weight in model.parameters())


def test_a_window_of_a_made_world_can_be_collated_with_its_mirror_image():
    from training.clicks.world_looks import mirrored, open_world

    world = open_world(made_world())
    rng = np.random.default_rng(0)
    clips = [zigzag_clip(w, Layout(), 32, 3, rng) for w in (world, mirrored(world))]
    assert collate_clips(clips, rng)["masks"].shape[2:] == (3, 32, 32)
