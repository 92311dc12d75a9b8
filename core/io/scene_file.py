"""A scene and its annotation file: opened, secured edit by edit, saved, recovered.

    file = open_scene(read_panorama(path))
    if file.recovery is not None:               # work that a crash has left behind: show it and ask
        scene = file.accept_recovery()          # or file.discard_recovery()
    file.record("Add segment", scene)           # after every edit, undo and redo included
    file.save(scene)
    file.close()

Whoever writes holds the lock of the project's folder (`core.io.lock`).
"""

from __future__ import annotations

import hashlib
import os
import threading
import weakref
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from core.errors import ProjectError
from core.io.annotation import Annotation, decode, encode
from core.io.checked_json import MAX_BYTES, naming
from core.io.journal import Journal, difference
from core.io.own_files import keep_previous, read_own, remove_own, set_aside, write_own
from core.io.photo_reference import photo_of
from core.io.project_file import project_folder, read_project_file, renamed, shared_labels, write_project_file
from core.io.recovery import Generation, Recovery, discard_journal, discarded_path, find_recovery
from core.panorama import Panorama
from core.scene import Scene

SUFFIX = ".pano.json"
PREVIOUS = ".bak"


class FileChanged(ProjectError):
    """The annotation file is not the one that was read; the user decides which one stays."""


def annotation_path(photo: Path) -> Path:
    """The annotation file of a photograph: `hall.jpg.pano.json` beside `hall.jpg`."""
    return photo.with_name(photo.name + SUFFIX)


def previous_path(path: Path) -> Path:
    """The previous generation of an annotation file."""
    return path.with_name(path.name + PREVIOUS)


def read_annotation(path: Path) -> Annotation:
    """What an annotation file holds.

    Raises:
        ProjectError: There is none, it is damaged, or of a newer version.
    """
    generation = _read_generation(path)
    if generation is None:
        raise ProjectError(f"Expected an annotation file, found none; check its name: {path}")
    return generation.annotation


def write_annotation(path: Path, annotation: Annotation) -> None:
    """Write an annotation file, atomically; what was there becomes the previous generation.

    Raises:
        ProjectError: It cannot be written; what was there is untouched.
        ValueError: A value that the format does not have.
    """
    _replace(path, encode(annotation))


def restore_previous(path: Path) -> None:
    """Put the previous generation in the place of an annotation file, which is set aside.

    Raises:
        ProjectError: There is no sound previous generation, or a file cannot be renamed.
    """
    previous = previous_path(path)
    data = read_own(previous, MAX_BYTES)
    if data is None:
        raise ProjectError(f"Expected a previous generation of the annotation file, found none: {previous}")
    with naming(previous, "it cannot take the place of the annotation file"):
        decode(data)
    if os.path.lexists(path):
        set_aside(path)
    write_own(path, data)


def open_scene(panorama: Panorama, folder: Path | None = None, *, read_only: bool = False) -> SceneFile:
    """The scene of a panorama with the annotations that lie beside it.

    Args:
        panorama: Opened from a file.
        folder: Of the project, which shares its label set; by default the nearest one with a project file, if any.
        read_only: Look for no recovery and write nothing; for a project that another program has locked.

    Raises:
        ProjectError: The annotation file is damaged, of a newer version, or was made on a picture of another size; it
            is never taken for an empty one.
        ValueError: The panorama was made in memory.
    """
    return SceneFile(panorama, folder, read_only=read_only)


