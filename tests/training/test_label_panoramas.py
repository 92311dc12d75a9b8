"""What teachers say of views comes back onto the sphere: with the oracle, as the world itself."""

import numpy as np
import pytest

from core.errors import PanoError
from core.geometry.sphere import angle_between, erp_rays
from core.models.tiled import DepthKind
from core.prediction import Prediction
from training.labelled import Labelled
from training.labels.label import LabelPlan, label_subject
from training.labels.teachers import ModelTeacher, NetworkTeacher, Oracle, Subject
from training.teachers import WorldTeacher
from training.truths import Truth
from training.worlds.box_room import BoxRoom

HEIGHT = 96
SIZE = HEIGHT, 2 * HEIGHT
ROOM = BoxRoom(low=(-2.0, -1.4, -3.0), high=(2.5, 1.6, 2.2))
BALLS = (((0.2, 0.1, -1.6), 0.5), ((0.2, -1.0, 0.1), 0.4), ((-0.3, 1.2, 0.2), 0.6))
"""Centres and radii: on the seam, over the upper pole and over the lower one."""
NAMES = ("wall", "ball", "sky")
PLAN = LabelPlan(teachers=("oracle",), height=HEIGHT, view_size=96, patch_size=48, seed=4)


def scene(rays):
    """Range, normals and classes along (..., 3) rays: a room with three balls and a window to the sky at the seam."""
    depth, normals = ROOM.depth((0, 0, 0), rays), ROOM.normals((0, 0, 0), rays)
    sky = (ROOM.face((0, 0, 0), rays) == 4) & (np.abs(rays[..., 0] / rays[..., 2] - 0.5) < 0.2) & (rays[..., 1] < 0)
    classes = np.where(sky, 2, 0)
    depth = np.where(sky, np.nan, depth)
    for centre, radius in BALLS:
        along = rays @ np.array(centre)
        root = along**2 - (np.dot(centre, centre) - radius**2)
        hit = (root > 0) & (along > 0)
        there = along - np.sqrt(np.maximum(root, 0))
        depth = np.where(hit, there, depth)
        outward = (rays * there[..., None] - centre) / radius
        normals = np.where(hit[..., None], outward, normals)
        classes = np.where(hit, 1, classes)
    far = classes == 2
    return (
        depth.astype(np.float32),
        np.where(far[..., None], np.nan, normals).astype(np.float32),
        classes.astype(np.int16),
        far,
    )


def world(height):
    depth, normals, classes, far = scene(erp_rays(height, 2 * height).astype(np.float64))
    rgb = np.array([[200, 180, 160], [220, 40, 40], [90, 160, 250]], np.uint8)[classes]
    return Labelled(
        rgb, depth, normals, classes, NAMES, far, is_metric=True, camera_height=1.6, ceiling_height=1.4, indoor=True
    )


def subject(height=2 * HEIGHT, valid=None):
    here = world(height)
    return Subject("room", "5" * 64, here.rgb, valid, here)


def ends(classes, depth, normals, *, wraps):
    """Where one of a picture's pixels differs from the next one to the right or below."""
    inverse = np.nan_to_num(1 / depth)
    edges = np.zeros(classes.shape, bool)
    for axis in (0, 1):
        ahead = [np.roll(values, -1, axis=axis) for values in (classes, inverse, normals)]
        step = (ahead[0] != classes) | (np.abs(ahead[1] - inverse) > 0.08 * np.maximum(ahead[1], inverse))
        step |= np.einsum("hwi,hwi->hw", ahead[2], normals) < 0.9
        if axis == 0 or not wraps:
            step[(-1,) if axis == 0 else (slice(None), -1)] = False
        edges |= step | np.roll(step, 1, axis=axis)
    return edges


def beside_edges(rays, edges, pixel, *, reach=2):
    """Where one of the pixels at which something ends is not farther than some pixels of `pixel` radians."""
    there = rays[edges].astype(np.float32)
    nearest = np.concatenate([(rows.astype(np.float32) @ there.T).max(axis=-1) for rows in rays])
    return nearest.reshape(edges.shape) > np.cos((reach + 0.5) * pixel)


@pytest.fixture(scope="module")
def from_oracle():
    return label_subject(subject(), [Oracle()], PLAN)


@pytest.fixture(scope="module")
def truth():
    return world(HEIGHT)


@pytest.fixture(scope="module")
def clear(truth):
    edges = ends(truth.classes, truth.depth, truth.normals, wraps=True)
    return ~beside_edges(erp_rays(*SIZE), edges, np.pi / HEIGHT)


def places(mask):
    """The whole sphere, the seam and both poles, each as far as it is clear."""
    columns = np.zeros(SIZE, bool)
    columns[:, :3] = columns[:, -3:] = True
    rows = np.arange(HEIGHT)[:, None] + np.zeros(SIZE, int)
    return {"all": mask, "seam": mask & columns, "up": mask & (rows < 3), "down": mask & (rows >= HEIGHT - 3)}


