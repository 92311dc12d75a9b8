"""The click network that ships, on the photograph that ships."""

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.mask import SphereMask
from core.models import load_segmenter
from core.panorama import Panorama
from core.scene import Click
from core.segment.session import SegmentSession

SAMPLE = Path(__file__).resolve().parents[2] / "resources" / "sample.jpg"
HEIGHT = 512
OBJECTS = {"the cabinet on the seam": [(160, -38), (165, -23)], "the chair": [(-27, -48), (-18, -31)]}


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTS)
def test_a_photograph_turned_by_half_gives_the_mask_turned_by_half(name):
    picture = cv2.resize(cv2.imread(str(SAMPLE)), (2 * HEIGHT, HEIGHT), interpolation=cv2.INTER_AREA)
    rgb = np.ascontiguousarray(picture[..., ::-1])
    network = load_segmenter("click-s", device="cpu")
    clicks = [Click(*np.radians(place).tolist()) for place in OBJECTS[name]]
    around = [replace(click, lon=math.remainder(click.lon + math.pi, 2 * math.pi)) for click in clicks]
    plain = SegmentSession(network, Panorama(rgb)).segment(clicks).mask
    turned = SegmentSession(network, Panorama(np.roll(rgb, HEIGHT, axis=1))).segment(around).mask
    assert 0.01 < plain.solid_angle() < 4
    assert SphereMask.pack(np.roll(turned.unpack(), -HEIGHT, axis=1)).iou(plain) >= 0.97
