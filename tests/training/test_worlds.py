"""Rendered worlds against the analytic room, and what holds for every world."""

import hashlib
import multiprocessing
from dataclasses import fields, replace

import numpy as np
import pytest

from core.geometry.sphere import erp_rays
from training.worlds.box_room import FACES, BoxRoom
from training.worlds.builder import SceneBuilder
from training.worlds.classes import CLASS_NAMES
from training.worlds.contact_sheet import LARGEST, contact_sheet
from training.worlds.lighting import GradientSky, Lamp, Lighting
from training.worlds.materials import Material
from training.worlds.render import render
from training.worlds.world import render_world

GREY = Material((0.5, 0.5, 0.5))
DARK = Lighting(GradientSky((0, 0, 0), (0, 0, 0), (0, 0, 0)), ambient=(1.0, 1.0, 1.0))
ROOM = BoxRoom((-2.3, -1.4, -1.1), (1.7, 1.55, 3.9))
LABELS = {"x-": "wall", "x+": "door", "ceiling": "ceiling", "floor": "floor", "z-": "painting", "z+": "cabinet"}
INDOOR_CLASSES = CLASS_NAMES[: CLASS_NAMES.index("stairs") + 1]


def lit_box_room(room: BoxRoom, material: Material = GREY) -> SceneBuilder:
    """The six faces as separate quads with labels of their own; heights count from y = 0."""
    builder = SceneBuilder(np.random.default_rng(0))
    (x0, y0, z0), (x1, y1, z1) = room.low, room.high
    corners = {
        "x-": [[x0, y0, z0], [x0, y0, z1], [x0, y1, z1], [x0, y1, z0]],
        "x+": [[x1, y0, z0], [x1, y0, z1], [x1, y1, z1], [x1, y1, z0]],
        "ceiling": [[x0, y0, z0], [x1, y0, z0], [x1, y0, z1], [x0, y0, z1]],
        "floor": [[x0, y1, z0], [x1, y1, z0], [x1, y1, z1], [x0, y1, z1]],
        "z-": [[x0, y0, z0], [x1, y0, z0], [x1, y1, z0], [x0, y1, z0]],
        "z+": [[x0, y0, z1], [x1, y0, z1], [x1, y1, z1], [x0, y1, z1]],
    }
    for face, quad in corners.items():
        builder.quad(quad, material, label=LABELS[face])
    return builder


@pytest.mark.parametrize(
    ("position", "yaw"), [((0.0, 0.0, 0.0), 0.0), ((0.3, 0.9, 1.2), 0.7), ((-1.9, -1.1, -0.9), -2.4)]
)
def test_a_box_room_is_rendered_as_the_analytic_one(position, yaw):
    sample = render(
        lit_box_room(ROOM), position, DARK, height=64, width=128, rng=np.random.default_rng(1), indoor=True, yaw=yaw
    )
    c, s = np.cos(yaw), np.sin(yaw)
    ground_from_world = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    rays = erp_rays(64, 128).astype(np.float64) @ ground_from_world.T
    np.testing.assert_allclose(sample.depth, ROOM.depth(position, rays), rtol=1e-5)
    # Within rounding of an edge either face is right.
    ranges = np.sort(ROOM.ranges(position, rays), -1)
    clear = ranges[..., 1] - ranges[..., 0] > 1e-4
    assert clear.mean() > 0.99
    names = np.array([LABELS[FACES[face]] for face in ROOM.face(position, rays).ravel()]).reshape(64, 128)
    assert (np.array(CLASS_NAMES)[sample.classes] == names)[clear].all()
    expected = ROOM.normals(position, rays) @ ground_from_world
    np.testing.assert_allclose(sample.normals[clear], expected[clear], atol=1e-6)
    assert sample.camera_height == pytest.approx(ROOM.high[1] - position[1], rel=1e-6)
    assert sample.ceiling_height == pytest.approx(position[1] - ROOM.low[1], rel=1e-6)
    assert not sample.far.any()


def test_the_analytic_room_refuses_an_origin_outside():
    with pytest.raises(ValueError, match="inside the room"):
        ROOM.depth((9.0, 0.0, 0.0), (1.0, 0.0, 0.0))


def test_a_pane_has_its_own_range_and_label_but_shows_what_is_behind():
    builder = lit_box_room(ROOM)
    pane = Material((0.9, 0.9, 0.9), glass=True)
    builder.quad([[-1, -1, 1.5], [1, -1, 1.5], [1, 1, 1.5], [-1, 1, 1.5]], pane, label="windowpane", instance=7)
    builder.box((0, 3.0), (2, 2, 0.1), Material((0.9, 0.0, 0.0)), bottom=-1.0, label="building")
    sample = render(
        builder, (0, 0, 0), DARK, height=64, width=128, rng=np.random.default_rng(1), indoor=True, yaw=0.0, faults=False
    )
    ahead = (32, 64)
    assert CLASS_NAMES[sample.classes[ahead]] == "windowpane"
    assert sample.instances[ahead] == 7
    assert sample.depth[ahead] == pytest.approx(1.5, rel=2e-3)
    red, green, _ = sample.rgb[ahead].astype(int)
    assert red > green + 60


