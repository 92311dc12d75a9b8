"""Labels are ranked by how true their depth looks, and the truest of each scene are chosen."""

import csv
import os
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from box_rooms import box_room_sample
from PIL import Image

from core.errors import PanoError
from core.geometry.warp import resize_erp
from training.labelled import from_world, read_labelled, write_labelled
from training.stages.discriminator import FILE_NAME, PatchDiscriminator, QualityPlan, learn_quality, maps_of, score
from training.stages.selection import CHOSEN, SHEET, TABLE, Ranked, rank_labels, select

HEIGHT = 64
PLAN = QualityPlan(width=8, height=HEIGHT, steps=100, batch=2, learning_rate=1e-3)


def blurred(depth, seed):
    """As a network's depth: coarse, smooth across edges, and wavy by a tenth."""
    height, width = depth.shape
    waves = np.random.default_rng(seed).normal(size=(height // 4, width // 4)).astype(np.float32)
    coarse = resize_erp(resize_erp(depth, height // 8, width // 8), height, width)
    return (coarse * np.exp(0.1 * resize_erp(waves, height, width))).astype(np.float32)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Exact rooms, a labeller's blurred ones, and photographs' labels of which every third is blurred."""
    root = tmp_path_factory.mktemp("quality")
    for seed in range(24):
        exact = from_world(box_room_sample(seed, HEIGHT), f"{seed:08d}")
        worse = replace(exact, depth=blurred(np.array(exact.depth), seed))
        for name in ("true", "said", "labels"):
            (root / name).mkdir(exist_ok=True)
        if seed < 12:
            write_labelled(exact, root / "true" / f"{seed:08d}.npz")
            write_labelled(worse, root / "said" / f"{seed:08d}.npz")
        else:
            bad = seed % 3 == 0
            one = replace(worse if bad else exact, indoor=None, origin={"name": f"p{seed}.jpg"})
            write_labelled(one, root / "labels" / f"{'bad' if bad else 'good'}-{seed}.npz")
    return {name: sorted((root / name).iterdir()) for name in ("true", "said", "labels")}


SCENES = {f"p{seed}.jpg": "indoor" if seed < 18 else "outdoor" for seed in range(12, 24)}


@pytest.fixture(scope="module")
def network(folders, tmp_path_factory):
    losses = []
    out = tmp_path_factory.mktemp("network")
    net = learn_quality(folders["true"], folders["said"], out, PLAN, report=lambda _step, loss: losses.append(loss))
    assert losses[-1] < 0.5  # an answer of one half to everything
    return net


def test_labels_that_are_blurred_come_last_in_their_scene(network, folders, tmp_path):
    ranked = rank_labels(network, folders["labels"], SCENES, height=HEIGHT)
    for scene in ("indoor", "outdoor"):
        names = [one.file.name[:3] for one in ranked if one.scene == scene]
        assert names == ["goo"] * 4 + ["bad"] * 2
    chosen = select(ranked, tmp_path, top=0.5)
    assert sorted(path.parent.name for path in chosen) == [CHOSEN] * 6
    assert all(path.name.startswith("good") for path in chosen)
    with (tmp_path / TABLE).open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert len(rows) == 12
    assert {row["file"] for row in rows if row["chosen"] == "1"} == {path.name for path in chosen}
    assert [int(row["rank"]) for row in rows if row["scene"] == "indoor"] == [1, 2, 3, 4, 5, 6]
    for path in chosen:
        assert read_labelled(path).depth is not None
    with Image.open(tmp_path / SHEET) as sheet:
        assert sheet.size == (4 * 120, 12 * 120)


def test_choosing_again_with_another_share_leaves_no_label_of_before(network, folders, tmp_path):
    ranked = rank_labels(network, folders["labels"], SCENES, height=HEIGHT)
    first = select(ranked, tmp_path, top=1.0)
    assert len(first) == 12
    second = select(ranked, tmp_path, top=0.1)
    assert sorted((tmp_path / CHOSEN).iterdir()) == sorted(second)
    assert len(second) == 2
    assert all(path.exists() for path in folders["labels"])
    with pytest.raises(PanoError, match="share"):
        select(ranked, tmp_path, top=0)


@pytest.mark.parametrize("links", [True, False])
def test_a_label_that_was_made_anew_takes_the_place_of_the_one_before(tmp_path, box_room, monkeypatch, links):
    link = os.link

    def refuse(source, target, **places):
        if not places:  # those are of files that had no name before
            raise OSError("no links here")
        link(source, target, **places)

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    label = tmp_path / "a.npz"
    write_labelled(from_world(box_room(4, HEIGHT), "a"), label)
    select([Ranked(label, "indoor", 0.0)], tmp_path, top=1.0)
    write_labelled(from_world(box_room(5, HEIGHT), "a"), label)
    (chosen,) = select([Ranked(label, "indoor", 0.0)], tmp_path, top=1.0)
    assert chosen.read_bytes() == label.read_bytes()


def test_a_run_that_stopped_goes_on_as_if_it_had_not(network, folders, tmp_path):
    learn_quality(folders["true"], folders["said"], tmp_path, replace(PLAN, steps=50))
    resumed = learn_quality(folders["true"], folders["said"], tmp_path, PLAN)
    for one, other in zip(resumed.state_dict().values(), network.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    with pytest.raises(PanoError, match="same plan"):
        learn_quality(folders["true"], folders["said"], tmp_path, replace(PLAN, width=4))
    (tmp_path / FILE_NAME).write_bytes(b"broken")
    with pytest.raises(PanoError, match="broken"):
        learn_quality(folders["true"], folders["said"], tmp_path, PLAN)


def test_scores_do_not_change_when_a_panorama_is_turned_or_measured_in_feet(network, folders):
    labelled = read_labelled(folders["labels"][0])
    before = score(network, labelled, HEIGHT)
    for columns in (8, 40, -16):  # steps of the coarsest layer
        turned = replace(
            labelled,
            rgb=np.roll(labelled.rgb, columns, axis=1),
            depth=np.roll(labelled.depth, columns, axis=1),
            normals=None,
            classes=None,
            far=None,
        )
        assert score(network, turned, HEIGHT) == pytest.approx(before, abs=1e-4)
    feet = replace(labelled, depth=labelled.depth / np.float32(0.3048))
    assert score(network, feet, HEIGHT) == pytest.approx(before, abs=1e-4)


def test_a_patch_is_seventy_pixels_wide_and_goes_around():
    """Source: the 70 x 70 discriminator of pix2pix."""
    network = PatchDiscriminator(2)
    maps = torch.zeros(1, 8, 256, 512, requires_grad=True)
    answers = network(maps)
    assert answers.shape == (1, 1, 32, 64)
    for norm in network.norms:
        norm.forward = lambda features: features  # a norm sees the whole picture
    network(maps)[0, 0, 16, 0].backward()
    touched = maps.grad[0].abs().sum(0).nonzero()
    rows, columns = touched[:, 0], (touched[:, 1] + 256) % 512
    assert int(rows.max() - rows.min()) + 1 == 70
    assert int(columns.max() - columns.min()) + 1 == 70
    assert (touched[:, 1] > 400).any()
    assert (touched[:, 1] < 100).any()


def test_a_label_without_depth_is_told(box_room):
    with pytest.raises(PanoError, match="depth to judge"):
        maps_of(replace(from_world(box_room(1, 32), "a"), depth=None), 32)


def test_labels_of_no_known_scene_are_ranked_by_themselves(network, folders):
    ranked = rank_labels(network, folders["labels"][:2], {}, height=HEIGHT)
    assert {one.scene for one in ranked} == {"unknown"}
    assert all(isinstance(one, Ranked) and re.match("good|bad", one.file.name) for one in ranked)
