import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.segment.contrast import border_costs, neighbours_of, number_pixels
from core.segment.min_cut import OFFSETS, STEPS, smallest_cut


def _graph(height, width, seed, *, share=0.8):
    """Random favour and costs on a grid some of whose pixels are missing."""
    rng = np.random.default_rng(seed)
    nodes = rng.random((height, width)) < 0.85
    nodes[0, 0] = True
    neighbours = neighbours_of(number_pixels(nodes))
    costs = np.zeros(neighbours.shape, np.float32)
    for k in range(4, 8):
        here = np.flatnonzero(neighbours[:, k] >= 0)
        there = neighbours[here, k]
        value = rng.random(len(here)) * 2 * (rng.random(len(here)) < share)
        costs[here, k] = costs[there, 7 - k] = value
    favour = rng.normal(0, 2, len(neighbours)) * (rng.random(len(neighbours)) < 0.7)
    return favour.astype(np.float32), neighbours, costs


def _counted(values):
    return np.rint(values * STEPS) / STEPS


def _price(inside, favour, neighbours, costs):
    here, k = np.nonzero(neighbours >= 0)
    parted = inside[here] != inside[neighbours[here, k]]
    return _counted(costs[here, k][parted]).sum() / 2 - _counted(favour[inside]).sum()


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 10_000))
def test_no_other_choice_of_pixels_is_cheaper(height, width, seed):
    favour, neighbours, costs = _graph(height, width, seed)
    count = len(favour)
    choices = (np.arange(1 << count)[:, None] >> np.arange(count)) & 1 == 1
    here, k = np.nonzero(neighbours >= 0)
    parted = choices[:, here] != choices[:, neighbours[here, k]]
    prices = parted @ _counted(costs[here, k]) / 2 - choices @ _counted(favour)
    found = _price(smallest_cut(favour, neighbours, costs), favour, neighbours, costs)
    assert found == pytest.approx(prices.min(), abs=1e-6)


@given(st.integers(8, 24), st.integers(8, 24), st.integers(0, 10_000))
def test_no_single_pixel_and_no_block_can_be_turned_over_at_a_gain(height, width, seed):
    favour, neighbours, costs = _graph(height, width, seed)
    inside = smallest_cut(favour, neighbours, costs)
    price = _price(inside, favour, neighbours, costs)
    rng = np.random.default_rng(seed)
    for _ in range(10):
        other = inside.copy()
        start = rng.integers(len(inside))
        other[start : start + rng.integers(1, 30)] ^= True
        assert _price(other, favour, neighbours, costs) >= price - 1e-6


def test_without_borders_every_pixel_follows_its_favour():
    favour = np.array([1.0, -1.0, 0.5, 0.0], np.float32)
    neighbours = np.full((4, 8), -1, np.int32)
    np.testing.assert_array_equal(smallest_cut(favour, neighbours, np.zeros((4, 8))), [True, False, True, False])


def test_a_strong_border_binds_a_doubtful_pixel_to_its_neighbour():
    favour = np.array([3.0, -1.0], np.float32)
    neighbours = np.full((2, 8), -1, np.int32)
    neighbours[0, 4], neighbours[1, 3] = 1, 0
    costs = np.where(neighbours >= 0, 1.5, 0.0)
    assert smallest_cut(favour, neighbours, costs).tolist() == [True, True]
    assert smallest_cut(favour, neighbours, costs / 2).tolist() == [True, False]


def test_arrays_that_do_not_fit_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match=r"\(n, 8\)"):
        smallest_cut(np.zeros(3, np.float32), np.zeros((4, 8), np.int32), np.zeros((4, 8)))


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000))
def test_the_way_back_from_a_neighbour_is_the_opposite_one(height, width, seed):
    nodes = np.random.default_rng(seed).random((height, width)) < 0.7
    neighbours = neighbours_of(number_pixels(nodes))
    places = np.argwhere(nodes)
    for here, k in np.argwhere(neighbours >= 0):
        there = neighbours[here, k]
        assert neighbours[there, 7 - k] == here
        np.testing.assert_array_equal(places[there] - places[here], OFFSETS[k])


def test_costs_are_the_same_both_ways_and_low_across_an_edge():
    rgb = np.zeros((12, 12, 3), np.uint8)
    rgb[:, 6:] = 200
    index = number_pixels(np.ones((12, 12), bool))
    costs = border_costs(rgb, index, contrast=8.0, floor=0.05)
    neighbours = neighbours_of(index)
    for here, k in np.argwhere(neighbours >= 0):
        assert costs[here, k] == costs[neighbours[here, k], 7 - k]
    assert (costs[neighbours < 0] == 0).all()
    grid = costs.reshape(12, 12, 8)
    assert grid[5, 2, 4] == pytest.approx(8.0)
    assert grid[5, 2, 7] == pytest.approx(8.0 / np.sqrt(2))
    assert grid[5, 5, 4] < 0.1 * 8.0
    assert grid[5, 5, 4] >= 0.05 * 8.0


def test_costs_of_chosen_pixels_are_those_of_all_when_the_others_tell_nothing():
    rgb = np.full((6, 6, 3), 90, np.uint8)
    nodes = np.zeros((6, 6), bool)
    nodes[2:4, 1:5] = True
    costs = border_costs(rgb, number_pixels(nodes), contrast=2.0, floor=0.0)
    assert costs.shape == (8, 8)
    assert set(np.round(np.unique(costs), 5)) == {0.0, 2.0, np.float32(round(2 / np.sqrt(2), 5))}
