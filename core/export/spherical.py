"""Outlines on the sphere: a JSON file for each photograph, nothing cut at the seam or at a pole.

    {"format": "panoviewer-spherical", "version": 1,
     "photo": {"file": "hall.jpg", "sha256": "...", "width": 8192, "height": 4096},
     "frame": "...", "tolerance_deg": 0.022,
     "segments": [{"number": 7, "label": "door", "group": 0, "review": "open", "score": 0.93, "model": "click-s",
                   "solid_angle_sr": 0.0123, "centroid": {"lon": 12.5, "lat": -3.1},
                   "bfov": {"lon": 12.4, "lat": -3.0, "fov_w": 20.1, "fov_h": 44.0, "roll": 0.0},
                   "polygons": [{"outer": [[2.1, 19.0], ...], "holes": [[[5.0, 1.2], ...]]}]}]}

Angles are in degrees, `lon` to the right and `lat` up. There is a polygon for each connected part. Its corners
[lon, lat] are joined by great circles, and the last one to the first; seen from the centre, what is inside lies on the
left of `outer` and of each of the `holes`. The lines follow the borders of pixels to within `tolerance_deg`. A mask of
the whole sphere has no polygon. `bfov` is an upright pinhole picture that just holds the mask, null where no hemisphere
does; `centroid` is the mean direction by area.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.export.annotated import Output, Photos
from core.export.view_set import dump, photo_facts
from core.geometry.sphere import directions_to_lonlat
from core.mask import SphereMask
from core.outlines import bfov, centroid, sphere_polygons
from core.scene import Segment

FORMAT = "panoviewer-spherical"
VERSION = 1
FRAME = (
    "degrees; lon = atan2(x, z) to the right, lat = atan2(-y, hypot(x, z)) up, with x right, y down, z forward in the "
    "photograph's frame"
)
DECIMALS = 7


def write(photos: Photos, output: Output) -> None:
    """`NAME.spherical.json` for each photograph."""
    for photo in photos:
        tolerance = math.pi / photo.photo.height / 2
        content = {
            "format": FORMAT,
            "version": VERSION,
            "photo": photo_facts(photo),
            "frame": FRAME,
            "tolerance_deg": _degrees(tolerance),
            "segments": [_segment_values(segment, tolerance) for segment in photo.segments],
        }
        output.write(f"{photo.target}.spherical.json", dump(content))
        photos.losses.add("Outlines follow the borders of pixels to within half a pixel in {}.", len(photo.segments))
        photos.drop_unheld(photo.segments, "group", "review", "score")


def spherical_facts(mask: SphereMask) -> dict[str, Any]:
    """Size and place of a mask that is not empty; angles in degrees."""
    lon, lat = centroid(mask)
    field = bfov(mask)
    return {
        "solid_angle_sr": mask.solid_angle(),
        "centroid": {"lon": _degrees(lon), "lat": _degrees(lat)},
        "bfov": None
        if field is None
        else {
            **{name: _degrees(getattr(field, name)) for name in ("lon", "lat", "fov_w", "fov_h")},
            "roll": 0.0,
        },
    }


def _segment_values(segment: Segment, tolerance: float) -> dict[str, Any]:
    return {
        "number": segment.number,
        "label": segment.label,
        "group": segment.group,
        "review": str(segment.review),
        "score": segment.score if math.isfinite(segment.score) else None,
        "model": segment.model,
        **spherical_facts(segment.mask),
        "polygons": [
            {"outer": _corners(polygon.outer), "holes": [_corners(hole) for hole in polygon.holes]}
            for polygon in sphere_polygons(segment.mask, tolerance)
        ],
    }


def _corners(directions: NDArray[np.float64]) -> list[list[float]]:
    """[lon, lat] in degrees."""
    lonlat = np.degrees(np.stack(directions_to_lonlat(directions), axis=-1)).round(DECIMALS) + 0.0
    corners: list[list[float]] = lonlat.tolist()
    return corners


def _degrees(angle: float) -> float:
    return round(math.degrees(angle), DECIMALS) + 0.0
