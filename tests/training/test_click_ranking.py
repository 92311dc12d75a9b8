"""Clicks with right answers, and what is learned from them about which first mask is meant."""

import numpy as np
import pytest
import torch
from click_makers import disc_and_square, made_world

from core.errors import ModelUnavailable, PanoError
from core.geometry.camera import pixel_solid_angles
from core.geometry.sphere import lonlat_to_erp, solid_angle
from core.models.click_s import RANKING, ClickS, ClickSConfig
from core.scene import Click
from core.segment.looks import FOVS_DEG, cameras_around_click
from core.segment.traits import NAMES
from training.clicks.harvest import WorldRegions
from training.clicks.ranking import (
    Lessons,
    _RankingNet,
    forget_old_ranking,
    judge_ranking,
    learn_ranking,
    teach,
)
from training.clicks.ranking_tasks import (
    LARGE,
    Kind,
    RankingTask,
    TaskPlan,
    read_tasks,
    task_file,
    task_photo,
    write_photo_tasks,
    write_world_tasks,
)
from training.config import RankConfig
from training.export_model import write_weights
from training.pictures import write_picture
from training.worlds.sample import write_sample

PLAN = TaskPlan(per_photo=2, per_world=2, large=1, size=64)
VIEWS = len(FOVS_DEG)


@pytest.fixture(scope="module")
def world_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("worlds") / "00000001.npz"
    write_sample(made_world(), path)
    return path


