"""What is told of the masks that a click may mean, and how one of them is chosen by it."""

import json
import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelUnavailable
from core.geometry.camera import pixel_solid_angles
from core.scene import Click
from core.segment.candidates import OBJECT, UNCOLORED, Candidate, Method, color_masks, propose
from core.segment.first_mask import CentredGuess
from core.segment.looks import cameras_around_click, shared_areas
from core.segment.network import ViewAnswer
from core.segment.piece import NAMES as PIECE_NAMES
from core.segment.piece import PieceRule
from core.segment.ranking import Ranker, ranking_text, read_ranking
from core.segment.traits import GRID, NAMES, traits

SIZE = 64
CAMERAS = cameras_around_click(Click(0.4, 0.1), SIZE)
HERE = "a" * 64


def _ranker(hidden=3, opinions=2, seed=0):
    rng = np.random.default_rng(seed)
    count = len(NAMES)
    shapes = {
        "mean": (count,), "scale": (count,), "inner": (count, hidden), "inner_bias": (hidden,),
        "opinion": (hidden, opinions), "opinion_bias": (opinions,), "outer": (hidden + opinions, hidden),
        "outer_bias": (hidden,), "last": (hidden, 1), "last_bias": (1,),
    }  # fmt: skip
    weights = {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    return Ranker(**{**weights, "scale": np.abs(weights["scale"]) + np.float32(0.5)})


def _prefers(name, sign=1.0):
    """A ranker that looks at one trait alone, and wants it large."""
    weights = {field.name: np.zeros_like(getattr(_ranker(), field.name)) for field in fields(Ranker)}
    weights["scale"] += 1
    weights["inner"][NAMES.index(name), 0] = sign
    weights["inner_bias"][0] = 50
    weights["outer"][0, 0] = weights["last"][0, 0] = 1
    weights["last_bias"][0] = -50
    return Ranker(**weights)


def _disk(radius, size=GRID, row=None, col=None):
    v, u = np.ogrid[:size, :size]
    middle = size / 2
    return np.hypot(v + 0.5 - (row or middle), u + 0.5 - (col or middle)) < radius


def _answers(rng):
    return [
        ViewAnswer(rng.normal(0, 3, (3, SIZE // 2, SIZE // 2)).astype(np.float32), rng.random(3, np.float32), 1.0, 1)
        for _ in CAMERAS
    ]


def _table(masks, views, answers, methods=None):
    of = [k % len(CAMERAS) for k in range(len(masks))]
    methods = methods or [Method(k % 4) for k in range(len(masks))]
    found = [
        Candidate(view, method, np.where(mask, 2, -2).astype(np.float32), mask)
        for view, method, mask in zip(of, methods, masks, strict=True)
    ]
    shared = shared_areas([CAMERAS[view] for view in of], masks)
    table = traits(CAMERAS, views, answers, found, shared)
    return table, shared


def _views(rng):
    return rng.integers(0, 256, (len(CAMERAS), SIZE, SIZE, 3)).astype(np.uint8)


def _trait(table, name):
    return table[:, NAMES.index(name)]


def test_a_round_mask_in_the_middle_has_the_traits_of_a_disk():
    rng = np.random.default_rng(0)
    table, _ = _table([_disk(10)] * 3, _views(rng), _answers(rng))
    np.testing.assert_allclose(_trait(table, "off centre"), 0, atol=1e-6)
    np.testing.assert_allclose(_trait(table, "depth"), 1 / math.sqrt(math.pi), rtol=0.05)
    np.testing.assert_allclose(_trait(table, "ragged"), 0, atol=0.05)
    np.testing.assert_allclose(_trait(table, "reach"), 10 / 32, atol=0.03)
    np.testing.assert_array_equal(_trait(table, "cut off"), 0)
    np.testing.assert_array_equal(_trait(table, "holes"), 0)
    solid = [math.log((pixel_solid_angles(GRID, camera.fov_x) * _disk(10)).sum()) / 2 for camera in CAMERAS[:3]]
    np.testing.assert_allclose(_trait(table, "area"), solid, rtol=1e-5)


def test_rings_have_holes_and_halves_are_cut_off():
    rng = np.random.default_rng(0)
    ring = _disk(12) & ~_disk(6)
    half = np.zeros((GRID, GRID), bool)
    half[20:] = True
    table, _ = _table([ring, half], _views(rng), _answers(rng))
    assert _trait(table, "holes")[0] == pytest.approx(_disk(6).sum() / ring.sum())
    assert _trait(table, "depth")[0] < 0.05
    assert _trait(table, "holes")[1] == 0
    assert _trait(table, "sides")[1] == 0.75
    assert _trait(table, "cut off")[1] == pytest.approx((44 + 44 + 64) / 256)


def test_what_is_set_apart_by_colour_and_edges_shows_it():
    rng = np.random.default_rng(0)
    views = np.full((len(CAMERAS), SIZE, SIZE, 3), 90, np.uint8)
    views[:, _disk(12)] = (200, 60, 60)
    right, _ = _table([_disk(12)], views, _answers(rng))
    wrong, _ = _table([_disk(20)], views, _answers(rng))
    for name in ("apart", "edge", "edged"):
        assert _trait(right, name)[0] > _trait(wrong, name)[0]
    for name in ("like around", "like outside", "calm", "uniform"):
        assert _trait(right, name)[0] < _trait(wrong, name)[0]


def test_what_others_say_too_is_agreed_on():
    rng = np.random.default_rng(0)
    table, shared = _table([_disk(4), np.ones((GRID, GRID), bool), _disk(4), _disk(4)], _views(rng), _answers(rng))
    assert shared[0, 1] == pytest.approx(shared[0, 0])
    assert _trait(table, "is held")[0] > _trait(table, "is held")[1]
    assert _trait(table, "holds")[0] < _trait(table, "holds")[1]
    assert _trait(table, "rank")[1] > _trait(table, "rank")[0]


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3), st.booleans())
def test_traits_do_not_depend_on_how_the_picture_is_turned(seed, quarters, mirrored):
    rng = np.random.default_rng(seed)
    masks = [rng.random((GRID, GRID)) < share for share in (0, 0.02, 0.3, 0.9, 1)]
    views, answers = _views(rng), _answers(rng)

    def turned(picture, axes):
        image = np.flip(picture, axes[1]) if mirrored else picture
        return np.ascontiguousarray(np.rot90(image, quarters, axes))

    plain, shared = _table(masks, views, answers)
    others = [replace(answer, logits=turned(answer.logits, (1, 2))) for answer in answers]
    of = [k % len(CAMERAS) for k in range(len(masks))]
    found = [
        Candidate(view, Method(k % 4), np.where(mask, 2, -2).astype(np.float32), mask)
        for k, (view, mask) in enumerate(zip(of, [turned(mask, (0, 1)) for mask in masks], strict=True))
    ]
    again = traits(CAMERAS, turned(views, (1, 2)), others, found, shared)
    assert plain.shape == (5, len(NAMES))
    assert plain.dtype == np.float32
    assert np.isfinite(plain).all()
    np.testing.assert_allclose(again, plain, rtol=1e-3, atol=1e-3)


@given(st.integers(0, 2**32 - 1))
def test_scores_do_not_depend_on_the_order(seed):
    rng = np.random.default_rng(seed)
    table = rng.normal(0, 1, (6, len(NAMES))).astype(np.float32)
    shared = rng.random((6, 6)).astype(np.float32)
    shared = (shared + shared.T) / 2
    order = rng.permutation(6)
    ranker = _ranker(seed=seed % 7)
    scores = ranker.scores(table, shared)
    assert scores.shape == (6,)
    np.testing.assert_allclose(ranker.scores(table[order], shared[np.ix_(order, order)]), scores[order], atol=1e-4)


def test_one_that_agrees_with_the_opinions_gains_by_it():
    ranker = _ranker()
    outer = np.zeros_like(ranker.outer)
    outer[3:, 0] = 1
    last = np.array([[1], [0], [0]], np.float32)
    ranker = replace(ranker, outer=outer, outer_bias=np.zeros(3, np.float32), last=last)
    table = np.zeros((3, len(NAMES)), np.float32)
    shared = np.array([[1, 0.8, 0], [0.8, 1, 0], [0, 0, 1]], np.float32)
    scores = ranker.scores(table, shared)
    assert scores[0] == pytest.approx(scores[1])
    assert scores[0] > scores[2]


def test_the_mean_of_rankers_says_the_mean_of_what_they_say():
    rng = np.random.default_rng(0)
    table = rng.normal(0, 1, (5, len(NAMES))).astype(np.float32)
    shared = rng.random((5, 5)).astype(np.float32)
    first = _ranker()
    rankers = [first, *(replace(_ranker(seed=k), mean=first.mean, scale=first.scale) for k in (1, 2))]
    together = Ranker.mean_of(rankers)
    expected = np.mean([each.scores(table, shared) for each in rankers], axis=0)
    np.testing.assert_allclose(together.scores(table, shared), expected, atol=1e-4)


def test_between_alike_scores_what_most_share_is_chosen():
    shared = np.array([[1, 0.6, 0.6, 0], [0.6, 1, 0.6, 0], [0.6, 0.6, 1, 0], [0, 0, 0, 1]], np.float32)
    ranker = _ranker()
    alike = ranker.expected(np.array([0.5, 0.6, 0.5, 0.7], np.float32), shared)
    assert np.argmax(alike) == 1
    assert 0 < alike.min() <= alike.max() <= 1
    clear = ranker.expected(np.array([0.5, 0.6, 0.5, 3.0], np.float32), shared)
    assert np.argmax(clear) == 3


def test_a_ranking_is_read_as_it_was_written(tmp_path):
    ranker, path = _ranker(), tmp_path / "ranking.json"
    path.write_text(ranking_text(ranker, HERE))
    again, rule = read_ranking(path, HERE)
    assert rule is None
    for field in fields(Ranker):
        np.testing.assert_allclose(getattr(again, field.name), getattr(ranker, field.name), atol=1e-6)


def test_a_rule_for_pieces_is_read_as_it_was_written(tmp_path):
    rng, path, names = np.random.default_rng(0), tmp_path / "ranking.json", ("wall", "floor")
    mean, scale, weights = rng.random((3, len(PIECE_NAMES) + 2)).astype(np.float32) + 0.1
    path.write_text(ranking_text(_ranker(), HERE, PieceRule(names, mean, scale, weights, -0.25, "reader-1")))
    _, rule = read_ranking(path, HERE)
    traits = rng.random(len(PIECE_NAMES)).astype(np.float32)
    for number, name in enumerate((*names, "never heard of")):
        kinds = np.eye(2, dtype=np.float32)[number] if number < 2 else np.zeros(2, np.float32)
        expected = (np.concatenate([traits, kinds]) - mean) / scale @ weights - 0.25
        assert rule.gain(traits, name) == pytest.approx(expected, abs=1e-4)
    assert rule.reads == "reader-1"


def test_without_a_file_there_is_no_ranking(tmp_path):
    assert read_ranking(tmp_path / "ranking.json", HERE) is None


def _spoiled(change):
    stored = json.loads(ranking_text(_ranker(), HERE))
    change(stored)
    return json.dumps(stored)


_ONE_CLASS = {
    "traits": list(PIECE_NAMES),
    "class_names": ["wall"],
    "reads": "reader-1",
    **{name: [1.0] * (len(PIECE_NAMES) + 1) for name in ("mean", "scale", "weights")},
    "bias": 0.0,
}


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", "null", "[" * 100_000,
        _spoiled(lambda stored: stored.pop("weights")),
        _spoiled(lambda stored: stored.update(network="b" * 64)),
        _spoiled(lambda stored: stored.update(traits=list(NAMES)[:-1])),
        _spoiled(lambda stored: stored["weights"].pop("last")),
        _spoiled(lambda stored: stored["weights"].update(last=[[1.0]])),
        _spoiled(lambda stored: stored["weights"].update(last="text")),
        _spoiled(lambda stored: stored["weights"].update(last=[[1.0], [2.0, 3.0]])),
        _spoiled(lambda stored: stored["weights"].update(last_bias=[float("nan")])),
        _spoiled(lambda stored: stored["weights"].update(scale=[0.0] * len(NAMES))),
        _spoiled(lambda stored: stored.update(piece=[])),
        _spoiled(lambda stored: stored.update(piece={"traits": list(PIECE_NAMES)})),
        _spoiled(lambda stored: stored.update(piece=_ONE_CLASS | {"weights": [0.0]})),
        _spoiled(lambda stored: stored.update(piece=_ONE_CLASS | {"bias": float("inf")})),
        _spoiled(lambda stored: stored.update(piece=_ONE_CLASS | {"traits": []})),
    ],
    ids=range(19),
)  # fmt: skip
def test_a_ranking_of_other_weights_or_a_broken_one_is_refused(tmp_path, text):
    path = tmp_path / "ranking.json"
    path.write_text(text)
    with pytest.raises(ModelUnavailable, match=r"Expected the ranking .*ranking\.json$"):
        read_ranking(path, HERE)


class SaysTheSame:
    """A network that answers with a disk of one share of every view."""

    centred_size = SIZE

    def encode_views(self, views, fovs, *, centred):
        half = views.shape[1] // 2
        return (np.zeros((len(views), half, half), np.float32),)

    def decode_views(self, features, prompts):
        size = features[0].shape[-1]
        logits = np.where(_disk(size / 4, size), 3, -3).astype(np.float32)
        return [ViewAnswer(np.stack([logits] * 3), np.full(3, 0.5, np.float32), 1.0, OBJECT) for _ in prompts]


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 255, (128, 256, 3)).astype(np.uint8)


