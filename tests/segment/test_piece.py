"""A click may mean a whole piece of what a dense network saw: the floor, a wall, the sky."""

import math
from dataclasses import replace

import numpy as np
import pytest
from fake_network import Oracle, band, cap, click, painted
from test_first_mask import SeesRed

from core.mask import SphereMask
from core.panorama import Panorama
from core.segment.features import FeatureStore
from core.segment.first_mask import CentredGuess
from core.segment.merge import SeenView, merge_mask
from core.segment.options import Merge, SegmentOptions
from core.segment.piece import NAMES, PieceRule, likenesses, own_traits, pieces_at
from core.segment.ranking import Ranker
from core.segment.session import SegmentSession
from core.segment.traits import NAMES as TRAITS
from core.segment.updates import Stage

HEIGHT = 128
PLAIN = SegmentOptions(refine=False)
PIECES = {
    "across the seam": (cap(HEIGHT, 175, 5, 40), click(-170, 0)),
    "over the lower pole": (band(HEIGHT, -90, -25), click(100, -40)),
    "around the upper pole": (band(HEIGHT, 20, 50), click(-60, 30)),
}


class Knows:
    """A dense network that sees one class where a mask is, and another one elsewhere; counts how often it is asked."""

    class_names = ("rest", "thing")
    fingerprint = "knows"

    def __init__(self, mask):
        self.mask = mask
        self.asked = 0

    def chances(self, rgb, *, progress):
        self.asked += 1
        return sure_of(self.mask)


def sure_of(mask):
    """Chances of one class where a mask is, and of another one elsewhere."""
    return np.stack([~mask, mask], axis=-1) * np.uint8(255)


def _ranker():
    rng = np.random.default_rng(0)
    shapes = {"mean": (t := len(TRAITS),), "scale": (t,), "inner": (t, 3), "inner_bias": (3,), "opinion": (3, 2),
              "opinion_bias": (2,), "outer": (5, 3), "outer_bias": (3,), "last": (3, 1), "last_bias": (1,)}  # fmt: skip
    return Ranker(**{name: rng.random(shape).astype(np.float32) + np.float32(0.1) for name, shape in shapes.items()})


def _rule(gain):
    """Expects this gain of everything."""
    some = np.ones(len(NAMES) + 1, np.float32)
    return PieceRule(("thing",), 0 * some, some, 0 * some, gain, "reader")


def _session(mask, gain=1.0, *, store=None, red=None):
    dense = Knows(mask)
    panorama = painted(cap(HEIGHT, 0, 0, 1) if red is None else red)
    guess = CentredGuess(SeesRed(), _ranker(), dense=dense, rule=_rule(gain))
    return dense, SegmentSession(Oracle(), panorama, PLAIN, guess=guess, store=store)


@pytest.mark.parametrize("name", PIECES)
def test_a_piece_is_one_wherever_it_lies_and_its_views_hold_all_of_it(name):
    bits, first = PIECES[name]
    other = cap(HEIGHT, 20, 0, 8)
    piece = pieces_at(sure_of(bits | other), ("rest", "thing"), first)[0]
    np.testing.assert_array_equal(piece.bits, bits)
    assert piece.name == "thing"
    assert 0.8 < piece.of_class < 1
    merged = merge_mask([SeenView(*seen) for seen in piece.around()], HEIGHT, 2 * HEIGHT, Merge.MEAN)
    assert SphereMask.pack(merged).iou(SphereMask.pack(bits)) > 0.97
    assert pieces_at(np.zeros((*bits.shape, 2), np.uint8), ("rest", "thing"), first) == []


def test_a_piece_may_be_all_that_is_likely():
    names, inner, ring = ("rest", "thing"), cap(HEIGHT, 170, -20, 20), cap(HEIGHT, 170, -20, 40)
    chances = sure_of(inner)
    chances[ring & ~inner] = (170, 85)
    sure, likely = pieces_at(chances, names, click(175, -20))
    np.testing.assert_array_equal(sure.bits, inner)
    np.testing.assert_array_equal(likely.bits, ring)
    assert (sure.is_likely, likely.is_likely) == (False, True)
    traits = [own_traits(piece, click(175, -20)) for piece in (sure, likely)]
    assert [each[NAMES.index("likely")] for each in traits] == [0, 1]
    # Who clicks beside it means the rest, of which the ring is one.
    assert [piece.name for piece in pieces_at(chances, names, click(-20, 0))] == ["rest"]


