"""When a piece of what a dense network saw is taken: what is learned of it, from several pieces of one click."""

import numpy as np
import pytest

from core.segment.piece import CAUTION, NAMES
from core.segment.traits import NAMES as TRAITS
from training.clicks.pieces import Chosen, PieceLesson, fit_rule, with_rule

LIKELY = NAMES.index("likely")


def _chosen(iou=0.4):
    table = np.zeros((2, len(TRAITS)), np.float32)
    table[:, TRAITS.index("object")] = 1
    return Chosen(table, np.zeros(2, np.float32), 0, iou)


def _piece(iou, *, likely):
    own = np.zeros(NAMES.index("like chosen"), np.float32)
    own[LIKELY] = likely
    return PieceLesson(own, np.full((2, 3), 0.5, np.float32), iou, "floor")


@pytest.mark.parametrize(("sure", "likely"), [(0.9, 0.5), (0.5, 0.9), (0.2, 0.1)])
def test_the_piece_that_was_better_before_is_taken_unless_none_was(sure, likely):
    clicks = [[_piece(sure, likely=False), _piece(likely, likely=True)] for _ in range(40)]
    rule = fit_rule([_chosen()] * 40, clicks, np.full(40, 1 / 40), "reader")
    assert rule.reads == "reader"
    best = max(sure, likely)
    assert with_rule(rule, _chosen(), clicks[0]) == (best if best > 0.4 + CAUTION else 0.4)


def test_a_click_counts_once_however_many_pieces_it_lies_in():
    alone = [[_piece(0.9, likely=False)] for _ in range(10)]
    twice = [[_piece(0.1, likely=False)] * 2 for _ in range(10)]
    rule = fit_rule([_chosen()] * 20, alone + twice, np.full(20, 1 / 20), "reader")
    assert rule.bias == pytest.approx((0.5 - 0.3) / 2)


def test_without_a_piece_or_a_rule_what_was_chosen_stays():
    assert fit_rule([_chosen()], [[]], np.ones(1), "reader") is None
    assert with_rule(None, _chosen(0.3), [_piece(1.0, likely=False)]) == 0.3
    rule = fit_rule([_chosen()], [[_piece(1.0, likely=False)]], np.ones(1), "reader")
    assert with_rule(rule, _chosen(0.3), []) == 0.3
