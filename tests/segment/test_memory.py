"""Which views are remembered."""

import numpy as np
import pytest

from core.geometry.sphere import angle_between
from core.segment.memory import Remembered, choose_memories
from core.segment.options import MemoryChoice, SegmentOptions
from core.segment.zigzag import frame_set


def remembered(numbers, prompted=(), fresh=()):
    return [Remembered(n, n in prompted, n in fresh, lambda n=n: f"memory of {n}") for n in numbers]


def chosen(frames, options, number, seen, start=1):
    return choose_memories(frames, number, frames.path(start), seen, options)


@pytest.mark.parametrize("views", [24, 48])
def test_by_angle_the_views_with_the_nearest_axes_are_read(views):
    options = SegmentOptions(views=views, memory=MemoryChoice.ANGLE, memories=6)
    frames = frame_set(options, 64)
    for number in range(views):
        found = chosen(frames, options, number, remembered(range(views)))
        angles = np.sort(angle_between(frames.axes, frames.axes[number]))[1:7]
        np.testing.assert_allclose([frame.angle for frame in found], angles, atol=1e-8)
        assert f"memory of {number}" not in {frame.memory for frame in found}


def test_by_index_the_views_before_and_after_are_read_round_the_closed_path():
    options = SegmentOptions(memory=MemoryChoice.INDEX, memories=4)
    frames = frame_set(options, 64)
    path = frames.path(1)
    found = chosen(frames, options, path[0], remembered(range(24)))
    assert sorted(frame.distance for frame in found) == [-2, -1, 1, 2]
    assert {frame.memory for frame in found} == {f"memory of {path[k]}" for k in (1, 2, -1, -2)}


def test_a_view_that_comes_later_lies_at_a_negative_distance():
    options = SegmentOptions(memories=1)
    frames = frame_set(options, 64)
    path = frames.path(1)
    (frame,) = chosen(frames, options, path[3], remembered([path[5]]))
    assert frame.distance == -2


def test_clicked_views_come_first_and_leave_room_for_others():
    options = SegmentOptions(memories=4)
    frames = frame_set(options, 64)
    far = [n for n in range(24) if angle_between(frames.axes[n], frames.axes[0]) > 1.8]
    found = chosen(frames, options, 0, remembered(range(24), prompted=far[:5]))
    assert [frame.prompted for frame in found] == [True, True, False, False]
    found = chosen(frames, options, 0, remembered(far[:5], prompted=far[:5]))
    assert len(found) == 4


def test_views_seen_since_the_newest_click_are_preferred():
    options = SegmentOptions(memories=2)
    frames = frame_set(options, 64)
    far = max(range(24), key=lambda n: angle_between(frames.axes[n], frames.axes[0]))
    found = chosen(frames, options, 0, remembered(range(24), fresh=[far]))
    assert found[0].memory == f"memory of {far}"


def test_only_chosen_views_are_recalled():
    options = SegmentOptions(memories=3)
    frames = frame_set(options, 64)
    recalled = []

    def recall(n):
        return lambda: recalled.append(n)

    choose_memories(frames, 0, frames.path(0), [Remembered(n, False, False, recall(n)) for n in range(24)], options)
    assert len(recalled) == 3
    assert chosen(frames, SegmentOptions(memories=0), 0, remembered(range(24))) == []


def test_the_choice_turns_with_the_panorama():
    options = SegmentOptions(memories=5)
    frames = frame_set(options, 64)
    seen = remembered([0, 1, 2, 5, 9, 16, 20, 22], prompted=[1])
    turned = remembered([(n + 9) % 24 for n in (0, 1, 2, 5, 9, 16, 20, 22)], prompted=[10])
    first = chosen(frames, options, 4, seen, start=1)
    second = chosen(frames, options, 13, turned, start=10)
    numbers = [(int(frame.memory.split()[-1]) - 9) % 24 for frame in second]
    assert [int(frame.memory.split()[-1]) for frame in first] == numbers
    assert [(frame.distance, frame.angle) for frame in first] == [(frame.distance, frame.angle) for frame in second]