@pytest.mark.parametrize(("sign", "chosen"), [(1, -1), (-1, 0)])
def test_the_ranker_decides_which_view_is_believed(photo, sign, chosen):
    guess = CentredGuess(SaysTheSame(), _prefers("fov", sign))
    result = guess.guess(photo, [Click(0.4, 0.1)], None, None)
    assert result.cameras[1].fov_x == CAMERAS[chosen].fov_x
    expected = 1 / (1 + math.exp(-sign * math.log(CAMERAS[chosen].fov_x)))
    assert result.quality[OBJECT] == pytest.approx(expected, abs=1e-3)
    assert result.quality[0] == 0.5


def test_candidates_come_from_every_view_by_every_method():
    rng = np.random.default_rng(0)
    views, answers, click = _views(rng), _answers(rng), Click(0.4, 0.1)
    colored = color_masks(CAMERAS, views, click)
    assert colored.shape == (len(CAMERAS), SIZE, SIZE)
    found = propose(CAMERAS, views, answers, [click], None, colored)
    expected = {(k, m) for k in range(len(CAMERAS)) for m in Method} - {(UNCOLORED, Method.COLOR)}
    assert {(each.view, each.method) for each in found} == expected
    assert len(found) == len(expected)
    for each in found:
        assert not (each.inside & (each.logits <= 0)).any()
    alone = propose(CAMERAS[:1], views[:1], answers[:1], [click], None, None)
    assert [(each.view, each.method) for each in alone] == [(0, Method.OBJECT)]
