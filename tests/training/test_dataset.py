"""Worlds as training arrays keep their geometry through halving, turning and mirroring."""

import cv2
import numpy as np
import pytest

from core.errors import PanoError
from core.geometry.sphere import erp_local_frames, erp_rays
from training.augment import black_out, change_colours, tilt, turn_and_mirror
from training.dataset import WorldFolder, arrays_from_sample, list_photos
from training.recipes.pano_s import collate
from training.worlds.classes import CLASS_NAMES
from training.worlds.sample import read_sample, write_sample


def local_normals_from_range(log_ratio):
    """Normals by the cross product of central differences of the points, in each ray's frame; NaN at the poles."""
    height, width = log_ratio.shape
    points = np.exp(log_ratio)[..., None] * erp_rays(height, width)
    across = np.roll(points, -1, axis=1) - np.roll(points, 1, axis=1)
    down = np.full_like(points, np.nan)
    down[1:-1] = points[2:] - points[:-2]
    normals = np.cross(down, across)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    normals *= -np.sign((normals * points).sum(axis=-1, keepdims=True))
    return np.einsum("hwij,hwj->hwi", erp_local_frames(height, width), normals)


@pytest.mark.parametrize("seed", range(6))
def test_turned_and_mirrored_normals_belong_to_the_turned_and_mirrored_range(seed, box_room):
    arrays = arrays_from_sample(box_room(3, 128), 128)
    moved = turn_and_mirror(arrays, np.random.default_rng(seed))
    expected = local_normals_from_range(moved.log_ratio)[4:-4]
    cosine = (expected * moved.local_normals[4:-4]).sum(axis=-1)
    # Differences across an edge of the room belong to neither face: those few per cent are left out.
    assert np.mean(cosine > 0.999) > 0.85


def test_turning_covers_both_mirrored_and_unmirrored_rooms(box_room):
    arrays = arrays_from_sample(box_room(3, 32), 32)
    easts = {
        float(np.sign((turn_and_mirror(arrays, np.random.default_rng(s)).local_normals[..., 0] ** 3).sum()))
        for s in range(8)
    }
    assert easts == {-1.0, 1.0}


def test_a_leaning_camera_sees_its_room_leaning(box_room):
    arrays = arrays_from_sample(box_room(3, 128), 128)
    leaning = [tilt(arrays, np.random.default_rng(seed)) for seed in range(20)]
    changed = [item for item in leaning if item is not arrays]
    assert 2 <= len(changed) <= 14
    for item in changed:
        assert not np.array_equal(item.rgb, arrays.rgb)
        expected = local_normals_from_range(cv2.GaussianBlur(item.log_ratio, (5, 5), 0))[4:-4]
        cosine = (expected * item.local_normals[4:-4]).sum(axis=-1)
        # The nearest pixel's range is up to half a pixel off, which the blur only partly heals.
        assert np.median(cosine) > 0.99
        for label in np.unique(item.classes):
            before = arrays.rgb[1::2, 1::2][arrays.classes == label].mean(axis=0)
            after = item.rgb[1::2, 1::2][item.classes == label].mean(axis=0)
            np.testing.assert_allclose(after, before, atol=0.03)


def test_picture_and_labels_turn_together(box_room):
    arrays = arrays_from_sample(box_room(5, 64), 64)
    moved = turn_and_mirror(arrays, np.random.default_rng(1))
    for label in np.unique(arrays.classes):
        before = arrays.rgb[1::2, 1::2][arrays.classes == label].mean(axis=0)
        after = moved.rgb[1::2, 1::2][moved.classes == label].mean(axis=0)
        np.testing.assert_allclose(after, before, atol=0.02)


def test_halved_labels_have_unit_normals_and_the_range_of_their_room(box_room):
    sample = box_room(2, 128)
    whole, halved = arrays_from_sample(sample, 128), arrays_from_sample(sample, 64)
    assert halved.log_ratio.shape == (32, 64)
    assert whole.log_ratio.shape == (64, 128)
    np.testing.assert_allclose(np.linalg.norm(halved.local_normals, axis=-1), 1.0, atol=1e-5)
    direct = np.log(box_room(2, 32).depth / 1.5)
    assert np.median(np.abs(halved.log_ratio - direct)) < 0.01


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_halving_moves_no_edge_on_average(factor, box_room):
    sample, rows = box_room(2, 16 * factor), 16
    floor = sample.classes == CLASS_NAMES.index("floor")
    drawn = [arrays_from_sample(sample, 2 * rows, np.random.default_rng(seed)).classes for seed in range(40)]
    halved = [(classes == CLASS_NAMES.index("floor")).sum(axis=0).mean() for classes in drawn]
    assert np.mean(halved) == pytest.approx(rows * floor.mean(), abs=0.1)


