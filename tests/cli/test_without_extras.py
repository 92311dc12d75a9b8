"""A server has neither the packages of the window nor those of the training."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import ROOT, environment

EXTRAS = ("PySide6", "shiboken6", "pyqtgraph", "vispy", "OpenGL", "onnx", "onnxscript", "tyro")
PROGRAM = """
import os, runpy, sys
sys.modules.update(dict.fromkeys({names}))
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(program, *args):
    command = [sys.executable, "-c", PROGRAM.format(names=EXTRAS), ROOT / program, *args]
    return subprocess.run(
        list(map(str, command)), env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )


@pytest.mark.parametrize(
    ("program", "args"),
    [
        ("tests/fake_model.py", ["info", "{folder}/a.png"]),
        ("tests/fake_model.py", ["predict", "{folder}/a.png", "-o", "{folder}/out"]),
        ("tests/fake_model.py", ["cloud", "{folder}/a.png", "-o", "{folder}/a.ply"]),
        ("tests/fake_clicks.py", ["segment", "{folder}/a.png", "--click", "10,20", "-o", "{folder}/m.png"]),
    ],
)
def test_the_command_line_works_without_them(tmp_path, program, args):
    picture = np.full((64, 128, 3), 90, np.uint8)
    picture[15:40, 55:80] = (20, 20, 230)
    assert cv2.imwrite(str(tmp_path / "a.png"), picture)
    done = run(program, *(arg.format(folder=tmp_path) for arg in args))
    assert done.returncode == 0, done.stderr
    assert "-o" not in args or (tmp_path / Path(args[-1]).name).exists()


def test_training_says_what_it_needs():
    done = run("training/__main__.py", "generate")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "panoviewer[train]" in done.stderr
