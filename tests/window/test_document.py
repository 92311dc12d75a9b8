"""The document holds the scene, and the way back and forth through its edits."""

import numpy as np
import pytest

from core.cloud import CloudOptions
from core.mask import SphereMask
from core.panorama import Panorama
from core.prediction import Prediction
from core.scene import Scene, Segment, add_segment, change_segment
from panoviewer.document import Document


@pytest.fixture
def document():
    document = Document()
    document.open(Panorama(np.zeros((16, 32, 3), np.uint8)), CloudOptions())
    document.begin(Scene(document.panorama))
    return document


def a_segment(number=1):
    bits = np.zeros((16, 32), np.bool_)
    bits[4:8, 3 : 5 + number] = True
    return Segment(number, SphereMask.pack(bits), "door")


def heard(document):
    """The names that are told from now on, and the scene when each of them is."""
    names = []
    document.edited.connect(lambda name: names.append((name, document.scene)))
    return names


def test_an_edit_is_undone_and_redone_by_its_name(document):
    names, before = heard(document), document.scene
    document.apply("Add door", add_segment(a_segment()))
    after = document.scene
    assert (document.undo_name, document.redo_name) == ("Add door", None)
    document.undo()
    assert document.scene is before
    assert (document.undo_name, document.redo_name) == (None, "Add door")
    document.redo()
    assert document.scene is after
    assert names == [("Add door", after), ("Undo Add door", before), ("Redo Add door", after)]


def test_an_edit_that_changes_nothing_is_no_step(document):
    names = heard(document)
    document.apply("Nothing", lambda scene: scene)
    document.undo()
    document.redo()
    assert names == []
    assert document.undo_name is None


def test_an_edit_that_fails_leaves_everything_as_it_was(document):
    before = document.scene
    with pytest.raises(KeyError):
        document.apply("Rename", change_segment(7, label="door"))
    assert document.scene is before
    assert document.undo_name is None


def test_a_prediction_leaves_the_segments_and_the_way_back(document):
    document.apply("Add door", add_segment(a_segment()))
    scene = document.scene
    document.set_prediction(Prediction(model="fake"))
    assert document.scene is scene
    assert document.undo_name == "Add door"


def test_another_panorama_has_no_scene_until_its_own_begins(document):
    document.apply("Add door", add_segment(a_segment()))
    old = document.scene
    document.open(Panorama(np.zeros((16, 32, 3), np.uint8)), CloudOptions())
    assert document.scene is None
    assert document.undo_name is None
    with pytest.raises(ValueError, match="no scene"):
        document.apply("Add door", add_segment(a_segment()))
    with pytest.raises(ValueError, match="open panorama"):
        document.begin(old)
