"""The annotations of the open panorama on the disk: read with it, secured edit by edit, saved when it is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from core.errors import PanoError, ProjectError
from core.io.copying import CopyReport, copy_segments
from core.io.lock import ProjectLocked
from core.io.project import rename_label
from core.io.scene_file import FileChanged
from core.known_scale import KnownScale
from core.mask import SphereMask
from core.panorama import Panorama
from core.progress import Progress
from core.scene import Label, Scene, Segment
from panoviewer.document import Document
from panoviewer.jobs import Jobs, Lane
from panoviewer.scene_keeper import Opened, SceneKeeper
from panoviewer.translation import tr

MOST_PROBLEMS = 3
_COPY, _STOPPED = "copy", "copy stopped"


class Saving(QObject):
    """Gives the document the scene of every panorama that is opened, and keeps it safe.

    Files are touched in one thread, in the order of what was asked.

    Signals:
        changed: There is something else to be saved, or nothing any more, or saving has become impossible.
        recoverable(object): A session that did not end well has left a `Recovery`. The scene begins when `recover`
            or `recover_later` was called.
        conflict(object): The file was changed by somebody else (a `FileChanged`); see `save` and `read_again`.
        locked(object): Somebody else works in the project (a `ProjectLocked`); see `take_over`.
        noted(str): A sentence about what was noticed.
        failed(str): A sentence about what did not work.
        saved(object): The annotation file at this `Path` was written.
        copied: Annotation files of other pictures were written.
        scale_read(object): What is known of sizes in the folder of the panorama that was opened, a `KnownScale`.
    """

    changed = Signal()
    recoverable = Signal(object)
    conflict = Signal(object)
    locked = Signal(object)
    noted = Signal(str)
    failed = Signal(str)
    saved = Signal(object)
    copied = Signal()
    scale_read = Signal(object)

    def __init__(
        self,
        document: Document,
        jobs: Jobs,
        *,
        keeps: Callable[[Path], bool] = lambda _path: True,
        prepare_mask: Callable[[SphereMask], object] = lambda _mask: None,
        parent: QObject | None = None,
    ) -> None:
        """Make it.

        Args:
            document: Gets the scenes.
            jobs: Runs what touches files.
            keeps: Whether annotations of a picture are kept at all; those of the bundled sample are not.
            prepare_mask: Called in the files' thread with each mask that was read.
            parent: Its parent.
        """
        super().__init__(parent)
        self._document = document
        self._jobs = jobs
        self._keeps = keeps
        self._prepare_mask = prepare_mask
        self._keeper = SceneKeeper()
        self._opened: Opened | None = None
        self._scene: Scene | None = None
        self._saved: Scene | None = None
        self._is_unsecured = False
        self._is_conflict_told = False
        self._taken: ProjectLocked | None = None
        document.scene_changed.connect(self._follow)
        document.edited.connect(self._record)

    @property
    def is_modified(self) -> bool:
        """Whether there are edits that are not in the annotation file."""
        return self._opened is not None and self._scene is not self._saved

    @property
    def path(self) -> Path | None:
        """The annotation file of the open panorama; None where annotations are not kept."""
        return None if self._opened is None else self._opened.file.path

    @property
    def folder(self) -> Path | None:
        """Of the project that the open panorama belongs to."""
        return None if self._opened is None else self._opened.folder

    @property
    def read_only(self) -> str:
        """Why nothing can be saved; empty when it can. The project may have been taken since it was opened."""
        locked = None if self._opened is None else self._opened.locked or self._taken
        return "" if locked is None else str(locked)

    # ----- opening and leaving -----

    def enter(self, panorama: Panorama) -> None:
        """Save what was edited in the last panorama, and read the annotations of the one that was opened."""
        self._leave()
        path = panorama.path
        if path is None or not self._keeps(path):
            self._begin(Scene(panorama))
        else:
            self._read(tr("Reading the annotations of {name}", name=path.name), lambda: self._keeper.open(panorama))

    def put_off_closing(self, then: Callable[[], object]) -> bool:
        """Whether segments are being written into other pictures, which may take minutes and is no reason to freeze.

        It is stopped after the picture at hand then, and `then` is called when that is done.
        """
        if not any(job.key in (_COPY, _STOPPED) for job in self._jobs.running(Lane.FILES)):
            return False
        self._jobs.cancel(_COPY)

        def stopped(_nothing: None) -> None:
            then()

        self._jobs.run(
            tr("Finishing a picture"),
            lambda _progress: None,
            done=stopped,
            lane=Lane.FILES,
            key=_STOPPED,
            outlives=True,
        )
        return True

    def finish(self) -> str:
        """Save everything and let go of all files before the program ends.

        Returns:
            A sentence when something could not be saved; then nothing was let go of.
        """
        self._jobs.drain(Lane.FILES)
        opened, scene = self._opened, self._scene
        if opened is not None:
            try:
                if self.is_modified and opened.locked is None and scene is not None:
                    self._keeper.save(opened, scene)
            except ProjectError as error:
                return str(error)
        self.close()
        return ""

    def close(self) -> None:
        """Let go of all files; what is not saved will be offered for recovery."""
        self._jobs.drain(Lane.FILES)
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.file.close()
        self._keeper.release()

    # ----- answers -----

    def recover(self, *, accept: bool) -> None:
        """Go on from what a session left behind, or from the saved file."""
        opened = self._opened
        # Another panorama may have been opened before the answer came.
        if opened is None or opened.file.recovery is None:
            return

        def answer(_progress: Progress) -> Scene:
            if accept:
                return opened.file.accept_recovery()
            opened.file.discard_recovery()
            return opened.file.scene

        self._run(tr("Recovering"), answer, self._begin)

    def recover_later(self) -> None:
        """Go on from the saved file; the journal stays until the first edit, which sets it aside."""
        if self._opened is not None and self._opened.file.recovery is not None:
            self._begin(self._opened.file.scene)

    def take_over(self) -> None:
        """Take the project from whoever has it. What was not open for writing is read again."""
        opened, panorama = self._opened, self._document.panorama
        if opened is None or panorama is None:
            return

        def take() -> Opened:
            self._keeper.take_lock(opened.folder, take_over=True)
            if opened.locked is None:
                return opened
            opened.file.close()
            return self._keeper.open(panorama)

        if opened.locked is None:
            scene = self._scene
            self._run(
                tr("Taking the project over"), lambda _progress: take(), lambda _opened: self._record_scene(scene)
            )
        else:
            self._read_anew(tr("Taking the project over"), take)

    def read_again(self) -> None:
        """Take what somebody else has written into the annotation file; edits that are not in it are dropped.

        Where it cannot be read, what there is goes on, and can be saved over it.
        """
        opened, panorama = self._opened, self._document.panorama
        if opened is None or panorama is None:
            return

        def read() -> Opened:
            opened.file.close(discard=True)
            return self._keeper.open(panorama)

        self._read_anew(tr("Reading the annotations again"), read)

    # ----- saving -----

    def save(self, *, overwrite: bool = False, then: Callable[[], object] = lambda: None) -> None:
        """Write the annotation file.

        Args:
            overwrite: Also over what somebody else has written.
            then: Called when the file holds what there is; not when it cannot be written.
        """
        opened, scene = self._opened, self._scene
        if opened is None or scene is None:
            self.failed.emit(tr("There are no annotations to save here; open a photograph of your own."))
            return
        if opened.locked is not None:
            self.locked.emit(opened.locked)
            return
        if not self.is_modified and not overwrite:
            then()
            return

        def done(notes: tuple[str, ...]) -> None:
            if self._opened is opened:
                self._saved = scene
                self._is_unsecured = self._is_conflict_told = False
                self._taken = None
                self.changed.emit()
            self.saved.emit(opened.file.path)
            for note in notes:
                self.noted.emit(note)
            then()

        self._run(
            tr("Saving {name}", name=opened.file.path.name),
            lambda _progress: self._keeper.save(opened, scene, overwrite=overwrite),
            done,
            outlives=True,
        )

    def save_copy(self, path: Path) -> None:
        """Write what there is into another annotation file; that of the panorama stays as it is."""
        opened, scene = self._opened, self._scene
        if opened is not None and scene is not None:
            self._run(
                tr("Saving {name}", name=path.name),
                lambda _progress: opened.file.save_copy(scene, path),
                lambda _nothing: self.saved.emit(path),
                outlives=True,
            )

    def rename_label(self, old: str, new: str) -> None:
        """Rename a label in the project and in all of its annotation files but the open one."""
        opened = self._opened
        if opened is None or opened.locked is not None:
            return

        def rename(_progress: Progress) -> tuple[str, ...]:
            self._keeper.take_lock(opened.folder)
            return rename_label(opened.folder, old, new, open_files=[opened.file.path])

        def done(problems: tuple[str, ...]) -> None:
            for sentence in problems[:MOST_PROBLEMS]:
                self.noted.emit(sentence)

        self._run(tr("Renaming a label"), rename, done, outlives=True)

    def copy_to(self, photos: Sequence[Path], segments: Sequence[Segment], labels: Sequence[Label]) -> None:
        """Write segments into the annotation files of other pictures of the project; see `core.io.copying`."""
        opened = self._opened
        if opened is None or opened.locked is not None:
            self.failed.emit(
                self.read_only or tr("Segments of this picture are not kept; open a photograph of your own.")
            )
            return

        def copy(progress: Progress) -> CopyReport:
            self._keeper.take_lock(opened.folder)
            return copy_segments(segments, labels, photos, progress=progress)

        def done(report: CopyReport) -> None:
            told = tr(
                "Copied into {copied} pictures; {present} had it already.", copied=report.copied, present=report.present
            )
            self.noted.emit(" ".join([told, *report.problems[:MOST_PROBLEMS]]))
            self.copied.emit()

        self._jobs.run(
            tr("Copying segments"), copy, done=done, failed=self._fail, lane=Lane.FILES, key=_COPY, outlives=True
        )

    def keep_scale(self, scale: KnownScale) -> None:
        """Keep what is known of sizes for the project; where nothing of a panorama is kept, it counts until it goes."""
        opened = self._opened
        if opened is None:
            return
        if opened.locked is not None:
            self.failed.emit(tr("The scale counts for this picture and is not kept: {locked}", locked=opened.locked))
            return
        self._run(
            tr("Keeping the scale"),
            lambda _progress: self._keeper.keep_scale(opened, scale),
            lambda _nothing: None,
            lambda error: self.failed.emit(
                tr("The scale counts for this picture and is not kept: {error}", error=error)
            ),
            outlives=True,
        )

    def look_at_disk(self) -> None:
        """Notice that somebody else has changed the annotation file; to be called when the window becomes active.

        It is told once: the window becomes active again when the question about it is put off. A project that was
        taken by somebody who has let go of it meanwhile can be written again.
        """
        opened = self._opened
        if opened is None or self._scene is None:
            return
        if self._taken is not None:
            self._record_scene(self._scene)

        def done(has_changed: bool) -> None:
            if has_changed and self._opened is opened and not self._is_conflict_told:
                self._is_conflict_told = True
                self._tell_conflict(opened)

        self._run(tr("Looking at the annotations"), lambda _progress: opened.file.changed_on_disk(), done)

    # ----- within -----

    def _follow(self) -> None:
        # Another panorama comes without a scene at first; the last one is still to be saved then.
        self._scene = self._document.scene or self._scene

    def _leave(self) -> None:
        opened, scene, is_modified = self._opened, self._scene, self.is_modified
        is_lost = self._is_unsecured
        self._opened = self._scene = self._saved = self._taken = None
        self.changed.emit()
        if opened is None:
            return
        saves = is_modified and opened.locked is None and scene is not None

        def close(_progress: Progress) -> None:
            try:
                if saves and scene is not None:
                    self._keeper.save(opened, scene)
            finally:
                opened.file.close()

        def fail(error: PanoError) -> None:
            more = (
                tr("is not kept: it could not be secured either")
                if is_lost
                else tr("will be offered when it is opened again")
            )
            self.failed.emit(
                tr("{error} What was edited in {name} {more}.", error=error, name=opened.file.path.name, more=more)
            )

        def done(_nothing: None) -> None:
            if saves:
                self.saved.emit(opened.file.path)

        self._run(tr("Saving {name}", name=opened.file.path.name), close, done, fail, outlives=True)

    def _begin(self, scene: Scene) -> None:
        self._saved = scene if self._opened is None or scene is self._opened.file.scene else None
        self._is_unsecured = False
        self._document.begin(scene)
        self.changed.emit()

    def _take(self, opened: Opened) -> None:
        self._opened = opened
        self._taken = None
        self._is_conflict_told = False
        for note in opened.file.notes:
            self.noted.emit(note)
        self.scale_read.emit(opened.scale)
        if opened.file.recovery is not None:
            self.changed.emit()
            self.recoverable.emit(opened.file.recovery)
            return
        self._begin(opened.file.scene)
        if opened.locked is not None:
            self.locked.emit(opened.locked)

    def _record(self, name: str) -> None:
        self._record_scene(self._scene, name)
        self.changed.emit()

    def _record_scene(self, scene: Scene | None, name: str = "Edits") -> None:
        opened = self._opened
        if opened is None or opened.locked is not None or scene is None:
            return

        def fail(error: PanoError) -> None:
            if self._opened is not opened:
                self.failed.emit(str(error))
                return
            # Told once: with a full disk every edit would say so.
            is_told, self._is_unsecured = self._is_unsecured, True
            if isinstance(error, ProjectLocked):
                if self._taken is None:
                    self._refuse(error)
            elif not is_told:
                self.failed.emit(str(error))

        def secured(_nothing: None) -> None:
            if self._opened is opened:
                self._is_unsecured = False
                self._taken = None
                self.changed.emit()

        self._run(
            tr("Securing"), lambda _progress: self._keeper.record(opened, name, scene), secured, fail, outlives=True
        )

    def _refuse(self, error: ProjectLocked) -> None:
        """Somebody else works in the project: nothing is to be edited that cannot be secured."""
        self._taken = error
        self.changed.emit()
        self.locked.emit(error)

    def _read_anew(self, title: str, read: Callable[[], Opened]) -> None:
        """Read the annotations of the open panorama in place of what is known of them; where that fails, it stays."""
        panorama, opened, saved = self._document.panorama, self._opened, self._saved
        self._opened = self._saved = None

        def fail(error: PanoError) -> None:
            if self._opened is None and self._document.panorama is panorama:
                self._opened, self._saved = opened, saved
                self.changed.emit()
            self._fail(error)

        self._read(title, read, fail)

    def _read(self, title: str, read: Callable[[], Opened], failed: Callable[[PanoError], None] | None = None) -> None:
        def work(_progress: Progress) -> Opened:
            opened = read()
            for segment in opened.file.scene.segments:
                self._prepare_mask(segment.mask)
            return opened

        self._run(title, work, self._take, failed)

    def _run(
        self,
        title: str,
        work: Callable[[Progress], Any],
        done: Callable[[Any], None],
        failed: Callable[[PanoError], None] | None = None,
        *,
        outlives: bool = False,
    ) -> None:
        """Touch files in their thread."""
        self._jobs.run(
            title, work, done=done, failed=failed or self._fail, lane=Lane.FILES, visible=False, outlives=outlives
        )

    def _tell_conflict(self, opened: Opened) -> None:
        # The sentence of the file's own names ways out that the question does not offer.
        self.conflict.emit(
            FileChanged(tr("Another program has changed the annotations: {path}", path=opened.file.path))
        )

    def _fail(self, error: PanoError) -> None:
        if isinstance(error, FileChanged) and self._opened is not None:
            self._tell_conflict(self._opened)
        elif isinstance(error, ProjectLocked):
            self._refuse(error)
        else:
            self.failed.emit(str(error))
