"""Which of the listed pictures count as panoramas that are to be reviewed."""

from dataclasses import replace

import pytest
from window_samples import write_panorama

from core.cloud import CloudOptions
from core.io.images import read_panorama
from core.scene import Scene
from panoviewer.document import Document
from panoviewer.panels.folder_panel import FolderPanel
from panoviewer.reviewing import Reviewing


class AtOnce:
    """Jobs that are done when they are asked for."""

    def run(self, _title, work, *, done, **_options):
        done(work(lambda done, total: None))


@pytest.fixture
def folder(tmp_path):
    """Two panoramas, one of which cannot be read, between two ordinary pictures."""
    write_panorama(tmp_path / "a.png", 64, 100)
    write_panorama(tmp_path / "b.png", 64, 128)
    write_panorama(tmp_path / "c.png", 64, 90)
    (tmp_path / "d.png").write_bytes(b"no picture")
    return sorted(tmp_path.glob("*.png"))


@pytest.fixture
def reviewing(application, folder):
    panel, document, opened = FolderPanel(), Document(), []
    made = Reviewing(document, AtOnce(), panel, open_picture=opened.append)
    made.document, made.panel, made.opened = document, panel, opened
    panel.set_files(folder)
    return made


def open_(reviewing, path):
    panorama = replace(read_panorama(path, assume="full"), path=path)
    reviewing.document.open(panorama, CloudOptions())
    reviewing.document.begin(Scene(panorama))


def test_ordinary_pictures_are_not_waited_for(reviewing, folder):
    assert reviewing.counts == (0, 2)
    open_(reviewing, folder[1])
    reviewing.step(1)
    assert reviewing.opened == [folder[3]]


def test_an_ordinary_picture_that_is_opened_counts(reviewing, folder):
    open_(reviewing, folder[2])
    assert reviewing.counts == (0, 3)
