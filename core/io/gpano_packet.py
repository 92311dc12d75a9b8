"""Photo Sphere metadata for a panorama that is written: made anew from what the panorama is, never copied.

Of the metadata of the photograph only what says how it was taken is kept.
"""

from __future__ import annotations

import math
from pathlib import Path
from xml.sax.saxutils import quoteattr

from core.geometry.camera import angles_from_rotation
from core.io.gpano import NAMESPACE, gpano_tags
from core.io.xmp import XmpError, read_xmp
from core.panorama import Panorama, Part

KEPT = (
    "CaptureSoftware",
    "StitchingSoftware",
    "SourcePhotosCount",
    "FirstPhotoDate",
    "LastPhotoDate",
    "ExposureLockUsed",
)
"""Tags that stay true of a turned, cropped or resized panorama."""


def gpano_packet(panorama: Panorama, *, has_view: bool, kept: dict[str, str] | None = None) -> bytes:
    """The XMP packet of a panorama as it is.

    Args:
        panorama: What is written; only its `part` where it shows less than the sphere.
        has_view: Its first view was asked for, and not chosen by the program.
        kept: Further tags.
    """
    part = panorama.part or Part(0, 0, panorama.width, panorama.height, panorama.width, panorama.height)
    _, pitch, roll = angles_from_rotation(panorama.level_from_world)
    tags: dict[str, object] = {
        "ProjectionType": "equirectangular",
        "UsePanoramaViewer": "True",
        "CroppedAreaImageWidthPixels": part.width,
        "CroppedAreaImageHeightPixels": part.height,
        "FullPanoWidthPixels": part.full_width,
        "FullPanoHeightPixels": part.full_height,
        "CroppedAreaLeftPixels": part.left,
        "CroppedAreaTopPixels": part.top,
        "PosePitchDegrees": _degrees(pitch),
        "PoseRollDegrees": _degrees(-roll),
    }
    if panorama.heading is not None:
        tags["PoseHeadingDegrees"] = _degrees(panorama.heading)
    if has_view:
        view = panorama.initial_view
        yaw, pitch, roll = angles_from_rotation(panorama.level_from_world @ view.world_from_camera)
        tags["InitialViewHeadingDegrees"] = _degrees((yaw + (panorama.heading or 0.0)) % (2 * math.pi))
        tags["InitialViewPitchDegrees"] = _degrees(pitch)
        tags["InitialViewRollDegrees"] = _degrees(roll)
        tags["InitialHorizontalFOVDegrees"] = _degrees(view.fov_x)
    attributes = "".join(f"\n   GPano:{name}={quoteattr(str(value))}" for name, value in ((kept or {}) | tags).items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        f'  <rdf:Description rdf:about="" xmlns:GPano="{NAMESPACE}"{attributes}/>\n'
        " </rdf:RDF>\n</x:xmpmeta>\n"
        '<?xpacket end="w"?>'
    ).encode()


def kept_tags(path: Path) -> dict[str, str]:
    """Those of `KEPT` that a photograph has."""
    try:
        with path.open("rb") as stream:
            packet = read_xmp(stream)
        tags = {} if packet is None else gpano_tags(packet)
    except (XmpError, OSError):
        return {}
    return {name: tags[name] for name in KEPT if name in tags}


def _degrees(angle: float) -> float:
    return round(math.degrees(angle), 6) + 0.0
