"""Skies: what a ray that meets nothing sees, the light that falls from there, and the haze in between.

Colours are linear light, scaled so that a white surface lit by a high sun is near 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float32]
Colour = tuple[float, float, float]

NOISE_SIZE = 1024


@dataclass(frozen=True)
class SkyParams:
    """One sky, complete: the same parameters give the same colours.

    Attributes:
        zenith: Colour straight up.
        horizon: Colour at the horizon away from the sun.
        falloff: How fast the horizon's colour gives way with height; 3 is hazy, 10 is clear.
        sun_direction: Unit vector towards the sun, or the moon by night.
        sun_color: Light that a surface facing the sun receives from it; zeros when it is hidden.
        disc: Brightness of the visible disc; 0 for none.
        disc_radius: Its angular radius in radians; photographs bloom, so more than the true one.
        glow: Colour of the light around the sun.
        glow_strength: Of the wide and of the narrow glow.
        band: Colour of the glow along the horizon below a low sun.
        cloud_cover: 0 clear to 1 closed.
        cloud_softness: Width of a cloud's edge; small is crisp cumulus, 1 is a grey veil.
        cloud_scale: Size of the clouds; 1 is a few of them between horizon and zenith.
        cloud_stretch: Along one direction; 1 for heaps, 4 for streaks.
        cloud_light: Colour of the lit side.
        cloud_shade: Colour of the side away from the sun.
        cloud_seed: Which clouds.
        stars: Brightness of the brightest.
        milky_way: Brightness of the band.
        haze_color: What everything fades to with distance.
        haze_distance: Metres after which 63 % of a surface's colour is lost.
        fog_height: Sine of the elevation up to which the haze hides the sky; 0 for none.
        is_night: True when lamps are lit.
    """

    zenith: Colour
    horizon: Colour
    falloff: float
    sun_direction: Colour
    sun_color: Colour
    disc: float = 0.0
    disc_radius: float = 0.02
    glow: Colour = (1.0, 1.0, 1.0)
    glow_strength: tuple[float, float] = (0.0, 0.0)
    band: Colour = (0.0, 0.0, 0.0)
    cloud_cover: float = 0.0
    cloud_softness: float = 0.2
    cloud_scale: float = 1.0
    cloud_stretch: float = 1.0
    cloud_light: Colour = (1.0, 1.0, 1.0)
    cloud_shade: Colour = (0.5, 0.5, 0.55)
    cloud_seed: int = 0
    stars: float = 0.0
    milky_way: float = 0.0
    haze_color: Colour = (0.7, 0.75, 0.8)
    haze_distance: float = 5000.0
    fog_height: float = 0.0
    is_night: bool = False


@lru_cache(maxsize=4)
def noise_tile(falloff: float = 1.65) -> Float:
    """Fractal noise (1024, 1024) in [0, 1], evenly spread, that repeats without a seam; the same in every process.

    Args:
        falloff: Amplitude is ``frequency ** -falloff``: 1.65 suits clouds, 2.6 the ground.
    """
    rng = np.random.default_rng(20240229)
    frequency = np.hypot(*np.meshgrid(np.fft.rfftfreq(NOISE_SIZE), np.fft.fftfreq(NOISE_SIZE))) * NOISE_SIZE
    with np.errstate(divide="ignore"):
        amplitude = np.where(frequency < 3, 0.0, frequency**-falloff)
    phase = rng.uniform(0, 2 * np.pi, frequency.shape)
    field = np.fft.irfft2(amplitude * np.exp(1j * phase), s=(NOISE_SIZE, NOISE_SIZE))
    ranks = np.empty(field.size, np.float32)
    ranks[np.argsort(field, axis=None)] = np.linspace(0, 1, field.size, dtype=np.float32)
    tile = ranks.reshape(field.shape)
    tile.flags.writeable = False
    return tile


def sample_noise(x: ArrayLike, y: ArrayLike, *, falloff: float = 1.65) -> Float:
    """Fractal noise in [0, 1] at plane coordinates; 1 is one repeat of the tile. Flat arrays in, flat array out."""
    x = (np.asarray(x, np.float64) % 1.0 * NOISE_SIZE - 0.5).astype(np.float32).reshape(-1)
    y = (np.asarray(y, np.float64) % 1.0 * NOISE_SIZE - 0.5).astype(np.float32).reshape(-1)
    width = 1024
    rows = -(-x.size // width)
    padded = np.zeros((2, rows * width), np.float32)
    padded[0, : x.size], padded[1, : x.size] = x, y
    grid = padded.reshape(2, rows, width)
    return _remap(noise_tile(falloff), grid[0], grid[1]).reshape(-1)[: x.size]


def _remap(tile: Float, x: Float, y: Float) -> Float:
    """OpenCV holds at most 32,766 rows in one call."""
    step = 16384
    parts = [
        cv2.remap(tile, x[i : i + step], y[i : i + step], cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        for i in range(0, len(x), step)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, x.shape[1]), np.float32)


def sky_colors(directions: ArrayLike, sky: SkyParams) -> Float:
    """Linear colours that rays towards the sky see.

    Args:
        directions: (n, 3) unit vectors, y down; below the horizon the haze is seen.
        sky: The sky.

    Returns:
        (n, 3) float32 linear light, never negative.
    """
    directions = np.asarray(directions, np.float32)
    up = np.clip(-directions[:, 1], 0.0, 1.0)
    sun = np.asarray(sky.sun_direction, np.float32)
    cosine = np.clip(directions @ sun, -1.0, 1.0)
    rise = ((1 - np.exp(-sky.falloff * up)) / (1 - np.exp(-sky.falloff)))[:, None]
    colors = _vector(sky.horizon) * (1 - rise) + _vector(sky.zenith) * rise
    if sky.stars or sky.milky_way:
        colors += _stars(directions, sky)
    wide, narrow = sky.glow_strength
    glow = (wide * np.exp((cosine - 1) * 5) + narrow * np.exp((cosine - 1) * 60))[:, None] * _vector(sky.glow)
    if any(sky.band):
        level = np.hypot(directions[:, 0], directions[:, 2]) * np.hypot(sun[0], sun[2])
        azimuth = (directions[:, 0] * sun[0] + directions[:, 2] * sun[2]) / np.maximum(level, 1e-6)
        spread = (0.5 + 0.5 * azimuth) ** 2 * np.exp(-up * 7)
        glow = glow + spread[:, None] * _vector(sky.band)
    disc = sky.disc * np.exp(-((np.arccos(cosine) / sky.disc_radius) ** 2))
    colors += glow
    veil = np.zeros(len(directions), np.float32)
    if sky.cloud_cover > 0:
        veil, lit = _clouds(directions, up, sun, sky)
        cloud = _vector(sky.cloud_shade) + (_vector(sky.cloud_light) - _vector(sky.cloud_shade)) * lit[:, None]
        colors += (cloud + 0.5 * glow - colors) * veil[:, None]
    colors += (disc * (1 - 0.9 * veil))[:, None] * _vector(sky.glow)
    fog = np.exp(-up / sky.fog_height) if sky.fog_height > 0 else np.exp(-up * 40) * 0.4
    colors += (_vector(sky.haze_color) - colors) * fog[:, None]
    result: Float = np.maximum(colors, 0.0).astype(np.float32)
    return result


def _vector(colour: Colour) -> Float:
    return np.asarray(colour, np.float32)


def _clouds(directions: Float, up: Float, sun: Float, sky: SkyParams) -> tuple[Float, Float]:
    """Opacity and lit fraction of the clouds, which float on a dome that is flatter than the sphere."""
    offset = np.random.default_rng(sky.cloud_seed).uniform(0, 1, 3)
    turn = offset[2] * 2 * np.pi
    plane = directions[:, [0, 2]] / (up + 0.18)[:, None] * 0.12 / sky.cloud_scale
    x = (np.cos(turn) * plane[:, 0] - np.sin(turn) * plane[:, 1]) / sky.cloud_stretch
    y = np.sin(turn) * plane[:, 0] + np.cos(turn) * plane[:, 1]
    large = sample_noise(x + offset[0], y + offset[1])
    small = sample_noise(4.3 * x + offset[1], 4.3 * y + offset[0])
    field = 0.72 * large + 0.28 * small
    shift = np.array([np.cos(turn) * sun[0] - np.sin(turn) * sun[2], np.sin(turn) * sun[0] + np.cos(turn) * sun[2]])
    shift *= 0.012 / sky.cloud_scale
    towards = sample_noise(x + offset[0] + shift[0], y + offset[1] + shift[1])
    edge = 1 - sky.cloud_cover
    ramp = np.clip((field - edge + 0.5 * sky.cloud_softness) / max(sky.cloud_softness, 1e-3), 0, 1)
    opacity = ramp * ramp * (3 - 2 * ramp)
    thickness = np.clip((field - edge) * 1.6, 0, 1)
    lit = np.clip(0.85 + 4 * (large - towards) - 0.7 * thickness + 0.4 * (small - 0.5), 0, 1)
    return opacity.astype(np.float32), lit.astype(np.float32)


def _stars(directions: Float, sky: SkyParams) -> Float:
    rng = np.random.default_rng(sky.cloud_seed + 1)
    plane = directions[:, [0, 2]] / (1.2 - directions[:, 1])[:, None]
    cells = np.floor(plane * 260).astype(np.int64) + 1000
    hashed = (cells[:, 0] * 73856093 ^ cells[:, 1] * 19349663) * 2654435761 % 65536 / 65536
    light = sky.stars * np.clip((hashed - 0.99) / 0.01, 0, 1) ** 4
    pole = rng.normal(size=3)
    pole /= np.linalg.norm(pole)
    band = np.exp(-((directions @ pole / 0.22) ** 2))
    cloudy = sample_noise(plane[:, 0] * 0.4, plane[:, 1] * 0.4)
    light = light * (1 + 2 * band) + sky.milky_way * band * cloudy
    result: Float = (light[:, None] * np.array([1.0, 0.97, 0.95])).astype(np.float32)
    return result


def random_sky(rng: np.random.Generator, kind: str | None = None) -> SkyParams:
    """A sky of one kind of `SKY_KINDS`, or of any."""
    names, weights = zip(*SKY_KINDS.items(), strict=True)
    if kind is None:
        kind = str(rng.choice(names, p=np.asarray(weights) / sum(weights)))
    if kind in ("clear", "hazy", "scattered", "broken", "streaks"):
        return _day(rng, kind)
    if kind in ("overcast", "dramatic", "fog"):
        return _grey(rng, kind)
    if kind in ("sunset", "dusk"):
        return _low_sun(rng, kind)
    return _night(rng, kind)


SKY_KINDS = {
    "clear": 5.0,
    "hazy": 2.5,
    "scattered": 3.5,
    "broken": 2.0,
    "streaks": 1.0,
    "overcast": 3.0,
    "dramatic": 1.5,
    "fog": 0.8,
    "sunset": 2.5,
    "dusk": 1.5,
    "moon": 1.0,
    "stars": 1.2,
    "city_night": 1.0,
}
"""The kinds of sky and how often each is drawn."""


def _direction(rng: np.random.Generator, low_deg: float, high_deg: float) -> Colour:
    elevation = np.radians(rng.uniform(low_deg, high_deg))
    azimuth = rng.uniform(0, 2 * np.pi)
    across = float(np.cos(elevation))
    return across * float(np.sin(azimuth)), -float(np.sin(elevation)), across * float(np.cos(azimuth))


def _jitter(rng: np.random.Generator, colour: Colour, amount: float = 0.08, gain: float = 1.0) -> Colour:
    r, g, b = np.asarray(colour) * gain * np.exp(rng.normal(0, amount, 3))
    return float(r), float(g), float(b)


def _mix(a: Colour, b: Colour, t: float) -> Colour:
    r, g, b_ = np.asarray(a) * (1 - t) + np.asarray(b) * t
    return float(r), float(g), float(b_)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _day(rng: np.random.Generator, kind: str) -> SkyParams:
    deep, pale = (0.02, 0.09, 0.30), (0.16, 0.33, 0.68)
    zenith = _jitter(rng, _mix(deep, pale, rng.beta(1.2, 1.5)), 0.15, rng.uniform(0.7, 1.3))
    horizon = _jitter(rng, _mix((0.35, 0.50, 0.72), (0.75, 0.82, 0.90), rng.uniform()), 0.08)
    falloff = rng.uniform(2.5, 8.0)
    haze = float(rng.choice([6000.0, 3000.0, 1500.0], p=[0.5, 0.35, 0.15]))
    if kind == "hazy":
        zenith, falloff, haze = _mix(zenith, horizon, rng.uniform(0.3, 0.7)), 2.0, rng.uniform(400, 1200)
    cover = {"scattered": rng.uniform(0.2, 0.45), "broken": rng.uniform(0.45, 0.7), "streaks": rng.uniform(0.3, 0.6)}
    sun = _direction(rng, 18, 80)
    warmth = rng.uniform(0, 1)
    return SkyParams(
        zenith=zenith,
        horizon=horizon,
        falloff=falloff,
        sun_direction=sun,
        sun_color=_jitter(rng, _mix((1.0, 0.98, 0.94), (1.0, 0.88, 0.70), warmth), 0.03, rng.uniform(0.9, 1.6)),
        disc=rng.uniform(3, 12),
        disc_radius=rng.uniform(0.03, 0.10),
        glow=_jitter(rng, (1.0, 0.97, 0.92), 0.03),
        glow_strength=(rng.uniform(0.05, 0.7), rng.uniform(0.2, 1.2)),
        cloud_cover=float(cover.get(kind, 0.0)),
        cloud_softness=rng.uniform(0.4, 0.9) if kind == "streaks" else rng.uniform(0.06, 0.3),
        cloud_scale=float(np.exp(rng.uniform(np.log(0.4), np.log(1.8)))),
        cloud_stretch=rng.uniform(1.8, 4) if kind == "streaks" else rng.uniform(1, 1.8),
        cloud_light=_jitter(rng, (1.0, 1.0, 1.0), 0.03, rng.uniform(0.9, 1.3)),
        cloud_shade=_jitter(rng, (0.50, 0.54, 0.62), 0.08, rng.uniform(0.7, 1.2)),
        cloud_seed=_seed(rng),
        haze_color=_mix(horizon, (0.80, 0.84, 0.90), 0.3),
        haze_distance=haze,
        fog_height=rng.uniform(0.03, 0.10) if kind == "hazy" else 0.0,
    )


def _grey(rng: np.random.Generator, kind: str) -> SkyParams:
    bright = rng.uniform(0.55, 1.25) if kind != "dramatic" else rng.uniform(0.3, 0.7)
    grey = _jitter(rng, (0.82, 0.86, 0.92), 0.05, bright)
    shade = _mix(grey, (0.10, 0.12, 0.16), rng.uniform(0.5, 0.85) if kind == "dramatic" else rng.uniform(0.05, 0.4))
    fog = kind == "fog"
    leak = rng.uniform(0.3, 0.8) if kind == "dramatic" else 0.0
    return SkyParams(
        zenith=_mix(grey, (0.15, 0.3, 0.6), rng.uniform(0, 0.7)) if kind == "dramatic" else _mix(grey, shade, 0.3),
        horizon=_mix(grey, (1.0, 1.0, 1.0), rng.uniform(0, 0.4)),
        falloff=rng.uniform(1.5, 6),
        sun_direction=_direction(rng, 25, 70),
        sun_color=_jitter(rng, (1.0, 0.95, 0.88), 0.03, leak),
        glow=(1.0, 0.98, 0.95),
        glow_strength=(rng.uniform(0, 0.3), rng.uniform(0, 0.5)),
        cloud_cover=0.0 if fog else rng.uniform(0.75, 1.1),
        cloud_softness=rng.uniform(0.4, 1.0),
        cloud_scale=rng.uniform(0.5, 2.0),
        cloud_stretch=rng.uniform(1, 3),
        cloud_light=grey,
        cloud_shade=shade,
        cloud_seed=_seed(rng),
        haze_color=_mix(grey, (0.8, 0.85, 0.9), 0.2),
        haze_distance=rng.uniform(25, 160) if fog else rng.uniform(500, 4000),
        fog_height=rng.uniform(0.3, 1.5) if fog else rng.uniform(0, 0.08),
    )


def _low_sun(rng: np.random.Generator, kind: str) -> SkyParams:
    dusk = kind == "dusk"
    gain = rng.uniform(0.25, 0.6) if dusk else rng.uniform(0.6, 1.2)
    zenith = _jitter(rng, _mix((0.06, 0.13, 0.36), (0.25, 0.25, 0.45), rng.uniform()), 0.12, gain)
    horizon = _jitter(rng, _mix((0.35, 0.42, 0.62), (0.75, 0.52, 0.55), rng.uniform()), 0.1, gain)
    ember = _jitter(rng, _mix((1.0, 0.45, 0.12), (1.0, 0.75, 0.45), rng.uniform()), 0.08)
    light = rng.uniform(0.0, 0.05) if dusk else rng.uniform(0.3, 1.1)
    cloudy = rng.uniform() < 0.6
    return SkyParams(
        zenith=zenith,
        horizon=horizon,
        falloff=rng.uniform(2, 6),
        sun_direction=_direction(rng, 1, 4) if dusk else _direction(rng, 3, 14),
        sun_color=_jitter(rng, _mix(ember, (1.0, 0.8, 0.6), 0.4), 0.05, light),
        disc=0.0 if dusk else rng.uniform(1, 5),
        disc_radius=rng.uniform(0.02, 0.07),
        glow=_mix(ember, (1.0, 0.9, 0.75), rng.uniform(0.2, 0.8)),
        glow_strength=(rng.uniform(0.05, 0.3) * gain, 0.0 if dusk else rng.uniform(0.3, 1.2)),
        band=_jitter(rng, ember, 0.1, rng.uniform(0.1, 0.9) * gain),
        cloud_cover=rng.uniform(0.2, 0.7) if cloudy else 0.0,
        cloud_softness=rng.uniform(0.1, 0.7),
        cloud_scale=rng.uniform(0.4, 1.5),
        cloud_stretch=rng.uniform(1, 5),
        cloud_light=_mix(ember, (1.0, 0.75, 0.7), rng.uniform()) if not dusk else _mix(zenith, ember, 0.3),
        cloud_shade=_mix(zenith, (0.25, 0.22, 0.30), 0.6),
        cloud_seed=_seed(rng),
        haze_color=_mix(horizon, ember, 0.2),
        haze_distance=rng.uniform(700, 5000),
        fog_height=rng.uniform(0, 0.05),
        is_night=dusk or rng.uniform() < 0.2,
    )


def _night(rng: np.random.Generator, kind: str) -> SkyParams:
    gain = float(np.exp(rng.uniform(np.log(0.25), np.log(1.0))))
    tint = _mix((0.10, 0.16, 0.32), (0.36, 0.34, 0.32), rng.uniform())
    if kind == "city_night":
        tint, gain = _mix((0.03, 0.04, 0.07), (0.14, 0.10, 0.07), rng.uniform()), rng.uniform(0.3, 1.0)
    zenith = _jitter(rng, tint, 0.05, gain * rng.uniform(0.4, 1.0))
    horizon = _mix(_jitter(rng, tint, 0.05, gain * 1.5), (0.9, 0.6, 0.3), rng.uniform(0, 0.15))
    moon = kind == "moon"
    return SkyParams(
        zenith=zenith,
        horizon=horizon,
        falloff=rng.uniform(1.5, 5),
        sun_direction=_direction(rng, 15, 65),
        sun_color=_jitter(rng, (0.85, 0.92, 1.0), 0.05, rng.uniform(0.2, 0.6) if moon else 0.0),
        disc=rng.uniform(1, 3) if moon else 0.0,
        disc_radius=rng.uniform(0.015, 0.05),
        glow=(0.85, 0.92, 1.0),
        glow_strength=(rng.uniform(0.02, 0.25), rng.uniform(0.1, 0.5)) if moon else (0.0, 0.0),
        cloud_cover=rng.uniform(0.2, 0.6) if rng.uniform() < 0.3 else 0.0,
        cloud_softness=rng.uniform(0.3, 0.9),
        cloud_scale=rng.uniform(0.5, 1.5),
        cloud_stretch=rng.uniform(1, 3),
        cloud_light=_mix(horizon, (1.0, 1.0, 1.0), 0.1),
        cloud_shade=_mix(zenith, (0.0, 0.0, 0.0), 0.3),
        cloud_seed=_seed(rng),
        stars=0.0 if kind == "city_night" else rng.uniform(0.1, 0.9),
        milky_way=rng.uniform(0, 0.25) * gain if kind == "stars" else 0.0,
        haze_color=horizon,
        haze_distance=rng.uniform(1500, 6000),
        is_night=kind == "city_night" or rng.uniform() < 0.6,
    )
