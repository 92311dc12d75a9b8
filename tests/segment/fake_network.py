"""Networks that know the truth because it is painted into the photograph: red belongs to the object, green leaks."""

from __future__ import annotations

import math

import numpy as np

from core.geometry.sampling import shrink
from core.geometry.sphere import erp_rays, lonlat_to_directions
from core.panorama import Panorama
from core.scene import Click
from core.segment.network import ViewAnswer

SURE = 8.0


def cap(height, lon, lat, radius):
    """A disk on the sphere; angles in degrees."""
    axis = lonlat_to_directions(math.radians(lon), math.radians(lat)).astype(np.float32)
    return erp_rays(height, 2 * height) @ axis > math.cos(math.radians(radius))


def band(height, south, north):
    """All the way round, between two latitudes in degrees."""
    down = np.arcsin(np.clip(-erp_rays(height, 2 * height)[..., 1], -1, 1))
    return (down > math.radians(south)) & (down < math.radians(north))


def click(lon, lat, *, positive=True):
    return Click(math.radians(lon), math.radians(lat), positive)


def painted(red, green=None):
    """A photograph in which an object is red, and what it is confused with is green."""
    rgb = np.zeros((*red.shape, 3), np.uint8)
    rgb[red, 0] = 255
    if green is not None:
        rgb[green & ~red, 1] = 255
    return Panorama(rgb)


class Oracle:
    """Sees red. It keeps a log of its calls: encode, attend (number of memories), decode (prompt), remember.

    Args:
        view_size: Pixels of its views.
        answer_size: Pixels of its logits.
        needs_hint: Without a click, a box, a positive prior or a memory it finds nothing.
        noise: Spread of what is added to its logits, the same for the same view.
        poor_border: Share of the view along each side in which it says the opposite.
    """

    fingerprint = "oracle"

    def __init__(self, view_size=96, answer_size=96, *, needs_hint=False, noise=0.0, poor_border=0.0):
        self.view_size = view_size
        self.answer_size = answer_size
        self.calls = []
        self._needs_hint = needs_hint
        self._noise = noise
        self._poor_border = poor_border

    def encode(self, view):
        assert view.shape == (self.view_size, self.view_size, 3)
        assert view.dtype == np.uint8
        self.calls.append(("encode", None))
        shares = shrink(np.ascontiguousarray(view), self.answer_size, self.answer_size)
        return (shares.astype(np.float32) / 255, 0)

    def attend(self, features, memories):
        self.calls.append(("attend", tuple(memories)))
        return (features[0], len(memories))

    def decode(self, features, prompt):
        self.calls.append(("decode", prompt))
        colors, memories = features
        share = self._share(colors, prompt)
        logits = ((share - 0.5) * 2 * SURE).astype(np.float32)
        if self._noise:
            seed = int(np.round(colors.sum() * 1e3)) % 2**32
            logits += np.random.default_rng(seed).normal(0, self._noise, logits.shape).astype(np.float32)
        if self._poor_border:
            edge = max(1, round(self._poor_border * len(logits)))
            rim = np.ones(logits.shape, bool)
            rim[edge:-edge, edge:-edge] = False
            logits = np.where(rim, -logits / 4, logits)
        hinted = len(prompt.points) or prompt.box or memories or self._told(prompt)
        seen = bool((share > 0.5).any()) and (bool(hinted) or not self._needs_hint)
        return ViewAnswer(np.stack([logits - 4, logits, logits + 4]), np.array([0.5, 0.9, 0.4], np.float32),
                          5.0 if seen else -5.0, chosen=1)  # fmt: skip

    def remember(self, features, answer, *, presence, prompted, pointer):
        self.calls.append(("remember", None))
        assert answer.shape == (self.answer_size, self.answer_size)
        return (answer > 0).mean()

    def count(self, name):
        return sum(called == name for called, _ in self.calls)

    def _share(self, colors, prompt):
        return colors[..., 0]

    @staticmethod
    def _told(prompt):
        return prompt.prior is not None and bool((prompt.prior > 0).any())


class Leaker(Oracle):
    """Takes green for red until a click or a prior says that green is not meant."""

    def _share(self, colors, prompt):
        green = colors[..., 1] > 0.5
        scale = self.answer_size / self.view_size
        for (u, v), positive in zip(prompt.points * scale, prompt.positive, strict=True):
            if not positive and green[min(int(v), len(green) - 1), min(int(u), len(green) - 1)]:
                return colors[..., 0]
        if prompt.prior is not None:
            about_green = prompt.prior[green & ~np.isnan(prompt.prior)]
            if len(about_green) and (about_green < 0).mean() > 0.3:
                return colors[..., 0]
        return colors[..., 0] + colors[..., 1]
