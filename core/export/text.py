"""Point clouds as lines of text: XYZ as CloudCompare reads it with its header, and CSV."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.cloud import PointCloud
from core.export.fields import chunks, columns_of, fields_of
from core.export.frames import frame_rotation
from core.geometry.compiled import compiled, frozen
from core.progress import Progress, silent

DECIMALS = 5
"""A hundredth of a millimetre."""
LARGEST = 1e12
"""Numbers beyond it are no coordinates; 64 bits hold this one with its decimals."""
FLOAT_BYTES, INTEGER_BYTES = 21, 11
"""The longest number of each kind with what separates it from the next."""

ORDER = ("x", "y", "z", "red", "green", "blue", "nx", "ny", "nz", "label", "instance")
XYZ_NAMES = {
    "x": "X",
    "y": "Y",
    "z": "Z",
    "red": "R",
    "green": "G",
    "blue": "B",
    "nx": "Nx",
    "ny": "Ny",
    "nz": "Nz",
    "label": "Label",
    "instance": "Instance",
}


def write_xyz(cloud: PointCloud, stream: BinaryIO, *, frame: str = "z-up", progress: Progress = silent) -> None:
    """A line for each point: X Y Z R G B, Nx Ny Nz, Label, Instance, as far as there are any, between blanks.

    The first line names the columns behind two slashes. Coordinates and normals have `DECIMALS` decimals, "nan" where
    unknown; the numbers of labels and instances are those of `core.export.fields`.

    Args:
        cloud: The points.
        stream: Open for writing.
        frame: One of `core.cloud.FRAME_NAMES`.
        progress: Hears of points.

    Raises:
        ExportError: There is no such frame.
    """
    rotation = frame_rotation(frame, cloud)
    names = _names(cloud)
    stream.write(f"//{' '.join(XYZ_NAMES[name] for name in names)}\n".encode())
    _write_lines(cloud, stream, rotation, names, " ", progress)


def write_csv(cloud: PointCloud, stream: BinaryIO, *, frame: str = "z-up", progress: Progress = silent) -> None:
    """The same between commas, under the names x, y, z, red, green, blue, nx, ny, nz, label, instance."""
    rotation = frame_rotation(frame, cloud)
    names = _names(cloud)
    stream.write(f"{','.join(names)}\n".encode())
    _write_lines(cloud, stream, rotation, names, ",", progress)


def _names(cloud: PointCloud) -> list[str]:
    known = fields_of(cloud)
    return [name for name in ORDER if name in known]


def _write_lines(
    cloud: PointCloud,
    stream: BinaryIO,
    rotation: NDArray[np.float64],
    names: list[str],
    separator: str,
    progress: Progress,
) -> None:
    types = fields_of(cloud)
    is_float = np.array([types[name] == "<f4" for name in names])
    longest = int(np.where(is_float, FLOAT_BYTES, INTEGER_BYTES).sum())
    for part in chunks(cloud):
        progress(part.start, len(cloud))
        columns = columns_of(cloud, part, rotation)
        table = np.stack([columns[name].astype(np.float64) for name in names], axis=-1)
        text = np.empty(len(table) * longest, np.uint8)
        length = _format(frozen(table), frozen(is_float), ord(separator), text)
        stream.write(text[:length].data)


@compiled
def _format(table: NDArray[np.float64], is_float: NDArray[np.bool_], separator: int, text: NDArray[np.uint8]) -> int:
    """Write a table of numbers as text; returns how many bytes there are."""
    digits = np.empty(24, np.uint8)
    position = 0
    for row in range(table.shape[0]):
        for col in range(table.shape[1]):
            value = table[row, col]
            if abs(value) <= LARGEST:
                decimals = DECIMALS if is_float[col] else 0
                number = np.int64(np.rint(abs(value) * 10.0**decimals))
                if value < 0 and number > 0:
                    text[position] = 45
                    position += 1
                count = 0
                while number > 0 or count <= decimals:
                    digits[count] = 48 + number % 10
                    number //= 10
                    count += 1
                while count > 0:
                    if count == decimals:
                        text[position] = 46
                        position += 1
                    count -= 1
                    text[position] = digits[count]
                    position += 1
            else:
                text[position : position + 3] = np.array([110, 97, 110], np.uint8)
                position += 3
            text[position] = separator
            position += 1
        text[position - 1] = 10
    return position