@pytest.mark.parametrize(("rows", "height"), [(32, 64), (96, 32), (96, 64)])
def test_a_world_whose_rows_are_no_power_of_two_times_the_networks_is_refused_in_a_sentence(rows, height, box_room):
    with pytest.raises(PanoError, match=f"{height} rows or a power of two times as many, got {rows}"):
        arrays_from_sample(box_room(0, rows), height)


def test_a_sample_survives_the_disk_to_the_precision_of_its_types(tmp_path, box_room):
    sample = box_room(4, 32)
    write_sample(sample, tmp_path / "00000004.npz")
    again = read_sample(tmp_path / "00000004.npz")
    np.testing.assert_array_equal(again.rgb, sample.rgb)
    np.testing.assert_allclose(again.depth, sample.depth, rtol=1e-3)
    np.testing.assert_allclose(again.normals, sample.normals, atol=1e-6)
    assert (again.seed, again.indoor, again.camera_height) == (4, True, 1.5)
    assert [p.name for p in tmp_path.iterdir()] == ["00000004.npz"]


def test_changed_colours_stay_colours_and_differ(box_room):
    rgb = arrays_from_sample(box_room(1, 32), 32).rgb
    for seed in range(20):
        changed = change_colours(rgb, np.random.default_rng(seed))
        assert changed.dtype == np.float32
        assert changed.min() >= 0
        assert changed.max() <= 1
        assert np.abs(changed - rgb).max() > 0.01


def test_of_a_partial_panorama_only_what_is_seen_counts_and_the_rest_is_black():
    rng = np.random.default_rng(1)
    rgb = np.full((128, 256, 3), 0.5, np.float32)
    parts = [black_out(rgb, rng) for _ in range(200)]
    cut = [(shown, seen) for shown, seen in parts if not seen.all()]
    assert 10 < len(cut) < 60
    for shown, seen in cut:
        larger = seen.repeat(2, axis=0).repeat(2, axis=1)
        assert (shown[larger] == 0.5).all()
        assert (shown[~larger] == 0).all()
        assert seen.any()
        assert seen[:, seen.any(axis=0)].any(axis=1)[len(seen) // 2]
    assert any(not seen.any(axis=0).all() for _, seen in cut)
    assert any(seen.any(axis=0).all() for _, seen in cut)


def test_what_a_partial_panorama_does_not_show_has_no_weight(box_room):
    item = arrays_from_sample(box_room(3, 128), 128)
    seen = np.zeros(item.known.shape, np.bool_)
    seen[20:40, 10:50] = True
    weights = collate([item], [item.rgb], labelled=1, seen=[seen])["weights"]
    np.testing.assert_array_equal(weights[0, 0].numpy() > 0, seen)


def test_no_world_changes_sides_while_others_are_still_being_made(tmp_path):
    def seeds(files):
        return [int(file.stem) for file in files]

    for seed in (100, 102, 103, 104):
        (tmp_path / f"{seed:08d}.npz").touch()
    worlds = WorldFolder(tmp_path, held_out=3)
    assert (seeds(worlds.held_out), seeds(worlds.training)) == ([100, 102], [103, 104])
    for seed in (101, 105):
        (tmp_path / f"{seed:08d}.npz").touch()
    worlds.refresh()
    assert (seeds(worlds.held_out), seeds(worlds.training)) == ([100, 101, 102], [103, 104, 105])
    assert WorldFolder(tmp_path, held_out=0).held_out == []


def test_a_manifest_is_needed_to_train_on_photographs(tmp_path):
    with pytest.raises(PanoError, match=r"manifest\.tsv"):
        list_photos(tmp_path)


def test_photographs_of_a_judged_scene_or_of_an_unclear_kind_are_left_out(tmp_path):
    rows = ["file\tscene\tnotes", "a.jpg\tindoor\t", "b.jpg\toutdoor\t", "c.jpg\tcovered market\t"]
    rows.append("d.jpg\tindoor\tsame scene as panoramas/14")
    (tmp_path / "manifest.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert [(p.path.name, p.indoor) for p in list_photos(tmp_path)] == [("a.jpg", True), ("b.jpg", False)]


def test_neither_judged_photographs_nor_other_files_are_trained_on(tmp_path):
    names = ["03_room.jpg", "03_room_8k.jpg", "03_room.depth_rel.png", "c.instances.json", "c.hdr", "c.jpg", "d.png"]
    rows = ["file\tscene\tnotes", *(f"{name}\tindoor\t" for name in names)]
    (tmp_path / "manifest.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "03_room.depth_rel.png").write_bytes(b"labels")
    assert [photo.path.name for photo in list_photos(tmp_path)] == ["c.jpg", "d.png"]
