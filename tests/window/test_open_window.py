"""The window as the command line opens it: a process of its own, a picture of what it shows."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from window_samples import painted

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def start(opengl, tmp_path):
    """Runs ``panoviewer ...`` with the fake model; returns the finished process."""

    def run(*arguments, **environment):
        return subprocess.run(
            [sys.executable, str(ROOT / "tests" / "fake_model.py"), *map(str, arguments)],
            env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    return run


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), painted(128)[..., ::-1])
    return path


def test_a_screenshot_shows_the_cloud(start, photo, tmp_path, needs_opengl):
    out = tmp_path / "window.png"
    finished = start(photo, "--run", "cloud", "--screenshot", out)
    assert finished.returncode == 0, finished.stderr
    picture = cv2.imread(str(out)).astype(int)
    height, width = picture.shape[:2]
    assert (width, height) == (1600, 1000)
    pane = picture[int(0.6 * height) : int(0.95 * height), int(0.42 * width) : int(0.78 * width)]
    assert np.mean(np.abs(pane - pane[2, 2]).max(axis=-1) > 25) > 0.1
    assert "Traceback" not in finished.stderr


def test_a_screenshot_shows_the_layer_that_was_asked_for(start, photo, tmp_path):
    plain, depth = tmp_path / "plain.png", tmp_path / "depth.png"
    assert start(photo, "--screenshot", plain).returncode == 0
    assert start(photo, "--run", "depth", "--screenshot", depth).returncode == 0
    top = np.s_[120:480, 100:1100]
    assert np.abs(cv2.imread(str(plain))[top].astype(int) - cv2.imread(str(depth))[top]).mean() > 20


def test_it_starts_beside_the_full_opencv_and_without_opengl(start, photo, tmp_path):
    """The full wheel points Qt at plugins of its own; a remote desktop may have no OpenGL at all."""
    out = tmp_path / "window.png"
    foreign = "/somewhere/site-packages/cv2/qt/plugins"
    finished = start(
        photo, "--screenshot", out, QT_QPA_PLATFORM_PLUGIN_PATH=foreign, QT_PLUGIN_PATH=foreign, PANOVIEWER_OPENGL="off"
    )
    assert finished.returncode == 0, finished.stderr
    view = cv2.imread(str(out))[600:900, 100:500]
    assert view.std() > 5


def test_it_works_offscreen(start, photo, tmp_path):
    out = tmp_path / "window.png"
    finished = start(photo, "--run", "normals", "--screenshot", out, QT_QPA_PLATFORM="offscreen")
    assert finished.returncode == 0, finished.stderr
    assert cv2.imread(str(out))[600:900, 100:500].std() > 5


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_a_bad_picture_ends_a_screenshot_with_one_sentence(start, tmp_path, content):
    bad, out = tmp_path / "bad.jpg", tmp_path / "window.png"
    bad.write_bytes(content)
    finished = start(bad, "--screenshot", out)
    assert finished.returncode == 2
    assert len(finished.stderr.strip().splitlines()) == 1
    assert "bad.jpg" in finished.stderr
    assert not out.exists()


def test_a_screenshot_that_cannot_be_written_is_one_sentence(start, photo, tmp_path):
    finished = start(photo, "--screenshot", tmp_path / "nowhere" / "window.png")
    assert finished.returncode == 2
    assert len(finished.stderr.strip().splitlines()) == 1


def test_an_interrupt_ends_the_window(opengl, photo, tmp_path):
    begun = tmp_path / "begun"
    told = {"XDG_CONFIG_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "FAKE_SECONDS": "40", "FAKE_BEGUN": str(begun)}
    command = [sys.executable, str(ROOT / "tests" / "fake_model.py"), str(photo), "--run", "depth"]
    with subprocess.Popen(command, env=os.environ | told, stderr=subprocess.PIPE, text=True) as running:
        while not begun.exists():
            assert running.poll() is None, running.stderr.read()
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=120)
        assert running.returncode == 130, said
        assert "Traceback" not in said


def test_no_screen_is_one_sentence(start, photo):
    finished = start(photo, DISPLAY="", WAYLAND_DISPLAY="", QT_QPA_PLATFORM="")
    assert finished.returncode == 2
    assert "DISPLAY" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_broken_display_is_one_sentence(start, photo):
    finished = start(photo, DISPLAY=":987", QT_QPA_PLATFORM="xcb")
    assert finished.returncode == 2
    assert "window cannot be opened" in finished.stderr
