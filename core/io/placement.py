"""Where a picture lies on the full sphere."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from core.errors import NotAFullSphere, UnsupportedImage
from core.geometry.camera import Camera
from core.geometry.cube import FACES
from core.geometry.fisheye import DualFisheye
from core.geometry.sphere import erp_to_directions
from core.io.cube_files import CubeFiles, CubePicture, cube_files, cube_picture, missing_faces
from core.io.gpano import Crop, CropTags, Float, GPano
from core.io.header import ImageHeader, read_header
from core.panorama import MIN_HEIGHT, is_full_sphere

Assume = Literal["full", "crop", "cube"] | DualFisheye
"""What a picture is that does not say: all of the sphere, its middle part, a cube map, or two fisheye circles."""
Source = CubePicture | CubeFiles | DualFisheye


@dataclass(frozen=True)
class Placement:
    """A picture on the ERP grid of the full sphere, in pixels of that grid.

    Attributes:
        full_height, full_width: The grid of the full sphere.
        height, width: The picture on it; other than its stored size when it has to be resampled.
        top, left: Where it begins; it may run over the right edge and go on at the left.
        notes: Sentences about what was assumed.
        source: How it becomes equirectangular first, where it is not.
    """

    full_height: int
    full_width: int
    height: int
    width: int
    top: int = 0
    left: int = 0
    notes: tuple[str, ...] = ()
    source: Source | None = None

    @property
    def is_whole(self) -> bool:
        """True when the picture covers the sphere as it is stored."""
        return (self.height, self.width) == (self.full_height, self.full_width) and self.left == 0

    @property
    def shows_everything(self) -> bool:
        """True when no direction is left out, wherever the picture begins."""
        return (self.height, self.width) == (self.full_height, self.full_width)

    def first_view(self, gpano: GPano) -> Camera:
        """The camera of the first view in the picture's frame: what the metadata asks for, or the middle."""
        return gpano.first_view((0.0, 0.0, 1.0) if self.shows_everything else self.centre())

    def centre(self) -> Float:
        """(3,) direction of the middle of the picture's part of the horizon's circle, in the picture's frame."""
        u = self.left + self.width / 2
        return erp_to_directions(u, self.full_height / 2, self.full_height, self.full_width)

    def scaled_to(self, max_width: int) -> Placement:
        """The same part on a grid at most `max_width` wide and exactly 2:1; itself when it is small enough."""
        if self.full_width <= max_width:
            return self
        full_height = max(max_width // 2, 2)
        across, down = 2 * full_height / self.full_width, full_height / self.full_height
        left, top = round(self.left * across), round(self.top * down)
        return Placement(
            full_height=full_height,
            full_width=2 * full_height,
            height=max(round((self.top + self.height) * down) - top, 1),
            width=max(round((self.left + self.width) * across) - left, 1),
            top=min(top, full_height - 1),
            left=left % (2 * full_height),
            notes=self.notes,
            source=self.source,
        )


def looks_flat(path: Path) -> bool:
    """True for an ordinary picture: not 2:1 and without a word about a sphere; its header is read.

    The user may still say that it is a part of one, but unasked nobody waits for it to be annotated. What cannot be
    read does not look like anything.
    """
    try:
        header = read_header(path)
    except UnsupportedImage:
        return False
    if header.gpano != GPano() or is_full_sphere(header.height, header.width):
        return False
    return _flat(header, None) is None


def place(header: ImageHeader, assume: Assume | None = None) -> Placement:
    """Where a picture lies.

    Its metadata decides where it can be followed: a part that was resized evenly is scaled, one that was completed to
    its full size is whole. Without any, or with nothing in it that speaks of a part, a 2:1 picture is the full sphere.
    Anything else must be assumed by the user.

    Args:
        header: The picture.
        assume: For a picture that does not say: 'full' resamples it to 2:1, 'crop' centres it on the sphere that its
            metadata names, or else on the smallest that holds it, max(width, 2 height) wide, as Photo Sphere Viewer
            does.

    Raises:
        NotAFullSphere: Its place is not known, and nothing is assumed.
        UnsupportedImage: It is too small to be a panorama, or no cube map although that is assumed.
    """
    flat = _flat(header, assume)
    if flat is not None:
        return flat
    placement = _placed(header, assume)
    if abs(placement.full_width - 2 * placement.full_height) <= 1:
        return placement
    told = (
        f"The sphere of {placement.full_width} x {placement.full_height} is not quite 2:1; "
        "its columns and its rows are each taken to cover it."
    )
    return replace(placement, notes=(*placement.notes, told))


def _flat(header: ImageHeader, assume: Assume | None) -> Placement | None:
    """A cube map or two fisheye circles; None for a picture that is taken as equirectangular."""
    height, width = header.height, header.width
    if isinstance(assume, DualFisheye):
        size = assume.sphere_size(height, width)
        told = f"The picture is taken as two fisheye circles of {assume.fov_deg:g} degrees (--assume fisheye)."
        return Placement(*size, height=size[0], width=size[1], notes=(told,), source=assume)
    says_something = header.gpano.crop_tags is not None or header.gpano.projection != "equirectangular"
    if assume not in (None, "cube") or (assume is None and says_something):
        return None
    found = cube_files(header.path) if height == width else cube_picture(height, width)
    if assume is None and isinstance(found, CubePicture) and found.layout is not None:
        return None  # a cross has the shape of an ordinary photograph
    if found is None and assume is None:
        return None
    if found is None:
        _refuse_lone_face(header)
        raise UnsupportedImage(
            "A cube map must be a strip (6:1), a cross (4:3 or 3:4) or one of six square pictures that are called "
            f"NAME_front, _right, _back, _left, _up and _down, got {width} x {height}: {header.path}"
        )
    size = found.sphere_size(height, width)
    what = "one of the six pictures of a cube map" if isinstance(found, CubeFiles) else "a cube map"
    hint = "" if assume is not None else "; if it is a part of a sphere, choose --assume crop"
    told = f"The picture is taken as {what} and laid onto a sphere of {size[1]} x {size[0]}{hint}."
    return Placement(*size, height=size[0], width=size[1], notes=(told,), source=found)


def _placed(header: ImageHeader, assume: Assume | None) -> Placement:
    height, width, gpano = header.height, header.width, header.gpano
    is_completed = gpano.crop_tags is not None and _is_completed(height, width, gpano.crop_tags)
    if gpano.crop is not None and not is_completed:
        placement = _place_crop(height, width, gpano.crop)
        if placement is not None:
            return placement
    full_width = max(width, 2 * height)
    full_height = (full_width + 1) // 2
    if full_height < MIN_HEIGHT:
        raise UnsupportedImage(
            f"A panorama must have at least {2 * MIN_HEIGHT} x {MIN_HEIGHT} pixels, got {width} x {height} "
            f"(width x height): {header.path}"
        )
    if gpano.projection == "equirectangular" and is_full_sphere(height, width):
        whole = Placement(height, width, height=height, width=width)
        if gpano.crop_tags is None:
            return whole
        if is_completed:
            return replace(
                whole, notes=(f"The picture is taken as a full sphere: {_spoken_of(gpano.crop_tags)}, got all of it.",)
            )
        if not _speaks_of_part(gpano.crop_tags):
            told = "The picture is taken as a full sphere: it is 2:1, and what can be read speaks of no part."
            return replace(whole, notes=(told,))
    if assume is None:
        _refuse_lone_face(header)
        raise NotAFullSphere(
            f"A panorama must {_expected(header)}; choose --assume full (it is the whole sphere) "
            f"or --assume crop (it is a centred part){_or_cube(header)}: {header.path}"
        )
    return _assumed(header, "full" if assume == "full" else "crop", full_height, full_width)


def _refuse_lone_face(header: ImageHeader) -> None:
    """Name what a cube map lacks of which this picture is a face: as a part of a sphere it would lie wrongly."""
    missing = missing_faces(header.path) if header.height == header.width else ()
    if missing:
        raise NotAFullSphere(
            f"Expected the six pictures of a cube map, got {len(FACES) - len(missing)} of them; put "
            f"{' and '.join(path.name for path in missing)} beside the others: {header.path}"
        )


def _or_cube(header: ImageHeader) -> str:
    """A further choice for a picture of the right shape."""
    return " or --assume cube (it is a cube map)" if cube_picture(header.height, header.width) is not None else ""


def _expected(header: ImageHeader) -> str:
    """What is missing of a picture whose place is not known."""
    gpano = header.gpano
    if gpano.projection != "equirectangular":
        return f"be equirectangular, got a {gpano.projection} one"
    got = f"got {header.width} x {header.height} (width x height)"
    if gpano.crop_tags is None:
        return f"be twice as wide as high or say which part of the sphere it shows, {got}"
    problem = gpano.crop_problem or _spoken_of(gpano.crop_tags)
    return f"fit its own metadata, {got}, but {problem}"


def _spoken_of(tags: CropTags) -> str:
    part, full = ((f"{width or '?'} x {height or '?'}") for width, height in _sizes(tags))
    return f"the metadata speaks of {part} out of {full}"


def _sizes(tags: CropTags) -> tuple[tuple[int | None, int | None], tuple[int | None, int | None]]:
    """(width, height) of the part and of the full sphere."""
    return (tags.width, tags.height), (tags.full_width, tags.full_height)


def _is_completed(height: int, width: int, tags: CropTags) -> bool:
    """True for a picture of the size of the full sphere of which it was once a smaller part: the rest was filled."""
    part, full = _sizes(tags)
    if full[0] is None or full[1] is None or None in part or part == full:
        return False
    return abs(width - full[0]) <= 1 and abs(height - full[1]) <= 1 and is_full_sphere(height, width)


def _speaks_of_part(tags: CropTags) -> bool:
    """True when anything that can be read says that the picture shows less than the sphere, or begins elsewhere."""
    part, full = _sizes(tags)
    is_smaller = any(a is not None and b is not None and a != b for a, b in zip(part, full, strict=True))
    is_narrow = part[0] is not None and part[1] is not None and not is_full_sphere(part[1], part[0])
    return is_smaller or is_narrow or bool(tags.top) or bool(tags.left)


def _assumed(header: ImageHeader, assume: Literal["full", "crop"], full_height: int, full_width: int) -> Placement:
    """What the user says, on a sphere that holds the picture at its size."""
    height, width, tags = header.height, header.width, header.gpano.crop_tags
    picture = "picture" if header.gpano.projection == "equirectangular" else f"{header.gpano.projection} picture"
    if assume == "full" and is_full_sphere(height, width):
        told = f"The {picture} is taken as a full sphere, as it is (--assume full)."
        return Placement(height, width, height=height, width=width, notes=(told,))
    if assume == "full":
        full_width = 2 * full_height
        told = f"The {picture} is stretched over the full sphere, to {full_width} x {full_height} (--assume full)."
        return Placement(full_height, full_width, height=full_height, width=full_width, notes=(told,))
    if tags is not None and tags.full_height is not None and tags.full_width is not None:
        is_believable = is_full_sphere(tags.full_height, tags.full_width)
        if is_believable and tags.full_height >= height and tags.full_width >= width:
            full_height, full_width = tags.full_height, tags.full_width
    told = f"The {picture} is taken as the middle of a sphere of {full_width} x {full_height} (--assume crop)."
    top, left = (full_height - height + 1) // 2, (full_width - width + 1) // 2
    return Placement(full_height, full_width, height=height, width=width, top=top, left=left, notes=(told,))


def _place_crop(height: int, width: int, crop: Crop) -> Placement | None:
    """The crop in the pixels of the stored picture, which may have been resized since; None when the shapes differ.

    Positions are exact for a picture that was not resized and correct to half a pixel for one that was.
    """
    if not _is_resized(height, width, crop):
        return None
    across, down = width / crop.width, height / crop.height
    full_width = max(round(crop.full_width * across), width)
    full_height = max(round(crop.full_height * down), height)
    off = abs(crop.full_width - 2 * crop.full_height)
    if abs(full_width - 2 * full_height) > max(1, math.ceil(off * max(across, down))):
        full_height = max((full_width + 1) // 2, height, MIN_HEIGHT)
        full_width = max(full_width, 2 * full_height - 1)
    is_whole = (crop.height, crop.width) == (crop.full_height, crop.full_width)
    told = (
        f"The picture is taken as the part of {crop.width} x {crop.height} that its metadata names, "
        f"resized to {width} x {height} later."
    )
    return Placement(
        full_height=full_height,
        full_width=full_width,
        height=height,
        width=width,
        top=min(round(crop.top * down), full_height - height),
        left=round(crop.left * across) % full_width,
        notes=() if is_whole or (height, width) == (crop.height, crop.width) else (told,),
    )


def _is_resized(height: int, width: int, crop: Crop) -> bool:
    """True when one scale, with each side rounded by up to a pixel, turns the crop's size into the picture's."""
    smallest = max((width - 1) / crop.width, (height - 1) / crop.height)
    largest = min((width + 1) / crop.width, (height + 1) / crop.height)
    return smallest <= largest and math.isfinite(largest)
