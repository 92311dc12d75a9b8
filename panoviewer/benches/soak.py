"""Panoramas opened, estimated and closed in one window, hundreds of times: whether memory stays where it is."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from core.errors import PanoError
from panoviewer.benches.measuring import bytes_now
from panoviewer.benches.pictures import sample_panorama
from panoviewer.benches.rows import Plan, Row, Unit, at_most, sample_of, size_text
from panoviewer.opengl import WindowError, check_display, probe

TURNS = 100
"""Panoramas per repeat of the plan: 500 unless another number of repeats is asked for."""
PICTURES = 7
"""Different files that take turns."""
MARKS = 10
"""How often memory is looked at."""
WARM = 2
"""Marks until what is kept on purpose, such as networks and compiled code, is there."""
LIMIT = 0.05
"""Growth of memory after that which is still called a plateau."""
PATIENCE_S = 900.0
"""On a busy machine a window may get a small share of a core."""


def measure(plan: Plan, tell: Callable[[str], None]) -> Iterator[Row]:
    """Memory after each tenth of the panoramas, how much it grew after the second, and the time each one took."""
    size = size_text(plan.width)
    try:
        check_display(os.environ)
        opengl = probe()
    except WindowError as error:
        yield Row("memory of a window", size, os.cpu_count() or 1, Unit.BYTES, None, note=str(error))
        return
    from PySide6.QtWidgets import QApplication

    from panoviewer.main_window import MainWindow
    from panoviewer.session import Session
    from panoviewer.settings import Settings
    from panoviewer.window import load_libraries

    load_libraries()
    application = QApplication.instance() or QApplication([])
    with tempfile.TemporaryDirectory(prefix="panoviewer-bench-") as folder:
        files = _pictures(Path(folder), plan.width)
        settings = Settings(Path(folder) / "settings.ini")
        window = MainWindow(Session(settings, software_opengl=opengl.is_software), settings, opengl)
        failures: list[str] = []
        window.session.failed.connect(failures.append)
        window.session.refused.connect(lambda _path, error: failures.append(str(error)))
        window.show()
        total = TURNS * plan.repeats
        marks = [round(total * mark / MARKS) for mark in range(1, MARKS + 1)]
        held: list[int] = []
        took: list[float] = []
        try:
            for turn in range(1, total + 1):
                tell(f"panorama {turn} of {total} in one window")
                started = time.perf_counter()
                window.open(files[turn % len(files)])
                _wait(application.processEvents, lambda: window.settled and window.session.document.panorama, failures)
                # Depth, normals, classes and the cloud: everything there is.
                window.show_cloud()
                _wait(
                    application.processEvents, lambda: window.settled and window.session.document.prediction, failures
                )
                took.append(time.perf_counter() - started)
                if turn in marks and (bytes_held := bytes_now()) is not None:
                    held.append(bytes_held)
        finally:
            window.close()
            application.processEvents()
    threads = os.cpu_count() or 1
    yield Row("opened, estimated, shown in 3D", size, threads, Unit.SECONDS, sample_of(took))
    for mark, found in zip(marks, held, strict=False):
        yield Row(f"memory after {mark} panoramas", size, threads, Unit.BYTES, sample_of([float(found)]))
    if len(held) == MARKS:
        growth = max(0.0, held[-1] / held[WARM - 1] - 1)
        yield Row(
            f"growth after panorama {marks[WARM - 1]}",
            size,
            threads,
            Unit.SHARE,
            sample_of([growth]),
            goal=at_most(LIMIT),
        )


def _pictures(folder: Path, width: int) -> list[Path]:
    """The sample from several sides, as files."""
    import cv2
    import numpy as np

    bgr = np.ascontiguousarray(sample_panorama(width).rgb[..., ::-1])
    files = []
    for number in range(PICTURES):
        path = folder / f"{number}.jpg"
        _, encoded = cv2.imencode(".jpg", np.roll(bgr, number * width // PICTURES, axis=1))
        path.write_bytes(encoded.tobytes())
        files.append(path)
    return files


def _wait(process: Callable[[], object], is_done: Callable[[], object], failures: list[str]) -> None:
    """Let the window work until something is so.

    Raises:
        PanoError: It said that something does not work, or nothing came of it.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not is_done():
        process()
        if failures:
            raise PanoError(failures[0])
        if time.monotonic() > deadline:
            raise PanoError(f"Expected a window that gets done, got one that is at work after {PATIENCE_S:.0f} s.")
        time.sleep(0.002)