class SceneFile:
    """A panorama's annotation file, and what keeps it safe; see the module for how to use it.

    `record` and `save` may run in different threads.

    Attributes:
        path: The annotation file, which need not exist yet.
        scene: As opened, without what could be recovered.
        recovery: Work of a session that did not end well; None when there is none, and after the answer.
        notes: Sentences for the user about what was noticed on opening.
    """

    def __init__(self, panorama: Panorama, folder: Path | None, *, read_only: bool) -> None:
        if panorama.path is None:
            raise ValueError("a panorama without a file has no annotation file")
        photo_path = panorama.path.absolute()
        self._photo = photo_of(photo_path, panorama.height, panorama.width)
        self._photo_path = photo_path
        self.path = annotation_path(photo_path)
        self._panorama = panorama
        self._is_read_only = read_only
        self._folder = folder or project_folder(photo_path)
        self._saving = threading.Lock()
        self._journaling = threading.Lock()
        self._recorded: weakref.WeakSet[Scene] = weakref.WeakSet()
        notes = []

        size = panorama.height, panorama.width
        generation = _read_generation(self.path, size) or Generation(None, Annotation(self._photo))
        if generation.annotation.photo.sha256 != self._photo.sha256:
            notes.append(f"The photograph has changed since it was annotated; check the masks: {photo_path}")
        generation = replace(generation, annotation=replace(generation.annotation, photo=self._photo))
        self._digest = generation.digest
        self._stamp = _stamp(self.path)

        self.recovery: Recovery | None = None
        if not read_only:
            try:
                self.recovery = find_recovery(self.path, generation)
            except ProjectError as error:
                notes.append(str(error))
        self.notes = tuple(notes)
        self._journal = Journal(self.path, generation.annotation, generation.digest)
        self._saved = self._shared(generation.annotation)
        self.scene = self._saved.scene(panorama)
        self._recorded.add(self.scene)

    def accept_recovery(self) -> Scene:
        """The recovered scene, to go on with.

        Raises:
            ProjectError: The journal could not be written; nothing is lost.
            ValueError: There is nothing to recover.
        """
        recovery = self._open_recovery()
        self._journal = recovery.accept()
        self.recovery = None
        scene = self._shared(recovery.annotation).scene(self._panorama)
        self._recorded.add(scene)
        return scene

    def discard_recovery(self) -> None:
        """Go on from the saved file.

        Raises:
            ProjectError: The journal could not be renamed.
            ValueError: There is nothing to recover.
        """
        self._open_recovery().discard()
        self.recovery = None

    def record(self, name: str, scene: Scene) -> None:
        """Secure an edit: when this returns, a crash does not lose it.

        Args:
            name: Of the edit.
            scene: After it. Undoing and redoing are edits, too.

        Raises:
            ProjectError: It could not be written; the next call includes it, and saving still works.
        """
        if self._is_read_only:
            return
        with self._journaling:
            self._record(name, scene)

    def is_saved(self, scene: Scene) -> bool:
        """Whether the annotation file holds what a scene holds."""
        return not difference(self._saved, Annotation.of(scene, self._photo))

    def changed_on_disk(self) -> bool:
        """Whether somebody else has changed the file; reads it only when size, time or identity differ.

        Raises:
            ProjectError: It cannot be read.
        """
        return _stamp(self.path) != self._stamp and _digest(self.path) != self._digest

    def save(self, scene: Scene, *, overwrite: bool = False) -> tuple[str, ...]:
        """Write a scene into the annotation file; what was there becomes the previous generation.

        Nothing is written for a scene that is in the file already, nor for an untouched panorama without a file.

        Args:
            scene: To save; edits recorded meanwhile stay in the journal.
            overwrite: Replace a file that somebody else has changed; for a user who was asked.

        Returns:
            Sentences about what did not work although the file holds the scene.

        Raises:
            FileChanged: Somebody else has changed the file.
            ProjectError: It cannot be written; what was there is untouched.
        """
        if self._is_read_only:
            raise ProjectError(f"The project is open for reading only; save a copy under another name: {self.path}")
        annotation = Annotation.of(scene, self._photo)
        data = encode(annotation)
        digest = hashlib.sha256(data).hexdigest()
        with self._saving:
            present = _digest(self.path)
            if present is not None and present not in (self._digest, digest) and not overwrite:
                raise FileChanged(
                    "The annotation file was changed by another program since it was opened; overwrite it or save a "
                    f"copy under another name: {self.path}"
                )
            if present is None and self._digest is None and not difference(Annotation(self._photo), annotation):
                return ()
            # A journal that cannot be written must not keep the work from being saved.
            with self._journaling, suppress(ProjectError):
                if scene not in self._recorded:
                    self._record("Save", scene)
                self._journal.saving(annotation, digest)
            if present != digest:
                _replace(self.path, data)
            self._digest, self._stamp, self._saved = digest, _stamp(self.path), annotation
            with self._journaling:
                self._journal.saved(annotation, digest)
            # What was discarded is in nobody's way, and every save tries again.
            with suppress(ProjectError):
                remove_own(discarded_path(self.path))
            try:
                self._share_labels(scene)
            except ProjectError as error:
                return (f"The annotations are saved, but not their labels for the other pictures: {error}",)
        return ()

    def save_copy(self, scene: Scene, path: Path) -> None:
        """Write a scene into another annotation file; this one stays the file of the panorama.

        Raises:
            ProjectError: It cannot be written, or the photograph does not lie in its folder or below.
        """
        photo = photo_of(self._photo_path, self._photo.height, self._photo.width, path.parent)
        write_annotation(path, Annotation.of(scene, photo))

    def close(self, *, discard: bool = False) -> None:
        """Let go of the files; what is not saved will be offered for recovery.

        Args:
            discard: What is not saved is not wanted; its journal stays under another name until the next save.

        Raises:
            ProjectError: The journal could not be renamed.
        """
        is_unsaved = self._journal.has_edits
        if not is_unsaved:
            self._journal.remove()
            return
        self._journal.close()
        if discard:
            discard_journal(self.path)

    def _record(self, name: str, scene: Scene) -> None:
        self._recorded.add(scene)
        self._journal.record(name, Annotation.of(scene, self._photo))

    def _open_recovery(self) -> Recovery:
        if self.recovery is None:
            raise ValueError("there is nothing to recover")
        return self.recovery

    def _shared(self, annotation: Annotation) -> Annotation:
        """With the names and the label set of the project, if there is one."""
        if self._folder is None:
            return annotation
        project = read_project_file(self._folder)
        annotation = renamed(annotation, project.renames)
        if not project.labels:
            return annotation
        return replace(annotation, labels=shared_labels(project.labels, annotation))

    def _share_labels(self, scene: Scene) -> None:
        if self._folder is not None:
            project = read_project_file(self._folder)
            if not (scene.labels or project.labels):
                return
            names = {label.name for label in scene.labels}
            # A name that is in use again means something new; what still has the old meaning keeps the name.
            renames = tuple(rename for rename in project.renames if rename.old not in names)
            write_project_file(self._folder, replace(project, labels=scene.labels, renames=renames))


def _read_generation(path: Path, size: tuple[int, int] | None = None) -> Generation | None:
    data = read_own(path, MAX_BYTES)
    if data is None:
        return None
    advice = "repair the file or move it away"
    if os.path.isfile(previous_path(path)):
        advice = f"restore the previous generation, {previous_path(path).name}"
    with naming(path, advice):
        return Generation(hashlib.sha256(data).hexdigest(), decode(data, size))


def _replace(path: Path, data: bytes) -> None:
    keep_previous(path, previous_path(path))
    write_own(path, data)


def _digest(path: Path) -> str | None:
    data = read_own(path, MAX_BYTES)
    return None if data is None else hashlib.sha256(data).hexdigest()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
