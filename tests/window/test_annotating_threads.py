"""Annotating leaves the UI thread alone: masks are unpacked, combined and measured elsewhere."""

import threading

import cv2
import pytest
from annotation_samples import DISK, LEAK, SEAM, click, key, position, red_things
from PySide6.QtCore import Qt
from window_samples import drag

from core.mask import SphereMask

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def unpacked_here(monkeypatch):
    """What the UI thread has unpacked or combined, but for the small pieces of a stroke."""
    here, done = threading.current_thread(), []
    for name in ("box", "unpack", "solid_angle", "__or__", "__sub__", "__and__"):
        real = getattr(SphereMask, name)

        def watched(mask, *args, name=name, real=real):
            if threading.current_thread() is here and mask.count > 400:
                done.append(name)
            return real(mask, *args)

        monkeypatch.setattr(SphereMask, name, watched)
    return done


def drag_over(window, *places):
    drag(window.stage.erp.viewport(), *[(p.x(), p.y()) for p in (position(window, place) for place in places)])


def test_no_mask_is_unpacked_on_the_ui_thread(red_window, settle, unpacked_here):
    window = red_window
    key(window, Qt.Key.Key_S)
    settle(window)
    for act in (
        lambda: click(window, DISK),
        lambda: click(window, LEAK, Qt.MouseButton.RightButton),
        lambda: key(window, Qt.Key.Key_Return),
        lambda: key(window, Qt.Key.Key_L),
        lambda: drag_over(window, (170, -20), (-170, -20), (-170, 0), (170, 0)),
        lambda: window.desk.annotating.select([1, 2]),
        lambda: key(window, Qt.Key.Key_J, CTRL),
        lambda: key(window, Qt.Key.Key_B),
        lambda: drag_over(window, *[(DISK[0] + 4 * step, DISK[1]) for step in range(6)]),
        lambda: key(window, Qt.Key.Key_Z, CTRL),
        lambda: key(window, Qt.Key.Key_Y, CTRL),
        lambda: key(window, Qt.Key.Key_V),
        lambda: key(window, Qt.Key.Key_V),
        lambda: window.desk.annotating.select([1]),
    ):
        act()
        settle(window)
        assert unpacked_here == []
    assert window.session.document.scene.segments[0].mask.count > 1000


def test_masks_that_are_read_from_a_file_are_unpacked_elsewhere(shared_window, settle, qtbot, tmp_path, unpacked_here):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), red_things(64)[..., ::-1])
    window = shared_window
    window.toolbox.use(window.navigate)
    for place in (DISK, SEAM):
        window.open(path)
        qtbot.waitUntil(lambda: window.session.document.panorama.path == path)
        settle(window)
        key(window, Qt.Key.Key_L)
        drag_over(window, *[(place[0] + dx, place[1] + dy) for dx, dy in ((-30, -30), (30, -30), (30, 30), (-30, 30))])
        settle(window)
        key(window, Qt.Key.Key_L)
    assert unpacked_here == []
    assert len(window.session.document.scene.segments) == 2
    assert window.desk.finish() == ""