@pytest.fixture(scope="module")
def photo_file(tmp_path_factory):
    disc, _, _ = disc_and_square()
    path = tmp_path_factory.mktemp("photos") / "scene.png"
    write_picture(np.tile(np.tile(disc, (2, 2, 1)), (1, 2, 1)), path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    config = ClickSConfig(view_size=64, centred_size=64)
    return write_weights(config.build().eval(), config, tmp_path_factory.mktemp("weights") / "click_s.safetensors")


def _world_tasks(world_file, out):
    write_world_tasks([world_file], out, PLAN)
    return read_tasks(task_file(out, world_file))


def test_clicks_in_a_world_lie_in_what_is_right(world_file, tmp_path):
    regions = WorldRegions(made_world())
    tasks = _world_tasks(world_file, tmp_path)
    assert len(tasks) == PLAN.per_world + PLAN.large
    assert tasks[-1].whole >= LARGE
    for task in tasks:
        assert task.truth.shape == task.colored.shape == (VIEWS, 64, 64)
        u, v = lonlat_to_erp(task.click.lon, task.click.lat, *regions.leaves.shape)
        mask = regions.leaves == regions.leaves[int(v), int(u)]
        assert task.kind == (Kind.THING if made_world().instances[int(v), int(u)] else Kind.STRUCTURE)
        assert task.whole == pytest.approx((mask * solid_angle(*mask.shape)).sum())
        assert task.truth[:, 31:33, 31:33].any(axis=(1, 2)).all()


def test_clicks_in_a_photograph_mean_regions_that_are_seen_whole(photo_file, tmp_path):
    write_photo_tasks([photo_file], tmp_path, PLAN)
    tasks = read_tasks(task_file(tmp_path, photo_file))
    assert tasks
    for task in tasks:
        assert task.kind == Kind.REGION
        assert task.truth[:, 31:33, 31:33].any(axis=(1, 2)).all()
        camera = cameras_around_click(task.click, 64)[0]
        # The narrowest view shows it best; an object may go on beyond it.
        assert (task.truth[0] * pixel_solid_angles(64, camera.fov_x)).sum() <= 1.1 * task.whole


def test_clicks_that_are_there_are_kept_and_others_come_out_the_same(world_file, tmp_path):
    first = _world_tasks(world_file, tmp_path / "a")
    path = task_file(tmp_path / "a", world_file)
    before = path.stat().st_mtime_ns
    _world_tasks(world_file, tmp_path / "a")
    assert path.stat().st_mtime_ns == before
    again = _world_tasks(world_file, tmp_path / "b")
    assert [task.click for task in again] == [task.click for task in first]
    np.testing.assert_array_equal(np.stack([task.truth for task in again]), np.stack([task.truth for task in first]))


def test_a_broken_file_of_clicks_is_named(tmp_path):
    path = tmp_path / "world-1.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(PanoError, match=r"remove it: .*world-1\.npz$"):
        read_tasks(path)


def test_a_photograph_is_developed_as_it_was_for_its_clicks(photo_file, world_file):
    for path in (photo_file, world_file):
        np.testing.assert_array_equal(task_photo(path, PLAN), task_photo(path, PLAN))


def test_answers_are_judged_on_the_sphere():
    camera = cameras_around_click(Click(0, 0), 64)[3]
    areas = pixel_solid_angles(64, camera.fov_x)[None]
    truth = np.zeros((1, 64, 64), bool)
    truth[0, 16:48, 16:48] = True
    task = RankingTask(Click(0, 0), Kind.THING, truth, truth, float((truth * areas).sum()))
    half = truth.copy()
    half[0, :32] = False
    masks = np.concatenate([truth, np.zeros_like(truth), half, np.ones_like(truth)])
    ious = task.ious(masks, np.zeros(4, np.int64), areas)
    np.testing.assert_allclose(ious, [1, 0, 0.5, task.whole / areas.sum()], rtol=1e-3)
    # What lies beyond the view is missing.
    wider = RankingTask(Click(0, 0), Kind.THING, truth, truth, 2 * task.whole)
    assert wider.ious(truth, np.zeros(1, np.int64), areas)[0] == pytest.approx(0.5, rel=1e-3)


def _made_lessons(count=300, candidates=6, seed=0):
    """The third trait says how good a candidate is, and the others say nothing."""
    rng = np.random.default_rng(seed)
    table = rng.normal(0, 1, (count, candidates, len(NAMES))).astype(np.float32)
    ious = (1 / (1 + np.exp(-2 * table[..., 2]))).astype(np.float32)
    shared = np.broadcast_to(np.eye(candidates, dtype=np.float32), (count, candidates, candidates)).copy()
    return Lessons(table, shared, ious, rng.integers(0, 3, count), rng.random(count), rng.random(count) < 0.2)


def test_what_tells_right_from_wrong_is_learned():
    lessons = _made_lessons()
    ranker = teach(lessons.only(~lessons.held_out), steps=120)
    scores = judge_ranking(ranker, lessons.only(lessons.held_out))
    assert len(scores) == len(Kind)
    assert sum(score.clicks for score in scores) == lessons.held_out.sum()
    for score in scores:
        assert score.learned > 0.9 * score.best
        assert score.learned > score.voted + 0.1


def test_the_same_lessons_teach_the_same():
    lessons = _made_lessons(60)
    first, second = (teach(lessons, steps=8, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.inner, second.inner)
    assert not np.array_equal(first.inner, teach(lessons, steps=8, seed=4).inner)


def test_the_ranker_computes_what_was_taught():
    lessons = _made_lessons(4)
    torch.manual_seed(1)
    network = _RankingNet(torch.randn(len(NAMES)), torch.rand(len(NAMES)) + 0.5).eval()
    with torch.inference_mode():
        expected = network(torch.from_numpy(lessons.traits), torch.from_numpy(lessons.overlaps)).numpy()
    ranker = network.ranker()
    for n in range(4):
        np.testing.assert_allclose(ranker.scores(lessons.traits[n], lessons.overlaps[n]), expected[n], atol=1e-4)


def test_nothing_is_learned_from_nothing():
    lessons = _made_lessons(4)
    with pytest.raises(PanoError, match="Expected clicks"):
        teach(lessons.only(np.zeros(4, bool)), steps=1)


def test_a_ranking_is_learned_and_belongs_to_its_weights(weights, world_file, photo_file, tmp_path):
    config = RankConfig(tasks=tmp_path / "tasks", per_photo=2, per_world=2, steps=5)
    told = []
    path, scores = learn_ranking(
        weights, [photo_file], [world_file], config, progress=lambda done, total: told.append((done, total))
    )
    assert path == weights.with_name(RANKING.format("click_s"))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert all(0 <= score.learned <= score.best <= 1 for score in scores)
    network = ClickS(weights, device="cpu")
    result = network.guess(task_photo(world_file, PLAN), [Click(0.2, 0.0)], None, None)
    assert 0 < result.quality[1] < 1
    forget_old_ranking(weights)
    assert path.exists()
    torch.manual_seed(1)
    config_of_network = network.config
    write_weights(config_of_network.build().eval(), config_of_network, weights)
    with pytest.raises(ModelUnavailable, match="other weights"):
        ClickS(weights, device="cpu")
    ClickS(weights, device="cpu", ranked=False)
    forget_old_ranking(weights)
    assert not path.exists()
    ClickS(weights, device="cpu")


def test_pieces_alone_are_learned_only_beside_a_ranking(weights, photo_file, tmp_path):
    alone = tmp_path / "click_s.safetensors"
    alone.write_bytes(weights.read_bytes())
    config = RankConfig(tasks=tmp_path / "tasks", pieces_only=True)
    with pytest.raises(PanoError, match=r"Expected a ranking .*click_s_ranking\.json$"):
        learn_ranking(alone, [photo_file], [], config)
