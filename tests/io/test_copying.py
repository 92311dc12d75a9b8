"""Segments that are copied into every picture of a folder."""

import cv2
import numpy as np
import pytest

from core.io.copying import copy_segments
from core.io.images import read_panorama
from core.io.journal import journal_path
from core.io.scene_file import annotation_path, open_scene, previous_path, read_annotation
from core.mask import SphereMask
from core.progress import Cancelled
from core.scene import Label, Review, Segment, add_segment

TRIPOD = Label("tripod", (1, 2, 3))


def mask(height):
    bits = np.zeros((height, 2 * height), np.bool_)
    bits[7 * height // 8 :] = True
    return SphereMask.pack(bits)


@pytest.fixture
def photos(tmp_path):
    for name, height in (("a.png", 32), ("b.png", 32), ("c.png", 64)):
        cv2.imwrite(str(tmp_path / name), np.full((height, 2 * height, 3), len(name), np.uint8))
    return [tmp_path / name for name in ("a.png", "b.png", "c.png")]


@pytest.fixture
def tripod():
    return Segment(7, mask(32), "tripod", group=3, review=Review.ACCEPTED)


def test_every_picture_gets_the_segment_in_its_own_size(photos, tripod):
    report = copy_segments([tripod], [TRIPOD], photos)
    assert (report.copied, report.present, report.problems) == (3, 0, ())
    for photo, height in zip(photos, (32, 32, 64), strict=True):
        annotation = read_annotation(annotation_path(photo))
        (segment,) = annotation.segments
        assert segment.mask.same_as(mask(height))
        assert (segment.number, segment.label, segment.group, segment.review) == (1, "tripod", 0, Review.OPEN)
        assert annotation.labels == (TRIPOD,)
        assert open_scene(read_panorama(photo)).scene.segments[0].label == "tripod"


def test_what_is_there_already_is_not_written_again(photos, tripod):
    copy_segments([tripod], [TRIPOD], photos)
    before = [annotation_path(photo).stat().st_mtime_ns for photo in photos]
    report = copy_segments([tripod], [TRIPOD], photos)
    assert (report.copied, report.present) == (0, 3)
    assert [annotation_path(photo).stat().st_mtime_ns for photo in photos] == before


def test_other_segments_stay_and_the_file_before_is_kept(photos, tripod):
    file = open_scene(read_panorama(photos[0]))
    file.save(add_segment(Segment(4, mask(32), "floor"))(file.scene))
    file.close()
    copy_segments([tripod], [TRIPOD], photos)
    assert [(s.number, s.label) for s in read_annotation(annotation_path(photos[0])).segments] == [
        (4, "floor"),
        (5, "tripod"),
    ]
    assert [s.label for s in read_annotation(previous_path(annotation_path(photos[0]))).segments] == ["floor"]


def test_a_picture_with_unsaved_edits_or_a_damaged_file_is_passed_and_told(photos, tripod):
    journal_path(annotation_path(photos[0])).write_bytes(b"edits")
    annotation_path(photos[1]).write_text("{")
    report = copy_segments([tripod], [TRIPOD], photos)
    assert report.copied == 1
    assert len(report.problems) == 2
    assert str(photos[0]) in report.problems[0]
    assert annotation_path(photos[1]).read_text() == "{"


def test_copying_can_be_stopped(photos, tripod):
    def stop(done, total):
        if done == 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        copy_segments([tripod], [TRIPOD], photos, progress=stop)
    assert annotation_path(photos[0]).exists()
    assert not annotation_path(photos[1]).exists()
