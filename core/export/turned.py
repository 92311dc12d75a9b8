"""A panorama levelled or turned, as a picture of its own; what a view shows, as a picture with its camera."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import ExportError
from core.export import export, find_exporter
from core.export.png import write_png
from core.export.view_set import FRAME, camera_facts, dump
from core.geometry.camera import Camera
from core.geometry.warp import erp_to_camera
from core.io.atomic import atomic_files, is_same_file
from core.io.digest import file_sha256
from core.io.gpano_packet import gpano_packet, kept_tags
from core.io.header import read_header
from core.io.kept_exif import kept_exif
from core.panorama import Panorama
from core.turning import turned_panorama

LIGHT = (".exr", ".hdr")
CAMERA = ".camera.json"
WIDEST_VIEW = 8192


def refuse_photograph(panorama: Panorama, path: Path) -> None:
    """Refuse to write over the photograph itself.

    Raises:
        ExportError: The path is its.
    """
    if panorama.path is not None and is_same_file(path, panorama.path):
        raise ExportError(f"Expected another file than the photograph to write, got itself; choose a name: {path}")


def check_light(panorama: Panorama, path: Path) -> None:
    """Refuse a format for pictures of more than 8 bits to one of 8.

    Raises:
        ExportError: It is one.
    """
    suffix = find_exporter(Panorama, path).suffix
    if suffix in LIGHT and panorama.radiance is None:
        raise ExportError(
            f"{suffix} is for pictures of more than 8 bits, got one of 8; choose .jpg, .png or .tif: {panorama.path}"
        )


def write_turned(panorama: Panorama, turned_from_world: ArrayLike, path: Path, *, width: int | None = None) -> Path:
    """Write a panorama in another frame, with Photo Sphere metadata made for it; see `turned_panorama`.

    Args:
        panorama: Read from a file, whose EXIF data and some tags are kept.
        turned_from_world: (3, 3) rotation; the pose makes it level.
        path: Its ending chooses the format; never the photograph itself.
        width: Columns of the sphere; those of the photograph when None.

    Raises:
        ExportError: The format cannot hold it, or the file cannot be written.
        ValueError: The panorama was made in memory.
    """
    source = panorama.path
    if source is None:
        raise ValueError("a panorama without a file has no metadata to go on from")
    check_light(panorama, path)
    refuse_photograph(panorama, path)
    gpano = read_header(source).gpano
    turned = turned_panorama(panorama, turned_from_world, width=width)
    part = turned.part
    has_view = (gpano.view_heading, gpano.view_pitch, gpano.view_fov_x) != (None, None, None)
    size = (turned.height, turned.width) if part is None else (part.height, part.width)
    packet = gpano_packet(turned, has_view=has_view, kept=kept_tags(source))
    return export(turned, path, packet=packet, exif=kept_exif(source, *size))


def fine_camera(camera: Camera, columns: int) -> Camera:
    """The same view in so many pixels that nothing of a photograph with so many columns is lost, or as many as it has.

    Args:
        camera: Any.
        columns: Of the full sphere.
    """
    factor = max(1.0, columns / (2 * math.pi) / camera.focal_px)
    factor = min(factor, WIDEST_VIEW / max(camera.width, camera.height))
    return replace(camera, height=max(1, round(camera.height * factor)), width=max(1, round(camera.width * factor)))


def write_view(panorama: Panorama, shown: NDArray[np.uint8], camera: Camera, path: Path) -> Path:
    """Write what a camera sees as PNG, and the camera as JSON beside it.

    `NAME.camera.json` holds the intrinsics K, the rotation, the frame, the pose of the photograph and its SHA-256.

    Args:
        panorama: Read from a file.
        shown: (H, W, 3) its pixels as they are shown.
        camera: In the photograph's frame.
        path: Of the PNG; never the photograph itself.

    Raises:
        ExportError: The photograph is gone, or a file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise ExportError(f"Expected a file name that ends in .png: {path}")
    refuse_photograph(panorama, path)
    source = panorama.path
    try:
        sha256 = None if source is None else file_sha256(source)
    except OSError as error:
        raise ExportError(
            f"Expected the photograph where it was, got an error ({error.strerror or error}); put it back: {source}"
        ) from error
    facts = {
        "image": path.name,
        "frame": FRAME,
        **camera_facts(camera),
        "level_from_world": panorama.level_from_world.tolist(),
        "panorama": {
            "file": None if source is None else source.name,
            "sha256": sha256,
            "width": panorama.width,
            "height": panorama.height,
        },
    }
    with atomic_files((path, path.with_suffix(CAMERA))) as (picture, about):
        write_png(erp_to_camera(shown, camera), picture)
        about.write(dump(facts))
    return path
