"""Deep360: rendered streets, as published in Cassini projection, and the benchmark's copy on the ERP grid.

Of the twelve pictures of a frame only camera 1 of the first pair, FRAME_12_rgb1.png, sees what FRAME_depth tells.
Published depth is an NPZ of metres; the copy's is a PNG, 650 a metre. Ranges of `BEYOND` and more are far: neither copy
is judged there except by the protocol that clamps to it.

Cassini projection: an equirectangular one whose axis runs from left to right. In our frame
``row = (atan2(y, z) / 2 pi + 1/2) H`` and ``column = (asin(x) / pi + 1/2) W``; twice as high as wide. Source: M. Li et
al., MODE, ECCV 2022.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.geometry.sphere import erp_rays
from core.geometry.warp import sample_erp
from core.io.images import read_picture
from training.archives import BROKEN, why_broken
from training.datasets.labels import depth_of_label, fitting, read_label
from training.datasets.layout import Entry, Label, Layout, found
from training.truths import Truth

BEYOND = 100.0
"""Metres."""
BEYOND_OF_COPY = 99.0
"""Metres; 16 bits at 650 a metre end at 100.8, and the copy's benchmark leaves out what is above this."""
_PER_METRE = 650
_PICTURE = "_12_rgb1.png"


def _find(folder: Path) -> list[Entry]:
    patterns = [f"{split}/rgb/*{_PICTURE}" for split in ("training", "validation", "testing")]
    return [_entry(path) for path in found(folder, (*patterns, f"rgb/*{_PICTURE}"))]


def _entry(picture: Path) -> Entry:
    frame = picture.name.removesuffix(_PICTURE)
    split, episode = picture.parents[1].name, picture.parents[2].name
    where = picture.parents[1] / "depth"
    png = where / f"{frame}_depth.png"
    depth = png if png.is_file() else where / f"{frame}_depth.npz"
    return Entry(f"{episode}/{split}/{frame}", picture, {"depth": depth}, group=f"{episode}/{split}")


def _read(entry: Entry, wanted: Collection[Label]) -> Truth:
    rgb = read_picture(entry.picture)
    height, width = rgb.shape[:2]
    if max(height, width) != 2 * min(height, width):
        raise PanoError(
            f"Expected a panorama of 2:1, or 1:2 in Cassini projection, got {width} x {height} (width x "
            f"height): {entry.picture}"
        )
    metres = None
    if "depth" in wanted:
        metres = _depth(entry.labels["depth"], rgb)
    if height > width:
        rgb = erp_of_cassini(rgb)
        metres = None if metres is None else erp_of_cassini(metres, nearest=True)
    depth = far = None
    if metres is not None:
        far = metres > (BEYOND_OF_COPY if entry.labels["depth"].suffix == ".png" else BEYOND)
        depth = np.where(far | ~(metres > 0), np.float32(np.nan), metres)
    return Truth(name=entry.name, rgb=rgb, depth=depth, far=far, is_metric=True)


def _depth(path: Path, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    if path.suffix == ".png":
        return depth_of_label(fitting(read_label(path), rgb, path), path, per_metre=_PER_METRE)
    try:
        with np.load(path, allow_pickle=False) as stored:
            metres = np.asarray(stored["arr_0"], np.float32)
    except FileNotFoundError as error:
        raise PanoError(f"Expected a label beside the panorama, got none; fetch it again: {path}") from error
    except BROKEN as error:
        raise PanoError(
            f"Expected ranges as arr_0 of an NPZ, got a file that cannot be read ({why_broken(error)}): {path}"
        ) from error
    if metres.ndim != 2:
        raise PanoError(f"Expected ranges of two dimensions, got {metres.ndim}: {path}")
    return np.asarray(fitting(metres, rgb, path), np.float32)


def erp_of_cassini(picture: NDArray[Any], *, nearest: bool = False) -> NDArray[Any]:
    """A picture in Cassini projection, (2n, n) or (2n, n, channels), on the ERP grid of the same count of pixels."""
    height, width = picture.shape[:2]
    # Turned on its side, the projection is the ERP of a mirrored sphere whose poles lie to the left and right.
    return sample_erp(np.swapaxes(picture, 0, 1), erp_rays(width, height)[..., [1, 0, 2]], nearest=nearest)


LAYOUT = Layout(
    "deep360",
    "Deep360",
    f"ep*_500frames/{{training,validation,testing}}/rgb/*{_PICTURE} with depth/*_depth.npz (Cassini projection) or "
    "depth/*_depth.png (ERP)",
    _find,
    _read,
    beyond_m=BEYOND,
)
