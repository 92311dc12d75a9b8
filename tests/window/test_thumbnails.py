"""Small pictures in the list of a folder: only those in view, read beside the window's own thread."""

import threading

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon
from window_samples import array_from_qimage, painted, press, write_panorama

from panoviewer import thumbnails as thumbnails_module
from panoviewer.panels.folder_panel import THUMBNAIL_SIZE


def icon_of(window, name, mode=QIcon.Mode.Normal):
    panel = window.folder
    item = next(panel.item(row) for row in range(panel.count()) if panel.item(row).text() == name)
    return array_from_qimage(item.icon().pixmap(QSize(*THUMBNAIL_SIZE), mode).toImage()).astype(int)


def test_the_files_of_a_folder_are_seen_in_its_list(make_main_window, settle, qtbot, tmp_path, monkeypatch):
    threads = set()
    read = thumbnails_module.read_preview

    def note(*args, **choices):
        threads.add(threading.current_thread())
        return read(*args, **choices)

    monkeypatch.setattr(thumbnails_module, "read_preview", note)
    window = make_main_window()
    for name in ("a.png", "b.png"):
        write_panorama(tmp_path / name, 128)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    window.open(tmp_path)
    settle(window)
    qtbot.waitUntil(lambda: len(window.folder._known) == 3)
    expected = painted(THUMBNAIL_SIZE[1]).astype(int)
    for name in ("a.png", "b.png"):
        assert np.abs(icon_of(window, name) - expected).max() <= 12
        assert (icon_of(window, name, QIcon.Mode.Selected) == icon_of(window, name)).all()
    assert not icon_of(window, "broken.jpg").any()
    assert threading.main_thread() not in threads
    assert len(threads) == 1


def test_a_fault_over_one_file_leaves_the_others_their_pictures(make_main_window, settle, qtbot, tmp_path, monkeypatch):
    read = thumbnails_module.read_preview

    def fault(path, *args, **choices):
        if path.name == "a.png":
            raise RuntimeError("a fault")
        return read(path, *args, **choices)

    monkeypatch.setattr(thumbnails_module, "read_preview", fault)
    window = make_main_window()
    for name in ("a.png", "b.png"):
        write_panorama(tmp_path / name, 128)
    window.open(tmp_path)
    settle(window)
    qtbot.waitUntil(lambda: len(window.folder._known) == 2)
    assert not icon_of(window, "a.png").any()
    assert icon_of(window, "b.png").any()


def test_only_what_is_in_view_is_read(make_main_window, settle, qtbot, tmp_path):
    window = make_main_window()
    for number in range(200):
        write_panorama(tmp_path / f"{number:03}.png", 8)
    window.open(tmp_path)
    settle(window)
    panel = window.folder
    qtbot.waitUntil(lambda: len(panel._known) > 3)
    settle(window)
    first = set(panel._known)
    assert len(first) < 40
    assert tmp_path / "000.png" in first
    panel.scrollToBottom()
    qtbot.waitUntil(lambda: tmp_path / "199.png" in panel._known)
    settle(window)
    assert len(panel._known) < 80


def test_going_through_the_folder_does_not_read_them_again(make_main_window, settle, qtbot, tmp_path, monkeypatch):
    window = make_main_window()
    for name in ("a.png", "b.png"):
        write_panorama(tmp_path / name, 16)
    window.open(tmp_path)
    settle(window)
    qtbot.waitUntil(lambda: len(window.folder._known) == 2)
    monkeypatch.setattr(thumbnails_module, "read_preview", lambda *_args, **_choices: 1 / 0)
    press(window, Qt.Key.Key_D)
    settle(window)
    window.folder.hide()
    window.folder.show()
    settle(window)
    assert window.messages.isHidden()


def test_a_long_name_is_shortened_and_the_list_needs_no_sideways_scrolling(make_main_window, settle, tmp_path):
    window = make_main_window()
    write_panorama(tmp_path / f"{'long' * 20}.png", 8)
    window.open(tmp_path)
    settle(window)
    assert not window.folder.horizontalScrollBar().isVisible()
