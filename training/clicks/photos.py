"""Which photographs may be learned from, and how they are read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.io.images import read_panorama
from training.manifest import FILE_NAME, is_judged, judged_stems, read_manifest

_FREE = re.compile(r"^(CC0|CC[ -]BY)(?![ -]?(SA|NC|ND))\b", re.IGNORECASE)
_PICTURES = (".jpg", ".jpeg", ".png", ".hdr")


def permitted_photos(folders: Sequence[Path]) -> list[Path]:
    """The photographs of folders whose manifest.tsv marks them CC0 or CC BY, without those kept for judging.

    A photograph is kept for judging when it, or one whose name its own begins with, has labels of any kind beside it in
    one of the folders; so is one whose note says that it shows the same scene.

    Args:
        folders: Each holds a manifest.tsv with the columns file and licence, or file and dataset_terms.

    Raises:
        PanoError: A folder has no such table, or nothing is permitted.
    """
    judged = judged_stems(folders)
    chosen: list[Path] = []
    for folder in folders:
        for row in _rows(folder):
            path = folder / row["file"]
            is_picture = path.suffix.lower() in _PICTURES and path.exists()
            if is_picture and _FREE.match(_terms(row).strip()) and not is_judged(row, judged):
                chosen.append(path)
    if not chosen:
        named = ", ".join(str(folder) for folder in folders)
        raise PanoError(
            f"Expected photographs that {FILE_NAME} marks CC0 or CC BY, got none; choose folders with some: {named}"
        )
    return sorted(set(chosen))


def photo_terms(folders: Sequence[Path]) -> list[dict[str, str]]:
    """Of every photograph in the folders' manifests: file, terms and source, for a model's card."""
    return [
        {
            "file": row["file"],
            "terms": _terms(row),
            "source": f"{row.get('source_repo', '')} {row.get('source_path', '')}".strip(),
        }
        for folder in folders
        for row in _rows(folder)
    ]


def _rows(folder: Path) -> list[dict[str, str]]:
    return read_manifest(folder, "licence", "dataset_terms")


def _terms(row: Mapping[str, str]) -> str:
    return row.get("licence") or row.get("dataset_terms") or ""


def read_photo(path: Path, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A photograph as (h, w, 3) sRGB; a Radiance picture is developed with a random exposure.

    Raises:
        PanoError: It cannot be read.
    """
    if path.suffix.lower() != ".hdr":
        return read_panorama(path).rgb
    radiance = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if radiance is None or radiance.ndim != 3:
        raise PanoError(f"Expected a Radiance picture, got a file that cannot be read; remove it: {path}")
    linear = np.maximum(radiance[..., ::-1].astype(np.float32), 0)
    middle = np.exp(np.log(linear.mean(axis=-1) + 1e-4).mean())
    exposed = linear * np.float32(0.18 / middle * 2 ** rng.uniform(-1.5, 1.5))
    # A shoulder instead of a cut: lamps and sky keep some colour.
    toned = exposed / (1 + exposed / 4)
    encoded = np.where(toned <= 0.0031308, 12.92 * toned, 1.055 * np.power(np.maximum(toned, 1e-8), 1 / 2.4) - 0.055)
    picture: NDArray[np.uint8] = np.rint(np.clip(encoded, 0, 1) * 255).astype(np.uint8)
    return picture
