"""Perspective views of a panorama together with the masks in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import ExportError
from core.export.annotated import AnnotatedPhoto, DatasetOptions
from core.geometry.camera import Camera
from core.geometry.tiling import cube_tiles, icosahedron_tiles, zigzag_tiles
from core.geometry.warp import erp_to_camera
from core.io.images import read_panorama
from core.io.picture_grid import FlatMask
from core.panorama import Panorama
from core.scene import Segment

LAYOUTS: dict[str, Callable[[int], tuple[Camera, ...]]] = {
    "cube": cube_tiles,
    "icosahedron": icosahedron_tiles,
    "zigzag": zigzag_tiles,
}
"""Sets of views by name: 6, 12 and 24, all of 90 degrees, for a number of pixels along each side."""
MIN_SIZE, MAX_SIZE = 16, 8192
JPEG_QUALITY = 95
FRAME = (
    "x right, y down, z forward, in the photograph's frame; right, up and clockwise are positive; pixel corners at "
    "whole numbers, so that the principal point is (width / 2, height / 2)"
)


@dataclass(frozen=True, eq=False)
class View:
    """What one camera sees.

    Attributes:
        number: Of the camera in its set, from 0.
        camera: That sees it.
        rgb: (h, w, 3) sRGB.
        seen: (h, w) bool, False where a partial photograph shows nothing; None when it shows everything.
        masks: Segments that are in the view, with their masks; a pixel belongs to a mask when its centre does.
    """

    number: int
    camera: Camera
    rgb: NDArray[np.uint8]
    seen: NDArray[np.bool_] | None
    masks: tuple[tuple[Segment, FlatMask], ...]


def cameras_of(options: DatasetOptions, default: str) -> tuple[Camera, ...]:
    """The cameras that are asked for.

    Raises:
        ExportError: There is no such set or size.
    """
    layout = options.layout or default
    if layout not in LAYOUTS:
        raise ExportError(f"Expected one of the layouts {', '.join(LAYOUTS)}, got {layout}.")
    if not MIN_SIZE <= options.view_size <= MAX_SIZE:
        raise ExportError(
            f"Expected views of {MIN_SIZE} to {MAX_SIZE} pixels along each side, got {options.view_size}."
        )
    return LAYOUTS[layout](options.view_size)


def views_of(
    photo: AnnotatedPhoto, cameras: tuple[Camera, ...], options: DatasetOptions, *, upright: bool = False
) -> Iterator[View]:
    """The views of a photograph in the order of the cameras; those in which it shows nothing are left out.

    Args:
        photo: The photograph.
        cameras: In its frame; or, with `upright`, in the level one: those of the views are in its frame again.
        options: Say how odd photographs are read.
        upright: Turn the cameras by the pose of the photograph, or the one that a person has given it.

    Raises:
        UnsupportedImage: The photograph cannot be opened.
    """
    panorama = read_panorama(photo.path, assume=options.assume).with_level(photo.level)
    if upright and not panorama.is_level:
        world_from_level = panorama.level_from_world.T
        cameras = tuple(
            Camera.from_rotation(world_from_level @ c.world_from_camera, fov_x=c.fov_x, height=c.height, width=c.width)
            for c in cameras
        )
    layers = _layers(photo, panorama)
    for number, camera in enumerate(cameras):
        seen = None if panorama.valid is None else erp_to_camera(panorama.valid, camera, nearest=True)
        if seen is not None and not seen.any():
            continue
        rgb = erp_to_camera(panorama.rgb, camera)
        if seen is not None:
            rgb[~seen] = 0
        masks = {}
        for layer in layers:
            indices = erp_to_camera(layer, camera, nearest=True)
            for index in np.unique(indices[indices >= 0]).tolist():
                masks[index] = FlatMask.of(indices == index)
        found = tuple((photo.segments[index], masks[index]) for index in sorted(masks))
        yield View(number, camera, rgb, None if seen is None or seen.all() else seen, found)


def _layers(photo: AnnotatedPhoto, panorama: Panorama) -> list[NDArray[np.signedinteger]]:
    """Pictures of indices of segments, -1 for none, as few as it takes for no segment to cover another."""
    layers: list[NDArray[np.signedinteger]] = []
    kind = np.int16 if len(photo.segments) <= np.iinfo(np.int16).max else np.int32
    for index, segment in enumerate(photo.segments):
        mask = segment.mask
        box = mask.box()
        rows = slice(mask.row, mask.row + mask.rows)
        cols = np.arange(mask.col, mask.col + mask.cols) % mask.width
        layer = next((layer for layer in layers if not (layer[rows, cols] >= 0)[box].any()), None)
        if layer is None:
            layer = np.full((panorama.height, panorama.width), -1, kind)
            layers.append(layer)
        mask.paint(layer, index)
    return layers


def write_jpeg(rgb: NDArray[np.uint8], stream: BinaryIO) -> None:
    """A JPEG of high quality.

    Raises:
        ExportError: OpenCV could not encode it.
    """
    done, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ExportError(
            f"A picture of {rgb.shape[1]} x {rgb.shape[0]} could not be written as JPEG; choose a smaller one."
        )
    stream.write(data.tobytes())


def camera_facts(camera: Camera) -> dict[str, Any]:
    """A camera as JSON; angles in degrees."""
    focal = camera.focal_px
    return {
        "yaw_deg": _degrees(camera.yaw),
        "pitch_deg": _degrees(camera.pitch),
        "roll_deg": _degrees(camera.roll),
        "fov_x_deg": _degrees(camera.fov_x),
        "width": camera.width,
        "height": camera.height,
        "K": [[focal, 0.0, camera.width / 2], [0.0, focal, camera.height / 2], [0.0, 0.0, 1.0]],
        "world_from_camera": camera.world_from_camera.tolist(),
    }


def photo_facts(photo: AnnotatedPhoto) -> dict[str, Any]:
    """The panorama that views come from, as JSON."""
    return {
        "file": photo.name,
        "sha256": photo.photo.sha256,
        "width": photo.photo.width,
        "height": photo.photo.height,
    }


def dump(values: object) -> bytes:
    """JSON for a file beside the views."""
    return json.dumps(values, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n"


def _degrees(angle: float) -> float:
    return round(float(np.degrees(angle)), 9) + 0.0
