"""Point clouds as E57, with the photograph. Source: ASTM E2807-11, 3D Imaging Data Exchange; http://www.libe57.org.

Written here and not by libE57, because that one writes to a name, not to a stream, and makes up times and identifiers.
"""

from __future__ import annotations

import json
import math
import struct
import uuid
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import BinaryIO
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.cloud import FRAMES, PointCloud
from core.export.fields import chunks, columns_of, fields_of
from core.export.frames import frame_rotation
from core.export.jpeg import jpeg_bytes
from core.export.provenance import cloud_meta, one_line
from core.geometry.compiled import compiled, frozen
from core.progress import Progress, silent

PAGE, PAYLOAD = 1024, 1020
"""The file is cut into pages; the last four bytes of each are the checksum of the others."""
PAGES_AT_ONCE = 1024
CASTAGNOLI = 0x82F63B78
"""Polynomial of CRC-32C, bits reversed. Source: RFC 3720, appendix B.4."""
FILE_HEADER, SECTION_HEADER, BLOB_HEADER = struct.Struct("<8sIIQQQQ"), struct.Struct("<B7xQQQ"), struct.Struct("<B7xQ")
LARGEST_PACKET = 1 << 16
STATE = "cartesianInvalidState"
"""Of every point, 0: it is one. Readers such as pye57 ask for it unless they are told not to."""
STATES_PER_BYTE = 4
DATA_PACKET, INDEX_PACKET = 1, 0
NORMALS = "http://www.libe57.org/E57_NOR_surface_normals.txt"
OWN = "urn:panoviewer:e57:1"
NAMES = {
    "x": "cartesianX",
    "y": "cartesianY",
    "z": "cartesianZ",
    "red": "colorRed",
    "green": "colorGreen",
    "blue": "colorBlue",
    **{f"n{axis}": f"nor:normal{axis.upper()}" for axis in "xyz"},
    "label": "pano:label",
    "instance": "pano:instance",
}


def write(cloud: PointCloud, stream: BinaryIO, *, frame: str = "z-up", progress: Progress = silent) -> None:
    """E57 1.0: one scan with cartesian points and colours, and the photograph as spherical image around it.

    Normals are those of the extension `nor`, 0 0 0 where unknown; label and instance are of an extension of our own,
    in the numbers of `core.export.fields`, and so is the JSON with frame, unit, source and names. Times are left out,
    and identifiers are made of the content. Coordinates are metres by definition of the format; where they are relative
    the scan's description says so.

    Args:
        cloud: The points; without `photo` there is no image.
        stream: Open for writing and seeking.
        frame: One of `core.cloud.FRAME_NAMES`.
        progress: Hears of points.

    Raises:
        ExportError: There is no such frame.
    """
    rotation = frame_rotation(frame, cloud)
    pages = _Pages(stream)
    pages.write(bytes(FILE_HEADER.size + SECTION_HEADER.size))
    bounds = np.array([[np.inf] * 3, [-np.inf] * 3])
    data = pages.place
    for part in chunks(cloud):
        progress(part.start, len(cloud))
        columns = columns_of(cloud, part, rotation)
        points = np.stack([columns[axis] for axis in "xyz"], axis=-1)
        bounds = np.stack([np.minimum(bounds[0], points.min(axis=0)), np.maximum(bounds[1], points.max(axis=0))])
        for packet in _packets({name: columns[name] for name in NAMES if name in columns}):
            pages.write(packet)
    index = pages.place
    pages.write(struct.pack("<BBHHB9xQQ", INDEX_PACKET, 0, 31, 1, 0, 0, data))
    section = SECTION_HEADER.pack(1, pages.length - FILE_HEADER.size, data, index)
    blob, picture = pages.place, b""
    if cloud.photo is not None:
        picture = jpeg_bytes(cloud.photo)
        padding = -len(picture) % 4
        pages.write(BLOB_HEADER.pack(0, BLOB_HEADER.size + len(picture) + padding))
        pages.write(picture + bytes(padding))
    xml_at = pages.place
    xml = _xml(cloud, frame, rotation, bounds, (blob, len(picture))).encode()
    pages.write(xml)
    pages.finish()
    header = FILE_HEADER.pack(b"ASTM-E57", 1, 0, pages.written, xml_at, len(xml), PAGE)
    pages.rewrite_start(header + section)


