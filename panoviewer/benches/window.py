"""What the window costs: clouds on their way to the 3D view, and for how long the window cannot answer."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from core.cloud import CloudOptions, cloud_from_prediction
from core.geometry.normals import normals_from_depth
from core.prediction import Prediction
from panoviewer.benches.measuring import on_the_clock
from panoviewer.benches.pictures import room_depth, sample_panorama, textured
from panoviewer.benches.rows import Plan, Row, Unit, at_most, sample_of
from panoviewer.opengl import WindowError, check_display, probe

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

UPLOAD_S = 0.3
BLOCK_S = 0.05
BEAT_MS = 5
PATIENCE_S = 600
QUIET_TURNS = 5
VIEW_PX = 512


def measure(plan: Plan, tell: Callable[[str], None]) -> Iterator[Row]:
    """Rows of the 3D view and of the whole window, with a note and no value where there is no screen."""
    try:
        check_display(os.environ)
        found = probe()
    except WindowError as error:
        yield Row("the window", plan.size, 1, Unit.SECONDS, None, note=str(error))
        return
    from PySide6.QtWidgets import QApplication

    application = QApplication.instance()
    if not isinstance(application, QApplication):
        application = QApplication(sys.argv[:1])
    if found.reason is None:
        tell("a cloud on its way to the 3D view")
        yield from map(plan.judged, _upload_rows(plan, application, found.renderer))
    else:
        yield Row("points sent to the 3D view", plan.size, 1, Unit.SECONDS, None, note=found.reason)
    tell("the window while everything runs")
    yield from map(plan.judged, _window_rows(plan, application))


def _upload_rows(plan: Plan, application: QApplication, renderer: str) -> Iterator[Row]:
    """The same points drawn after they were sent, and drawn again: what lies between is the sending."""
    from panoviewer.views.cloud_buffer import pack_cloud
    from panoviewer.views.cloud_view import CloudView

    depth = room_depth(plan.height, plan.width)
    prediction = Prediction(depth=depth, normals=normals_from_depth(depth), is_metric=True)
    cloud = cloud_from_prediction(sample_panorama(plan.width), prediction, CloudOptions())
    packing = []
    for _ in range(plan.repeats):
        begin = time.perf_counter()
        buffer = pack_cloud(cloud, plan.width, len(cloud))
        packing.append(time.perf_counter() - begin)
    view = CloudView(None)
    view.resize(VIEW_PX, VIEW_PX)
    view.show()
    sent, again = [], []
    for number in range(plan.repeats + 1):
        times = []
        acts: tuple[Callable[[], None], ...] = (
            lambda: view.set_cloud(buffer, keep_view=False),
            lambda: view.set_see_through(enabled=True),
        )
        for act in acts:
            _wait(application, lambda: view.settled)
            begin = time.perf_counter()
            act()
            _wait(application, lambda: view.settled)
            times.append(time.perf_counter() - begin)
        if number > 0:
            sent.append(max(times[0] - times[1], 0.0))
            again.append(times[1])
    view.close_canvas()
    view.close()
    points, note = f"{len(cloud):,} points", f"Drawn by {renderer}, {VIEW_PX} x {VIEW_PX}."
    yield Row(f"{points} packed", plan.size, 1, Unit.SECONDS, sample_of(packing))
    yield Row(f"{points} sent to the 3D view", plan.size, 1, Unit.SECONDS, sample_of(sent), goal=at_most(UPLOAD_S))
    yield Row(f"{points} drawn", plan.size, 1, Unit.SECONDS, on_the_clock(sample_of(again)), note=note)


def _window_rows(plan: Plan, application: QApplication) -> Iterator[Row]:
    """The longest time between two turns of the event loop, by what was going on."""
    longest: dict[str, list[tuple[float, float]]] = {}
    for _ in range(plan.repeats):
        with tempfile.TemporaryDirectory(prefix="panoviewer-bench-") as folder:
            for step, block in _everything(plan, application, Path(folder)).items():
                longest.setdefault(step, []).append(block)
    for step, blocks in longest.items():
        wall, core = [block[0] for block in blocks], [block[1] for block in blocks]
        goal = at_most(BLOCK_S)
        yield Row(f"longest block while {step}", plan.size, 1, Unit.SECONDS, sample_of(wall, core), goal=goal)


def _everything(plan: Plan, application: QApplication, folder: Path) -> dict[str, tuple[float, float]]:
    """Open a photograph, look around, estimate, show the layers and the cloud, export."""
    from panoviewer.main_window import MainWindow
    from panoviewer.session import Session
    from panoviewer.settings import Settings
    from panoviewer.views.overlay import Layer

    photo = folder / "photo.jpg"
    Image.fromarray(textured(sample_panorama(plan.width).rgb)).save(photo, quality=92)
    settings = Settings(folder / "settings.ini")
    window = MainWindow(Session(settings, software_opengl=probe().is_software), settings, probe())
    window.resize(1300, 860)
    window.show()
    _wait(application, lambda: window.settled)
    beat = _Beat()

    def look_around() -> None:
        for _ in range(20):
            window.stage.perspective.turn(0.1, 0.02)
            window.stage.perspective.zoom(1.1)
            application.processEvents()
        for _ in range(10):
            window.stage.erp.zoom(1.2)
            window.stage.erp.scroll(0.2, 0.0)
            application.processEvents()

    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("opening", lambda: window.open(photo)),
        ("looking around", look_around),
        ("estimating", lambda: window.layering.show(Layer("depth"))),
        ("changing layers", lambda: window.layering.show(Layer("normals"))),
        ("building the cloud", window.show_cloud),
        ("exporting", lambda: window.session.export_cloud(folder / "cloud.ply", "z-up")),
    )
    for step, act in steps:
        beat.begin(step)
        act()
        _wait(application, lambda: window.settled, QUIET_TURNS)
    beat.stop()
    window.close()
    window.deleteLater()
    application.processEvents()
    return beat.longest


class _Beat:
    """Notes how late the event loop comes round, and how much the thread itself had computed by then.

    Attributes:
        longest: For each step seconds late, and seconds computed, of the longest block.
    """

    def __init__(self) -> None:
        from PySide6.QtCore import Qt, QTimer

        self.longest: dict[str, tuple[float, float]] = {}
        self._timer = QTimer(interval=BEAT_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._note)
        self.begin("starting")
        self._timer.start()

    def begin(self, step: str) -> None:
        self._step = step
        self._last = time.perf_counter(), time.thread_time()

    def stop(self) -> None:
        self._note()
        self._timer.stop()
        self.longest.pop("starting", None)

    def _note(self) -> None:
        now = time.perf_counter(), time.thread_time()
        late = max(now[0] - self._last[0] - BEAT_MS / 1000, 0.0)
        block = late, min(now[1] - self._last[1], late)
        self.longest[self._step] = max(self.longest.get(self._step, (0.0, 0.0)), block)
        self._last = now


def _wait(application: QApplication, done: Callable[[], bool], turns: int = 1) -> None:
    """Handle events until something is done, seen so often in a row.

    Raises:
        WindowError: It takes longer than ten minutes.
    """
    deadline, seen = time.monotonic() + PATIENCE_S, 0
    while seen < turns:
        application.processEvents()
        seen = seen + 1 if done() else 0
        if time.monotonic() > deadline:
            raise WindowError(f"The window was not done after {PATIENCE_S / 60:.0f} minutes.")
        time.sleep(0.001)
