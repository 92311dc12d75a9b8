"""Edits that take a while are made one after the other, whatever happens to their segments meanwhile."""

import numpy as np
import pytest

from core.cloud import CloudOptions
from core.edits import subtract_segments, unite_segments
from core.mask import SphereMask
from core.panorama import Panorama
from core.scene import Scene, Segment, change_segments, remove_segments
from panoviewer.annotating import Annotating
from panoviewer.document import Document
from panoviewer.jobs import Jobs
from panoviewer.mask_edits import MaskEdits, Operation, ShapeEdit, SlowEdit

SIZE = 8, 16


class Desk:
    """A document with three segments side by side, and the edits of it."""

    def __init__(self):
        self.document = Document()
        self.jobs = Jobs(lambda: self.document.generation)
        self.edits = MaskEdits(Annotating(self.document), self.jobs, prepare_mask=lambda _mask: None)
        self.refused = []
        self.edits.refused.connect(self.refused.append)
        self.open()

    def open(self):
        panorama = Panorama(np.zeros((*SIZE, 3), np.uint8))
        self.document.open(panorama, CloudOptions())
        segments = []
        for number in (1, 2, 3):
            bits = np.zeros(SIZE, np.bool_)
            bits[2:5, 3 * number : 3 * number + 3] = True
            segments.append(Segment(number, SphereMask.pack(bits)))
        self.document.begin(Scene(panorama, segments=tuple(segments)))

    @property
    def counts(self):
        return {segment.number: segment.mask.count for segment in self.document.scene.segments}


@pytest.fixture
def desk(qapp):
    desk = Desk()
    yield desk
    desk.jobs.close()


def test_an_edit_of_a_segment_that_is_gone_is_refused_and_the_next_one_made(desk, qtbot):
    for others in ([2], [2], [3]):
        desk.edits.put(SlowEdit("Unite", unite_segments(1, others)))
    qtbot.waitUntil(lambda: not desk.edits.waiting)
    assert desk.counts == {1: 27}
    assert len(desk.refused) == 1
    assert "Segment 2 is gone" in desk.refused[0]


def test_leaving_the_panorama_makes_what_can_be_made_and_leaves_nothing_for_the_next(desk):
    for others in ([2], [2], [3]):
        desk.edits.put(SlowEdit("Unite", unite_segments(1, others)))
    desk.edits.flush()
    assert desk.edits.waiting == ()
    assert desk.counts == {1: 27}
    assert len(desk.refused) == 1
    desk.open()
    assert desk.counts == {1: 9, 2: 9, 3: 9}


def test_a_segment_that_was_locked_while_its_edit_was_worked_out_is_left_alone(desk, qtbot):
    desk.edits.put(SlowEdit("Unite", unite_segments(1, [2])))
    desk.document.apply("Lock", change_segments([1], locked=True))
    desk.edits.put(SlowEdit("Unite", unite_segments(2, [3])))
    qtbot.waitUntil(lambda: not desk.edits.waiting)
    assert desk.counts == {1: 9, 2: 18}
    assert len(desk.refused) == 1
    assert "Locked" in desk.refused[0]
    assert desk.document.undo_name == "Unite"


def test_a_stroke_over_a_segment_that_was_deleted_meanwhile_is_nothing(desk, qtbot):
    for number in (1, 3):
        desk.edits.put(ShapeEdit("Brush", Operation.ADD, lambda: SphereMask.pack(np.ones(SIZE, np.bool_)), number))
    desk.document.apply("Delete", remove_segments([1]))
    qtbot.waitUntil(lambda: not desk.edits.waiting)
    assert desk.counts == {2: 9, 3: SIZE[0] * SIZE[1]}
    assert desk.refused == []


def test_the_first_segment_may_be_gone_too(desk, qtbot):
    desk.edits.put(SlowEdit("Unite", unite_segments(2, [1])))
    desk.edits.put(SlowEdit("Subtract", subtract_segments(1, [3])))
    qtbot.waitUntil(lambda: not desk.edits.waiting)
    assert desk.counts == {2: 18, 3: 9}
    assert "Segment 1 is gone" in desk.refused[0]
