"""A model in a few lines: a box room, whatever the picture. As a program it is the command line with this model.

``python tests/fake_model.py predict ...``; FAKE_SECONDS makes each prediction take that long, or, with several numbers
between commas, the first, the second, and all later ones. FAKE_BEGUN is a file that appears when a prediction begins.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

import core.models
from core.geometry.sphere import erp_rays
from core.models.base import Task
from core.prediction import Prediction

HALF_SIZE = (3.0, 1.6, 4.0)
CLASS_NAMES = ("wall", "floor", "end")
NATIVE = (32, 64)
STEPS = 40


def room(height, width):
    """Depth, normals and axis of the wall of a box room, exactly."""
    rays = erp_rays(height, width).astype(np.float64)
    ranges = np.array(HALF_SIZE) / np.maximum(np.abs(rays), 1e-12)
    axis = ranges.argmin(axis=-1)
    normals = np.zeros((height, width, 3), np.float32)
    np.put_along_axis(normals, axis[..., None], -np.sign(np.take_along_axis(rays, axis[..., None], -1)), axis=-1)
    return ranges.min(axis=-1).astype(np.float32), normals, axis.astype(np.int16)


class FakeModel:
    """The box room, whatever the picture; counts its runs, and notes when one of them was stopped."""

    def __init__(self, device="auto"):
        self.device = device
        first, *self.later = [float(text) for text in os.environ.get("FAKE_SECONDS", "0").split(",")]
        self.seconds = first
        self.runs, self.stopped = 0, False

    def predict(self, rgb, *, progress=lambda done, total: None):
        if self.runs and self.later:
            self.seconds = self.later.pop(0)
        self.runs += 1
        if begun := os.environ.get("FAKE_BEGUN"):
            Path(begun).touch()
        try:
            for step in range(STEPS):
                progress(step, STEPS)
                time.sleep(self.seconds / STEPS)
        except BaseException:
            self.stopped = True
            raise
        depth, normals, classes = room(*NATIVE)
        far = np.zeros(NATIVE, bool)
        device = "cpu" if self.device == "auto" else self.device
        return Prediction(depth, normals, classes, CLASS_NAMES, far, 1.6, True, "pano-s", device, self.seconds, NATIVE)


SPEC = core.models.ModelSpec(
    "pano-s", "Fake", tuple(Task), "fake_model:FakeModel", "pano_s.safetensors", source="tests", licence="none"
)

if __name__ == "__main__":
    root = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(root)]
    core.models.MODELS = (SPEC,)
    from panoviewer.__main__ import main

    raise SystemExit(main())
