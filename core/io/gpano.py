"""Photo Sphere metadata (GPano XMP): which part of the sphere a picture shows, how it is posed, where to look first.

The namespace and its fields: https://developers.google.com/streetview/spherical-metadata. Where its wording leaves a
sign open, the pictures of https://github.com/rodrigopolo/360GPanoReference decide: a horizon that falls to the right by
5 degrees in the picture carries PoseRollDegrees = +5.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.camera import Camera, rotation_from_angles
from core.io.xmp import XmpError, read_xmp
from core.panorama import DEFAULT_VIEW, is_full_sphere

NAMESPACE = "http://ns.google.com/photos/1.0/panorama/"
MAX_PIXELS = 1_000_000
"""Largest believable side of the full sphere; anything beyond is a broken number."""
MIN_FOV, MAX_FOV = math.radians(10), math.radians(150)
"""A first view is brought into this range; a flat picture of more than 150 degrees cannot be looked at."""

Float = NDArray[np.float64]

_SEPARATOR = " "
_CROP_TAGS = {
    "height": "CroppedAreaImageHeightPixels",
    "width": "CroppedAreaImageWidthPixels",
    "full_height": "FullPanoHeightPixels",
    "full_width": "FullPanoWidthPixels",
    "top": "CroppedAreaTopPixels",
    "left": "CroppedAreaLeftPixels",
}
_LEAST_PIXELS = {"top": -MAX_PIXELS, "left": -MAX_PIXELS}
_MAX_VALUE_LENGTH = 200


@dataclass(frozen=True)
class Crop:
    """The part of the full sphere that a picture shows, in the pixels of the time when it was written.

    Attributes:
        height, width: Size of the part.
        full_height, full_width: Size of the full sphere, which is twice as wide as high.
        top, left: Where the part begins; it may run over the right edge and go on at the left.
    """

    height: int
    width: int
    full_height: int
    full_width: int
    top: int
    left: int


@dataclass(frozen=True)
class CropTags:
    """What the six tags of a crop say, each None where it is missing or no number of pixels.

    Attributes:
        height, width, full_height, full_width, top, left: As in `Crop`; `left` may be negative.
    """

    height: int | None
    width: int | None
    full_height: int | None
    full_width: int | None
    top: int | None
    left: int | None


@dataclass(frozen=True)
class GPano:
    """What a picture says about itself; everything is optional and angles are in radians.

    Attributes:
        projection: 'equirectangular', or what else was written.
        crop: The part of the sphere that the picture shows; None when it does not say, or nothing that can be.
        crop_tags: What was said of a part, possible or not; None when nothing was.
        crop_problem: Why there is no crop although there are tags; empty otherwise.
        pose_heading: Compass bearing of the picture's centre, clockwise from north.
        pose_pitch: Height of the picture's centre above the true horizon.
        pose_roll: Clockwise tilt of the true horizon in the picture, that is, how far to turn back the picture.
        view_heading, view_pitch, view_roll: The first view relative to north and the true horizon; right, up and
            clockwise are positive.
        view_fov_x: Horizontal field of view of the first view.
        notes: Sentences about values that were ignored or read in another than the plain way.
    """

    projection: str = "equirectangular"
    crop: Crop | None = None
    crop_tags: CropTags | None = None
    crop_problem: str = ""
    pose_heading: float | None = None
    pose_pitch: float = 0.0
    pose_roll: float = 0.0
    view_heading: float | None = None
    view_pitch: float | None = None
    view_roll: float | None = None
    view_fov_x: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def level_from_world(self) -> Float:
        """(3, 3) rotation from the picture's frame into one that is level and keeps the heading of its centre.

        The picture is rolled about its centre first and then raised, so that its centre ends at exactly `pose_pitch`.
        """
        return rotation_from_angles(0.0, self.pose_pitch, -self.pose_roll)

    def first_view(self, centre: ArrayLike = (0.0, 0.0, 1.0)) -> Camera:
        """The camera of the first view in the picture's frame.

        A picture that names no heading opens on the middle of what it shows, level. (The specification would look north
        then; a camera that writes only its compass bearing would open sideways.)

        Args:
            centre: (3,) direction of the middle of what the picture shows, in the picture's frame.
        """
        if self.view_heading is None:
            x, _, z = self.level_from_world @ np.asarray(centre, np.float64)
            yaw = math.atan2(x, z)
        else:
            yaw = self.view_heading - (self.pose_heading or 0.0)
        level_from_camera = rotation_from_angles(yaw, self.view_pitch or 0.0, self.view_roll or 0.0)
        fov_x = DEFAULT_VIEW.fov_x if self.view_fov_x is None else min(max(self.view_fov_x, MIN_FOV), MAX_FOV)
        return Camera.from_rotation(
            self.level_from_world.T @ level_from_camera,
            fov_x=fov_x,
            height=DEFAULT_VIEW.height,
            width=DEFAULT_VIEW.width,
        )


def read_gpano(source: str | os.PathLike[str] | BinaryIO) -> GPano:
    """The Photo Sphere metadata of a JPEG, PNG, TIFF or WebP file.

    Args:
        source: A path, or a seekable stream whose position is changed.

    Returns:
        The metadata; an empty `GPano` when there is none, with a note when it could not be used.

    Raises:
        OSError: The file cannot be read.
    """
    if isinstance(source, (str, os.PathLike)):
        with Path(source).open("rb") as stream:
            return read_gpano(stream)
    try:
        packet = read_xmp(source)
    except XmpError as error:
        return GPano(notes=(f"The picture's XMP metadata is ignored: {error}.",))
    return GPano() if packet is None else parse_gpano(packet)


def parse_gpano(packet: bytes) -> GPano:
    """The Photo Sphere metadata in an XMP packet, written as attributes or as elements."""
    try:
        tags = gpano_tags(packet)
    except XmpError as error:
        return GPano(notes=(f"The picture's XMP metadata is ignored: {error}.",))
    values = _Values(tags)
    projection = tags.get("ProjectionType", "equirectangular").lower()[:_MAX_VALUE_LENGTH] or "equirectangular"
    heading = values.angle("PoseHeadingDegrees", -360, 360)
    fov_x = values.angle("InitialHorizontalFOVDegrees", 0, 360)
    crop_tags = _crop_tags(values) if projection == "equirectangular" else None
    crop, crop_problem = (None, "") if crop_tags is None else _crop(crop_tags, values.notes)
    return GPano(
        projection=projection,
        crop=crop,
        crop_tags=crop_tags,
        crop_problem=crop_problem,
        pose_heading=None if heading is None else heading % (2 * math.pi),
        pose_pitch=values.angle("PosePitchDegrees", -90, 90) or 0.0,
        pose_roll=values.angle("PoseRollDegrees", -360, 360) or 0.0,
        view_heading=values.angle("InitialViewHeadingDegrees", -360, 360),
        view_pitch=values.angle("InitialViewPitchDegrees", -90, 90),
        view_roll=values.angle("InitialViewRollDegrees", -360, 360),
        view_fov_x=fov_x or None,
        notes=tuple(values.notes),
    )


def gpano_of_part(gpano: GPano, *, size: tuple[int, int], full: tuple[int, int], at: tuple[int, int]) -> GPano:
    """The same with another part of the sphere, which the container of a picture names instead of its metadata.

    Args:
        gpano: What else is known.
        size: (height, width) of the part.
        full: (height, width) of the sphere.
        at: (top, left) of the part.
    """
    tags = CropTags(*size, *full, *at)
    notes: list[str] = []
    crop, problem = _crop(tags, notes)
    return replace(gpano, crop=crop, crop_tags=tags, crop_problem=problem, notes=(*gpano.notes, *notes))


def gpano_tags(packet: bytes) -> dict[str, str]:
    """GPano tags by name, the first of each; no entity is ever expanded because no document type is accepted.

    Raises:
        XmpError: The packet is not well-formed or declares a document type.
    """
    tags: dict[str, str] = {}
    prefix = NAMESPACE + _SEPARATOR
    open_elements: list[str] = []
    text: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        open_elements.append(name)
        text.clear()
        for key, value in attributes.items():
            if key.startswith(prefix):
                tags.setdefault(key[len(prefix) :], value.strip()[:_MAX_VALUE_LENGTH])

    def end(name: str) -> None:
        open_elements.pop()
        if name.startswith(prefix):
            tags.setdefault(name[len(prefix) :], "".join(text).strip()[:_MAX_VALUE_LENGTH])
        text.clear()

    def characters(data: str) -> None:
        if open_elements and open_elements[-1].startswith(prefix):
            text.append(data)

    def doctype(*_: object) -> None:
        raise XmpError("it declares a document type, which XMP never needs")

    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(packet.strip(b"\x00 \t\r\n"), True)
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        # What follows the closed root element (padding, a second packet) takes nothing away from what was read.
        if reason != expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT:
            raise XmpError(f"it is not well-formed XML ({reason})") from error
    return tags


class _Values:
    """Numbers out of tags; what is not one is noted and left out."""

    def __init__(self, tags: dict[str, str]) -> None:
        self.notes: list[str] = []
        self._tags = tags

    def has(self, *names: str) -> bool:
        return any(name in self._tags for name in names)

    def angle(self, name: str, low: float, high: float) -> float | None:
        """A tag in degrees, as radians."""
        number = self._number(name, low, high)
        return None if number is None else math.radians(number)

    def pixels(self, name: str, low: int) -> int | None:
        """A tag in whole pixels; some programs write them with a decimal point."""
        number = self._number(name, low, MAX_PIXELS)
        return None if number is None else round(number)

    def _number(self, name: str, low: float, high: float) -> float | None:
        text = self._tags.get(name, "")
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            self.notes.append(f"GPano:{name} should lie between {low} and {high}, got '{text[:40]}'; it is ignored.")
            return None
        return number


def _crop_tags(values: _Values) -> CropTags | None:
    if not values.has(*_CROP_TAGS.values()):
        return None
    return CropTags(**{field: values.pixels(name, _LEAST_PIXELS.get(field, 1)) for field, name in _CROP_TAGS.items()})


def _crop(tags: CropTags, notes: list[str]) -> tuple[Crop | None, str]:
    """The crop, or None and why there is none; what is read in another than the plain way is noted."""
    given = {field: value for field, value in vars(tags).items() if value is not None}
    problem = ""
    if len(given) < len(_CROP_TAGS):
        missing = ", ".join(f"GPano:{name}" for field, name in _CROP_TAGS.items() if field not in given)
        problem = f"{missing} is missing or impossible"
    else:
        crop = Crop(**given)
        if -crop.full_width < crop.left < 0:
            wrapped = crop.left + crop.full_width
            notes.append(f"GPano:{_CROP_TAGS['left']} is {crop.left}; read as {wrapped}, over the picture's seam.")
            crop = replace(crop, left=wrapped)
        problem = _impossible(crop)
        if not problem:
            return crop, ""
    notes.append(f"The crop in the picture's metadata is ignored: {problem}.")
    return None, problem


def _impossible(crop: Crop) -> str:
    """Why this cannot be a part of a full sphere; empty when it can."""
    full = f"{crop.full_width} x {crop.full_height}"
    if not is_full_sphere(crop.full_height, crop.full_width):
        return f"a full sphere is twice as wide as high, got {full}"
    is_across = crop.width <= crop.full_width and 0 <= crop.left < crop.full_width
    if not is_across or not 0 <= crop.top <= crop.full_height - crop.height:
        return (
            f"a part of {crop.width} x {crop.height} at ({crop.left}, {crop.top}) does not fit into a sphere of {full}"
        )
    return ""
