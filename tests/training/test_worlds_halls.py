"""Large interiors: closed on all sides, lit, walkable, and what they are made of stays what it is."""

import numpy as np
import pytest

from core.geometry.sphere import erp_rays
from training.worlds.builder import SceneBuilder
from training.worlds.classes import CLASS_NAMES
from training.worlds.glass_roofs import SHAPES, closed_roof, glass_roof
from training.worlds.hall_bays import BAYS
from training.worlds.hall_scene import HallScene, arch, balustrade
from training.worlds.halls import KINDS, build_large_interior
from training.worlds.lighting import GradientSky
from training.worlds.palette import make_palette
from training.worlds.render import render
from training.worlds.tracing import Hits, Tracer

SEEDS = range(6)
DAY = GradientSky((0.3, 0.4, 0.5), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))


def hits_of(kind: str, seed: int) -> tuple[Hits, np.ndarray, list[str]]:
    builder, camera, _ = build_large_interior(np.random.default_rng([3, seed]), kind=kind)
    geometry = builder.build()
    hits = Tracer(geometry).trace(np.array(camera, np.float32), erp_rays(96, 192).reshape(-1, 3))
    names = [CLASS_NAMES[label] if label < len(CLASS_NAMES) else "" for label in geometry.label[hits.front]]
    return hits, np.array(camera), names


@pytest.fixture(scope="module")
def seen() -> dict[tuple[str, int], tuple[Hits, np.ndarray, list[str]]]:
    return {(kind, seed): hits_of(kind, seed) for kind in KINDS for seed in SEEDS}


def empty_scene(seed: int = 0) -> HallScene:
    rng = np.random.default_rng(seed)
    palette = make_palette(rng, walls="white", floors="wood", ceiling="white")
    return HallScene(rng, SceneBuilder(rng), palette, DAY, None, (1.0, 1.0, 1.0))


def test_no_ray_leaves_a_large_interior(seen):
    assert {key: int((hits.front < 0).sum()) for key, (hits, _, _) in seen.items() if (hits.front < 0).any()} == {}


def test_a_floor_lies_below_the_camera_at_the_height_of_a_person(seen):
    for key, (hits, _, names) in seen.items():
        lowest = np.array(names).reshape(96, 192)[-1]
        below = hits.front_range.reshape(96, 192)[-1]
        assert (lowest == "floor").mean() > 0.9, key
        assert 0.7 < np.median(below) < 2.4, key


def test_glass_roofs_have_the_range_of_their_panes_and_show_what_is_behind(seen):
    glazed = 0
    for hits, _, names in seen.values():
        above = np.zeros((96, 192), bool)
        above[:24] = True
        panes = above.ravel() & (np.array(names) == "windowpane") & hits.through_pane
        assert (hits.front_range[panes] < 45).all()
        assert (hits.surface_range[panes] > hits.front_range[panes]).all()
        glazed += panes.any()
    assert glazed > 0.2 * len(seen)


def test_the_classes_that_large_interiors_are_for_are_seen_in_them(seen):
    found = {name for _, _, names in seen.values() for name in set(names)}
    assert {"shelf", "column", "fence", "windowpane", "sofa", "stairs", "lamp", "person", "curtain", "plant"} <= found


def test_the_same_seed_builds_the_same_large_interior():
    for kind in KINDS:
        first, second = (build_large_interior(np.random.default_rng(5), kind=kind) for _ in range(2))
        a, b = first[0].build(), second[0].build()
        np.testing.assert_array_equal(a.vertices, b.vertices)
        np.testing.assert_array_equal(a.label, b.label)
        assert first[1] == second[1]


def test_a_lit_hall_is_neither_black_nor_white():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        builder, camera, light = build_large_interior(rng, kind="library")
        sample = render(builder, camera, light, height=48, width=96, rng=rng, indoor=True, faults=False)
        assert 25 < sample.rgb.mean() < 235


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("build", [glass_roof, closed_roof])
def test_a_roof_covers_its_rectangle(build, shape):
    scene = empty_scene()
    build(scene, (-3.0, 3.0), (-5.0, 5.0), 4.0, shape=shape, rise=0.0 if shape == "flat" else 2.0)
    x, z = np.meshgrid(np.linspace(-2.99, 2.99, 41), np.linspace(-4.99, 4.99, 41))
    origins = np.stack([x.ravel(), np.zeros(x.size), z.ravel()], 1).astype(np.float32)
    up = np.tile(np.array([[0, -1, 0]], np.float32), (len(origins), 1))
    hits = Tracer(scene.builder.build()).trace(origins, up)
    assert (hits.front >= 0).all()
    assert hits.front_range.min() > 3.2
    assert hits.front_range.max() < 6.1


@pytest.mark.parametrize("kind", sorted(BAYS))
def test_a_bay_closes_its_stretch_of_wall(kind):
    for seed in range(4):
        scene = empty_scene(seed)
        glass = BAYS[kind](scene, 4.0, 3.4, 0.3)
        assert 0 <= glass < 4.0 * 3.4
        x, y = np.meshgrid(np.linspace(-1.98, 1.98, 50), np.linspace(-0.02, -3.38, 50))
        origins = np.stack([x.ravel(), y.ravel(), np.full(x.size, -3.0)], 1).astype(np.float32)
        ahead = np.tile(np.array([[0, 0, 1]], np.float32), (len(origins), 1))
        assert (Tracer(scene.builder.build()).trace(origins, ahead).front >= 0).all()


@pytest.mark.parametrize("kind", ["bars", "balusters", "lattice", "glass", "parapet"])
def test_a_balustrade_is_as_long_as_asked_and_breast_high(kind):
    scene = empty_scene()
    balustrade(scene, 5.0, kind, near=True)
    vertices = scene.builder.build().vertices
    assert np.ptp(vertices[:, 0]) == pytest.approx(5.0, abs=0.15)
    assert 0.95 < -vertices[:, 1].min() < 1.25


def test_an_arch_leaves_its_opening_free():
    scene = empty_scene()
    arch(scene, 3.0, 4.0, 1.2, 0.3, scene.palette.wall)
    tracer = Tracer(scene.builder.build())
    origins = np.array([[0.0, -2.5, -2.0], [1.2, -2.0, -2.0], [0.0, -4.0, -2.0], [1.45, -3.6, -2.0]], np.float32)
    ahead = np.tile(np.array([[0, 0, 1]], np.float32), (4, 1))
    assert (tracer.trace(origins, ahead).front >= 0).tolist() == [False, False, True, True]
