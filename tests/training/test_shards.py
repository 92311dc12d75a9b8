"""Shards of worlds: the same bytes however they were made, read alike by WebDataset and by everything here."""

import hashlib
import io
import os
import re
import signal
import subprocess
import sys
import tarfile
import time

import numpy as np
import pytest
import webdataset
from PIL import Image

from core.errors import PanoError
from training.dataset import WorldFolder, load_arrays
from training.datasets import check_entries, find_layout
from training.labelled import labelled_files, read_labelled
from training.truths import read_truths
from training.worlds.edges import edge_mask
from training.worlds.generate import PARTS, generate_shards, generate_worlds
from training.worlds.sample import read_sample
from training.worlds.shards import shard_keys, world_files
from training.worlds.world import render_world

COUNT, SIZE, HEIGHT = 4, 2, 16


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.tar"))}


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Two shards of two small worlds each."""
    out = tmp_path_factory.mktemp("shards")
    assert generate_shards(out, range(COUNT), height=HEIGHT, shard_size=SIZE) == COUNT
    return out


def test_shards_hold_their_seeds_and_nothing_is_left_beside_them(shards):
    assert sorted(path.name for path in shards.iterdir()) == ["worlds-000000.tar", "worlds-000001.tar"]
    assert shard_keys(shards / "worlds-000001.tar") == ["00000002", "00000003"]


@pytest.mark.slow
def test_two_processes_make_the_same_bytes(shards, tmp_path):
    assert generate_shards(tmp_path, range(COUNT), height=HEIGHT, shard_size=SIZE, workers=2) == COUNT
    assert digests(tmp_path) == digests(shards)


def test_bytes_tell_no_time_and_no_owner(shards):
    with tarfile.open(shards / "worlds-000000.tar") as tar:
        assert {(member.mtime, member.uid, member.gid, member.uname) for member in tar} == {(0, 0, 0, "")}


def test_webdataset_reads_what_was_rendered(shards):
    # "pil" would make colours of the numbers of classes and objects.
    picture = webdataset.handle_extension("png", lambda data: np.asarray(Image.open(io.BytesIO(data))))
    urls = str(shards / "worlds-{000000..000001}.tar")
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode(picture))
    assert [sample["__key__"] for sample in samples] == [f"{seed:08d}" for seed in range(COUNT)]
    for seed, sample in enumerate(samples):
        world = render_world(seed, HEIGHT, 2 * HEIGHT)
        np.testing.assert_array_equal(np.asarray(sample["rgb.png"]), world.rgb)
        np.testing.assert_array_equal(sample["depth.npy"], world.depth.astype(np.float16))
        np.testing.assert_array_equal(np.asarray(sample["classes.png"]), world.classes)
        np.testing.assert_array_equal(np.asarray(sample["instances.png"]), world.instances)
        np.testing.assert_array_equal(np.asarray(sample["edges.png"]) > 0, world.edges)
        np.testing.assert_array_equal(np.asarray(sample["far.png"]) > 0, world.far)
        assert np.abs(sample["normals.npy"] / 127 - np.nan_to_num(world.normals)).max() < 0.005
        assert sample["json"]["camera_height"] == pytest.approx(world.camera_height)
        assert sample["json"]["indoor"] == world.indoor


def test_a_world_in_a_shard_reads_as_one_in_a_file(shards, tmp_path):
    generate_worlds(tmp_path, range(COUNT), height=HEIGHT)
    assert [path.stem for path in world_files(shards)] == [path.stem for path in world_files(tmp_path)]
    for there, here in zip(world_files(shards), world_files(tmp_path), strict=True):
        one, other = read_sample(there), read_sample(here)
        for name in ("rgb", "depth", "normals", "classes", "instances", "far", "edges"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        assert (one.seed, one.indoor, one.camera_height) == (other.seed, other.indoor, other.camera_height)
        np.testing.assert_equal(one.ceiling_height, other.ceiling_height)


def test_recipes_and_evaluation_take_shards_for_worlds(shards):
    folder = WorldFolder(shards, held_out=1)
    assert [path.stem for path in folder.training] == ["00000001", "00000002", "00000003"]
    assert load_arrays(folder.training[0], HEIGHT).rgb.shape == (HEIGHT, 2 * HEIGHT, 3)
    assert read_labelled(labelled_files(shards)[2]).origin["seed"] == 2
    assert [truth.name for truth in read_truths(shards, "depth")] == [f"{seed:08d}" for seed in range(COUNT)]
    layout, entries = find_layout(shards)
    assert list(check_entries(layout, entries)) == []
    assert layout.read(entries[1], ("instances",)).instances.dtype == np.uint16


def test_a_run_that_was_killed_goes_on_and_ends_with_the_same_bytes(shards, tmp_path):
    command = [sys.executable, "-m", "training", "generate", "-o", str(tmp_path), "--shards", "--shard-size", str(SIZE)]
    command += ["--count", str(COUNT), "--height", str(HEIGHT)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(os.environ))
    while process.poll() is None and not any((tmp_path / PARTS).glob("*.npz")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.suffix in (".npz", ".tar")}
    assert there
    assert generate_shards(tmp_path, range(COUNT), height=HEIGHT, shard_size=SIZE) <= COUNT - 1
    assert digests(tmp_path) == digests(shards)
    assert not (tmp_path / PARTS).exists()


def test_shards_that_are_there_are_kept_and_more_are_added(shards, tmp_path):
    generate_shards(tmp_path, range(SIZE), height=HEIGHT, shard_size=SIZE)
    before = (tmp_path / "worlds-000000.tar").stat().st_mtime_ns
    assert generate_shards(tmp_path, range(COUNT), height=HEIGHT, shard_size=SIZE) == COUNT - SIZE
    assert (tmp_path / "worlds-000000.tar").stat().st_mtime_ns == before
    assert digests(tmp_path) == digests(shards)


def test_a_kill_between_a_shard_and_its_parts_leaves_nothing_behind(shards, tmp_path):
    parts = tmp_path / PARTS
    generate_worlds(parts, range(SIZE), height=HEIGHT)
    (tmp_path / "worlds-000000.tar").write_bytes((shards / "worlds-000000.tar").read_bytes())
    assert generate_shards(tmp_path, range(SIZE), height=HEIGHT, shard_size=SIZE) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["worlds-000000.tar"]


@pytest.mark.parametrize(
    ("seeds", "height", "size", "said"),
    [(range(3), HEIGHT, 2, "whole shards"), (range(4), 32, 2, "of 32 rows"), (range(4), HEIGHT, 4, "shard-size")],
)
def test_what_does_not_fit_the_shards_is_told(shards, seeds, height, size, said):
    before = digests(shards)
    with pytest.raises(PanoError, match=said):
        generate_shards(shards, seeds, height=height, shard_size=size)
    assert digests(shards) == before


def test_a_cut_off_shard_is_told(shards, tmp_path):
    data = (shards / "worlds-000000.tar").read_bytes()
    (tmp_path / "worlds-000000.tar").write_bytes(data[: len(data) // 3])
    with pytest.raises(PanoError, match="shard"):
        [read_sample(path) for path in world_files(tmp_path)]


def test_the_command_prints_how_fast_it_was_for_its_size(tmp_path, monkeypatch, capsys):
    from training import __main__ as commands

    sheet = tmp_path / "s.png"
    flags = ["--count", "1", "--height", "16", "--shards", "--shard-size", "1"]
    command = ["panoviewer-train", "generate", "-o", str(tmp_path), *flags, "--sheet", str(sheet)]
    monkeypatch.setattr(sys, "argv", command)
    commands.main()
    told = " ".join(capsys.readouterr().out.split())
    assert re.search(r"1 worlds in \d+ s: 32 x 16, [\d.e-]+ panoramas a second, [\d.e-]+ per second of one core", told)
    with Image.open(sheet) as picture:
        np.testing.assert_array_equal(np.asarray(picture), render_world(0, 16, 32).rgb)


def test_an_empty_room_has_no_edges_and_a_box_in_it_has_its_outline(box_room):
    room = box_room(5, 64)
    assert not edge_mask(room.depth, room.normals, room.far).any()
    depth, normals, far = room.depth.copy(), room.normals.copy(), room.far.copy()
    box = np.zeros(depth.shape, bool)
    box[28:36, [*range(6), *range(122, 128)]] = True  # across the seam
    depth[box] *= 0.5
    expected = np.zeros_like(box)
    for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
        beside = np.roll(box, shift, axis)
        expected |= box & ~beside
        expected |= beside & ~box
    np.testing.assert_array_equal(edge_mask(depth, normals, far), expected)
    far[:3] = True
    depth[:3], normals[:3] = np.nan, np.nan
    sky = edge_mask(depth, normals, far) & ~expected
    assert sky[2:4].all()
    assert not sky[[0, 1, *range(4, 64)]].any()


def test_edges_turn_with_the_panorama():
    world = render_world(1, 32, 64)
    turned = [np.roll(values, 20, axis=1) for values in (world.depth, world.normals, world.far)]
    # A turn turns normals too; planes are compared along their own rays.
    angle = 2 * np.pi * 20 / 64
    c, s = np.cos(angle), np.sin(angle)
    turned[1] = (turned[1] @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T).astype(np.float32)
    agree = edge_mask(*turned) == np.roll(world.edges, 20, axis=1)
    assert agree.mean() > 0.999
    assert 0.01 < world.edges.mean() < 0.6
