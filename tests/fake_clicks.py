"""A click network in ten lines: the object is what is red.

FAKE_SECONDS makes each view take that long; FAKE_BEGUN is a file that appears when one begins.
"""

import os
import time
from pathlib import Path

import numpy as np

import core.models
from core.geometry.sampling import shrink
from core.segment.network import ViewAnswer


class RedNetwork:
    view_size = answer_size = 64
    fingerprint = "red"

    def __init__(self, device="auto"):
        self.device = device

    def encode(self, view):
        if begun := os.environ.get("FAKE_BEGUN"):
            Path(begun).touch()
        time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
        return shrink(np.ascontiguousarray(view), 64, 64).astype(np.float32) / 255

    def attend(self, features, memories):
        return features

    def decode(self, features, prompt):
        share = features[..., 0] - features[..., 1]
        logits = ((share - 0.5) * 16).astype(np.float32)
        return ViewAnswer(logits[None], np.array([0.9], np.float32), 5.0 if share.max() > 0.5 else -5.0, chosen=0)

    def remember(self, features, answer, *, presence, prompted, pointer):
        return 0.0


SPEC = core.models.ModelSpec(
    "click-s", "Fake", (), "fake_clicks:RedNetwork", "click_s.safetensors", source="tests", licence="none"
)

if __name__ == "__main__":
    import sys

    sys.path[:0] = [str(Path(__file__).resolve().parents[1])]
    core.models.SEGMENTERS = (SPEC,)
    from panoviewer.cli import main

    raise SystemExit(main())
