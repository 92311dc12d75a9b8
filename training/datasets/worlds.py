"""Generated worlds and panoramas that teachers have labelled: one file each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from training.datasets.layout import LABELS, Entry, Label, Layout
from training.labelled import read_labelled
from training.truths import Truth
from training.worlds.sample import read_instances
from training.worlds.shards import world_files


def _find(folder: Path) -> list[Entry]:
    return entries_of(world_files(folder))


def entries_of(files: Sequence[Path]) -> list[Entry]:
    """Worlds as entries, in the given order."""
    return [Entry(path.stem, path, dict.fromkeys(LABELS, path)) for path in files]


def _read(entry: Entry, wanted: Collection[Label]) -> Truth:
    labelled = read_labelled(entry.picture, patches=False)
    return Truth(
        name=entry.name,
        rgb=labelled.rgb,
        depth=labelled.depth,
        normals=labelled.normals,
        classes=labelled.classes,
        class_names=labelled.class_names,
        far=labelled.far,
        is_metric=labelled.is_metric,
        instances=read_instances(entry.picture) if "instances" in wanted else None,
        valid=labelled.valid,
        camera_height=labelled.camera_height,
        ceiling_height=labelled.ceiling_height,
        indoor=labelled.indoor,
    )


LAYOUT = Layout(
    "worlds",
    "generated worlds and labelled panoramas",
    "*.npz of panoviewer-train generate, label or import, or shards (*.tar) of generate",
    _find,
    _read,
)
