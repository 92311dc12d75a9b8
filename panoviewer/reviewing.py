"""How far the panoramas of the folder are: annotated, reviewed; and the way to the next that is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.errors import ProjectError
from core.io.placement import looks_flat
from core.io.project import Entry, State, read_outline
from core.io.scene_file import annotation_path
from core.progress import Progress
from core.scene import Review
from panoviewer.document import Document
from panoviewer.jobs import Jobs
from panoviewer.panels.folder_panel import FolderPanel
from panoviewer.translation import tr

SIGNS = {State.UNANNOTATED: "", State.ANNOTATED: "•", State.REVIEWED: "✓"}
UNREADABLE = "!"


class Reviewing(QObject):
    """Looks into the annotation files of the listed pictures, without their masks, and marks the list.

    Signals:
        changed: More is known; see `counts`.
        told(str): A sentence for the status line.
    """

    changed = Signal()
    told = Signal(str)

    def __init__(
        self,
        document: Document,
        jobs: Jobs,
        folder: FolderPanel,
        *,
        open_picture: Callable[[Path], object],
        parent: QObject | None = None,
    ) -> None:
        """Make it.

        Args:
            document: Knows how far the open panorama is.
            jobs: Reads files.
            folder: Lists the pictures.
            open_picture: Opens one.
            parent: Its parent.
        """
        super().__init__(parent)
        self._document = document
        self._jobs = jobs
        self._folder = folder
        self._open_picture = open_picture
        self._states: dict[Path, State | None] = {}
        self._flat: frozenset[Path] = frozenset()
        document.scene_changed.connect(self._follow)
        folder.listed.connect(self.refresh)

    @property
    def counts(self) -> tuple[int, int]:
        """How many of the listed panoramas are reviewed, and how many there are; ordinary pictures do not count."""
        files = [path for path in self._folder.files() if path not in self._flat]
        return sum(self._states.get(path) is State.REVIEWED for path in files), len(files)

    def refresh(self) -> None:
        """Look into all annotation files of the list."""
        files = self._folder.files()

        def look(progress: Progress) -> tuple[dict[Path, State | None], frozenset[Path]]:
            states: dict[Path, State | None] = {}
            for done, path in enumerate(files):
                progress(done, len(files))
                states[path] = _state_of(path)
            unannotated = (path for path, state in states.items() if state is State.UNANNOTATED)
            return states, frozenset(filter(looks_flat, unannotated))

        def take(found: tuple[dict[Path, State | None], frozenset[Path]]) -> None:
            states, self._flat = found
            self._take(states)

        self._jobs.run(tr("Looking at annotations"), look, done=take, key="states", visible=False, outlives=True)

    def step(self, by: int) -> None:
        """Open the next picture of the list, or the one before, that is not reviewed."""
        path: Path | None = self._document.panorama.path if self._document.panorama is not None else None
        while (path := self._folder.neighbour(by, beside=path)) is not None:
            if self._states.get(path) is not State.REVIEWED and path not in self._flat:
                self._open_picture(path)
                return
        reviewed, count = self.counts
        where = tr("after") if by > 0 else tr("before")
        self.told.emit(
            tr(
                "No picture {where} this one is left to review; {reviewed} of {count} are reviewed.",
                where=where,
                reviewed=reviewed,
                count=count,
            )
        )

    def _follow(self) -> None:
        """The open panorama is as far as its scene, saved or not."""
        scene = self._document.scene
        path = None if scene is None else scene.panorama.path
        if scene is None or path is None or path not in self._folder.files():
            return
        if scene.review is not Review.OPEN:
            state = State.REVIEWED
        else:
            state = State.ANNOTATED if scene.segments else State.UNANNOTATED
        if self._states.get(path) is not state or path in self._flat:
            # Whoever opens an ordinary picture has said which part of the sphere it shows.
            self._flat -= {path}
            self._take({path: state})

    def _take(self, states: dict[Path, State | None]) -> None:
        self._states.update(states)
        self._folder.set_signs({path: UNREADABLE if state is None else SIGNS[state] for path, state in states.items()})
        self.changed.emit()


def _state_of(path: Path) -> State | None:
    """How far a picture is; None when its annotation file cannot be read."""
    annotation = annotation_path(path)
    try:
        return Entry(path, annotation, read_outline(annotation)).state
    except ProjectError:
        return None
