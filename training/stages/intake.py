"""Panoramas for training out of folders of photographs and of panoramic videos: what is no good is listed, with why."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import PanoError
from core.geometry.warp import resize_erp
from core.io.atomic import atomic_file, make_folder
from core.io.images import read_preview
from core.models.pano_s import PanoS
from core.progress import Progress, silent
from training.config import check_limits
from training.manifest import FILE_NAME as MANIFEST
from training.stages.horizon import tilt_deg

TABLE, PLAN = "intake.tsv", "intake.json"
PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif", ".heic", ".hdr", ".exr")
VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
_LEAST_HEIGHT = 256
_DULL = 6.0
_SAME = 2.0
_SEAM_FACTOR, _SEAM_LEAST = 1.5, 12.0
_HASHED = 1 << 20
_QUALITY = 95
_OFTEN = 50
"""Items after which the table is written; a killed run does no more than these again."""


@dataclass(frozen=True)
class IntakePlan:
    """What is taken in."""

    height: int = 512
    """Rows of the pictures that are written; the width is twice that."""
    seconds: float = 2.0
    """Between the frames that are taken from a video."""
    lean: float = 10.0
    """Degrees by which the horizon may lean; more is left out."""

    def __post_init__(self) -> None:
        check_limits(self, {"height": (16, 8192), "seconds": (0, 1e9), "lean": (0, 90)}, of="the intake")


@dataclass(frozen=True)
class Item:
    """What became of a photograph or frame.

    Attributes:
        source: The file.
        frame: Number of the frame of a video; -1 for a photograph.
        file: Name of the picture that was written; empty where it was left out.
        scene: indoor or outdoor, as pano-s says; empty where it was left out.
        indoor: Its probability; empty likewise.
        lean_deg: Of the horizon; empty where it cannot be told.
        reason: Why it was left out; empty where it was not.
    """

    source: str
    frame: int
    file: str = ""
    scene: str = ""
    indoor: str = ""
    lean_deg: str = ""
    reason: str = ""


def take_in(
    inputs: Sequence[Path], out: Path, plan: IntakePlan, *, model: PanoS | None = None, progress: Progress = silent
) -> list[Item]:
    """Write what is good as pictures of one size, and a table of all; what is in the table already is not done again.

    Beside intake.tsv there are manifest.tsv (file, scene) of what was taken, as training reads it, and `PLAN` with how.

    Args:
        inputs: Photographs, videos, and folders of them.
        out: Folder of the pictures.
        plan: What is taken in.
        model: Tells indoor from outdoor; pano-s when left out.
        progress: Called after each file.

    Returns:
        All items of the folder, also those of earlier runs.

    Raises:
        PanoError: There is nothing of the kind, or what is in the folder was taken in otherwise.
        ExportError: The folder cannot be written.
    """
    files = _files(inputs, out)
    if not files:
        raise PanoError(f"Expected photographs or videos, got none; choose another folder: {inputs[0]}")
    make_folder(out)
    _keep_plan(out / PLAN, plan)
    done = read_items(out)
    known = {(item.source, item.frame) for item in done}
    finished = {item.source for item in done if item.frame == _ALL}
    model = model or PanoS()
    written = len(done)
    try:
        for count, path in enumerate(files, start=1):
            if str(path) not in finished:
                for item in _items(path, out, plan, model, known):
                    done.append(item)
                    if len(done) - written >= _OFTEN:
                        _write(done, out)
                        written = len(done)
                done.append(Item(str(path), _ALL))
            progress(count, len(files))
    finally:
        _write(done, out)
    return [item for item in done if item.frame != _ALL]


def _keep_plan(path: Path, plan: IntakePlan) -> None:
    """Write down how a folder is filled, and refuse one that was filled otherwise: its pictures are of one size."""
    facts = asdict(plan)
    if not path.is_file():
        with atomic_file(path) as stream:
            stream.write(json.dumps(facts, indent=1).encode() + b"\n")
        return
    try:
        known = dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        known = {}
    other = [name for name, value in facts.items() if known.get(name) != value]
    if other:
        raise PanoError(
            f"Expected a folder whose pictures were taken in in the same way, got one with another {', '.join(other)}; "
            f"choose another folder, or the same settings again: {path}"
        )


_ALL = -2
"""Frame of the row that says that a file is done."""


def read_items(out: Path) -> list[Item]:
    """The table of a folder; nothing where there is none.

    Raises:
        PanoError: It is broken.
    """
    path = out / TABLE
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        return [Item(row.pop("source"), int(row.pop("frame")), **row) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise PanoError(f"Expected a table of what was taken in, got a broken one ({error}): {path}") from error


def _write(items: Sequence[Item], out: Path) -> None:
    taken = [{"file": item.file, "scene": item.scene} for item in items if item.file]
    for name, columns, rows in (
        (MANIFEST, ["file", "scene"], taken),
        (TABLE, [field.name for field in fields(Item)], [asdict(item) for item in items]),
    ):
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, columns, delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        with atomic_file(out / name) as stream:
            stream.write(text.getvalue().encode(errors="surrogateescape"))


def _files(inputs: Sequence[Path], out: Path) -> list[Path]:
    own = out.resolve()
    found: dict[Path, None] = {}
    for given in inputs:
        paths = sorted(given.rglob("*")) if given.is_dir() else [given]
        for path in paths:
            if path.suffix.lower() in (*PHOTOS, *VIDEOS) and own not in path.resolve().parents:
                found[path] = None
    return list(found)


def _items(path: Path, out: Path, plan: IntakePlan, model: PanoS, known: set[tuple[str, int]]) -> Iterator[Item]:
    before: NDArray[np.uint8] | None = None
    try:
        mark = f"{path.stem}-{_mark(path)}"
        for frame, rgb in _frames(path, plan):
            name = f"{mark}.jpg" if frame < 0 else f"{mark}-{frame:07d}.jpg"
            if (str(path), frame) not in known:
                yield _judged(Item(str(path), frame), rgb, before, out / name, plan, model)
            before = rgb
    except PanoError as error:
        if (str(path), -1) not in known:
            yield Item(str(path), -1, reason=str(error).removesuffix(f": {path}"))


def _judged(
    item: Item, rgb: NDArray[np.uint8], before: NDArray[np.uint8] | None, target: Path, plan: IntakePlan, model: PanoS
) -> Item:
    source, frame = item.source, item.frame
    why = _fault(rgb, before)
    if why:
        return Item(source, frame, reason=why)
    lean = tilt_deg(rgb)
    told = "" if np.isnan(lean) else f"{lean:.0f}"
    if lean > plan.lean:
        return Item(source, frame, lean_deg=told, reason=f"The horizon leans by {lean:.0f} degrees.")
    small = resize_erp(rgb, plan.height, 2 * plan.height)
    indoor = float(model.read(small).indoor_probability)
    with atomic_file(target) as stream:
        Image.fromarray(small).save(stream, "JPEG", quality=_QUALITY)
    return Item(source, frame, target.name, "indoor" if indoor >= 0.5 else "outdoor", f"{indoor:.3f}", told)


def _fault(rgb: NDArray[np.uint8], before: NDArray[np.uint8] | None) -> str:
    """Why a picture is no good; empty when it is."""
    height, width = rgb.shape[:2]
    if abs(width - 2 * height) > 2:
        return f"A panorama must be twice as wide as high, got {width} x {height} (width x height)."
    if height < _LEAST_HEIGHT:
        return f"Expected {_LEAST_HEIGHT} rows or more, got {height}."
    thumb = _thumb(rgb)
    if thumb.std() < _DULL:
        return "It has nearly one colour everywhere."
    if before is not None and before.shape == rgb.shape and np.abs(thumb - _thumb(before)).mean() < _SAME:
        return "It shows the same as the frame before."
    grey = rgb.mean(axis=-1)
    steps = np.abs(np.diff(grey, axis=1)).mean(axis=0)
    seam = float(np.abs(grey[:, 0] - grey[:, -1]).mean())
    # A pillar's edge may well lie there; a border goes from pole to pole, as hardly any other step does.
    if seam > max(_SEAM_LEAST, _SEAM_FACTOR * float(np.partition(steps, -3)[-3])):
        return "Its left and right borders do not meet: it is no full turn."
    return ""


def _thumb(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return cv2.resize(rgb, (64, 32), interpolation=cv2.INTER_AREA).astype(np.float32)


def _frames(path: Path, plan: IntakePlan) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """A photograph as frame -1, or frames of a video by their numbers."""
    if path.suffix.lower() in PHOTOS:
        yield -1, read_preview(path, max(4 * plan.height, 2 * _LEAST_HEIGHT)).rgb
        return
    video = cv2.VideoCapture(str(path))
    try:
        rate = video.get(cv2.CAP_PROP_FPS)
        step = max(1, round(plan.seconds * rate)) if rate > 0 else 1
        frame = 0
        while video.grab():
            if frame % step == 0:
                read, bgr = video.retrieve()
                if read:
                    yield frame, np.ascontiguousarray(bgr[..., ::-1])
            frame += 1
    finally:
        video.release()
    if frame == 0:
        raise PanoError(f"Expected a video, got a file without a frame that can be read: {path}")


def _mark(path: Path) -> str:
    """Tells files of one name apart: of the size and the beginning."""
    try:
        with path.open("rb") as stream:
            return hashlib.sha256(f"{path.stat().st_size}".encode() + stream.read(_HASHED)).hexdigest()[:8]
    except OSError as error:
        raise PanoError(
            f"Expected a file that can be read, got an error ({error.strerror or error}): {path}"
        ) from error
