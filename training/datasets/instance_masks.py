"""Frames of panoramic videos with a map of instances each, as in PAV-SOD (PAVS10K).

Where the set's own archive puts its folders could not be read anywhere; what is recognised are frames and instance maps
in two folders side by side, for the whole set or for each video, under the same names. In a map every object has a
number or a colour of its own, black is none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from core.errors import PanoError
from core.io.images import read_panorama
from training.datasets.labels import fitting, instances_of_label, read_label
from training.datasets.layout import Entry, Label, Layout
from training.truths import Truth

FRAMES = ("frames", "frame", "images", "image", "imgs", "img", "rgb")
MASKS = ("instances", "instance", "ins", "inst", "gt_instance", "gt_ins", "instance_gt")
MOST = 200
"""Objects of one frame; more are the mixed colours of a map that was resized or compressed."""
_PICTURES = (".jpg", ".jpeg", ".png", ".webp")


def _find(folder: Path) -> list[Entry]:
    entries = [entry for frames, masks in _pairs(folder) for entry in _entries(folder, frames, masks)]
    return sorted(entries, key=lambda entry: entry.name)


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Folders of frames and of their maps, side by side."""
    if not folder.is_dir():
        return
    for where in (folder, *folder.glob("*/"), *folder.glob("*/*/")):
        inside = {path.name.lower(): path for path in sorted(where.iterdir()) if path.is_dir()}
        frames = next((inside[name] for name in FRAMES if name in inside), None)
        masks = next((inside[name] for name in MASKS if name in inside), None)
        if frames is not None and masks is not None:
            yield frames, masks


def _entries(folder: Path, frames: Path, masks: Path) -> Iterator[Entry]:
    pictures = {
        path.relative_to(frames).with_suffix(""): path for path in frames.rglob("*") if path.suffix.lower() in _PICTURES
    }
    for mask in sorted(masks.rglob("*.png")):
        stem = mask.relative_to(masks).with_suffix("")
        picture = pictures.get(stem, (frames / stem).with_suffix(".jpg"))
        name = (frames.parent / stem).relative_to(folder).as_posix()
        yield Entry(name, picture, {"instances": mask}, group=str(Path(name).parent))


def _read(entry: Entry, wanted: Collection[Label]) -> Truth:
    rgb = read_panorama(entry.picture).rgb
    instances = None
    if "instances" in wanted:
        path = entry.labels["instances"]
        instances = instances_of_label(fitting(read_label(path), rgb, path))
        if int(instances.max()) > MOST:
            raise PanoError(
                f"Expected a map with one number or colour for each object, got {int(instances.max())} of them; it was "
                f"resized or compressed: {path}"
            )
    return Truth(name=entry.name, rgb=rgb, instances=instances)


LAYOUT = Layout(
    "instances",
    "frames with instance masks (PAV-SOD)",
    f"a folder {FRAMES[0]} (or {', '.join(FRAMES[1:])}) beside a folder {MASKS[0]} (or {', '.join(MASKS[1:])}) with "
    "*.png of the same names, for the set or for each video",
    _find,
    _read,
)
