"""Opening the window: what has to be right before the first pixel is painted, and the picture for scripts."""

from __future__ import annotations

import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ExportError
from core.io.images import Assume
from panoviewer.arguments import RUNS
from panoviewer.interrupts import INTERRUPTED
from panoviewer.opengl import OpenGL, WindowError, begin_probe, check_display, forget_foreign_plugins, probe

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from panoviewer.main_window import MainWindow

SCREENSHOT_SIZE = 1600, 1000
SCREENSHOT_SECONDS = 1800.0
SETTLE_SECONDS = 0.4
WAKE_MS = 100
"""How often Python gets a chance to hear Ctrl+C while the window waits."""


def open_window(
    path: Path | None, *, run: str | None = None, screenshot: Path | None = None, assume: Assume | None = None
) -> int:
    """Show the main window and wait until it is closed.

    Args:
        path: A picture or a folder; None for the bundled sample.
        run: One of `RUNS`, to be done at once.
        screenshot: Do that, save the window's picture here as soon as all is painted, and close.
        assume: What a picture that is not 2:1 shows, so that the window need not ask.

    Returns:
        The exit code.

    Raises:
        PanoError: There is no display; or, with `screenshot`, what was asked for could not be done.
    """
    if run is not None and run not in RUNS:
        raise ValueError(f"run must be one of {RUNS}, got {run!r}")
    forget_foreign_plugins(os.environ)
    check_display(os.environ)
    begin_probe()
    load_libraries()
    application, window = make_window(probe())
    failures: list[str] = []
    if screenshot is not None:
        window.resize(*SCREENSHOT_SIZE)
        window.session.failed.connect(failures.append)
        window.weights.held_up.connect(failures.append)
        window.session.refused.connect(lambda _path, error: failures.append(str(error)))
    window.show()
    if run is not None:
        _run_when_open(window, run)
    _open(window, path, assume)
    if screenshot is None:
        return _interruptible(application)
    try:
        _wait_until_settled(application, window, failures)
        _save_picture(window, screenshot)
    finally:
        window.close()
    return 0


def load_libraries() -> None:
    """Load what the first picture needs, before there is a window that would have to wait for it.

    Compiled code keeps Python's interpreter to itself for a tenth of a second when it is used for the first time.
    """
    for name in ("numba", "pyqtgraph", "vispy.gloo", "panoviewer.main_window"):
        import_module(name)
    from core.geometry.warp import resize_erp

    for channels in (3, 4):
        resize_erp(np.zeros((512, 1024, channels), np.uint8), 256, 512)


def make_window(opengl: OpenGL) -> tuple[QApplication, MainWindow]:
    """The application in the colours of its theme and a main window that is not shown yet."""
    from PySide6.QtWidgets import QApplication

    from core.segment.features import FeatureStore, views_folder
    from panoviewer.main_window import MainWindow
    from panoviewer.session import Session
    from panoviewer.settings import Settings
    from panoviewer.theme import Theme
    from panoviewer.translation import install_translation

    application = QApplication.instance()
    if not isinstance(application, QApplication):
        application = QApplication(sys.argv[:1])
    application.setApplicationName("PanoViewer")
    application.setDesktopFileName("panoviewer")
    install_translation(application)
    settings = Settings()
    theme = Theme(application, settings)
    session = Session(settings, software_opengl=opengl.is_software, features=FeatureStore(views_folder()))
    window = MainWindow(session, settings, opengl)
    theme.changed.connect(window.show_icons)
    return application, window


def _open(window: MainWindow, path: Path | None, assume: Assume | None) -> None:
    from panoviewer.main_window import sample_path

    if path is None:
        if sample_path().is_file():
            window.open(sample_path())
    else:
        window.open(path, assume)


def _run_when_open(window: MainWindow, run: str) -> None:
    from PySide6.QtCore import Qt

    from panoviewer.views.overlay import Layer

    def start() -> None:
        if run == "cloud":
            window.show_cloud()
        else:
            window.layering.show(Layer(run))

    window.session.opened.connect(start, Qt.ConnectionType.SingleShotConnection)


def _interruptible(application: QApplication) -> int:
    """Run the event loop so that Ctrl+C ends it."""
    from PySide6.QtCore import QTimer

    interrupted = is_waiting = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        # Python calls this in the midst of whatever it does, such as painting what would be closed here.
        nonlocal interrupted, is_waiting
        interrupted = is_waiting = True

    def close_if_interrupted() -> None:
        nonlocal is_waiting
        if is_waiting:
            is_waiting = False
            application.closeAllWindows()
            application.quit()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    # Python looks for signals only while it runs; this makes it run now and then.
    waker = QTimer(interval=WAKE_MS)
    waker.timeout.connect(close_if_interrupted)
    waker.start()
    try:
        code = application.exec()
    finally:
        waker.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    return INTERRUPTED if interrupted else code


def _wait_until_settled(application: QApplication, window: MainWindow, failures: list[str]) -> None:
    """Process events until nothing has been going on for a moment.

    Raises:
        WindowError: Something did not work, or took longer than half an hour.
    """
    quiet_since: float | None = None
    deadline = time.monotonic() + SCREENSHOT_SECONDS
    while True:
        application.processEvents()
        if failures:
            raise WindowError(failures[0])
        now = time.monotonic()
        if not window.settled:
            quiet_since = None
        elif quiet_since is None:
            quiet_since = now
        elif now - quiet_since > SETTLE_SECONDS:
            return
        if now > deadline:
            raise WindowError(f"The window's picture was not finished after {SCREENSHOT_SECONDS / 60:.0f} minutes.")
        time.sleep(0.005)


def _save_picture(window: MainWindow, path: Path) -> None:
    """Raises `ExportError` when the picture cannot be written."""
    from PySide6.QtCore import QBuffer, QByteArray, QIODevice

    from core.io.atomic import atomic_file

    encoded = QByteArray()
    buffer = QBuffer(encoded)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not window.grab().save(buffer, path.suffix.lstrip(".").upper() or "PNG"):
        raise ExportError(f"Expected a picture's name such as window.png, got: {path}")
    with atomic_file(path) as stream:
        stream.write(encoded.data())
