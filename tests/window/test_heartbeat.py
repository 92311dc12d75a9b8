"""The UI thread is never blocked by work."""

import ctypes
import sys
import threading
import time

import cv2
import numpy as np
import pytest
from heartbeat import Block, Heartbeat
from own_time import own_seconds
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from window_samples import drag, painted

from panoviewer.window import load_libraries

LONGEST_MS = 250
ATTEMPTS = 3
PAUSE_SECONDS = 2.0


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """4096 x 2048 pixels of a photo's size in bytes."""
    noise = np.random.default_rng(1).integers(-12, 13, (2048, 4096, 3))
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    cv2.imwrite(str(path), (painted(2048)[..., ::-1] + noise).clip(0, 255).astype(np.uint8))
    return path


def main_job(window, settle, photo, out):
    """Open a 4K photo, run the model, look at everything, export; returns the heartbeat."""
    heartbeat = Heartbeat()

    def step(name, act):
        heartbeat.begin(name)
        act()
        settle(window, timeout=300_000)

    step("opening", lambda: window.open(photo))
    step("looking around", lambda: drag(window.stage.perspective, (100, 100), (200, 150), (300, 160)))
    step("estimating", lambda: QTest.keyClick(window, Qt.Key.Key_1))
    for key in (Qt.Key.Key_2, Qt.Key.Key_3, Qt.Key.Key_0):
        step("switching layers", lambda key=key: QTest.keyClick(window, key))
    step("building the cloud", lambda: QTest.keyClick(window, Qt.Key.Key_4))
    step("scaling", lambda: window.inference._height.setValue(2.0))
    step("exporting", lambda: window.session.export_cloud(out, "z-up"))
    heartbeat.stop()
    return heartbeat


def hold_the_interpreter():
    """Sleep in a thread without letting go of Python's interpreter, as a badly written library would."""
    thread = threading.Thread(target=ctypes.PyDLL(None).usleep, args=(int(1e6 * PAUSE_SECONDS),))
    thread.start()
    return thread.is_alive


def sleep():
    time.sleep(PAUSE_SECONDS)
    return lambda: False


def compute():
    begin = own_seconds()[0]
    while own_seconds()[0] - begin < 2 * LONGEST_MS / 1000:
        sum(range(10_000))
    return lambda: False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells what the thread was kept from")
@pytest.mark.parametrize("fault", [sleep, compute, hold_the_interpreter])
def test_every_kind_of_block_is_noticed(application, qtbot, fault):
    heartbeat = Heartbeat()
    heartbeat.begin("the fault")
    goes_on = fault()
    qtbot.waitUntil(lambda: not goes_on(), timeout=60_000)
    heartbeat.stop()
    assert heartbeat.longest.caused > LONGEST_MS, heartbeat.longest
    assert heartbeat.longest.during == "the fault"


def test_what_other_programs_take_is_not_the_programs():
    """Numbers from a machine with six times as many busy threads as processors, and one whose memory came slowly."""
    assert Block(1059.0, 20.0, 147.0, 997.0, "opening").caused == 20.0
    assert Block(171.0, 1.0, 145.0, 0.0, "estimating").caused == 26.0
    assert Block(800.0, 300.0, 0.0, 2000.0, "computing").caused == 300.0
    assert Block(400.0, 0.0, 0.0, 30.0, "waiting for a file").caused == 370.0


@pytest.mark.timeout(1800)
def test_no_step_of_the_main_job_blocks_the_window(make_main_window, settle, photo, tmp_path, record_property, capfd):
    """What the program itself causes counts, so that a busy machine gives the same answer as an idle one.

    The shortest of a few tries counts: a page of a library that comes from a slow disk is no fault of the program.
    """
    load_libraries()
    longest = []
    for attempt in range(ATTEMPTS):
        window = make_main_window()
        heartbeat = main_job(window, settle, photo, tmp_path / f"{attempt}.ply")
        assert (tmp_path / f"{attempt}.ply").stat().st_size > 100e6
        window.close()
        longest.append(heartbeat.longest)
        if longest[-1].caused <= LONGEST_MS:
            break
    record_property("longest_block_ms", round(longest[-1].caused))
    with capfd.disabled():
        sys.stdout.write(f"\nlongest block of the UI thread: {longest[-1]}\n")
    assert longest[-1].caused <= LONGEST_MS, "; ".join(map(str, longest))
