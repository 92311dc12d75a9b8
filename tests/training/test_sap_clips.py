"""Clips, looks and prompts that SAP's recipe learns from."""

import math

import numpy as np
import pytest
from click_makers import disc_and_square, made_view, made_world

from core.geometry.sphere import erp_angles, lonlat_to_directions
from training.clicks.world_looks import open_world
from training.sap.clips import collate_clips, drift_clip, picture_clip, plain_clip, zigzag_clip
from training.sap.layouts import Layout, Looks, merged_mask
from training.sap.prompts import Opening, correcting_click, draw_script, rough_box

ALL_LAYOUTS = [Layout(looks, overlap) for looks in Looks for overlap in (True, False)]


@pytest.fixture(scope="module")
def world():
    return open_world(made_world())


def disc(lon, lat, radius, height=96):
    lons, lats = np.meshgrid(*erp_angles(height, 2 * height))
    return lonlat_to_directions(lons, lats) @ lonlat_to_directions(lon, lat) > math.cos(radius)


@pytest.mark.parametrize("layout", [Layout(Looks.VIEWS), Layout(Looks.CROPS)])
@pytest.mark.parametrize(("lon", "lat"), [(0.3, 0.1), (math.pi, -0.2), (1.0, math.pi / 2), (2.0, -math.pi / 2)])
def test_a_true_mask_that_every_look_reports_comes_back_across_the_seam_and_at_the_poles(layout, lon, lat):
    truth = disc(lon, lat, 0.5)
    looks = layout.cycle(128, turn=0.7)
    logits = np.stack([look.see(truth.astype(np.uint8), nearest=True) for look in looks]) * 20.0 - 10
    said = merged_mask(looks, logits.astype(np.float32), *truth.shape)
    weights = np.cos(erp_angles(*truth.shape)[1])[:, None]
    assert (weights * (said & truth)).sum() / (weights * (said | truth)).sum() > 0.95


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
@pytest.mark.parametrize("turn", [0.0, 1.234])
def test_a_direction_lies_where_it_is_seen(layout, turn):
    grid = np.zeros((64, 128), np.uint8)
    grid[19:22, 4:7] = 1
    lon, lat = ((5 + 0.5) / 128 - 0.5) * 2 * math.pi, (0.5 - (20 + 0.5) / 64) * math.pi
    found = 0
    for look in layout.cycle(96, turn):
        seen = look.see(grid, nearest=True)
        place = look.place(lon, lat)
        if place is not None and min(place) > 2 and max(place) < 94:
            assert seen[int(place[1]), int(place[0])] == 1
            found += 1
    assert found >= 1


def test_without_overlap_a_direction_near_a_pole_is_seen_by_nobody_and_with_it_by_three():
    for layout, least in ((Layout(), 3), (Layout(overlap=False), 0)):
        counts = [
            sum(look.place(lon, lat) is not None for look in layout.cycle(32))
            for lon in np.linspace(-3, 3, 25)
            for lat in np.linspace(-1.55, 1.55, 25)
        ]
        assert min(counts) == least


def test_a_window_begins_anywhere_in_the_cycle_and_meets_its_end(world):
    clips = [zigzag_clip(world, Layout(), 32, 24, np.random.default_rng(seed)) for seed in range(3)]
    for clip in clips:
        # The last view is a neighbour of the first, by steps and by angle.
        assert clip.distance[23, 0] == -1
        assert min(abs(clip.angle[23, 0] - step) for step in (0.548028, math.pi / 4)) < 1e-4
        assert (np.diagonal(clip.angle, 1) < math.radians(46)).all()
        assert clip.masks[:, 0].any(axis=(1, 2)).all()
    assert len({tuple(clip.rgb[0, 0, 0]) + tuple(clip.rgb[5, 3, 3]) for clip in clips}) == 3


