"""Point clouds as LAS 1.4 and LAZ. Source: ASPRS, LAS Specification 1.4, revision 15, 2019."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.cloud import PointCloud
from core.export.fields import chunks, columns_of, fields_of, label_names
from core.export.frames import frame_rotation
from core.export.provenance import cloud_meta, json_bytes, one_line
from core.progress import Progress, silent

if TYPE_CHECKING:
    from laspy import LasHeader, ScaleAwarePointRecord

P = ParamSpec("P")
R = TypeVar("R")

POINT_FORMAT = 7
SCALE = 1e-4
"""A tenth of a millimetre; coarser only where a cloud is too large for 32 bits of it."""
UNCLASSIFIED, FIRST_OWN, LAST_OWN = 1, 64, 255
"""ASPRS leaves the classes from 64 to 255 to the user; those below mean what surveying says, which no network knows."""
DAY_AT = 90
"""Where the header holds the day of the year and the year, two bytes each."""
COLOR_SCALE = 257
"""From 8 to 16 bits, so that white stays white."""
USER, RECORD = "PanoViewer", 1
LONGEST_VLR, LONGEST_NAME = 65535, 15
EXTRA = {
    **{f"n{axis}": (f"Normal{axis.upper()}", "normal of the surface") for axis in "xyz"},
    "label": ("label", "index of the class"),
    "instance": ("instance", "segment, 0 for none"),
}


def write(cloud: PointCloud, stream: BinaryIO, *, frame: str = "z-up", progress: Progress = silent) -> None:
    """LAS 1.4, point format 7: coordinates to a tenth of a millimetre, colour in 16 bits, classification.

    Classification is 64 plus the index of the class, of those that ASPRS leaves to the user, and 1 where there is none
    or the index is too large; the names stand in the file's classification lookup. Extra bytes hold NormalX NormalY
    NormalZ, label and instance with the numbers of `core.export.fields`. A record of the user PanoViewer holds frame,
    unit, source and all names as JSON. A reference system is not stated, because none is known; the camera is at 0.

    Args:
        cloud: The points.
        stream: Open for writing.
        frame: One of `core.cloud.FRAME_NAMES`.
        progress: Hears of points.

    Raises:
        ExportError: There is no such frame.
    """
    _write(cloud, stream, frame, progress, compress=False)


def write_laz(cloud: PointCloud, stream: BinaryIO, *, frame: str = "z-up", progress: Progress = silent) -> None:
    """The same, compressed."""
    _write(cloud, stream, frame, progress, compress=True)


def _write(cloud: PointCloud, stream: BinaryIO, frame: str, progress: Progress, *, compress: bool) -> None:
    import laspy

    rotation = frame_rotation(frame, cloud)
    header = _header(cloud)
    facts = json_bytes(cloud_meta(cloud, frame))
    record = laspy.VLR(USER, RECORD, "frame, unit, source, names", facts)
    is_short = len(facts) <= LONGEST_VLR
    if is_short:
        header.vlrs.append(record)
    target = _Stream(stream)
    try:
        writer = laspy.LasWriter(target, header, do_compress=compress, closefd=False)
        for part in chunks(cloud):
            progress(part.start, len(cloud))
            writer.write_points(_points(cloud, part, rotation, writer.header))
        if not is_short:
            writer.write_evlrs(laspy.vlrs.vlrlist.VLRList([record]))
        if len(cloud) == 0:
            writer.header.mins = writer.header.maxs = np.zeros(3)
        writer.close()
        # laspy takes the day of today for one that is not stated; the same cloud shall give the same bytes on any day.
        target.seek(DAY_AT)
        target.write(bytes(4))
    except Exception:
        # The compressor makes an error of its own of what the disk has against it.
        if target.error is not None:
            raise target.error from None
        raise


def _header(cloud: PointCloud) -> LasHeader:
    import laspy
    from laspy.vlrs.known import ClassificationLookupVlr

    header = laspy.LasHeader(version="1.4", point_format=POINT_FORMAT)
    header.generating_software = header.system_identifier = USER
    # Point formats from 6 on state a reference system as WKT only, if at all.
    header.global_encoding.wkt = True
    header.scales = np.full(3, _scale(cloud))
    header.offsets = np.zeros(3)
    for name, kind in fields_of(cloud).items():
        if name in EXTRA:
            title, description = EXTRA[name]
            header.add_extra_dim(laspy.ExtraBytesParams(title, np.dtype(kind), description))
    lookup = ClassificationLookupVlr()
    for index, label in label_names(cloud).items():
        if FIRST_OWN + index <= LAST_OWN:
            lookup[FIRST_OWN + index] = one_line(label)[:LONGEST_NAME]
    if lookup.lookups:
        header.vlrs.append(lookup)
    return header


def _scale(cloud: PointCloud) -> float:
    """Metres per step, so that 32 bits hold every coordinate in any frame."""
    known = np.abs(cloud.points[np.isfinite(cloud.points)])
    largest = float(known.max(initial=0.0)) * math.sqrt(3)
    return SCALE * 10.0 ** max(0, math.ceil(math.log10(max(largest / SCALE / (2**31 - 1), 1e-9))))


def _points(cloud: PointCloud, part: slice, rotation: NDArray[np.float64], header: LasHeader) -> ScaleAwarePointRecord:
    import laspy

    columns = columns_of(cloud, part, rotation)
    points = laspy.ScaleAwarePointRecord.zeros(part.stop - part.start, header=header)
    for name in ("x", "y", "z"):
        points[name.upper()] = np.rint(columns[name].astype(np.float64) / header.scales[0]).astype(np.int32)
    for name in ("red", "green", "blue"):
        points[name] = columns[name].astype(np.uint16) * COLOR_SCALE
    points["return_number"][:] = points["number_of_returns"][:] = 1
    points["classification"][:] = UNCLASSIFIED
    if cloud.class_ids is not None:
        ids = cloud.class_ids[part].astype(np.int32)
        is_own = (ids >= 0) & (ids <= LAST_OWN - FIRST_OWN)
        points["classification"] = np.where(is_own, FIRST_OWN + ids, UNCLASSIFIED).astype(np.uint8)
    for name, (title, _) in EXTRA.items():
        if name in columns:
            points[title] = columns[name]
    return points


class _Stream:
    """A stream that remembers what went wrong with it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.error: OSError | None = None
        self.write, self.seek = self._watched(stream.write), self._watched(stream.seek)
        self.flush, self.tell = self._watched(stream.flush), stream.tell

    def _watched(self, method: Callable[P, R]) -> Callable[P, R]:
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return method(*args, **kwargs)
            except OSError as error:
                self.error = error
                raise

        return call
