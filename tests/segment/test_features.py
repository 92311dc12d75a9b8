"""Encoded views: kept in memory and on disk, bounded, and never a reason to fail."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fake_network import Oracle, cap, painted

from core.geometry.tiling import zigzag_tiles
from core.models.click_s import ViewFeatures
from core.segment.features import FeatureStore, ViewEncoder, size_of, views_folder

CAMERAS = zigzag_tiles(96)
PANORAMA = painted(cap(64, 20, 10, 40))


def features(seed, side=8):
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(side, side)).astype(np.float32), {"deep": [generator.integers(0, 9, 3), None, 2.5]})


def same(first, second):
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and np.array_equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    if isinstance(first, tuple | list):
        return type(first) is type(second) and all(same(a, b) for a, b in zip(first, second, strict=True))
    return first == second


def write_all(store):
    while store.write_one():
        pass


def test_features_are_there_again_in_the_next_run(tmp_path):
    store = FeatureStore(tmp_path / "views")
    for seed in range(3):
        store.put(f"view {seed}", features(seed))
    assert not (tmp_path / "views").exists()
    write_all(store)
    later = FeatureStore(tmp_path / "views")
    for seed in range(3):
        assert later.has(f"view {seed}")
        assert same(later.get(f"view {seed}"), features(seed))
    assert not later.has("view 3")
    assert later.get("view 3") is None


def test_the_click_network_s_own_tuples_come_back_as_such(tmp_path):
    levels = ViewFeatures(*(np.full((2, 3), k, np.float16) for k in range(5)))
    store = FeatureStore(tmp_path)
    store.put("view", levels)
    write_all(store)
    back = FeatureStore(tmp_path).get("view")
    assert isinstance(back, ViewFeatures)
    assert same(tuple(back), tuple(levels))


def test_memory_is_bounded_and_the_disk_remembers_the_rest(tmp_path):
    store = FeatureStore(tmp_path, memory_bytes=15_000)
    for seed in range(20):
        store.put(str(seed), features(seed, side=32))
        write_all(store)
    assert store.nbytes <= 15_000
    assert same(store.get("0"), features(0, side=32))


def test_the_folder_is_bounded_and_forgets_what_was_not_used_for_longest(tmp_path):
    store = FeatureStore(tmp_path, disk_bytes=30_000)
    for seed in range(8):
        store.put(str(seed), features(seed, side=32))
        write_all(store)
        for path in tmp_path.iterdir():
            status = path.stat()
            os.utime(path, (status.st_atime - 100, status.st_mtime - 100))
        FeatureStore(tmp_path).get("0")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 30_000
    kept = [seed for seed in range(8) if FeatureStore(tmp_path).has(str(seed))]
    assert kept[0] == 0
    assert kept[-1] == 7
    assert 1 not in kept


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "flipped"])
def test_a_damaged_file_is_as_if_it_were_not_there(tmp_path, damage):
    store = FeatureStore(tmp_path)
    store.put("view", features(1, side=64))
    write_all(store)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    path.write_bytes(
        {"cut": whole[: len(whole) // 2], "empty": b"", "text": b"no features", "flipped": flipped}[damage]
    )
    assert FeatureStore(tmp_path).get("view") is None


def test_a_file_never_makes_anything_but_arrays_and_own_tuples(tmp_path):
    written = FeatureStore(tmp_path)
    written.put("view", features(1))
    write_all(written)
    (path,) = tmp_path.iterdir()
    store = FeatureStore(tmp_path)
    for name in ("os:system", "core.models.click_s:ClickS", "core.models.nothing:There", "builtins:tuple"):
        form = '{"key": "view", "form": {"tuple": [{"value": "x"}], "of": "' + name + '"}}'
        np.savez(path.open("wb"), form=np.frombuffer(form.encode(), np.uint8))
        assert store.get("view") is None
    trap = np.empty(1, object)
    trap[0] = Path("x")
    np.savez(path.open("wb"), form=trap)
    assert store.get("view") is None


def test_a_folder_that_cannot_be_written_to_costs_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    store = FeatureStore(tmp_path / "file" / "views")
    store.put("a", features(1))
    store.put("b", features(2))
    write_all(store)
    assert same(store.get("a"), features(1))
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


class Interrupted(FeatureStore):
    """Whenever its folder was looked at, another thread gives it up."""

    given = None

    @property
    def _folder(self):
        folder, self.given = self.given, None
        return folder

    @_folder.setter
    def _folder(self, folder):
        self.given = folder


@pytest.mark.parametrize("act", [lambda s: s.get("old"), lambda s: s.has("old"), lambda s: s.write_one()])
def test_a_folder_that_another_thread_gives_up_meanwhile_costs_nothing(act, tmp_path):
    earlier = FeatureStore(tmp_path)
    earlier.put("old", features(0))
    write_all(earlier)
    store = Interrupted(tmp_path)
    store.put("new", features(1))
    store.given = tmp_path
    assert act(store)
    assert store.given is None
    assert same(store.get("new"), features(1))


def test_features_that_no_file_can_hold_stay_in_memory(tmp_path):
    store = FeatureStore(tmp_path)
    store.put("a", (object(),))
    write_all(store)
    assert isinstance(store.get("a"), tuple)
    assert not list(tmp_path.iterdir())


def test_views_are_known_by_photograph_network_and_camera(tmp_path):
    store = FeatureStore(tmp_path)
    network = Oracle()
    encoder = ViewEncoder(network, PANORAMA.rgb, store)
    first, was_new = encoder.features(CAMERAS[0])
    assert was_new
    assert not encoder.features(CAMERAS[0])[1]
    assert not ViewEncoder(network, PANORAMA.rgb.copy(), store).features(CAMERAS[0])[1]
    assert encoder.features(CAMERAS[1])[1]
    other = painted(cap(64, 20, 11, 40))
    assert ViewEncoder(network, other.rgb, store).features(CAMERAS[0])[1]
    retrained = Oracle()
    retrained.fingerprint = "other weights"
    assert ViewEncoder(retrained, PANORAMA.rgb, store).features(CAMERAS[0])[1]
    write_all(store)
    again, was_new = ViewEncoder(Oracle(), PANORAMA.rgb, FeatureStore(tmp_path)).features(CAMERAS[0])
    assert not was_new
    assert same(again, first)


def test_what_was_forgotten_for_want_of_space_is_not_made_ahead_again_and_again():
    network = Oracle()
    encoder = ViewEncoder(network, PANORAMA.rgb, FeatureStore(memory_bytes=1))
    assert [encoder.encode_ahead(camera) for camera in CAMERAS[:3]] == [True] * 3
    assert not any(encoder.encode_ahead(camera) for camera in CAMERAS[:3])
    assert network.count("encode") == 3
    assert encoder.features(CAMERAS[0])[1]


class Held(Oracle):
    """Notes which thread asks, and that only one does at a time; the first view takes until it is let go."""

    def __init__(self):
        super().__init__()
        self.free, self.askers = threading.Event(), []
        self.busy = self.overlapped = False

    def encode(self, view):
        self.overlapped |= self.busy
        self.busy = True
        self.askers.append(threading.current_thread().name)
        self.free.wait(60)
        found = super().encode(view)
        self.busy = False
        return found


def test_a_click_waits_for_one_view_of_the_background_at_most():
    network = Held()
    encoder = ViewEncoder(network, PANORAMA.rgb, FeatureStore())

    def ahead():
        for camera in CAMERAS[2:]:
            encoder.encode_ahead(camera)

    background = threading.Thread(target=ahead, name="background")
    click = threading.Thread(target=encoder.features, args=(CAMERAS[0],), name="click")
    background.start()
    while not network.askers:
        time.sleep(0.001)
    click.start()
    while not encoder._next.locked():
        time.sleep(0.001)
    network.free.set()
    click.join()
    background.join()
    assert not network.overlapped
    assert network.askers[:2] == ["background", "click"]
    assert len(network.askers) == len(CAMERAS) - 1


def test_sizes_count_all_arrays():
    assert size_of((np.zeros(3, np.float32), [np.zeros(2, np.uint8), {"a": np.zeros((2, 2))}], None)) == 12 + 2 + 32


def test_the_cache_lies_where_the_user_wants_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert views_folder() == tmp_path / "panoviewer" / "views"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert "panoviewer" in views_folder().parts
    assert not (tmp_path / "panoviewer").exists()
