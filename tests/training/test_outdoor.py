"""Outdoor worlds: repeatable, only the sky is far, the camera stands free on its ground."""

from __future__ import annotations

import numpy as np
import pytest

from training.worlds.builder import SceneBuilder
from training.worlds.classes import CLASS_NAMES
from training.worlds.materials import Material
from training.worlds.outdoor import KINDS, build_outdoor
from training.worlds.outdoor_scene import GROUNDS
from training.worlds.patterns import PatternBank
from training.worlds.render import render
from training.worlds.sample import WorldSample
from training.worlds.shapes import blobs, extruded_profile, tubes
from training.worlds.sky import SKY_KINDS, noise_tile, random_sky, sample_noise, sky_colors
from training.worlds.terrain import Relief
from training.worlds.vegetation import TREES, random_plants
from training.worlds.vehicles import SHAPES, car, car_parts

SEEDS = range(3)


def rendered(kind: str, seed: int) -> WorldSample:
    rng = np.random.default_rng([seed, *kind.encode()])
    builder, camera, lighting = build_outdoor(rng, kind=kind)
    return render(builder, camera, lighting, height=64, width=128, rng=rng, indoor=False, faults=False, yaw=0.0)


@pytest.fixture(scope="module")
def samples() -> dict[tuple[str, int], WorldSample]:
    return {(kind, seed): rendered(kind, seed) for kind in KINDS for seed in SEEDS}


def directions(count: int) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(count, 3))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_builds_the_same_world(kind):
    first, second = (build_outdoor(np.random.default_rng(5), kind=kind) for _ in range(2))
    a, b = first[0].build(), second[0].build()
    np.testing.assert_array_equal(a.vertices, b.vertices)
    np.testing.assert_array_equal(a.triangles, b.triangles)
    np.testing.assert_array_equal(a.label, b.label)
    np.testing.assert_array_equal(first[1], second[1])
    sky = directions(500)
    np.testing.assert_array_equal(first[2].sky(sky), second[2].sky(sky))


def test_different_seeds_build_different_worlds():
    shapes = {build_outdoor(np.random.default_rng(seed))[0].build().vertices.shape for seed in range(8)}
    assert len(shapes) == 8


def test_far_is_sky_and_nothing_else_is(samples):
    for sample in samples.values():
        np.testing.assert_array_equal(sample.far, sample.classes == CLASS_NAMES.index("sky"))
        np.testing.assert_array_equal(sample.far, np.isnan(sample.depth))


def test_straight_down_there_is_the_ground_at_camera_height(samples):
    for key, sample in samples.items():
        below = sample.depth[-1] * np.sin(np.pi * (0.5 - 0.5 / len(sample.depth)))
        # Relief, a step or a blade of grass may lie under single rays of the lowest row, not under most.
        assert np.median(below) == pytest.approx(sample.camera_height, rel=0.2), key
        assert 0.9 < sample.camera_height < 26, key


def test_nothing_touches_the_camera(samples):
    for key, sample in samples.items():
        assert np.nanmin(sample.depth) > 0.4, key


def test_open_worlds_have_the_sky_above_and_no_sky_below(samples):
    for (kind, seed), sample in samples.items():
        assert not sample.far[48:].any(), (kind, seed)
        if kind in ("meadow", "desert", "lawn", "square", "shore", "street"):
            assert sample.far[:8].mean() > 0.5, (kind, seed)


def test_every_outdoor_class_occurs(samples):
    seen = set()
    for sample in samples.values():
        seen |= set(np.unique(sample.classes))
    expected = (
        "building sky road sidewalk grass earth tree car fence pole water mountain person plant wall column "
        "windowpane door ceiling"
    )
    missing = [name for name in expected.split() if CLASS_NAMES.index(name) not in seen]
    assert missing == []


def test_depth_reaches_hundreds_of_metres(samples):
    assert max(float(np.nanmax(sample.depth)) for sample in samples.values()) > 300


@pytest.mark.parametrize("kind", KINDS)
def test_worlds_stay_small_enough_to_trace_quickly(kind):
    counts = [len(build_outdoor(np.random.default_rng(seed), kind=kind)[0].build().triangles) for seed in range(4)]
    assert np.mean(counts) < 100_000


