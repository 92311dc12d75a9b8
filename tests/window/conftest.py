"""Real windows under Xvfb with software OpenGL, a fake model, and small painted panoramas."""

import os
import shutil
import sys

import pytest
from annotation_samples import SeesRed, begin_anew
from fake_model import FakeModel
from PySide6.QtCore import QEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from window_samples import painted

from core.panorama import Panorama
from core.pyramid import Pyramid
from panoviewer.opengl import OpenGL, WindowError, check_display, probe
from panoviewer.session import Session
from panoviewer.settings import Settings
from panoviewer.theme import DARK, wear

PATIENCE_MS = 120_000
"""How long a test waits for what is sure to come: no less on a machine with other work, where all takes its time."""

os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
if sys.platform.startswith("linux") and (os.environ.get("DISPLAY") or shutil.which("Xvfb")):
    os.environ["QT_QPA_PLATFORM"] = "xcb"


class PatientBot(QtBot):
    """Waits longer than the five seconds of `QtBot`, unless a test says how long."""

    def waitUntil(self, callback, *, timeout=PATIENCE_MS):
        super().waitUntil(callback, timeout=timeout)

    def waitSignal(self, signal, *, timeout=PATIENCE_MS, **choices):
        return super().waitSignal(signal, timeout=timeout, **choices)

    def waitActive(self, widget, *, timeout=PATIENCE_MS):
        return super().waitActive(widget, timeout=timeout)


@pytest.fixture
def qtbot(qapp, request):
    return PatientBot(request)


@pytest.fixture(scope="session")
def opengl():
    """What the probe says; the tests of this folder need a screen."""
    try:
        check_display(os.environ)
        return probe()
    except WindowError as error:
        pytest.skip(f"no screen and no Xvfb: {error}")


@pytest.fixture(scope="session")
def qapp(opengl, qapp):
    """The application, made after another process has shown that it can be: without a screen Qt ends the process."""
    return qapp


@pytest.fixture
def needs_opengl(opengl):
    """Skips where nothing can be drawn with OpenGL."""
    if opengl.reason is not None:
        pytest.skip(f"no OpenGL: {opengl.reason}")
    return opengl


@pytest.fixture(scope="session")
def application(qapp):
    """The application in the window's clothes."""
    wear(qapp, DARK)
    return qapp


@pytest.fixture
def settings(tmp_path):
    return Settings(tmp_path / "settings.ini")


@pytest.fixture
def fake_model():
    return FakeModel()


@pytest.fixture
def fake_segmenter():
    return SeesRed()


@pytest.fixture
def make_main_window(application, opengl, qtbot, settings, fake_model, fake_segmenter):
    """Makes a main window with the fake models; all are closed at the end."""
    from panoviewer.main_window import MainWindow

    made = []

    def make(*, use_opengl=True, resized=True):
        found = opengl if use_opengl else OpenGL("It is switched off for this test.")
        session = Session(
            settings,
            software_opengl=True,
            loader=lambda _name, _device: fake_model,
            segmenter_loader=lambda _name, _device: fake_segmenter,
        )
        window = MainWindow(session, settings, found)
        if resized:
            window.resize(1300, 860)
        window.show()
        # Shortcuts are for the active window only, and under Xvfb no window manager makes it that.
        window.activateWindow()
        with qtbot.waitActive(window):
            pass
        made.append(window)
        return window

    yield make
    for window in made:
        window.close()
        window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def window(make_main_window, settle):
    """A main window that shows a painted panorama."""
    result = make_main_window()
    panorama = Panorama(painted(256))
    result.session.show(panorama, Pyramid.of(panorama.rgb))
    settle(result)
    return result


@pytest.fixture(scope="module")
def shared_window(application, opengl, tmp_path_factory):
    """One main window for all tests of a file, which is faster than one for each."""
    from panoviewer.main_window import MainWindow

    settings = Settings(tmp_path_factory.mktemp("settings") / "settings.ini")
    session = Session(settings, software_opengl=True, loader=lambda _name, _device: FakeModel())
    window = MainWindow(session, settings, opengl)
    window.resize(1300, 860)
    window.show()
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window, PATIENCE_MS)
    yield window
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def red_window(shared_window, settle, fake_segmenter):
    """The shared window, which shows red things as if nothing had happened before, and finds them."""
    begin_anew(shared_window, fake_segmenter)
    settle(shared_window)
    return shared_window


@pytest.fixture
def settle(qtbot):
    """Waits until a window has nothing to do."""

    def wait(main_window, timeout=PATIENCE_MS):
        qtbot.waitUntil(lambda: main_window.settled, timeout=timeout)
        qtbot.wait(30)
        qtbot.waitUntil(lambda: main_window.settled, timeout=timeout)

    return wait


@pytest.fixture
def cloud_view(application, needs_opengl, qtbot):
    """A view of points on the screen, 500 by 400, with nothing in it."""
    from panoviewer.views.cloud_view import CloudView

    view = CloudView(None)
    qtbot.addWidget(view)
    view.resize(500, 400)
    view.show()
    qtbot.waitExposed(view)
    yield view
    view.close_canvas()
