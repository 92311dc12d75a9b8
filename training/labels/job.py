"""Labelling many panoramas: files in, labelled panoramas out, each by itself and only once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from core.errors import PanoError
from core.geometry.warp import turn_erp
from core.io.atomic import atomic_file, make_folder
from core.io.images import read_preview
from core.io.kept_level import as_kept
from core.progress import Progress, silent
from training.batch import Do, Report, Where, named_by_content, run_batch
from training.labelled import SCHEMA, read_labelled, write_labelled
from training.labels.label import LabelPlan, label_subject
from training.labels.teachers import NetworkTeacher, Subject, Teacher, open_teacher, teacher_name, teacher_version

PLAN = "labels.json"
WIDER = 4
"""Times the views' size, as which a photograph is read: pixels as fine as in the middle of the narrowest view."""


@dataclass(frozen=True)
class LabelWork:
    """See `training.batch.Work`.

    Attributes:
        out: Folder of the labelled panoramas.
        plan: How they are labelled.
        device: Where teachers run; see `core.models.load_model`.
    """

    out: Path
    plan: LabelPlan
    device: str = "auto"

    def start(self) -> Do:
        """Open the teachers."""
        teachers = [open_teacher(choice, device=self.device) for choice in self.plan.teachers]
        return lambda path: self.label(path, teachers)

    def label(self, path: Path, teachers: Sequence[Teacher]) -> bool:
        """Label one panorama, unless it is labelled already.

        Raises:
            PanoError: It cannot be read, or a teacher can say nothing about it.
        """
        name, digest = named_by_content(path)
        target = self.out / f"{name}.npz"
        if target.is_file():
            return False
        sizes = [teacher.network.size for teacher in teachers if isinstance(teacher, NetworkTeacher)]
        finest = max(self.plan.view_size, *sizes, 0)
        subject = read_subject(path, digest, max_width=max(WIDER * finest, 2 * self.plan.height))
        write_labelled(label_subject(subject, teachers, self.plan), target)
        return True


def label_folder(
    files: Sequence[Path],
    out: Path,
    plan: LabelPlan,
    *,
    device: str = "auto",
    where: Where | None = None,
    progress: Progress = silent,
) -> Report:
    """Label panoramas, those that are labelled already left out.

    Args:
        files: Photographs, generated worlds and labelled panoramas.
        out: Folder of the results: STEM-HASH.npz for each, with the first digits of its content's SHA-256; how they
            were made in `PLAN`; what could not be labelled in `training.batch.REJECTED`.
        plan: How they are labelled.
        device: Where teachers run; see `core.models.load_model`.
        where: One process, when left out.
        progress: Called after each; may raise `Cancelled`.

    Returns:
        What became of them.

    Raises:
        PanoError: A teacher cannot be opened, or the folder holds what was labelled in another way.
    """
    make_folder(out)
    _keep_plan(out / PLAN, plan)
    return run_batch(LabelWork(out, plan, device), files, out, where, progress=progress)


def read_subject(path: Path, digest: str, *, max_width: int) -> Subject:
    """A photograph, a world or a labelled panorama as what is to be labelled.

    Args:
        path: Its file.
        digest: SHA-256 of it.
        max_width: As which a photograph is read, at most.

    Raises:
        PanoError: It is none of these.
    """
    if path.suffix.lower() == ".npz":
        world = read_labelled(path, patches=False)
        return Subject(path.stem, digest, world.rgb, world.valid, world)
    photo = as_kept(read_preview(path, max_width))
    rgb, valid = photo.rgb, photo.valid
    if not photo.is_level:
        rgb = turn_erp(rgb, photo.level_from_world)
        valid = None if valid is None else turn_erp(valid, photo.level_from_world)
    return Subject(path.stem, digest, rgb, valid)


def _keep_plan(path: Path, plan: LabelPlan) -> None:
    """Write down how a folder is labelled, and refuse one that was labelled differently."""
    teachers = [{"name": teacher_name(choice), "sha256": teacher_version(choice)} for choice in plan.teachers]
    facts: dict[str, Any] = {"schema": SCHEMA, **asdict(plan), "teachers": teachers}
    before: Any = None
    if path.exists():
        try:
            before = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            before = {}
    if before is None:
        with atomic_file(path) as stream:
            stream.write(json.dumps(facts, indent=1).encode() + b"\n")
    elif before != facts:
        known = before if isinstance(before, dict) else {}
        other = [name for name in ("schema", *(field.name for field in fields(plan))) if known.get(name) != facts[name]]
        raise PanoError(
            f"Expected a folder that was labelled in the same way, got one with another {', '.join(other)}; choose "
            f"another folder, or the same settings again: {path}"
        )
