"""A run of click-s becomes weights and a card that tells where it succeeds and where not."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from click_makers import made_view, made_world
from safetensors.torch import load_file

from core.errors import PanoError
from core.models.click_s import ClickS, ClickSConfig
from training.checkpoint import recipe_of, save_checkpoint
from training.click_card import export_click_s, judge_clicks_for_card
from training.click_evaluate import ClickRow
from training.click_methods import network_methods
from training.click_worlds import KINDS, evaluate_worlds, world_objects
from training.clicks.views import write_views
from training.worlds.classes import CLASS_NAMES
from training.worlds.sample import write_sample


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    views = tmp_path_factory.mktemp("views")
    write_views([made_view(0)], views / "a.npz")
    torch.manual_seed(0)
    state = {
        "recipe": "click-s",
        "ema": ClickSConfig().build().state_dict(),
        "step": 3,
        "samples": 24,
        "seconds": 3600.0,
        "hardware": "two cores",
        "history": [{"step": 3, "height": 128, "hours": 1.0, "photo_1": 0.5}],
        "config": {"height": 128, "seed": 5, "photos": None, "views": str(views)},
    }
    save_checkpoint(folder, state)
    return folder


@pytest.fixture(scope="module")
def terms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    with (folder / "manifest.tsv").open("w", newline="") as stream:
        table = csv.writer(stream, delimiter="\t")
        table.writerows([["file", "licence"], [made_view(0).source, "CC0"], ["other.jpg", "CC0"]])
    return folder


@pytest.fixture(scope="module")
def exported(run, terms, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    export_click_s(run, out, photos=[terms])
    return out


def test_the_exported_network_is_that_of_the_run_and_knows_its_sizes(run, exported):
    network = ClickS(exported / "click_s.safetensors", device="cpu")
    assert (network.centred_size, network.view_size) == (128, 160)
    state = torch.load(run / "last.pt", weights_only=True)["ema"]
    shipped = load_file(exported / "click_s.safetensors")
    assert shipped.keys() == state.keys()
    assert all(torch.equal(state[name], value) for name, value in shipped.items())


def test_the_card_names_the_photographs_that_were_seen_and_no_other(exported):
    card = json.loads((exported / "click_s.json").read_text())
    assert [row["file"] for row in card["photographs"]] == [made_view(0).source]
    assert "other.jpg" not in (exported / "click_s.md").read_text()


def test_a_run_says_of_what_model_it_is(run, tmp_path):
    assert recipe_of(run) == "click-s"
    with pytest.raises(PanoError, match="train first"):
        recipe_of(tmp_path)


def test_objects_of_worlds_are_of_the_kind_they_are_called():
    seen = set()
    for seed in range(3):
        world = made_world(seed)
        for item in world_objects(world, per_kind=2):
            mask = item.drawn.mask
            seen.add(item.kind)
            assert item.kind in KINDS
            assert (item.kind == "pole") == bool(mask[0].any() or mask[-1].any())
            if item.kind == "seam":
                assert mask[:, 0].any()
                assert mask[:, -1].any()
    assert len(seen) > 1


@pytest.mark.parametrize(
    ("rows", "columns", "kind"),
    [
        (slice(57, 71), slice(20, 120), "wide"),  # 141 degrees along the equator
        (slice(57, 71), slice(20, 100), "plain"),  # 113 degrees
        (slice(5, 120), slice(20, 40), "wide"),  # 161 degrees from top to bottom
        (slice(2, 12), slice(20, 180), "plain"),  # 225 degrees of longitude, and 32 across at most
    ],
)
def test_an_object_is_wide_by_its_angle_on_the_sphere_and_not_by_its_longitudes(rows, columns, kind):
    world = made_world()
    instances = np.zeros_like(world.instances)
    instances[rows, columns] = 3
    classes = np.where(instances == 3, CLASS_NAMES.index("chair"), CLASS_NAMES.index("wall")).astype(np.uint8)
    objects = world_objects(replace(world, instances=instances, classes=classes), per_kind=2)
    assert [item.kind for item in objects if np.array_equal(item.drawn.mask, instances == 3)] == [kind]


def test_worlds_of_one_name_in_two_folders_keep_their_own_rows(tmp_path):
    files = [tmp_path / side / "00000000.npz" for side in ("a", "b")]
    for seed, file in enumerate(files):
        file.parent.mkdir()
        write_sample(made_world(seed), file)
    method = {"nothing": lambda panorama: lambda _: np.zeros((panorama.height, panorama.width), bool)}
    rows = evaluate_worlds(files, method, clicks=1, per_kind=3)
    assert rows
    assert len({(row.picture, row.name) for row in rows}) == len(rows)


def test_the_card_sets_the_sweep_beside_the_first_view_alone(exported, tmp_path):
    write_sample(made_world(0), tmp_path / "00000000.npz")
    judge_clicks_for_card(exported / "click_s.json", drawn=None, worlds=[tmp_path / "00000000.npz"])
    page = (exported / "click_s.md").read_text()
    assert "| kind | objects | zigzag | first view only |" in page


def test_methods_are_judged_on_the_same_objects(tmp_path):
    write_sample(made_world(1), tmp_path / "00000001.npz")
    everything = {
        "all": lambda panorama: lambda _: np.ones((panorama.height, panorama.width), bool),
        "nothing": lambda panorama: lambda _: np.zeros((panorama.height, panorama.width), bool),
    }
    rows = evaluate_worlds([tmp_path / "00000001.npz"], everything, clicks=1)
    assert all(isinstance(row, ClickRow) for row in rows)
    assert {row.name for row in rows if row.method == "all"} == {row.name for row in rows if row.method == "nothing"}
    assert max(row.ious[0] for row in rows if row.method == "nothing") == 0.0


def test_every_order_of_views_is_a_method(exported):
    methods = network_methods(ClickS(exported / "click_s.safetensors", device="cpu"))
    assert list(methods) == ["zigzag", "raster", "resized ERP", "first view only"]
