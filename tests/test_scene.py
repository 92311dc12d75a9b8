import numpy as np
import pytest

from core.mask import SphereMask
from core.panorama import Panorama
from core.scene import Scene, Segment, add_segment, change_segment, change_segments, remove_segments

MASK = SphereMask.pack(np.eye(4, 8, dtype=np.bool_))


@pytest.fixture
def scene():
    panorama = Panorama(np.zeros((4, 8, 3), np.uint8))
    return Scene(panorama, segments=(Segment(1, MASK, "door"), Segment(4, MASK, "lamp")))


def test_numbers_are_never_given_twice(scene):
    assert scene.next_number == 5
    assert Scene(scene.panorama).next_number == 1
    with pytest.raises(ValueError, match="a number of its own"):
        add_segment(Segment(4, MASK))(scene)


def test_a_mask_of_another_size_is_refused(scene):
    with pytest.raises(ValueError, match=r"photograph's size \(4, 8\), got \(8, 16\)"):
        add_segment(Segment(5, SphereMask.empty(8, 16)))(scene)


def test_a_segment_is_found_by_its_number(scene):
    assert scene.segment(4).label == "lamp"
    with pytest.raises(KeyError):
        scene.segment(2)


def test_edits_leave_the_scene_before_as_it_was_and_share_what_they_do_not_touch(scene):
    after = change_segment(1, label="gate")(scene)
    assert scene.segment(1).label == "door"
    assert after.segment(1).label == "gate"
    assert after.segment(1).mask is scene.segment(1).mask
    assert after.segment(4) is scene.segment(4)
    assert after.panorama is scene.panorama


def test_a_new_segment_lies_on_top(scene):
    assert [s.number for s in add_segment(Segment(2, MASK))(scene).segments] == [1, 4, 2]


def test_changing_a_segment_that_is_not_there_is_a_mistake_and_changing_several_is_not(scene):
    with pytest.raises(KeyError):
        change_segment(2, label="gate")(scene)
    assert change_segments([2], label="gate")(scene) is scene
    assert [s.label for s in change_segments([1, 2, 4], label="gate")(scene).segments] == ["gate", "gate"]


def test_removing_what_is_not_there_is_no_edit(scene):
    assert [s.number for s in remove_segments([1, 9])(scene).segments] == [4]
    assert remove_segments([9])(scene) is scene


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"radiance": np.zeros((4, 8), np.float32)}, "radiance"),
        ({"radiance": np.zeros((4, 8, 3))}, "radiance"),
        ({"radiance": np.zeros((2, 4, 3), np.float32)}, "radiance"),
        ({"level_from_world": np.eye(4)}, "level_from_world"),
        ({"valid": np.ones((8, 4), np.bool_)}, "valid"),
    ],
)
def test_a_panorama_of_arrays_that_do_not_fit_each_other_is_a_mistake_of_the_caller(fields, said):
    with pytest.raises(ValueError, match=said):
        Panorama(np.zeros((4, 8, 3), np.uint8), **fields)