def test_the_oracles_depth_is_the_worlds(from_oracle, truth, clear):
    off = np.abs(from_oracle.depth / truth.depth - 1)
    near = clear & ~truth.far
    for place, mask in places(near).items():
        assert mask.sum() > 50, place
        assert np.isfinite(from_oracle.depth[mask]).all(), place
        assert off[mask].max() < 0.004, place
        assert off[mask].mean() < 0.001, place
    # Where surfaces end, it is one of them and never something between: only there may a teacher's pixel be off.
    steps = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    around = np.stack([np.roll(truth.depth, step, axis=(0, 1)) for step in steps])
    told = ~clear & np.isfinite(from_oracle.depth)
    told[:2] = told[-2:] = False
    nearest = np.nan_to_num(np.abs(around / from_oracle.depth - 1), nan=np.inf).min(axis=0)[told]
    assert told.sum() > 1000
    assert (nearest < 0.05).mean() > 0.95


def test_the_oracles_normals_are_the_worlds(from_oracle, truth, clear):
    angle = np.degrees(angle_between(from_oracle.normals, truth.normals))
    for place, mask in places(clear & ~truth.far).items():
        assert angle[mask].max() < 0.3, place
        assert angle[mask].mean() < 0.1, place
    known = np.isfinite(from_oracle.normals[..., 0])
    np.testing.assert_allclose(np.linalg.norm(from_oracle.normals[known], axis=-1), 1, atol=1e-5)


def test_the_oracles_classes_and_sky_are_the_worlds(from_oracle, truth, clear):
    np.testing.assert_array_equal(from_oracle.classes[clear], truth.classes[clear])
    np.testing.assert_array_equal(from_oracle.far[clear], truth.far[clear])
    assert from_oracle.class_names == NAMES
    assert np.isnan(from_oracle.depth[from_oracle.far]).all()
    assert np.isnan(from_oracle.normals[from_oracle.far]).all()
    assert (from_oracle.classes != truth.classes).mean() < 0.03


def test_views_of_one_truth_agree_but_at_borders(from_oracle, clear, truth):
    near = clear & ~truth.far
    for task in ("depth", "normals", "classes"):
        confidence = getattr(from_oracle, f"{task}_confidence")
        assert confidence.min() >= 0
        assert confidence.max() <= 1
        assert np.quantile(confidence[near], 0.02) > 0.9, task
        assert confidence[~clear].mean() < confidence[near].mean() - 0.01, task


def test_what_is_known_besides_is_handed_on(from_oracle):
    assert (from_oracle.is_metric, from_oracle.indoor) == (True, True)
    assert (from_oracle.camera_height, from_oracle.ceiling_height) == (1.6, 1.4)
    assert from_oracle.origin["sha256"] == "5" * 64
    assert from_oracle.origin["teachers"] == [{"name": "oracle", "sha256": ""}]


def test_single_views_say_what_lies_before_their_cameras(from_oracle):
    patches = from_oracle.patches
    assert len(patches.cameras) == 32
    np.testing.assert_allclose(patches.scales, 1, atol=1e-3)
    for view, camera in enumerate(patches.cameras):
        depth, normals, classes, _ = scene(camera.rays())
        edges = ends(classes, depth, normals, wraps=False)
        beside = beside_edges(camera.rays(), edges, 1 / camera.focal_px)
        beside[:2] = beside[-2:] = beside[:, :2] = beside[:, -2:] = True
        clear = ~beside & (classes != 2)
        # Kept pixels are the nearest of a view with twice as many: half of one of those off.
        np.testing.assert_allclose(patches.depth[view][clear], depth[clear], rtol=0.06)
        assert np.degrees(angle_between(patches.normals[view][clear], normals[clear])).max() < 6
        np.testing.assert_array_equal(patches.classes[view][clear], classes[clear])
        assert np.isnan(patches.depth[view][~beside & (classes == 2)]).all()


def erring(kind, error=0.0):
    here = world(2 * HEIGHT)
    truth = Truth("room", here.rgb, here.depth, here.normals, here.classes, NAMES, here.far, is_metric=True)
    return WorldTeacher(truth, depth_kind=kind, size=96, error=error, seed=2)


@pytest.mark.parametrize("kind", [DepthKind.METRIC, DepthKind.INVERSE])
def test_views_that_each_have_a_scale_of_their_own_are_brought_to_one(kind, truth, clear):
    network = erring(kind)
    if kind is DepthKind.METRIC:
        network = Scaled(network)
    said = label_subject(subject(), [NetworkTeacher("n", "", network)], PLAN)
    ratio = (said.depth / truth.depth)[clear & ~truth.far]
    assert np.quantile(np.abs(ratio / np.median(ratio) - 1), 0.99) < 0.02
    if kind is DepthKind.METRIC:
        np.testing.assert_allclose(
            said.patches.scales * np.exp(np.mean(np.log(network.factors))), network.factors, rtol=0.02
        )
        assert said.is_metric
    else:
        assert not said.is_metric
        assert np.nanmedian(said.depth) == pytest.approx(1, abs=0.02)


