"""A panorama with red things on it, a network that sees red, and what a person does with both."""

from __future__ import annotations

import itertools
import math
import threading

import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from core.geometry.sampling import shrink
from core.geometry.sphere import erp_rays, lonlat_to_directions
from core.mask import SphereMask
from core.panorama import Panorama
from core.pyramid import Pyramid
from core.scene import Segment
from core.segment.network import ViewAnswer

HEIGHT = 256
DISK, SEAM, POLE = (30.0, 10.0), (180.0, -10.0), (0.0, 88.0)
"""Where red things are, degrees: a disk, one on the seam, one over the zenith."""
LEAK = (30.0, 24.0)
"""Green, beside the disk; the network takes it for red until it is told."""
NOTHING = (-90.0, -30.0)


def cap(lon, lat, radius, height=HEIGHT):
    axis = lonlat_to_directions(math.radians(lon), math.radians(lat))
    return erp_rays(height, 2 * height) @ axis > math.cos(math.radians(radius))


def red_things(height=HEIGHT):
    """A panorama's pixels."""
    rgb = np.full((height, 2 * height, 3), 40, np.uint8)
    rgb[cap(*LEAK, 5, height)] = (0, 255, 0)
    for place in (DISK, SEAM, POLE):
        rgb[cap(*place, 12, height)] = (255, 0, 0)
    return rgb


class SeesRed:
    """A click network that knows the truth, since it is painted; it may be held up between two views.

    Attributes:
        free: While it is not set, `encode` waits.
        encoded: How many views it has encoded.
    """

    view_size = answer_size = 96
    made = itertools.count()

    def __init__(self):
        self.fingerprint = f"red {next(self.made)}"
        self.free = threading.Event()
        self.free.set()
        self.encoded = 0

    def encode(self, view):
        self.free.wait(250)
        self.encoded += 1
        shares = shrink(np.ascontiguousarray(view), self.answer_size, self.answer_size) / 255.0
        return shares.astype(np.float32), 0

    def attend(self, features, memories):
        return features[0], len(memories)

    def decode(self, features, prompt):
        colors = features[0]
        red, green = colors[..., 0] - colors[..., 1] > 0.4, colors[..., 1] - colors[..., 0] > 0.4
        places = np.clip(prompt.points.astype(int), 0, self.view_size - 1)
        told = any(green[v, u] and not sign for (u, v), sign in zip(places, prompt.positive, strict=True))
        if prompt.prior is not None and not told:
            about = prompt.prior[green & ~np.isnan(prompt.prior)]
            told = len(about) > 0 and bool((about < 0).mean() > 0.5)
        seen = red if told else red | green
        logits = np.where(seen, 6.0, -6.0).astype(np.float32)
        return ViewAnswer(np.stack([logits] * 3), np.array([0.5, 0.9, 0.4], np.float32), 5.0 if seen.any() else -5.0, 1)

    def remember(self, features, answer, *, presence, prompted, pointer):
        return float((answer > 0).mean())


def begin_anew(window, network):
    """Show red things in a window as if it had just been opened."""
    desk, session = window.desk, window.session
    session.jobs.cancel()
    window.toolbox.use(window.navigate)
    desk.clicking._loader = lambda _name, _device: network
    desk.clicking._networks.clear()
    desk.clicking._session = None
    desk.segment_tool.set_reading(1)
    desk.annotating.set_all_hidden(hidden=False)
    desk.segments._search.clear()
    panorama = Panorama(red_things())
    session.show(panorama, Pyramid.of(panorama.rgb))
    desk.annotating.set_label("")
    window.stage.erp.fit()


def direction(place):
    """(3,) of a place in degrees."""
    return lonlat_to_directions(*np.radians(place))


def disk(place=DISK, radius=12.0, height=HEIGHT):
    """The mask of a disk."""
    return SphereMask.pack(cap(*place, radius, height))


def a_segment(label="", place=DISK, radius=12.0, height=HEIGHT, **fields):
    return Segment(1, disk(place, radius, height), label, **fields)


def position(window, place):
    """Where a place is in the panorama view."""
    return window.stage.erp.position_of(direction(place)).toPoint()


def position_around(window, place):
    """Where a place is in the look-around view."""
    camera = window.viewpoint.photo
    u, v = camera.project(direction(place))
    ratio = window.stage.perspective.devicePixelRatioF()
    return QPointF(float(u) / ratio, float(v) / ratio).toPoint()


def click(window, place, button=Qt.MouseButton.LeftButton, modifiers=Qt.KeyboardModifier.NoModifier):
    """Click a place in the panorama view."""
    view = window.stage.erp
    view.setFocus()
    QTest.mouseClick(view.viewport(), button, modifiers, position(window, place))


def key(window, what, modifiers=Qt.KeyboardModifier.NoModifier):
    """Press a key while the panorama view has the focus."""
    view = window.stage.erp
    view.setFocus()
    QTest.keyClick(view, what, modifiers)


def iou(mask, place=DISK, radius=12.0):
    return mask.iou(disk(place, radius, mask.height))
