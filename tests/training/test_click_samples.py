"""Simulated clicks, crops around them, and frames of a zigzag."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from click_makers import iou, made_view, made_world
from hypothesis import given
from hypothesis import strategies as st

from core.geometry.camera import Camera
from core.segment.merge import SeenView, project_logits
from core.segment.options import Merge
from training.clicks.samples import click_sample, meanings
from training.clicks.simulate import central_click, correction, largest_piece, random_click, sloppy_logits
from training.clicks.told import Voice, told
from training.clicks.views import Level
from training.clicks.world_looks import homography, mirrored, open_world, world_look, world_sequence
from training.sequences import photo_sequence

seeds = st.integers(0, 10_000)


def disc(radius, row=24, col=24, size=48):
    rows, cols = np.mgrid[:size, :size]
    return (rows - row) ** 2 + (cols - col) ** 2 <= radius**2


def test_the_central_click_of_a_disc_is_its_centre():
    assert central_click(disc(9)) == (24, 24)
    assert central_click(np.zeros((4, 4), bool)) is None


@given(seeds)
def test_a_random_click_falls_inside(seed):
    mask = disc(5, 3, 40)
    spot = random_click(mask, np.random.default_rng(seed))
    assert spot is not None
    assert mask[spot]


def test_nothing_to_click_is_none():
    assert random_click(np.zeros((5, 5), bool), np.random.default_rng(0)) is None


def test_a_correction_goes_to_the_larger_error_with_its_sign():
    meant, far = disc(8, 20, 20), disc(3, 40, 40)
    assert correction(np.zeros_like(meant), meant, None) == (20, 20, True)
    assert correction(meant | far, meant, None) == (40, 40, False)
    assert correction(meant, meant, None) is None


def test_the_largest_piece_is_one_piece():
    piece = largest_piece(disc(3, 8, 8) | disc(6, 30, 30))
    np.testing.assert_array_equal(piece, disc(6, 30, 30))


@given(seeds)
def test_a_sloppy_answer_is_roughly_right(seed):
    mask = disc(12)
    logits = sloppy_logits(mask, np.random.default_rng(seed))
    assert np.isfinite(logits).all()
    assert iou(logits > 0, mask) > 0.4


@given(seeds)
def test_the_click_lies_in_what_is_meant_and_in_the_middle_when_the_view_is_centred(seed):
    sample = click_sample(made_view(), 64, np.random.default_rng(seed))
    if sample is None:
        return
    u, v = sample.point
    assert sample.frame.meant[int(v / 2), int(u / 2)] or iou_near(sample.frame.meant, u / 2, v / 2)
    if sample.centred:
        assert (u, v) == pytest.approx((32, 32), abs=1e-3)
    np.testing.assert_array_equal(sample.frame.masks[sample.meant_level], sample.frame.meant)
    assert sample.frame.known[sample.meant_level]
    assert 0 < sample.frame.fov < math.pi


def iou_near(mask, u, v):
    """A click at the very border may fall into the next pixel of the coarser grid."""
    row, col = int(v), int(u)
    return mask[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2].any()


def test_a_known_view_says_what_object_and_group_are():
    view = made_view()
    found, meant = meanings(view, 0, (40, 44), np.random.default_rng(0))
    assert found == [-1, 0, 2]
    assert meant in (Level.OBJECT, Level.GROUP)


def test_in_a_photograph_what_stands_out_most_is_the_object():
    view = made_view()
    view.levels[:] = Level.UNKNOWN
    found, _ = meanings(view, 0, (40, 44), np.random.default_rng(0))
    assert found == [-1, 0, 2]
    view.weights[:] = (0.2, 1, 0.9)
    found, _ = meanings(view, 0, (40, 44), np.random.default_rng(0))
    assert found == [0, 2, -1]


def voices_of(sequence):
    truths = [torch.from_numpy(frame.meant.astype(np.float32) * 2 - 1)[None, None] for frame in sequence.frames]
    trust = torch.ones(1)
    start = None
    if sequence.start is not None:
        start = Voice(torch.from_numpy(sequence.start.astype(np.float32) * 2 - 1)[None, None], trust, rules=True)
    return [Voice(truth, trust, rules=False) for truth in truths], start


@pytest.mark.parametrize("started", [False, True])
def test_what_earlier_frames_hold_is_told_where_it_lies_in_the_next(started):
    world = open_world(made_world())
    judged = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        found = [world_sequence(world, 96, 3, rng, started=started)]
        found.append(photo_sequence(made_view(), 96, 3, rng, started=started))
        for sequence in found:
            if sequence is None:
                continue
            voices, start = voices_of(sequence)
            for k in range(0 if started else 1, 3):
                said = told([*voices[:k], start], torch.from_numpy(sequence.maps[k])[None])[0, 0].numpy()
                known, meant = np.isfinite(said), sequence.frames[k].meant
                if meant[known].sum() > 40:
                    judged.append(iou((said > 0)[known], meant[known]))
    assert len(judged) > 12
    assert np.median(judged) > 0.9


def test_frames_are_told_what_the_sweep_tells_its_views():
    rng = np.random.default_rng(3)
    places = ((0.3, 0.1), (0.7, -0.2), (0.5, 0.5))
    cameras = [Camera(yaw, pitch, 0.0, 1.6, 64, 64) for yaw, pitch in places]
    logits = [rng.normal(0, 4, (32, 32)).astype(np.float32) for _ in cameras]
    trusts, rules = (0.9, 0.4, 1.0), (False, False, True)
    views = [SeenView(*parts) for parts in zip(cameras, logits, trusts, rules, strict=True)]
    here = Camera(0.6, 0.2, 0.0, 1.7, 64, 64)
    expected = project_logits(views, replace(here, height=32, width=32), Merge.MEAN)
    maps = torch.from_numpy(np.stack([homography(here, there) for there in cameras]))[None].float()
    voices = [
        Voice(torch.from_numpy(picture)[None, None], torch.tensor([trust]), rule)
        for picture, trust, rule in zip(logits, trusts, rules, strict=True)
    ]
    said = told(voices, maps)[0, 0].numpy()
    assert np.array_equal(np.isnan(said), np.isnan(expected))
    assert np.isnan(expected).any()
    assert np.nanmax(np.abs(said - expected)) < 1e-3


def test_the_frames_of_a_sequence_follow_the_object_and_sometimes_leave_it():
    world = open_world(made_world())
    found = [world_sequence(world, 64, 4, np.random.default_rng(seed), started=seed % 2 == 0) for seed in range(40)]
    sequences = [sequence for sequence in found if sequence is not None]
    held = np.array([[frame.meant.any() for frame in sequence.frames] for sequence in sequences])
    assert held[:, 0].all()
    assert 0.02 < 1 - held[:, 1:].mean() < 0.6
    for sequence in sequences:
        assert np.array_equal(sequence.distance, -sequence.distance.T) or np.abs(sequence.distance).max() == 12
        others = sequence.angle[~np.eye(4, dtype=bool)]
        assert others.min() > math.radians(30)
        assert (sequence.start is None) == np.isnan(sequence.maps[:, 4]).all()


def test_a_look_around_a_click_has_the_object_in_its_middle():
    world = open_world(made_world())
    looks = [world_look(world, 64, np.random.default_rng(seed)) for seed in range(30)]
    looks = [look for look in looks if look is not None]
    assert len(looks) > 20
    # At a pole a pixel of the world is narrower than one of the view.
    assert np.mean([look.frame.meant[15:17, 15:17].any() for look in looks]) > 0.9
    assert max(look.frame.meant.mean() for look in looks) > 0.9
    assert all(look.frame.meant_whole > 0.9 * (look.frame.areas * look.frame.meant).sum() for look in looks)


def test_a_mirrored_world_has_its_objects_on_the_other_side():
    world = open_world(made_world())
    other = mirrored(world)
    assert np.array_equal(other.rgb[:, 0], world.rgb[:, -1])
    assert np.array_equal(other.regions.leaves[:, 0], world.regions.leaves[:, -1])
    assert np.array_equal(mirrored(other).regions.leaves, world.regions.leaves)