class Scaled:
    """A network that measures, but every view by a yardstick of its own."""

    def __init__(self, network):
        self.network = network
        self.factors = []

    def __getattr__(self, name):
        return getattr(self.network, name)

    def __call__(self, tiles, cameras):
        said = self.network(tiles, cameras)
        factors = np.random.default_rng(len(self.factors)).uniform(0.8, 1.25, len(cameras))
        self.factors += factors.tolist()
        return said | {"depth": (said["depth"] * factors[:, None, None]).astype(np.float32)}


def test_confidence_falls_where_views_disagree(from_oracle, clear, truth):
    said = label_subject(subject(), [NetworkTeacher("n", "", erring(DepthKind.METRIC, error=0.2))], PLAN)
    near = clear & ~truth.far
    assert said.depth_confidence[near].mean() < from_oracle.depth_confidence[near].mean() - 0.2
    off = np.abs(np.log(said.depth[near] / truth.depth[near]))
    trusted = said.depth_confidence[near] > np.median(said.depth_confidence[near])
    assert off[trusted].mean() < off[~trusted].mean()


class Whole:
    """A model of whole panoramas that says what the scene is, on a grid of its own."""

    def predict(self, rgb, *, progress):
        here = world(128)
        return Prediction(here.depth, here.normals, None, (), here.far, 1.6, True, "whole")


class Named:
    """A network that names classes alone."""

    name, device, size, batch, depth_kind, class_names = "named", "cpu", 64, 4, None, ("ball", "sky", "wall")

    def __call__(self, tiles, cameras):
        # By colour: what is red is a ball, what is blue the sky.
        red, _, blue = np.moveaxis(tiles.astype(np.float32), -1, 0)
        return {"logits": np.stack([red - blue - 90, blue - red - 90, np.zeros_like(red)], axis=-1)}


def test_each_teacher_gives_what_none_before_it_gave(truth, clear):
    teachers = [ModelTeacher("whole", "12", Whole()), NetworkTeacher("named", "34", Named())]
    said = label_subject(subject(), teachers, PLAN)
    np.testing.assert_allclose(said.depth[clear & ~truth.far], truth.depth[clear & ~truth.far], rtol=0.03)
    among = said.classes_among(NAMES)
    assert (among[clear] == truth.classes[clear]).mean() > 0.995
    # One that looks once agrees with itself, which means nothing.
    assert said.depth_confidence is None
    assert said.normals_confidence is None
    assert said.classes_confidence is not None
    assert [teacher["name"] for teacher in said.origin["teachers"]] == ["whole", "named"]
    assert said.patches.depth.shape[0] == said.patches.classes.shape[0] == 32


def test_the_sky_of_a_network_of_classes_is_far(truth, clear):
    said = label_subject(subject(), [NetworkTeacher("named", "", Named())], PLAN)
    assert said.tasks == ("classes",)
    assert (said.far[clear] == truth.far[clear]).mean() > 0.995


def test_where_a_partial_photograph_saw_nothing_nothing_is_known():
    valid = np.ones((2 * HEIGHT, 4 * HEIGHT), bool)
    valid[-50:] = False
    said = label_subject(subject(valid=valid), [Oracle()], PLAN)
    blind = ~said.valid
    assert blind[-25:].all()
    assert not blind[:-26].any()
    assert np.isnan(said.depth[blind]).all()
    assert (said.classes[blind] == -1).all()
    assert not said.far[blind].any()
    assert not said.depth_confidence[blind].any()
    assert np.isfinite(said.depth[~blind & ~said.far]).mean() > 0.99


def test_a_turned_world_has_turned_labels(from_oracle, truth, clear):
    """The views lie elsewhere on the scene; what is said of it is the same."""
    columns = 37
    here = world(2 * HEIGHT)
    angle = columns / SIZE[1] * 2 * np.pi
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]], np.float32)
    maps = {name: np.roll(getattr(here, name), 2 * columns, axis=1) for name in ("rgb", "depth", "classes", "far")}
    turned = Labelled(**maps, normals=np.roll(here.normals, 2 * columns, axis=1) @ turn.T, class_names=NAMES)
    said = label_subject(Subject("room", "7" * 64, turned.rgb, None, turned), [Oracle()], PLAN)
    back = np.roll(said.depth, -columns, axis=1)
    both = clear & ~truth.far
    np.testing.assert_allclose(back[both], from_oracle.depth[both], rtol=0.005)
    normals = np.roll(said.normals, -columns, axis=1) @ turn
    assert np.degrees(angle_between(normals[both], from_oracle.normals[both])).max() < 0.5


def test_the_oracle_knows_no_photographs():
    with pytest.raises(PanoError, match="oracle"):
        Oracle().expert(Subject("a", "b", np.zeros((8, 16, 3), np.uint8)), size=32)


def test_a_plan_out_of_bounds_is_told():
    for wrong in ({"views": 15}, {"height": 3}, {"patch_size": -1}, {"teachers": ()}):
        with pytest.raises(PanoError, match="Expected"):
            LabelPlan(**wrong)
