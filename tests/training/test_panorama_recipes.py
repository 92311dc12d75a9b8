"""The recipes of dap and mtpano learn: their losses fall, and what is held out is better known than before."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.errors import ModelUnavailable, PanoError
from core.geometry.camera import Camera
from core.models.ade20k import ADE20K_NAMES
from core.models.dap import Dap
from core.models.mtpano import Mtpano408k
from core.models.networks.dap import DapConfig
from core.models.networks.mtpano import HELPERS, TURNING, MtpanoConfig
from core.models.networks.vit import ViT, ViTConfig
from training.checkpoint import load_checkpoint
from training.draw import Draw
from training.labelled import Patches, from_world, write_labelled
from training.recipes import find_recipe, transformers
from training.recipes.base import Batch
from training.recipes.transformers import Size
from training.trainer import train
from training.worlds.generate import generate_worlds

NAMES = ("dap", "mtpano")
TINY = Size(ViTConfig(64, 4), (8, 8, 16, 16), 16)


@pytest.fixture
def tiny(monkeypatch):
    """Size T is one that learns in seconds; whatever is drawn anew is drawn alike."""
    torch.manual_seed(0)
    monkeypatch.setitem(transformers.SIZES, "T", TINY)


def config_of(name, worlds, **fields):
    few = {"worlds": worlds, "held_out": 4, "size": "T", "height": 32, "batch": 4, "warmup": 2, "ema": 0.8}
    few |= {"stretch": 1.0}
    return find_recipe(name).config_class()(**(few | {"learning_rate": 2e-3} | fields))


def make(name, worlds, **fields):
    recipe = find_recipe(name).make(config_of(name, worlds, **fields))
    recipe.open()
    return recipe


def loss_of(recipe, network, step=0, **tensors):
    loaded = recipe.load(Draw(0, step))
    return recipe.loss(network, Batch({**loaded, **tensors}, step))


def learned(name, config):
    """Mean losses of the first and the last rows, and the headline before and after."""
    torch.manual_seed(config.seed)
    recipe = find_recipe(name).make(config)
    recipe.open()
    before = recipe.evaluate(recipe.build())
    torch.manual_seed(config.seed)
    start = float(np.mean([float(loss_of(recipe, recipe.build().train(), step)[0].detach()) for step in range(2)]))
    rows = []
    out = train(name, config, resume=False, report=rows.append)
    after = load_checkpoint(out, name)["history"][-1]
    losses = [row["loss"] for row in rows if "loss" in row]
    return start, losses[-1], before, after


@pytest.mark.parametrize("name", NAMES)
def test_a_short_run_lowers_the_loss_and_betters_the_held_out_score(name, tiny, box_worlds, tmp_path):
    config = config_of(
        name, box_worlds, steps=20, out=tmp_path / "run", **({"views": False} if name == "mtpano" else {})
    )
    start, end, before, after = learned(name, config)
    assert end < 0.9 * start
    assert after["absrel"] < 0.95 * before["absrel"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_four_minutes_of_training_a_small_transformer_on_worlds_teach_it(name, tmp_path):
    generate_worlds(tmp_path / "worlds", range(900, 936), height=64)
    config = config_of(
        name, tmp_path / "worlds", size="S", height=64, batch=4, held_out=8, warmup=5, ema=0.9,
        learning_rate=5e-4, steps=60 if name == "dap" else 50, out=tmp_path / "run",
    )  # fmt: skip
    start, end, before, after = learned(name, config)
    assert end < 0.8 * start
    assert after["absrel"] < 0.9 * before["absrel"]
    if name == "mtpano":
        assert after["normals_deg"] < before["normals_deg"] - 5
        assert after["miou"] > before["miou"]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("dap", {}),
        ("dap", {"decoder": "sphere"}),
        ("mtpano", {}),
        ("mtpano", {"helpers": False}),
        ("mtpano", {"heads_first": 1}),
    ],
)
def test_every_part_that_is_to_learn_hears_of_every_step(name, fields, tiny, box_worlds):
    recipe = make(name, box_worlds, **fields)
    network = recipe.build().train()
    loss_of(recipe, network)[0].backward()
    deaf = [part for part, value in network.named_parameters() if value.requires_grad and value.grad is None]
    assert deaf == []
    assert all(value.grad.isfinite().all() for value in network.parameters() if value.grad is not None)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_begins_from_another_one_of_its_sizes(name, tiny, box_worlds, tmp_path, monkeypatch):
    run = train(name, config_of(name, box_worlds, steps=1, out=tmp_path), resume=False, report=lambda _: None)
    ema = load_checkpoint(run, name)["ema"]
    begun = make(name, box_worlds, start=run).build().state_dict()
    assert all(torch.equal(value, ema[key]) for key, value in begun.items())
    monkeypatch.setitem(transformers.SIZES, "T", replace(TINY, features=32))
    with pytest.raises(PanoError, match="same network"):
        make(name, box_worlds, start=run).build()


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_the_same_whenever_it_is_loaded(name, tiny, box_worlds):
    recipe, again = make(name, box_worlds, tilted=0.5, turn="any"), make(name, box_worlds, tilted=0.5, turn="any")
    first, second = recipe.load(Draw(0, 7)), again.load(Draw(0, 7))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["rgb"], recipe.load(Draw(0, 8))["rgb"])


@pytest.mark.parametrize("name", NAMES)
def test_the_full_size_is_built_without_numbers(name, box_worlds):
    recipe = find_recipe(name).make(config_of(name, box_worlds, size="L", height=512))
    with torch.device("meta"):
        network = recipe.build()
    millions = sum(value.numel() for value in network.parameters()) / 1e6
    # The published 365 M hold one range head of 31 M; here there are four. Unused layers are in neither.
    assert millions == pytest.approx({"dap": 365.05 + 3 * 30.95, "mtpano": 589.5}[name], rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_weights_are_built_again_from_their_description(name, tiny, box_worlds, tmp_path, box_room):
    recipe = make(name, box_worlds)
    network = recipe.build().eval()
    shipped = recipe.ship(network)
    path = tmp_path / f"{shipped.stem}.safetensors"
    save_file(
        {key: value.contiguous() for key, value in network.state_dict().items()}, path, metadata=dict(shipped.metadata)
    )
    model = (Dap if name == "dap" else Mtpano408k)(path, device="cpu")
    rgb = box_room(0, 64).rgb
    prediction = model.predict(rgb)
    assert prediction.depth.shape == (32, 64)
    assert np.nanmedian(prediction.depth) == pytest.approx(4.0, rel=0.3), "a fresh network says about 4 m"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("said", ["no text", "{}", '{"vit": {"width": 64, "depth": 9999}}', "[1]"])
def test_weights_that_describe_no_such_network_are_refused_in_a_sentence(name, said, tiny, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata={name: said})
    with pytest.raises(ModelUnavailable, match=f"Expected the weights of {name}.* got those of something else"):
        (Dap if name == "dap" else Mtpano408k)(path, device="cpu")


@pytest.mark.parametrize("name", NAMES)
def test_sizes_that_no_network_can_have_are_refused(name, tiny, box_worlds):
    recipe = find_recipe(name).make(config_of(name, box_worlds))
    text = recipe.ship(recipe.build()).metadata[name]
    kind = DapConfig if name == "dap" else MtpanoConfig
    assert kind.from_metadata({name: text}).to_metadata() == {name: text}
    for before, after in (
        ('"depth": 4', '"depth": 4000'),
        ('"width": 64', '"width": 65'),
        ("[0, 1, 2, 3]", "[0, 1, 2, 4]"),
    ):
        assert before in text
        with pytest.raises(ValueError, match="network"):
            kind.from_metadata({name: text.replace(before, after)})


@pytest.mark.parametrize("name", NAMES)
def test_panels_show_the_picture_what_was_said_and_the_truth(name, tiny, box_worlds):
    recipe = make(name, box_worlds)
    network = recipe.build()
    for picture in recipe.panels(network).values():
        assert picture.shape == (4 * 32, 3 * 64, 3)
        assert picture.dtype == np.uint8
    assert network.training


@pytest.mark.parametrize("name", NAMES)
def test_a_published_transformer_is_begun_from_and_learns_slower(name, tiny, box_worlds, tmp_path):
    torch.manual_seed(5)
    vit = ViT(TINY.vit)
    vit.start_fresh()
    save_file(_as_published(vit), tmp_path / "dino.safetensors")
    recipe = make(name, box_worlds, backbone=tmp_path / "dino.safetensors")
    network = recipe.build()
    assert torch.equal(network.vit.blocks[2].mlp[0].weight, vit.blocks[2].mlp[0].weight)
    assert torch.equal(network.vit.blocks[1].attention.qkv.weight, vit.blocks[1].attention.qkv.weight)
    published = {"dap": (5e-6, 5e-5), "mtpano": (2e-5, 2e-5)}[name]
    rates = [find_recipe(name).config_class()().learning_rate * recipe.rate(part) for part in ("vit.embed.weight", "x")]
    assert rates == pytest.approx(published)
    assert "DINOv3" in recipe.ship(network).licence
    with pytest.raises(PanoError, match="Expected a transformer of size S"):
        make(name, box_worlds, size="S", backbone=tmp_path / "dino.safetensors")


def _as_published(vit):
    """By the names of Hugging Face."""
    from core.models.layouts import published_name, renames_of_vit
    from core.models.mtpano_layout import BLOCK_FACE, VIT_FACE

    renames = renames_of_vit(vit.config, VIT_FACE, BLOCK_FACE, "", "layer")
    entries = {"embeddings.mask_token": torch.zeros(1, 1, vit.config.width)}
    for name, value in vit.state_dict().items():
        if name.endswith("qkv.weight"):
            number = name.split(".")[1]
            for part, third in zip("qkv", value.chunk(3), strict=True):
                entries[f"layer.{number}.attention.{part}_proj.weight"] = third.clone()
        elif name != "periods":
            entries[published_name(f"vit.{name}", renames)] = value.clone()
    return entries


def test_labelled_panoramas_are_drawn_beside_worlds_and_those_without_metres_are_left_out(
    tiny, box_worlds, tmp_path, box_room
):
    world = from_world(box_room(40, 32), "room")
    write_labelled(replace(world, is_metric=True), tmp_path / "a.npz")
    write_labelled(replace(world, is_metric=False), tmp_path / "b.npz")
    recipe = make("dap", box_worlds, labelled=(tmp_path,), labelled_share=0.5, batch=16)
    draw = Draw(0, 0)
    recipe.load(draw)
    assert 2 <= sum(source.endswith("a.npz") for source in draw.sources) <= 14
    assert not any(source.endswith("b.npz") for source in draw.sources)


def test_the_decoder_of_the_sphere_turns_with_the_picture(tiny, box_worlds):
    recipe = make("dap", box_worlds, decoder="sphere", height=64, ranges=(100.0,))
    head = recipe.build().depth_head
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        maps = [torch.randn(1, 64, 4, 8) for _ in range(4)]
        plain = head(maps, (64, 128))
        turned = head([one.roll(4, 3) for one in maps], (64, 128))
    torch.testing.assert_close(turned, plain.roll(64, 3), atol=1e-4, rtol=1e-4)


def test_terms_can_be_left_out_one_group_after_the_other(tiny, box_worlds):
    whole = make("dap", box_worlds)
    network = whole.build()
    assert set(loss_of(whole, network)[1]) == {"silog", "fidelity", "edges", "normals", "points", "mask"}
    plain = make("dap", box_worlds, distortion=False, geometry=False, sharpness=False)
    loss, parts = loss_of(plain, network)
    assert set(parts) == {"silog", "mask"}
    assert float(loss.detach()) == pytest.approx(float(parts["silog"] + 2 * parts["mask"]), rel=1e-5)


@pytest.mark.parametrize("ranges", [(), (0.0,), (10.0, 200.0)])
def test_ranges_that_the_network_cannot_say_are_refused(ranges, tiny, box_worlds):
    with pytest.raises(PanoError, match="Expected --ranges"):
        make("dap", box_worlds, ranges=ranges)


@pytest.mark.parametrize("truncation", [True, False])
def test_truncation_keeps_what_one_bridge_learns_from_the_tasks_of_the_other(truncation, tiny, box_worlds):
    recipe = make("mtpano", box_worlds, truncation=truncation)
    network = recipe.build().train()
    with torch.no_grad():
        for layer in (*network.inject_steady, *network.inject_turning):
            layer.weight.normal_(std=0.1)
    answers, _ = network.taught(recipe.load(Draw(0, 0))["rgb"])
    answers["normals"].square().sum().backward()
    for task, head in network.task_head.items():
        heard = any(value.grad is not None and value.grad.abs().sum() > 0 for value in head.extract.parameters())
        assert heard == (task in TURNING or not truncation), task
        # Cut before the squeeze, not behind it: the squeeze learns in any case.
        assert network.bridge_turning.squeeze[task].weight.grad.abs().sum() > 0


def test_helpers_can_be_left_out(tiny, box_worlds):
    recipe = make("mtpano", box_worlds, helpers=False)
    network = recipe.build().train()
    loss, parts = loss_of(recipe, network)
    assert not set(parts) & set(HELPERS)
    loss.backward()
    for task in HELPERS:
        assert all(not value.requires_grad for value in network.task_head[task].classify.parameters())


def test_at_first_only_small_heads_learn_where_that_is_asked(tiny, box_worlds):
    recipe = make("mtpano", box_worlds, heads_first=3)
    network = recipe.build().train()
    loss, parts = loss_of(recipe, network, 2)
    assert {part for part in parts if part not in HELPERS} == {"coarse semseg", "coarse depth", "coarse normals"}
    loss.backward()
    moved = {
        name.split(".")[0] for name, value in network.named_parameters() if value.grad is not None and value.grad.any()
    }
    assert moved == {"task_head", "gather_steady", "gather_turning"}
    assert "depth" in loss_of(recipe, network, 3)[1]


def test_depth_is_taught_by_single_views_once_the_network_has_begun(tiny, box_worlds):
    recipe = make("mtpano", box_worlds, views_from=10)
    network = recipe.build().train()
    loaded = recipe.load(Draw(0, 0))
    share = (loaded["view"] > 0).float().mean()
    assert 0.02 < share < 0.6
    known = loaded["view"] > 0
    torch.testing.assert_close(loaded["view"][known], loaded["metres"][known])
    wrong = torch.where(known, loaded["metres"], 50.0)
    for step, same in ((9, False), (10, True)):
        true, changed = (
            float(recipe.loss(network.eval(), Batch({**loaded, "metres": metres}, step))[1]["depth"])
            for metres in (loaded["metres"], wrong)
        )
        assert (true == changed) == same


def test_a_teachers_view_says_what_the_teacher_said_of_it(tiny, box_worlds, tmp_path, box_room):
    world = from_world(box_room(40, 32), "room")
    cameras = tuple(Camera(yaw, 0.0, 0.0, 1.6, 32, 32) for yaw in (0.0, 1.5))
    patches = Patches(cameras, depth=np.full((2, 32, 32), 2.0, np.float32), scales=np.float32([1.5, 1.5]))
    write_labelled(replace(world, patches=patches), tmp_path / "a.npz")
    recipe = make("mtpano", box_worlds, labelled=(tmp_path,), labelled_share=1.0)
    view = recipe.load(Draw(0, 0))["view"]
    assert sorted(set(view[view > 0].tolist())) == pytest.approx([3.0], rel=1e-3)


def test_classes_are_those_of_ade20k(tiny, box_worlds):
    classes = make("mtpano", box_worlds).load(Draw(0, 0))["classes"]
    names = {ADE20K_NAMES[number] for number in classes.unique().tolist()}
    assert names == {"wall", "floor", "ceiling"}
