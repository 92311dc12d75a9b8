"""Annotation files and the lock of their project, as one thread uses them. No Qt."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from core.io.journal import journal_path
from core.io.kept_scale import read_scale, write_scale
from core.io.lock import ProjectLock, ProjectLocked, lock_owner, lock_project
from core.io.project_file import project_folder
from core.io.scene_file import SceneFile, annotation_path, open_scene
from core.known_scale import KnownScale
from core.panorama import Panorama
from core.scene import Scene


@dataclass(frozen=True, eq=False)
class Opened:
    """An annotation file that was opened.

    Attributes:
        file: Itself.
        folder: Of its project.
        scale: What is known of sizes in the folder's photographs.
        locked: Why nothing can be written; None when it can.
    """

    file: SceneFile
    folder: Path
    scale: KnownScale
    locked: ProjectLocked | None = None


class SceneKeeper:
    """Opens, secures and saves scenes, and holds the lock of the project that they belong to.

    The lock is taken with the first thing that is written, or at once where there is something to recover, and kept
    until a panorama of another project is opened: merely to look leaves no trace in a folder.
    """

    def __init__(self) -> None:
        self._lock: ProjectLock | None = None
        self._folder: Path | None = None

    def open(self, panorama: Panorama) -> Opened:
        """The annotations of a panorama, for reading only where another program works in the project.

        Raises:
            ProjectError: They cannot be read.
        """
        path = _path_of(panorama)
        folder = project_folder(path) or path.parent
        if folder != self._folder:
            self.release()
        if not self._holds(folder):
            owner = lock_owner(folder)
            if owner is not None:
                scene_file = open_scene(panorama, folder, read_only=True)
                return Opened(scene_file, folder, read_scale(path), ProjectLocked(folder, owner))
            if os.path.lexists(journal_path(annotation_path(path))):
                self.take_lock(folder)
        return Opened(open_scene(panorama, folder), folder, read_scale(path))

    def record(self, opened: Opened, name: str, scene: Scene) -> None:
        """Secure an edit.

        Raises:
            ProjectLocked: Another program works in the project.
            ProjectError: It could not be written; the next call includes it.
        """
        self.take_lock(opened.folder)
        opened.file.record(name, scene)

    def save(self, opened: Opened, scene: Scene, *, overwrite: bool = False) -> tuple[str, ...]:
        """Write the annotation file; errors as for `record`, and, with its notes, as of `SceneFile.save`."""
        self.take_lock(opened.folder)
        return opened.file.save(scene, overwrite=overwrite)

    def keep_scale(self, opened: Opened, scale: KnownScale) -> None:
        """Keep what is known of sizes for the project; errors as for `record`."""
        self.take_lock(opened.folder)
        write_scale(opened.folder, scale)

    def take_lock(self, folder: Path, *, take_over: bool = False) -> None:
        """Make sure of the lock of a project.

        Raises:
            ProjectLocked: Another program has it.
            ProjectError: The folder cannot be written.
        """
        if take_over or not self._holds(folder):
            self.release()
            self._lock, self._folder = lock_project(folder, take_over=take_over), folder

    def release(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.release()
        self._lock = self._folder = None

    def _holds(self, folder: Path) -> bool:
        return self._lock is not None and self._folder == folder and self._lock.is_held


def _path_of(panorama: Panorama) -> Path:
    if panorama.path is None:
        raise ValueError("a panorama without a file has no annotations on the disk")
    return panorama.path.absolute()