@pytest.mark.parametrize(("wanted", "radius"), [(-1, 20), (1, 40)])
def test_the_better_of_two_pieces_is_taken(wanted, radius):
    inner, ring = cap(HEIGHT, 170, -20, 20), cap(HEIGHT, 170, -20, 40)
    some = np.ones(len(NAMES) + 1, np.float32)
    likes = 0 * some
    likes[NAMES.index("likely")] = wanted
    dense, chances = Knows(inner), sure_of(inner)
    chances[ring & ~inner] = (170, 85)
    dense.chances = lambda rgb, *, progress: chances
    rule = PieceRule(("thing",), 0 * some, some, likes, 1.5, "reader")
    guess = CentredGuess(SeesRed(), _ranker(), dense=dense, rule=rule)
    session = SegmentSession(Oracle(), painted(cap(HEIGHT, 0, 0, 1)), PLAIN, guess=guess)
    mask = session.segment([click(175, -20)]).mask
    assert mask.iou(SphereMask.pack(cap(HEIGHT, 170, -20, radius))) > 0.97


def test_what_an_earlier_version_kept_of_a_panorama_is_not_taken_for_chances(tmp_path):
    bits, first = PIECES["across the seam"]
    dense, one = _session(bits, store=FeatureStore(tmp_path))
    one._encoder.kept(dense.fingerprint, lambda: bits.astype(np.int16))
    while one._encoder.write_one():
        pass
    _, later = _session(bits, store=FeatureStore(tmp_path))
    assert later.segment([first]).mask.iou(SphereMask.pack(bits)) > 0.97