@pytest.mark.parametrize("kind", SKY_KINDS)
def test_a_sky_is_light_everywhere_and_never_negative(kind):
    for seed in range(4):
        sky = random_sky(np.random.default_rng(seed), kind)
        colors = sky_colors(directions(2000), sky)
        assert np.isfinite(colors).all()
        assert colors.min() >= 0
        assert colors[:, 1].mean() > 0.005
        assert np.linalg.norm(sky.sun_direction) == pytest.approx(1)
        assert sky.sun_direction[1] < 0


def test_the_sky_is_brightest_where_the_sun_is():
    for seed in range(6):
        sky = random_sky(np.random.default_rng(seed), "clear")
        towards = sky_colors(np.array([sky.sun_direction], np.float32), sky)
        away = sky_colors(np.array([(-sky.sun_direction[0], sky.sun_direction[1], -sky.sun_direction[2])]), sky)
        assert towards.sum() > 2 * away.sum()


def test_noise_repeats_without_a_seam():
    tile = noise_tile()
    inside = np.abs(np.diff(tile, axis=1)).mean()
    assert np.abs(tile[:, 0] - tile[:, -1]).mean() < 1.3 * inside
    x, y = np.random.default_rng(0).uniform(0, 1, (2, 100))
    np.testing.assert_allclose(sample_noise(x, y), sample_noise(x + 3, y - 2), atol=1e-3)


def test_the_ground_is_level_zero_below_the_camera():
    relief = Relief(offset=(0.2, 0.7), bumps=(0.8, 9.0), hills=(20.0, 100.0, 10.0), mountains=(200.0, 300.0, 50.0))
    assert relief.height(0.0, 0.0) == 0
    points = relief.on([[0.0, 0.0], [40.0, -30.0]])
    assert points[0, 1] == 0
    assert points[1, 1] == -relief.height(40.0, -30.0)


def test_tubes_keep_their_radius():
    vertices, triangles = tubes([[0, 0, 0]], [[0, -3, 4]], 0.2, 0.1, sides=12)
    along = np.array([0, -3, 4]) / 5
    away = np.linalg.norm(vertices - np.outer(vertices @ along, along), axis=1)
    np.testing.assert_allclose(away, np.repeat([0.2, 0.1], 12))
    assert triangles.max() == 23


def test_lumps_and_profiles_are_closed():
    for mesh in (
        blobs([[0, 0, 0]], [[1, 2, 3]], [3]),
        blobs([[0, 0, 0]], [[1, 1, 1]], [0], fine=False),
        extruded_profile([[0, 0], [0, 1], [2, 1], [2, 0]], 0.5),
    ):
        edges = np.sort(mesh[1][:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        _, uses = np.unique(edges, axis=0, return_counts=True)
        assert set(uses) == {2}


@pytest.mark.parametrize("kind", TREES)
def test_a_tree_stands_on_its_foot_and_is_as_tall_as_asked(kind):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        builder = SceneBuilder(rng)
        TREES[kind](rng, builder, random_plants(rng, season="summer"), 10.0, 0.5)
        vertices = builder.build().vertices
        assert -0.25 < -vertices[:, 1].max() <= 0.05
        assert 6 < -vertices[:, 1].min() < 14.5


@pytest.mark.parametrize("kind", SHAPES)
def test_a_car_is_one_object_on_its_wheels(kind):
    rng = np.random.default_rng(0)
    builder = SceneBuilder(rng)
    car(rng, builder, car_parts(is_night=False), kind=kind)
    geometry = builder.build()
    assert set(geometry.instance) == {1}
    assert set(geometry.label) == {CLASS_NAMES.index("car")}
    size = np.ptp(geometry.vertices, axis=0)
    assert geometry.vertices[:, 1].max() == pytest.approx(0, abs=0.02)
    length, width, height = SHAPES[kind][:3]
    np.testing.assert_allclose(size, (width + 0.28, height, length), rtol=0.12)


def test_every_ground_has_a_pattern_and_a_class():
    bank = PatternBank()
    for _, pattern, _, label in GROUNDS.values():
        assert label in CLASS_NAMES
        # Normalised patterns keep the colour that the ground is given.
        np.testing.assert_allclose(bank.mean(pattern), 1, atol=0.35)


@pytest.mark.slow
def test_every_material_of_the_worlds_is_in_the_bank():
    bank = PatternBank()
    for kind in KINDS:
        for material in build_outdoor(np.random.default_rng(3), kind=kind)[0].build().materials:
            assert isinstance(material, Material)
            assert bank.slot(material.pattern) >= 0
            assert min(material.albedo) >= 0
            assert max(material.albedo) <= 1