def test_what_stands_between_a_lamp_and_the_floor_casts_a_shadow():
    # Dark walls, so that little light comes round the corner.
    builder = lit_box_room(ROOM, Material((0.05, 0.05, 0.05)))
    builder.box((0.0, 1.5), (0.8, 0.05, 0.8), GREY, bottom=-0.9, label="table")
    lamp = Lamp((0.0, -1.0, 1.5), (5.0, 5.0, 5.0))
    light = Lighting(GradientSky((0, 0, 0), (0, 0, 0), (0, 0, 0)), (lamp,))
    sample = render(
        builder,
        (-1.5, 0.0, 1.5),
        light,
        height=128,
        width=256,
        rng=np.random.default_rng(1),
        indoor=True,
        yaw=0.0,
        faults=False,
    )
    floor = sample.classes == CLASS_NAMES.index("floor")
    points = erp_rays(128, 256) * sample.depth[..., None] + np.array([-1.5, 0, 1.5], np.float32)
    off = np.hypot(points[..., 0], points[..., 2] - 1.5)
    shaded = sample.rgb[floor & (off < 0.25)].mean()
    lit = sample.rgb[floor & (off > 0.9) & (off < 1.3)].mean()
    assert shaded < 0.6 * lit


def test_without_any_surface_all_is_far():
    builder = SceneBuilder(np.random.default_rng(0))
    builder.quad([[50, 1, 50], [51, 1, 50], [51, 1, 51], [50, 1, 51]], GREY, label="road")
    sky = Lighting(GradientSky((0.2, 0.3, 0.9), (0.5, 0.5, 0.9), (0.1, 0.1, 0.1)))
    sample = render(builder, (0, 0, 0), sky, height=32, width=64, rng=np.random.default_rng(0), indoor=False)
    assert sample.far.mean() > 0.99
    assert np.isnan(sample.depth[sample.far]).all()
    assert (sample.classes[sample.far] == CLASS_NAMES.index("sky")).all()
    assert np.isnan(sample.ceiling_height)


def _digest(seed: int) -> str:
    sample = render_world(seed, 64, 128)
    digest = hashlib.sha256()
    for field in fields(sample):
        digest.update(np.asarray(getattr(sample, field.name)).tobytes())
    return digest.hexdigest()


def test_a_seed_gives_the_same_bits_with_any_number_of_workers():
    seeds = range(300, 316)
    here = [_digest(seed) for seed in seeds]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        elsewhere = pool.map(_digest, list(reversed(seeds)), chunksize=3)[::-1]
    assert here == elsewhere
    assert len(set(here)) == 16


@pytest.fixture(scope="module")
def indoor_samples():
    return [render_world(seed, 64, 128, indoor=True) for seed in range(64)]


def test_interiors_are_closed(indoor_samples):
    assert sum(int(sample.far.sum()) for sample in indoor_samples) == 0
    assert all(sample.indoor for sample in indoor_samples)
    assert all(np.isfinite(sample.depth).all() for sample in indoor_samples)


def test_normals_are_unit_and_face_the_camera(indoor_samples):
    rays = erp_rays(64, 128)
    for sample in indoor_samples:
        np.testing.assert_allclose(np.linalg.norm(sample.normals, axis=-1), 1.0, atol=1e-5)
        assert (np.einsum("hwc,hwc->hw", sample.normals, rays) < 1e-6).all()


def test_every_indoor_class_occurs(indoor_samples):
    seen = {int(label) for sample in indoor_samples for label in np.unique(sample.classes)}
    missing = [name for name in INDOOR_CLASSES if CLASS_NAMES.index(name) not in seen]
    assert missing == []


def test_heights_of_camera_and_ceiling_vary_as_planned(indoor_samples):
    camera = np.array([sample.camera_height for sample in indoor_samples])
    ceiling = np.array([sample.ceiling_height for sample in indoor_samples])
    assert camera.min() > 0.3
    assert camera.max() < 2.3
    ratio = (ceiling / camera)[np.isfinite(ceiling)]
    assert len(ratio) > 40
    assert np.percentile(ratio, 10) < 0.8
    assert np.percentile(ratio, 90) > 1.8


def test_an_object_carries_one_label(indoor_samples):
    for sample in indoor_samples:
        for instance in np.unique(sample.instances)[1:]:
            assert len(np.unique(sample.classes[sample.instances == instance])) == 1


def test_a_contact_sheet_shows_every_sample_in_reading_order(indoor_samples):
    sheet = contact_sheet(indoor_samples[:5], 2, gap=2)
    assert sheet.shape == (3 * 64 + 2 * 2, 2 * 128 + 2, 3)
    np.testing.assert_array_equal(sheet[66:130, 130:], indoor_samples[3].rgb)
    large = [
        replace(sample, rgb=np.full((2 * LARGEST, 4 * LARGEST, 3), 40 * n, np.uint8))
        for n, sample in enumerate(indoor_samples[:3])
    ]
    sheet = contact_sheet(iter(large), 2, gap=0)
    assert sheet.shape == (2 * LARGEST, 4 * LARGEST, 3)
    assert sheet[LARGEST:, : 2 * LARGEST].min() == 80
    np.testing.assert_array_equal(contact_sheet(large[1:2], 1), large[1].rgb)
    with pytest.raises(ValueError, match="at least one sample"):
        contact_sheet([], 2)
