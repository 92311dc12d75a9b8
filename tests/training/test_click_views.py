"""Views with regions: found in pictures, stored, and only taken from photographs that may be used."""

import math

import cv2
import numpy as np
import pytest
from click_makers import disc_and_square, iou, made_view, made_world
from hypothesis import given
from hypothesis import strategies as st

from core.errors import PanoError
from training.clicks.harvest import HarvestPlan, WorldRegions, harvest_photos, harvest_worlds
from training.clicks.photos import permitted_photos, read_photo
from training.clicks.regions import RegionFilter, notable_regions, region_tree
from training.clicks.views import Level, ViewFolder, pixel_solid_angles, write_views
from training.worlds.sample import write_sample


def mask_of(tree, region):
    return (tree.leaves >= tree.spans[region, 0]) & (tree.leaves < tree.spans[region, 1])


def test_what_stands_out_of_a_picture_is_found():
    rgb, disc, square = disc_and_square()
    tree = region_tree(rgb)
    chosen, scores = notable_regions(tree, RegionFilter())
    assert (np.diff(scores) <= 0).all()
    for thing in (disc, square):
        assert max(iou(mask_of(tree, region), thing) for region in chosen[:4]) > 0.9


@given(st.integers(0, 1000), st.integers(16, 40), st.integers(16, 40))
def test_regions_nest_and_their_areas_are_those_of_their_masks(seed, height, width):
    rgb = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    tree = region_tree(rgb)
    first, end = tree.spans.T
    counts = np.bincount(tree.leaves.ravel(), minlength=int(end.max()))
    sums = np.concatenate([[0], np.cumsum(counts)])
    np.testing.assert_array_equal(sums[end] - sums[first], tree.area)
    inside = (first[:, None] >= first[None]) & (end[:, None] <= end[None])
    apart = (end[:, None] <= first[None]) | (first[:, None] >= end[None])
    assert (inside | inside.T | apart).all()
    assert (tree.persistence >= 0).all()


def test_views_come_back_as_they_were_written(tmp_path):
    view = made_view()
    write_views([view, made_view(1)], tmp_path / "a.npz")
    write_views([], tmp_path / "empty.npz")
    folder = ViewFolder(tmp_path)
    assert len(folder) == 2
    read = folder.view(0)
    for name in ("leaves", "spans", "levels", "weights", "whole"):
        np.testing.assert_array_equal(getattr(read, name), getattr(view, name))
    assert (read.fov, read.source) == (view.fov, "made.jpg")
    assert np.abs(read.rgb.astype(int) - view.rgb).mean() < 4


def test_a_broken_file_of_views_gives_a_sentence(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(PanoError, match="remove it"):
        ViewFolder(tmp_path)


def test_a_folder_without_views_says_how_to_make_them(tmp_path):
    with pytest.raises(PanoError, match="panoviewer-train clicks"):
        ViewFolder(tmp_path)


def test_the_pixels_of_a_cube_face_fill_a_sixth_of_the_sphere():
    assert pixel_solid_angles(256, math.pi / 2).sum() == pytest.approx(4 * math.pi / 6, rel=1e-4)


def manifest(folder, *rows, terms="licence"):
    lines = [f"file\t{terms}\tscene\tnotes", *("\t".join(row) for row in rows)]
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for row in rows:
        cv2.imwrite(str(folder / row[0]), np.full((32, 64, 3), 90, np.float32 if row[0].endswith(".hdr") else np.uint8))


def test_only_free_photographs_without_drawn_objects_are_used(tmp_path):
    manifest(
        tmp_path,
        ("a.jpg", "CC0", "indoor", ""),
        ("b.jpg", "CC BY 4.0", "indoor", ""),
        ("c.jpg", "CC BY-SA 4.0", "indoor", ""),
        ("d.jpg", "all rights reserved", "indoor", ""),
        ("judged.jpg", "CC0", "indoor", ""),
        ("judged_8k.jpg", "CC0", "indoor", ""),
        ("other.jpg", "CC0", "indoor", "same scene as judged"),
    )
    (tmp_path / "judged.instances.json").write_text("{}")
    assert [path.name for path in permitted_photos([tmp_path])] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("ending", [".depth_rel.png", ".normal.png", ".semantic.png", ".instances.json"])
def test_no_size_or_format_of_a_judged_photograph_is_learned_from(tmp_path, ending):
    panoramas, others = tmp_path / "panoramas", tmp_path / "others"
    panoramas.mkdir()
    others.mkdir()
    manifest(panoramas, ("03_room.jpg", "CC0", "indoor", ""), ("03_room.hdr", "CC0", "indoor", "of the same name"))
    manifest(
        others,
        ("a.jpg", "CC0", "indoor", "same scene as panoramas/03_room"),
        ("b.jpg", "CC0", "indoor", "same scene as panoramas/04_hall."),
        ("c.jpg", "CC0", "indoor", ""),
    )
    (panoramas / f"03_room{ending}").write_bytes(b"labels")
    assert [path.name for path in permitted_photos([panoramas, others])] == ["b.jpg", "c.jpg"]


def test_a_folder_without_free_photographs_gives_a_sentence(tmp_path):
    manifest(tmp_path, ("c.jpg", "CC BY-SA 4.0", "indoor", ""))
    with pytest.raises(PanoError, match="CC0 or CC BY"):
        permitted_photos([tmp_path])
    with pytest.raises(PanoError, match="columns file and licence"):
        permitted_photos([tmp_path / "nothing"])


def test_a_radiance_picture_is_developed(tmp_path):
    linear = np.random.default_rng(0).uniform(0.01, 30, (16, 32, 3)).astype(np.float32)
    cv2.imwrite(str(tmp_path / "a.hdr"), linear)
    rgb = read_photo(tmp_path / "a.hdr", np.random.default_rng(0))
    assert rgb.shape == (16, 32, 3)
    assert np.ptp(rgb) > 60


def test_objects_of_a_world_are_whole_across_the_seam_and_touching_ones_are_a_group():
    world = made_world()
    regions = WorldRegions(world)
    masks = [(regions.leaves >= first) & (regions.leaves < end) for first, end in regions.spans]
    for number in (3, 4, 9):
        assert any((mask == (world.instances == number)).all() for mask in masks)
    groups = [mask for mask, level in zip(masks, regions.levels, strict=True) if level == Level.GROUP]
    assert len(groups) == 1
    np.testing.assert_array_equal(groups[0], np.isin(world.instances, [3, 4]))
    assert regions.whole[regions.levels == Level.OBJECT].sum() == pytest.approx(4 * math.pi, rel=1e-5)


def test_harvesting_goes_on_where_it_was_and_is_the_same_every_time(tmp_path):
    rgb = cv2.resize(np.random.default_rng(0).integers(0, 255, (8, 16, 3), np.uint8), (256, 128))
    cv2.imwrite(str(tmp_path / "a.png"), rgb)
    write_sample(made_world(), tmp_path / "00000007.npz")
    plan = HarvestPlan(per_small=3, per_world=3)
    photos, worlds = [tmp_path / "a.png"], [tmp_path / "00000007.npz"]
    for name in ("one", "two"):
        assert harvest_photos(photos, tmp_path / name, plan) > 0
        assert harvest_worlds(worlds, tmp_path / name, plan) > 0
    assert harvest_photos(photos, tmp_path / "one", plan) == 0
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["photo-a.png.npz", "world-00000007.npz"]
    first, second = ViewFolder(tmp_path / "one"), ViewFolder(tmp_path / "two")
    for index in range(len(first)):
        np.testing.assert_array_equal(first.view(index).leaves, second.view(index).leaves)
