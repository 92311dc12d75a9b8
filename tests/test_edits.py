"""Edits of several segments: what they keep, what they take away, and what they refuse."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.edits import (
    EditRefused,
    class_segments,
    copy_segment,
    intersect_segments,
    move_segments,
    refuse_locked,
    subtract_segments,
    unite_segments,
)
from core.errors import PanoError
from core.geometry.regions import components
from core.geometry.sphere import erp_rays, lonlat_to_directions
from core.mask import SphereMask
from core.panorama import Panorama
from core.prediction import Prediction
from core.scene import Click, Review, Scene, Segment

HEIGHT, WIDTH = 64, 128


def disc(lon, lat, radius, height=HEIGHT, width=WIDTH):
    return SphereMask.pack(erp_rays(height, width) @ lonlat_to_directions(lon, lat) > np.cos(radius))


LEFT, RIGHT, FAR = disc(3.0, 0.2, 0.4), disc(-3.0, 0.2, 0.4), disc(0.0, 0.0, 0.2)


@pytest.fixture
def scene():
    segments = (
        Segment(1, LEFT, "door", clicks=(Click(3.0, 0.2),), score=0.9, model="click-s", group=2),
        Segment(2, RIGHT, "door"),
        Segment(5, FAR, "lamp", locked=True),
    )
    return Scene(Panorama(np.zeros((HEIGHT, WIDTH, 3), np.uint8)), segments=segments)


def numbers(scene):
    return [segment.number for segment in scene.segments]


def test_uniting_across_the_seam_makes_one_of_two(scene):
    after = unite_segments(1, [2])(scene)
    assert numbers(after) == [1, 5]
    united = after.segment(1)
    assert united.mask.same_as(LEFT | RIGHT)
    assert (united.label, united.clicks, united.model, united.group) == ("door", (Click(3.0, 0.2),), "click-s", 2)
    assert math.isnan(united.score)
    assert numbers(scene) == [1, 2, 5]


def test_subtracting_leaves_the_others_where_they_are(scene):
    after = subtract_segments(1, [2, 5])(scene)
    assert numbers(after) == [1, 2, 5]
    assert after.segment(1).mask.same_as(LEFT - RIGHT)
    assert after.segment(2) is scene.segment(2)


def test_intersecting_keeps_what_is_shared(scene):
    after = intersect_segments(2, [1])(scene)
    assert numbers(after) == [2, 5]
    assert after.segment(2).mask.same_as(LEFT & RIGHT)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (unite_segments(5, [1]), "unlock first: lamp 5"),
        (unite_segments(1, [5]), "unlock first: lamp 5"),
        (subtract_segments(5, [1]), "unlock first: lamp 5"),
        (intersect_segments(1, [2, 5]), "unlock first: lamp 5"),
        (subtract_segments(1, [1, 2, 1]), None),
        (intersect_segments(1, [2]), None),
    ],
)
def test_a_locked_segment_is_not_changed_and_not_taken_away(scene, edit, message):
    if message is None:
        assert edit(scene) is not scene
        return
    with pytest.raises(PanoError, match=message):
        edit(scene)


def test_an_edit_that_would_leave_nothing_is_refused(scene):
    far = Scene(scene.panorama, segments=(Segment(1, LEFT, "door"), Segment(2, FAR)))
    with pytest.raises(EditRefused, match="Intersecting would leave nothing of door 1; delete it instead"):
        intersect_segments(1, [2])(far)
    with pytest.raises(EditRefused, match="Subtracting would leave nothing of segment 2"):
        subtract_segments(2, [2, 3])(Scene(scene.panorama, segments=(Segment(2, FAR), Segment(3, ~LEFT))))


def test_edits_without_effect_return_the_scene_itself(scene):
    assert unite_segments(1, [])(scene) is scene
    assert unite_segments(1, [1])(scene) is scene
    assert subtract_segments(1, [5])(scene) is scene
    assert move_segments([5], 99)(scene) is scene
    assert move_segments([77], 0)(scene) is scene


def test_what_is_gone_by_the_time_of_the_edit_is_told(scene):
    for edit in (unite_segments(9, [1]), unite_segments(9, []), subtract_segments(1, [9])):
        with pytest.raises(EditRefused, match="Segment 9 is gone"):
            edit(scene)


@given(st.lists(st.integers(1, 6), max_size=6), st.integers(-2, 8))
def test_moved_segments_lie_together_above_as_many_others_as_told(chosen, place):
    panorama = Panorama(np.zeros((2, 4, 3), np.uint8))
    scene = Scene(panorama, segments=tuple(Segment(n, SphereMask.empty(2, 4)) for n in range(1, 7)))
    after = numbers(move_segments(chosen, place)(scene))
    assert sorted(after) == list(range(1, 7))
    moved = [n for n in range(1, 7) if n in chosen]
    others = [n for n in range(1, 7) if n not in chosen]
    below = min(max(place, 0), len(others))
    assert after == others[:below] + moved + others[below:]


def test_refusing_names_every_locked_segment(scene):
    refuse_locked(scene, [1, 2])
    with pytest.raises(EditRefused, match="lamp 5"):
        refuse_locked(scene, [1, 5])


@pytest.mark.parametrize("height", [32, 64, 200])
def test_a_tripod_is_taken_to_photographs_of_other_sizes(height):
    tripod = Segment(7, disc(0, -math.pi / 2, 0.4), "tripod", (1, 2, 3), score=0.8, model="click-s", locked=True)
    scene = Scene(
        Panorama(np.zeros((height, 2 * height, 3), np.uint8)),
        segments=(Segment(1, SphereMask.empty(height, 2 * height)),),
    )
    after = copy_segment(tripod)(scene)
    copy = after.segment(2)
    assert (copy.label, copy.color, copy.model, copy.locked, copy.review) == (
        "tripod",
        (1, 2, 3),
        "click-s",
        False,
        Review.OPEN,
    )
    assert copy.mask.solid_angle() == pytest.approx(tripod.mask.solid_angle(), rel=0.1)
    assert copy.mask.contains(1.0, -math.pi / 2)
    assert copy_segment(tripod)(after) is after


def test_what_is_too_small_for_a_photograph_is_refused():
    dot = SphereMask.pack(np.pad(np.ones((1, 1), np.bool_), ((30, 33), (60, 67))))
    scene = Scene(Panorama(np.zeros((8, 16, 3), np.uint8)))
    with pytest.raises(EditRefused, match="smaller than a pixel of a picture of 16 x 8"):
        copy_segment(Segment(1, dot, "bolt"))(scene)


def test_every_window_becomes_a_segment_with_its_provenance():
    classes = np.full((HEIGHT // 2, WIDTH // 2), -1, np.int16)
    for lon, radius in ((math.pi, 0.5), (0.5, 0.3), (1.5, 0.02)):
        classes[disc(lon, 0.2, radius, HEIGHT // 2, WIDTH // 2).unpack()] = 1
    classes[-1] = 0
    classes[10, 50] = 1  # a speck
    prediction = Prediction(classes=classes, class_names=("floor", "window"), model="pano-s")
    found = class_segments(prediction, "window", HEIGHT, WIDTH, min_sr=0.02)
    assert [segment.number for segment in found] == [1, 2]
    assert {(segment.label, segment.model) for segment in found} == {("window", "pano-s")}
    assert found[0].mask.contains(math.pi, 0.2)
    assert found[0].mask.iou(disc(math.pi, 0.2, 0.5)) > 0.9
    assert found[1].mask.contains(0.5, 0.2)
    for segment in found:
        assert segment.mask.size == (HEIGHT, WIDTH)
        assert components(segment.mask.unpack())[1] == 1
    assert class_segments(prediction, "floor", HEIGHT, WIDTH)[0].mask.rows == 2


def test_a_class_that_is_not_there_has_no_segments():
    prediction = Prediction(classes=np.zeros((4, 8), np.int16), class_names=("floor", "window"), model="pano-s")
    assert class_segments(prediction, "window", 8, 16) == ()
    for wrong in (prediction, Prediction()):
        with pytest.raises(ValueError, match="no class 'lamp'"):
            class_segments(wrong, "lamp", 8, 16)