def test_masks_of_a_window_are_the_objects_of_the_world(world):
    clip = zigzag_clip(world, Layout(), 64, 6, np.random.default_rng(1))
    # The made world's colour tells its object, but for noise.
    for mask in clip.masks:
        tones = clip.rgb[:, 2:-2, 2:-2, 0][mask[:, 2:-2, 2:-2]]
        assert np.percentile(tones, 90) - np.percentile(tones, 10) < 30


def test_plain_pictures_and_drifting_cameras_hold_what_is_asked_for(world):
    rng = np.random.default_rng(0)
    plain, drift, picture = (
        plain_clip(world, 48, rng),
        drift_clip(world, 48, 5, rng),
        picture_clip(made_view(), 48, rng),
    )
    assert plain.rgb.shape == (1, 48, 48, 3)
    assert drift.rgb.shape == (5, 48, 48, 3)
    assert picture.rgb.shape == (1, 48, 48, 3)
    assert drift.distance[4].tolist() == [4, 3, 2, 1, 0]
    for clip in (plain, drift, picture):
        assert clip.masks[:, 0].any(axis=(1, 2)).all()


def test_clips_of_fewer_objects_are_filled_up_and_say_so(world):
    rng = np.random.default_rng(0)
    clips = [picture_clip(made_view(seed), 32, rng) for seed in range(6)]
    batch = collate_clips(clips, rng)
    assert batch["exists"].sum(dim=1).tolist() == [len(clip.masks) for clip in clips]
    assert float(batch["rgb"].max()) <= 1
    assert not batch["masks"][~batch["exists"]].any()


def test_the_first_frame_is_always_pointed_at_and_masks_are_not_corrected():
    assert all(
        draw_script(2, np.random.default_rng(seed)).prompted == 1
        for seed in range(40)
        if draw_script(2, np.random.default_rng(seed)).opening is Opening.MASK
    )
    scripts = [draw_script(8, np.random.default_rng(seed)) for seed in range(400)]
    assert all(script.order[0] == 0 and sorted(script.order) == list(range(8)) for script in scripts)
    assert {script.prompted for script in scripts} == {1, 2}
    shown = [script for script in scripts if script.opening is Opening.MASK]
    assert 0.4 < len(shown) / len(scripts) < 0.6
    assert not any(script.corrected for script in shown)
    others = [script for script in scripts if script.opening is not Opening.MASK]
    assert {len(script.corrected) for script in others} == {1, 2}
    # What is pointed at from the beginning is corrected before anything else is.
    assert all(set(script.order[: script.prompted]) <= script.corrected for script in others)
    assert all(draw_script(1, np.random.default_rng(seed)).opening is not Opening.MASK for seed in range(40))


def test_corrections_fall_into_what_is_wrong_or_into_the_truth():
    _, truth, _ = disc_and_square()
    said = truth.copy()
    said[:40] = False
    said[100:, :20] = True
    kinds = {"missing": 0, "extra": 0, "right": 0}
    for seed in range(300):
        u, v, positive = correcting_click(said, truth, np.random.default_rng(seed))
        row, col = int(v), int(u)
        assert positive == truth[row, col]
        kinds["right" if said[row, col] == truth[row, col] else "missing" if positive else "extra"] += 1
    assert kinds["missing"] > 50
    assert kinds["extra"] > 50
    # One in ten falls anywhere in the object, and half of the object was found.
    assert 3 <= kinds["right"] <= 40


def test_where_all_is_right_the_next_click_is_beside_the_object():
    _, truth, _ = disc_and_square()
    clicks = [correcting_click(truth, truth, np.random.default_rng(seed)) for seed in range(100)]
    assert 80 <= sum(not positive for *_, positive in clicks) <= 99


def test_boxes_are_a_little_off():
    _, truth, _ = disc_and_square()
    boxes = np.stack([rough_box(truth, np.random.default_rng(seed)) for seed in range(50)])
    exact = np.array([25, 21, 64, 60])
    assert (abs(boxes - exact) <= 20 * 128 / 1024 + 1e-4).all()
    assert boxes.std(axis=0).min() > 0.5
