"""Label pictures as maps: units, masks, class numbers, and normals brought into our frame.

Decoding is that of the public benchmarks (1-based classes, 0 unlabelled; normals ``value / 255 * 2 - 1``, grey 128
unknown), as `DAP_MTPANO` of the specification gives it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import PanoError
from core.geometry.normals import normals_from_depth, turn_normals
from core.geometry.sphere import angle_between, solid_angle

_GREY = 128
_SNAP_DEG = 2.0
_MOST_OFF_DEG = 20.0
_TRIMMED_DEG = 30.0
_FEWEST = 50


def read_label(path: Path) -> NDArray[Any]:
    """The numbers of a label picture, (h, w) or (h, w, channels), palettes as their indices.

    Raises:
        PanoError: It is missing, damaged or cut off.
    """
    try:
        with Image.open(path) as picture:
            return np.asarray(picture)
    except FileNotFoundError as error:
        raise PanoError(f"Expected a label beside the panorama, got none; fetch it again: {path}") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PanoError(f"Expected a label picture, got a file that cannot be read ({error}): {path}") from error


def fitting(label: NDArray[Any], rgb: NDArray[np.uint8], path: Path) -> NDArray[Any]:
    """The label, when it has its panorama's size.

    Raises:
        PanoError: It has another size.
    """
    if label.shape[:2] != rgb.shape[:2]:
        raise PanoError(
            f"Expected labels of the picture's size, {rgb.shape[1]} x {rgb.shape[0]}, got {label.shape[1]} x "
            f"{label.shape[0]}; remove them: {path}"
        )
    return label


def depth_of_label(
    label: NDArray[Any], path: Path, *, per_metre: float, missing: tuple[int, ...] = (0,)
) -> NDArray[np.float32]:
    """Metres from whole numbers, NaN where the number means missing.

    Raises:
        PanoError: The label is no picture of 16 or more bits and one channel.
    """
    if label.ndim != 2 or label.dtype.itemsize < 2:
        raise PanoError(f"Expected depth as numbers of 16 bits in one channel, got {_kind(label)}: {path}")
    metres = label.astype(np.float32) / np.float32(per_metre)
    metres[np.isin(label, missing)] = np.nan
    return metres


def normals_of_label(label: NDArray[Any], path: Path) -> NDArray[np.float32]:
    """Unit normals in the label's own frame, NaN where it is grey 128.

    Raises:
        PanoError: The label has no three channels of 8 bits.
    """
    if label.ndim != 3 or label.shape[2] < 3 or label.dtype != np.uint8:
        raise PanoError(f"Expected normals as three channels of 8 bits, got {_kind(label)}: {path}")
    stored = label[..., :3]
    normals: NDArray[np.float32] = stored.astype(np.float32) / np.float32(255) * 2 - 1
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    unknown = (stored == _GREY).all(axis=-1) | (length[..., 0] < 0.1)
    normals /= np.maximum(length, np.float32(1e-6))
    normals[unknown] = np.nan
    return normals


def classes_of_label(label: NDArray[Any], path: Path, *, count: int) -> NDArray[np.int16]:
    """Class indices from 0, -1 unlabelled, of a label whose classes are numbered from 1.

    Raises:
        PanoError: The label is coloured, or holds numbers beyond the last class; 255 is unlabelled as well.
    """
    if label.ndim != 2 or not np.issubdtype(label.dtype, np.integer):
        raise PanoError(f"Expected numbers of classes in one channel, got {_kind(label)}: {path}")
    numbers = label.astype(np.int32)
    numbers[numbers == 255] = 0
    if numbers.max(initial=0) > count or numbers.min(initial=0) < 0:
        raise PanoError(f"Expected classes 1 to {count}, 0 or 255 for none, got {int(numbers.max())}: {path}")
    return (numbers - 1).astype(np.int16)


def instances_of_label(label: NDArray[Any]) -> NDArray[np.uint16]:
    """One number per object from 1 on, of a map with a number or a colour for each object; 0 where it is black."""
    if label.ndim == 3:
        channels = label[..., :3].astype(np.int64)
        label = (channels * np.array([1 << 16, 1 << 8, 1])).sum(axis=-1)
    values, numbers = np.unique(label, return_inverse=True)
    shift = 0 if len(values) and values[0] == 0 else 1
    return (numbers.reshape(label.shape) + shift).astype(np.uint16)


def in_our_frame(normals: NDArray[np.float32], depth: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    """Normals turned from whatever frame they are stored in into ours, facing the camera.

    Copies of a set differ in their axes, in whether normals point towards the camera, and in whether they are those of
    the camera or of the building. What is stored is therefore compared with the normals of the depth map: the turn, or
    turn and mirror, that brings them together (W. Kabsch, A solution for the best rotation to relate two sets of
    vectors, 1976; here without the demand that it be no mirror) is the frame. Where that is a mere exchange of axes and
    signs to within a little, it is taken to be one exactly.

    Args:
        normals: (h, w, 3) unit, NaN where unknown, in any one frame.
        depth: (h, w) metres along the ray, NaN where unknown.
        path: Of the normals, for errors.

    Raises:
        PanoError: They fit the depth in no frame, or too few pixels know both.
    """
    seen = normals_from_depth(depth)
    both = np.isfinite(normals).all(axis=-1) & np.isfinite(seen).all(axis=-1)
    if both.sum() < _FEWEST:
        raise PanoError(f"Expected depth and normals of the same surfaces, got too few to find their frame: {path}")
    stored, wanted = normals[both].astype(np.float64), seen[both].astype(np.float64)
    weights = np.broadcast_to(solid_angle(*depth.shape), depth.shape)[both]
    turn = _best_turn(stored, wanted, weights)
    for _ in range(3):
        # Edges, where the depth's normals are those of no surface, are left out once the frame is roughly known.
        near = np.degrees(angle_between(stored @ turn.T, wanted)) < _TRIMMED_DEG
        if near.sum() < _FEWEST:
            break
        turn = _best_turn(stored[near], wanted[near], weights[near])
    turn = _snapped(turn)
    off = float(np.median(np.degrees(angle_between(stored @ turn.T, wanted))))
    if off > _MOST_OFF_DEG:
        raise PanoError(
            f"Expected normals that fit the depth in some frame, got {off:.0f} degrees between them (median); one of "
            f"the two is of another picture: {path}"
        )
    return turn_normals(normals, turn)


def _best_turn(
    stored: NDArray[np.float64], wanted: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    left, _, right = np.linalg.svd((wanted * weights[:, None]).T @ stored)
    turn: NDArray[np.float64] = left @ right
    return turn


def _snapped(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """The exchange of axes and signs that a turn is to within `_SNAP_DEG`; else the turn."""
    axes = np.zeros((3, 3))
    columns = np.abs(turn).argmax(axis=1)
    axes[np.arange(3), columns] = np.sign(turn[np.arange(3), columns])
    if sorted(columns) != [0, 1, 2]:
        return turn
    apart = np.degrees(np.arccos(np.clip((np.trace(axes.T @ turn) - 1) / 2, -1, 1)))
    return axes if apart < _SNAP_DEG else turn


def _kind(label: NDArray[Any]) -> str:
    channels = 1 if label.ndim == 2 else label.shape[2]
    return f"{channels} of {label.dtype}"