def test_a_piece_that_is_turned_has_the_same_traits():
    bits, first = PIECES["across the seam"]
    names, turned = ("rest", "thing"), np.roll(bits, 2 * HEIGHT // 4, axis=1)
    still = own_traits(pieces_at(sure_of(bits), names, first)[0], first)
    there = replace(first, lon=first.lon + math.pi / 2)
    np.testing.assert_allclose(own_traits(pieces_at(sure_of(turned), names, there)[0], there), still, atol=1e-6)
    round_one = own_traits(pieces_at(sure_of(cap(HEIGHT, 0, 0, 30)), names, click(0, 0))[0], click(0, 0))
    assert math.exp(round_one[NAMES.index("depth")]) == pytest.approx(math.radians(30), abs=0.04)
    assert math.exp(2 * round_one[NAMES.index("size")]) == pytest.approx(
        2 * math.pi * (1 - math.cos(math.radians(30))), rel=0.01
    )


@pytest.mark.parametrize("name", PIECES)
def test_a_piece_is_taken_whole_where_it_is_expected_to_be_better(name):
    bits, first = PIECES[name]
    _, one = _session(bits)
    updates = list(one.updates([first]))
    assert updates[0].stage is Stage.FIRST
    assert updates[-1].mask.iou(SphereMask.pack(bits)) > 0.97
    assert not any(update.stage is Stage.VIEW for update in updates)  # nothing is left to be looked for


def test_where_nothing_is_gained_the_mask_is_that_without_pieces():
    bits, first = PIECES["across the seam"]
    red = cap(HEIGHT, -170, 0, 12)
    dense, one = _session(bits, gain=0.0, red=red)
    plain = CentredGuess(SeesRed(), _ranker())
    without = SegmentSession(Oracle(), painted(red), PLAIN, guess=plain)
    assert one.segment([first]).mask.same_as(without.segment([first]).mask)
    assert dense.asked == 1
    nobody = CentredGuess(SeesRed(), None, dense=dense, rule=_rule(1.0))
    assert nobody.whole_key == ""


def test_the_panorama_is_read_once_and_what_was_read_ahead_or_earlier_says_the_same(tmp_path):
    bits, first = PIECES["over the lower pole"]
    dense, ahead = _session(bits, store=FeatureStore(tmp_path))
    while ahead.encode_next():
        pass
    assert dense.asked == 1
    found = ahead.segment([first])
    assert dense.asked == 1
    again, later = _session(bits, store=FeatureStore(tmp_path))
    assert later.segment([first]).mask.same_as(found.mask)
    assert again.asked == 0
    late, cold = _session(bits)
    assert cold.segment([first]).mask.same_as(found.mask)
    cold.segment([click(-20, -60)])
    assert late.asked == 1
    assert cold.timings.whole < cold.timings.total


def test_a_piece_ends_where_a_partial_panorama_does():
    bits, first = PIECES["around the upper pole"]
    valid = np.ones_like(bits)
    valid[:, :50] = False
    panorama = replace(painted(cap(HEIGHT, 0, 0, 1)), valid=valid)
    guess = CentredGuess(SeesRed(), _ranker(), dense=Knows(bits), rule=_rule(1.0))
    session = SegmentSession(Oracle(), panorama, PLAIN, guess=guess)
    mask = session.segment([first]).mask
    assert mask.iou(SphereMask.pack(bits & valid)) > 0.97
    piece = next(iter(session._guesses.values())).result.piece
    np.testing.assert_array_equal(piece.bits, bits & valid)


def test_after_another_photograph_the_first_one_is_neither_read_again_nor_wider_than_it_was():
    bits, first = PIECES["around the upper pole"]
    valid = np.ones_like(bits)
    valid[:, :50] = False
    dense = Knows(bits)
    guess = CentredGuess(SeesRed(), _ranker(), dense=dense, rule=_rule(1.0))
    photo = painted(cap(HEIGHT, 0, 0, 1))
    one = SegmentSession(Oracle(), replace(photo, valid=valid), PLAIN, guess=guess)
    other = SegmentSession(Oracle(), painted(cap(HEIGHT, 90, 0, 1)), PLAIN, guess=guess)
    one.segment([first])
    other.segment([first])
    one.segment([click(-20, 40)])
    assert dense.asked == 2
    piece = next(reversed(one._guesses.values())).result.piece
    np.testing.assert_array_equal(piece.bits, bits & valid)


def test_another_photograph_has_pieces_of_its_own():
    bits, first = PIECES["over the lower pole"]
    dense, one = _session(bits)
    one.segment([first])
    guess = one._guess
    dense.mask = cap(HEIGHT, 100, -40, 20)
    other = SegmentSession(Oracle(), Panorama(one.panorama.rgb // 2), PLAIN, guess=guess)
    assert other.segment([first]).mask.iou(SphereMask.pack(dense.mask)) > 0.9


def test_a_correction_far_from_the_first_click_asks_the_views_there():
    floor, column = band(HEIGHT, -90, -10), cap(HEIGHT, -90, -35, 15)
    network_sees = floor & ~column
    dense, _ = _session(floor)
    guess = CentredGuess(SeesRed(), _ranker(), dense=dense, rule=_rule(1.0))
    one = SegmentSession(Oracle(), painted(network_sees), PLAIN, guess=guess)
    first = one.segment([click(90, -40)])
    assert first.mask.contains(math.radians(-90), math.radians(-35))
    second = one.segment([click(90, -40), click(-90, -35, positive=False)])
    assert not second.mask.contains(math.radians(-90), math.radians(-30))
    assert second.mask.iou(SphereMask.pack(network_sees)) > 0.9


def test_likenesses_are_shares_of_what_views_show():
    bits = cap(HEIGHT, 0, 0, 30)
    piece = pieces_at(sure_of(bits), ("rest", "thing"), click(0, 0))[0]
    camera = piece.around()[0][0]
    inside = piece.seen_by(camera) > 0
    half = inside.copy()
    half[:, : len(half) // 2] = False
    made = [_candidate(mask) for mask in (inside, half, np.ones_like(inside))]
    said = likenesses(piece, [camera], made)
    np.testing.assert_allclose(said[0], [1, 1, 1], atol=0.02)
    np.testing.assert_allclose(said[1], [0.5, 1, 0.5], atol=0.03)
    assert said[2, 2] == pytest.approx(1)
    assert said[2, 0] == pytest.approx(said[2, 1])


def _candidate(inside):
    from core.segment.candidates import Candidate, Method

    return Candidate(0, Method.OBJECT, inside.astype(np.float32) - 0.5, inside)
