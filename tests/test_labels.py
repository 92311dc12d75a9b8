"""The label set: its edits reach the segments, and change nothing where there is nothing to change."""

from dataclasses import replace

import numpy as np
import pytest

from core.colors import VISIONS, lab_as_seen
from core.labels import PALETTE, add_label, change_label, color_of, free_color, move_label, palette_color, remove_label
from core.mask import SphereMask
from core.panorama import Panorama
from core.scene import Label, Scene, Segment, change_segments

DOOR, WINDOW, LAMP = Label("door", (1, 2, 3)), Label("window", (4, 5, 6)), Label("lamp", (7, 8, 9))


@pytest.fixture
def scene():
    panorama = Panorama(np.zeros((8, 16, 3), np.uint8))
    labels = ("door", "window", "door", "")
    segments = tuple(Segment(n, SphereMask.empty(8, 16), label) for n, label in enumerate(labels, 1))
    return Scene(panorama, segments=segments, labels=(DOOR, WINDOW))


def labels_of(scene):
    return [segment.label for segment in scene.segments]


def test_a_new_label_gets_the_next_hot_key(scene):
    assert add_label(LAMP)(scene).labels == (DOOR, WINDOW, LAMP)
    assert add_label(Label("door", (0, 0, 0)))(scene) is scene


def test_a_renamed_label_is_renamed_on_its_segments(scene):
    after = change_label("door", Label("gate", (1, 2, 3)))(scene)
    assert [label.name for label in after.labels] == ["gate", "window"]
    assert labels_of(after) == ["gate", "window", "gate", ""]


def test_renaming_to_a_name_that_exists_makes_one_of_two(scene):
    after = change_label("door", Label("window", (0, 0, 0)))(scene)
    assert after.labels == (WINDOW,)
    assert labels_of(after) == ["window", "window", "window", ""]


def test_another_colour_leaves_the_segments_as_they_are(scene):
    after = change_label("door", Label("door", (9, 9, 9)))(scene)
    assert after.labels[0].color == (9, 9, 9)
    assert after.segments is scene.segments


def test_a_removed_label_is_gone_from_its_segments(scene):
    after = remove_label("door")(scene)
    assert after.labels == (WINDOW,)
    assert labels_of(after) == ["", "window", "", ""]


def test_locked_segments_follow_the_name_of_their_label(scene):
    locked = replace(scene, segments=tuple(replace(segment, locked=True) for segment in scene.segments))
    assert labels_of(change_label("door", Label("gate", (1, 2, 3)))(locked)) == ["gate", "window", "gate", ""]
    after = remove_label("door")(locked)
    assert labels_of(after) == ["", "window", "", ""]
    assert all(segment.locked for segment in after.segments)


def test_the_order_of_labels_is_that_of_their_keys(scene):
    assert move_label("window", 0)(scene).labels == (WINDOW, DOOR)
    assert move_label("door", 99)(scene).labels == (WINDOW, DOOR)
    assert move_label("door", -5)(scene) is scene


@pytest.mark.parametrize(
    "edit",
    [
        change_label("door", DOOR),
        change_label("roof", Label("wall", (0, 0, 0))),
        remove_label("roof"),
        move_label("roof", 0),
        change_segments([77], label="x"),
    ],
)
def test_what_changes_nothing_gives_the_same_scene(scene, edit):
    assert edit(scene) is scene


def test_a_segment_has_its_own_colour_or_its_labels_or_one_by_its_number(scene):
    first, second, _, last = scene.segments
    assert color_of(first, scene.labels) == DOOR.color
    assert color_of(change_segments([2], color=(8, 8, 8))(scene).segments[1], scene.labels) == (8, 8, 8)
    assert color_of(second, ()) == palette_color(1)
    assert color_of(last, scene.labels) == palette_color(3)


def test_the_next_colour_is_one_that_no_label_has():
    labels = []
    for number in range(len(PALETTE)):
        labels.append(Label(str(number), free_color(labels)))
    assert len({label.color for label in labels}) == len(PALETTE)
    assert free_color(labels) == palette_color(0)


@pytest.mark.parametrize("vision", VISIONS)
def test_the_first_colours_are_told_apart_by_all_eyes_and_none_is_dark(vision):
    lab = lab_as_seen(np.array(PALETTE, np.uint8), vision)
    apart = np.linalg.norm(lab[:7, None] - lab[None, :7], axis=-1) + 1e9 * np.eye(7)
    assert apart.min() > 9
    assert lab[:, 0].min() > 35


def test_fields_of_several_segments_change_at_once(scene):
    after = change_segments([1, 4, 77], label="lamp")(scene)
    assert labels_of(after) == ["lamp", "window", "door", "lamp"]
    assert after.segments[1] is scene.segments[1]