def _packets(columns: Mapping[str, NDArray[np.generic]]) -> Iterable[bytes]:
    """Records in packets of no more than 64 KiB: the bytes of each field behind each other, two bits of each state."""
    arrays = []
    for name, values in columns.items():
        plain = np.ascontiguousarray(values)
        arrays.append(np.nan_to_num(plain, nan=0.0) if NAMES[name].startswith("nor:") else plain)
    head = 6 + 2 * (len(arrays) + 1)
    four = STATES_PER_BYTE * sum(array.itemsize for array in arrays) + 1
    # In whole bytes of states: those of the next packet go on where these end.
    count = (LARGEST_PACKET - head - 4) // four * STATES_PER_BYTE
    for start in range(0, len(arrays[0]), count):
        streams = [array[start : start + count].tobytes() for array in arrays]
        streams.append(bytes(-(-len(arrays[0][start : start + count]) // STATES_PER_BYTE)))
        size = head + sum(map(len, streams))
        padding = -size % 4
        yield b"".join(
            [
                struct.pack("<BBHH", DATA_PACKET, 0, size + padding - 1, len(streams)),
                struct.pack(f"<{len(streams)}H", *map(len, streams)),
                *streams,
                bytes(padding),
            ]
        )


class _Pages:
    """A stream of pages with checksums.

    Attributes:
        length: Bytes so far, without checksums.
        written: Bytes in the stream.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._rest = bytearray()
        self._first = b""
        self.length = 0
        self.written = 0

    @property
    def place(self) -> int:
        """Where the next byte will lie in the file."""
        return self.length // PAYLOAD * PAGE + self.length % PAYLOAD

    def write(self, data: bytes) -> None:
        self._rest += data
        self.length += len(data)
        if len(self._rest) >= PAGES_AT_ONCE * PAYLOAD:
            self._write_pages(len(self._rest) // PAYLOAD)

    def finish(self) -> None:
        """Fill the last page."""
        self._rest += bytes(-len(self._rest) % PAYLOAD)
        self._write_pages(len(self._rest) // PAYLOAD)

    def rewrite_start(self, data: bytes) -> None:
        """Put other bytes at the beginning, which fit into the first page."""
        self._stream.seek(0)
        self._stream.write(_pages_of(data + self._first[len(data) :]))

    def _write_pages(self, count: int) -> None:
        data = bytes(self._rest[: count * PAYLOAD])
        del self._rest[: count * PAYLOAD]
        self._first = self._first or data[:PAYLOAD]
        self.written += self._stream.write(_pages_of(data))


def _pages_of(data: bytes) -> bytes:
    """Whole pages with their checksums, which are big-endian."""
    payload = np.frombuffer(data, np.uint8).reshape(-1, PAYLOAD)
    pages = np.empty((len(payload), PAGE), np.uint8)
    pages[:, :PAYLOAD] = payload
    checksums = _checksums(frozen(payload), frozen(_crc_table()))
    pages[:, PAYLOAD:] = checksums.astype(">u4")[:, None].view(np.uint8)
    return pages.tobytes()


@lru_cache(maxsize=1)
def _crc_table() -> NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(CASTAGNOLI), table >> 1).astype(np.uint32)
    return table


@compiled
def _checksums(pages: NDArray[np.uint8], table: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """CRC-32C of each row."""
    result = np.empty(len(pages), np.uint32)
    for row in range(len(pages)):
        crc = np.uint32(0xFFFFFFFF)
        for col in range(pages.shape[1]):
            crc = table[(crc ^ pages[row, col]) & np.uint32(255)] ^ (crc >> np.uint32(8))
        result[row] = crc ^ np.uint32(0xFFFFFFFF)
    return result


def _xml(
    cloud: PointCloud,
    frame: str,
    rotation: NDArray[np.float64],
    bounds: NDArray[np.float64],
    picture: tuple[int, int],
) -> str:
    """The description of the file.

    Args:
        cloud: The points.
        frame: That of the file.
        rotation: (3, 3) into it.
        bounds: (2, 3) of the points there.
        picture: Place and length of the photograph; 0 bytes for none.
    """
    meta = json.dumps(cloud_meta(cloud, frame), ensure_ascii=True, allow_nan=False)
    name = "panorama" if cloud.source is None else one_line(cloud.source.stem)
    unit = "metres" if cloud.is_metric else "relative, right up to one factor"
    scan = _identifier("scan", meta, len(cloud))
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n',
        '<e57Root type="Structure" xmlns="http://www.astm.org/COMMIT/E57/2010-e57-v1.0" ',
        f'xmlns:nor="{NORMALS}" xmlns:pano="{OWN}">\n',
        _string("formatName", "ASTM E57 3D Imaging Data File"),
        _string("guid", _identifier("file", meta, len(cloud))),
        _integer("versionMajor", 1),
        _integer("versionMinor", 0),
        _string("e57LibraryVersion", "PanoViewer"),
        _string("coordinateMetadata", ""),
        _string("pano:facts", meta),
        '<data3D type="Vector" allowHeterogeneousChildren="1">\n<vectorChild type="Structure">\n',
        _string("guid", scan),
        _string("name", name),
        _string("description", f"estimated from one photograph; frame {frame}, {unit}, the camera at the origin"),
        _bounds(bounds) if len(cloud) else "",
        '<colorLimits type="Structure">',
        *(_integer(f"color{c}{end}", value) for c in ("Red", "Green", "Blue") for end, value in _LIMITS),
        "</colorLimits>\n",
        _pose(np.eye(3)),
        f'<points type="CompressedVector" fileOffset="{FILE_HEADER.size}" recordCount="{len(cloud)}">\n',
        '<prototype type="Structure">\n',
        *_prototype(cloud),
        '</prototype>\n<codecs type="Vector" allowHeterogeneousChildren="1"/>\n</points>\n</vectorChild>\n</data3D>\n',
        '<images2D type="Vector" allowHeterogeneousChildren="1">\n',
    ]
    if cloud.photo is not None:
        place, length = picture
        height, width = cloud.photo.shape[:2]
        # Such an image has x in its middle, y to the left and z up: our frame ros, before it is levelled.
        levelled = cloud.level_from_world if cloud.is_level else np.eye(3)
        parts += [
            '<vectorChild type="Structure">\n',
            _string("guid", _identifier("image", meta, len(cloud))),
            _string("name", name),
            _string("associatedData3DGuid", scan),
            _pose(rotation @ levelled @ FRAMES["ros"].T),
            '<sphericalRepresentation type="Structure">\n',
            f'<jpegImage type="Blob" fileOffset="{place}" length="{length}"/>\n',
            _integer("imageHeight", height),
            _integer("imageWidth", width),
            _float("pixelHeight", math.pi / height),
            _float("pixelWidth", 2 * math.pi / width),
            "</sphericalRepresentation>\n</vectorChild>\n",
        ]
    return "".join([*parts, "</images2D>\n</e57Root>\n"])


_LIMITS = (("Minimum", 0), ("Maximum", 255))


def _identifier(role: str, meta: str, count: int) -> str:
    """A GUID that is the same for the same content."""
    return f"{{{uuid.uuid5(uuid.NAMESPACE_URL, f'{OWN}:{role}:{count}:{meta}')}}}"


def _string(name: str, text: str) -> str:
    return f'<{name} type="String">{escape(text)}</{name}>\n'


def _integer(name: str, number: int) -> str:
    return f'<{name} type="Integer">{number}</{name}>\n'


def _float(name: str, number: float) -> str:
    return f'<{name} type="Float">{float(number)!r}</{name}>\n'


def _structure(name: str, numbers: Iterable[tuple[str, float]]) -> str:
    return f'<{name} type="Structure">{"".join(_float(key, number) for key, number in numbers)}</{name}>\n'


def _bounds(bounds: NDArray[np.float64]) -> str:
    ends = zip(("Minimum", "Maximum"), bounds, strict=True)
    numbers = {f"{axis}{end}": values[i] for end, values in ends for i, axis in enumerate("xyz")}
    return _structure("cartesianBounds", sorted(numbers.items()))


def _pose(rotation: ArrayLike) -> str:
    turned = _structure("rotation", zip("wxyz", quaternion(rotation), strict=True))
    return f'<pose type="Structure">{turned}{_structure("translation", zip("xyz", (0.0,) * 3, strict=True))}</pose>\n'


def quaternion(rotation: ArrayLike) -> tuple[float, float, float, float]:
    """w, x, y, z of a (3, 3) rotation, w >= 0.

    Source: S. W. Shepperd, Quaternion from Rotation Matrix, Journal of Guidance and Control, 1978.
    """
    m = np.asarray(rotation, np.float64)
    trace = m.trace()
    largest = int(np.argmax([trace, m[0, 0], m[1, 1], m[2, 2]]))
    if largest == 0:
        values = np.array([1 + trace, m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]])
    else:
        i = largest - 1
        j, k = (i + 1) % 3, (i + 2) % 3
        values = np.empty(4)
        values[0] = m[k, j] - m[j, k]
        values[1 + i] = 1 + 2 * m[i, i] - trace
        values[1 + j] = m[j, i] + m[i, j]
        values[1 + k] = m[k, i] + m[i, k]
    values = values / np.linalg.norm(values)
    w, x, y, z = (values if values[0] >= 0 else -values).tolist()
    return w, x, y, z


def _prototype(cloud: PointCloud) -> Iterable[str]:
    """One record, in the order of the packets."""
    known = fields_of(cloud)
    for name, title in NAMES.items():
        if name not in known:
            continue
        kind = np.dtype(known[name])
        if kind.kind == "f":
            yield f'<{title} type="Float" precision="single"/>\n'
        else:
            yield f'<{title} type="Integer" minimum="0" maximum="{np.iinfo(kind).max}"/>\n'
    yield f'<{STATE} type="Integer" minimum="0" maximum="2"/>\n'
