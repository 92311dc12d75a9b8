"""The parts that worlds are made of: builder, patterns, plans, placement."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.worlds.builder import SceneBuilder
from training.worlds.furniture import PIECES
from training.worlds.materials import Material
from training.worlds.meshes import triangulate
from training.worlds.palette import make_palette
from training.worlds.pattern_drawings import DRAWINGS
from training.worlds.patterns import PatternBank
from training.worlds.placement import Floorplan
from training.worlds.rooms import Opening, Room, build_shell, clearance, inside, overlaps, sample_plan
from training.worlds.tracing import Tracer

GREY = Material((0.5, 0.5, 0.5))


def new_builder() -> SceneBuilder:
    return SceneBuilder(np.random.default_rng(0))


def volume(geometry) -> float:
    """Of a closed surface, whose triangles may face either way: by the parity of rays from above."""
    low, high = geometry.vertices.min(0), geometry.vertices.max(0)
    size = 200
    x, z = ((np.arange(size) + 0.5) / size * (b - a) + a for a, b in zip(low[::2], high[::2], strict=True))
    starts = np.stack(np.meshgrid(x, z), -1).reshape(-1, 2)
    origins = np.insert(starts, 1, low[1] - 1, axis=1).astype(np.float32)
    down = np.tile(np.array([[0, 1, 0]], np.float32), (len(origins), 1))
    tracer, cell = Tracer(geometry), (high[0] - low[0]) * (high[2] - low[2]) / size**2
    _, top = tracer.trace_solid(origins, down)
    origins[:, 1] = high[1] + 1
    _, bottom = tracer.trace_solid(origins, -down)
    span = (high[1] - low[1] + 2) - top - bottom
    return float(np.where(np.isfinite(span), span, 0).sum() * cell)


def test_solids_have_their_volumes():
    for build, expected in (
        (lambda b: b.box((1, 2), (0.5, 2, 3), GREY, yaw=0.0), 3.0),
        (lambda b: b.cylinder((0, 0), 1.0, 2.0, GREY, sides=64), 2 * np.pi),
        (lambda b: b.cylinder((0, 0), 1.0, 3.0, GREY, top_radius=1e-4, sides=64), np.pi),
    ):
        builder = new_builder()
        build(builder)
        assert volume(builder.build()) == pytest.approx(expected, rel=0.02)


def test_a_box_stands_on_its_bottom_and_y_points_down():
    builder = new_builder()
    builder.box((1.0, -2.0), (0.4, 1.5, 0.6), GREY, bottom=0.25, label="table", instance=3)
    geometry = builder.build()
    np.testing.assert_allclose(geometry.vertices.min(0), [0.8, -1.75, -2.3], atol=1e-6)
    np.testing.assert_allclose(geometry.vertices.max(0), [1.2, -0.25, -1.7], atol=1e-6)
    assert set(geometry.instance) == {3}


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-np.pi, np.pi), st.floats(-np.pi, np.pi), st.floats(0, 2))
def test_placing_inside_a_placing_turns_about_the_outer_place(x, z, outer, inner, bottom):
    builder = new_builder()
    with builder.placed(x, z, yaw=outer, bottom=bottom), builder.placed(1.0, 0.5, yaw=inner):
        ahead = builder.to_ground([0.0, 0.0, 2.0])
    c, s = np.cos(outer), np.sin(outer)
    middle = np.array([x + c * 1.0 + s * 0.5, -bottom, z - s * 1.0 + c * 0.5])
    expected = middle + 2 * np.array([np.sin(outer + inner), 0, np.cos(outer + inner)])
    np.testing.assert_allclose(ahead, expected, atol=1e-9)


def test_a_bracket_ends_even_when_its_body_fails():
    builder = new_builder()
    with pytest.raises(RuntimeError), builder.placed(3.0, 4.0, yaw=1.0):
        raise RuntimeError
    np.testing.assert_array_equal(builder.to_ground([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0])


def test_a_fitted_quad_runs_from_zero_to_one():
    builder = new_builder()
    corners = np.array([[0.0, -2.0, 1.0], [3.0, -2.0, 1.5], [3.0, -0.5, 1.5], [0.0, -0.5, 1.0]])
    builder.quad(corners, GREY, fit=True)
    geometry = builder.build()
    points = np.concatenate([corners, np.ones((4, 1))], 1)
    np.testing.assert_allclose(points @ geometry.texture_u[0], [0, 1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(points @ geometry.texture_v[0], [0, 0, 1, 1], atol=1e-6)


def test_a_scene_without_parts_is_refused():
    with pytest.raises(ValueError, match="at least one part"):
        new_builder().build()


def area(plan) -> float:
    x, z = np.asarray(plan, float).T
    return float(abs(np.sum(x * np.roll(z, -1) - np.roll(x, -1) * z)) / 2)


@settings(max_examples=60)
@given(st.integers(0, 100_000), st.booleans())
def test_triangles_of_a_plan_cover_it_once(seed, turned):
    rng = np.random.default_rng(seed)
    plan = sample_plan(rng, rng.uniform(2, 9), rng.uniform(2, 9))
    plan = plan[::-1] if turned else plan
    triangles = triangulate(plan)
    assert len(triangles) == len(plan) - 2
    assert sum(area(plan[list(triangle)]) for triangle in triangles) == pytest.approx(area(plan), rel=1e-9)


def test_points_are_inside_exactly_where_they_are():
    plan = np.array([(0, 0), (4, 0), (4, 4), (2, 1), (0, 4)], float)
    points = [(1, 1), (3.5, 3), (2, 2), (-0.1, 1), (2, 0.9)]
    assert inside(plan, points).tolist() == [True, True, False, False, True]
    np.testing.assert_allclose(clearance(plan, [(2.0, 0.5)]), [0.5])


def test_plans_that_touch_do_not_overlap():
    plan = np.array([(0, 0), (2, 0), (2, 2), (0, 2)], float)
    assert not overlaps(plan, np.add(plan, (2.0, 0.0)))
    assert overlaps(plan, np.add(plan, (1.5, 0.3)))


@pytest.mark.parametrize("seed", range(12))
def test_a_shell_is_closed_but_for_its_openings(seed):
    rng = np.random.default_rng(seed)
    palette = make_palette(rng, walls="white", floors="wood", ceiling="white")
    room = Room(sample_plan(rng, 5.0, 4.0), 2.7, palette, thickness=0.2)
    builder = new_builder()
    room.openings[0].append(Opening(0.5, 1.0, 0.5, 1.5, "window"))
    build_shell(builder, room, rng)
    points = rng.uniform(room.plan.min(0), room.plan.max(0), (200, 2))
    origin = points[inside(room.plan, points)][0]
    origins = np.array([[origin[0], -1.3, origin[1]]], np.float32)
    rays = rng.standard_normal((20_000, 3)).astype(np.float32)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    triangle, _ = Tracer(builder.build()).trace_solid(np.repeat(origins, len(rays), 0), rays)
    a, _, _, yaw = room.edge(0)
    offset = origins[0].astype(float) - [a[0], 0, a[1]]
    c, s = np.cos(yaw), np.sin(yaw)
    into = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    start, local = into @ offset, rays.astype(float) @ into.T
    with np.errstate(divide="ignore", invalid="ignore"):
        at = start + local * (-start[2] / local[:, 2:])
    hole = (local[:, 2] > 0) & (at[:, 0] > 0.49) & (at[:, 0] < 1.01) & (-at[:, 1] > 0.49) & (-at[:, 1] < 1.51)
    assert not ((triangle < 0) & ~hole).any()


def test_a_pattern_looks_the_same_whoever_asks_first():
    first, second = PatternBank(), PatternBank()
    a = first.slot("planks/1")
    second.slot("bricks/0")
    b = second.slot("planks/1")
    assert a != b
    np.testing.assert_array_equal(first.atlas[a], second.atlas[b])
    np.testing.assert_array_equal(first.mean("planks/1"), second.mean("planks/1"))


def test_an_unknown_pattern_names_those_that_exist():
    with pytest.raises(ValueError, match="expected a pattern of the bank, got 'velvet'"):
        PatternBank().slot("velvet")


@pytest.mark.parametrize("name", sorted(DRAWINGS))
def test_a_pattern_neither_darkens_nor_blinds(name):
    image = DRAWINGS[name](np.random.default_rng(3))
    assert image.shape[:2] == (512, 512)
    assert np.isfinite(image).all()
    assert 0.01 < image.mean() < 1.6
    assert image.min() > -0.6


@pytest.mark.parametrize("name", sorted(PIECES))
def test_a_piece_stays_near_its_footprint(name):
    rng = np.random.default_rng(5)
    palette = make_palette(rng, walls="white", floors="wood", ceiling="white")
    for seed in range(4):
        piece, builder = PIECES[name], new_builder()
        size = piece.size(np.random.default_rng(seed))
        piece.build(builder, np.random.default_rng(seed), size, palette)
        vertices = builder.build().vertices
        low, high = vertices.min(0), vertices.max(0)
        assert high[1] <= 1e-3
        assert low[0] > -size[0] / 2 - 0.45
        assert high[0] < size[0] / 2 + 0.45
        assert low[2] > -size[2] / 2 - 0.36
        assert high[2] < size[2] / 2 + 0.45


def test_furniture_keeps_off_walls_doors_camera_and_itself():
    rng = np.random.default_rng(2)
    palette = make_palette(rng, walls="white", floors="wood", ceiling="white")
    room = Room([(0, 0), (5, 0), (5, 4), (0, 4)], 2.7, palette)
    room.openings[0].append(Opening(1.0, 1.9, 0.0, 2.0, "door"))
    camera = np.array([2.5, 2.0])
    floor = Floorplan(room, camera, clear=0.4)
    taken = []
    for _ in range(60):
        size = (float(rng.uniform(0.3, 1.2)), 0.8, float(rng.uniform(0.3, 0.8)))
        place = floor.find(rng, size, at_wall=bool(rng.random() < 0.6))
        if place is not None:
            taken.append((place, size))
    assert len(taken) > 5
    a, _, _, yaw = room.edge(0)
    door = np.array([a[0] + np.cos(yaw) * 1.45 - np.sin(yaw) * 0.4, a[1] - np.sin(yaw) * 1.45 - np.cos(yaw) * 0.4])
    grid = np.stack(np.meshgrid(np.linspace(-0.5, 0.5, 41), np.linspace(-0.5, 0.5, 41)), -1).reshape(-1, 2)
    covered = []
    for (x, z, yaw), (width, _, depth) in taken:
        local = grid * [width, depth]
        c, s = np.cos(yaw), np.sin(yaw)
        points = np.stack([x + c * local[:, 0] + s * local[:, 1], z - s * local[:, 0] + c * local[:, 1]], 1)
        assert inside(room.plan, points).all()
        assert np.linalg.norm(points - camera, axis=1).min() > 0.39
        assert np.linalg.norm(points - door, axis=1).min() > 0.1
        covered.append({(round(px, 2), round(pz, 2)) for px, pz in np.round(points / 0.02) * 0.02})
    for index, cells in enumerate(covered):
        for other in covered[index + 1 :]:
            assert len(cells & other) < 60
