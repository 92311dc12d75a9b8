"""Which picture is opened next: dialogs, drops, the folder, the recent ones, and the question what a picture shows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QMenu, QMessageBox, QWidget

from core.errors import NotAFullSphere, PanoError, UnsupportedImage
from core.io.cube_files import CubeFiles, cube_files, cube_picture, listed_once, named_sets
from core.io.folder import SUFFIXES, is_panorama, list_panoramas
from core.io.header import read_header
from core.io.images import Assume
from panoviewer.panels.folder_panel import FolderPanel
from panoviewer.session import OPENING, Session
from panoviewer.settings import LAST_FOLDER, Settings
from panoviewer.thumbnails import Thumbnails
from panoviewer.translation import tr

_LISTING = "list"


class Opening(QObject):
    """Finds the next picture and asks the session to open it.

    Signals:
        listed: The user asked for several pictures, which are listed now.
    """

    listed = Signal()

    def __init__(self, session: Session, settings: Settings, folder: FolderPanel, window: QWidget) -> None:
        """Make it.

        Args:
            session: Opens pictures.
            settings: Remembers the recent ones.
            folder: Lists the pictures to go through.
            window: Parent of the dialogs.
        """
        super().__init__(window)
        self._session = session
        self._settings = settings
        self._folder = folder
        self._window = window
        self._refused: Path | None = None
        self.recent = QMenu(tr("Open recent"), window)
        self.recent.setToolTipsVisible(True)
        self._fill_recent()
        session.refused.connect(self._refuse)
        folder.chosen.connect(self.open)
        self._thumbnails = Thumbnails(session.jobs, folder, self)

    def open(self, path: Path, assume: Assume | None = None) -> None:
        """Open a picture, or list a folder and open its first picture.

        Args:
            path: Of either; absolute from here on, as everything that is listed, marked and remembered is.
            assume: What a picture that is not 2:1 shows; None to ask.
        """
        path = path.absolute()
        # A name that no file can have is no folder either; pathlib raises there.
        if os.path.isdir(path):
            self.open_folder(path)
            return
        self._session.jobs.cancel(_LISTING)
        if assume is not None or not named_sets(path):
            self._session.open(path, assume)
            return

        def open_front(faces: CubeFiles | None) -> None:
            self._session.open(path if faces is None else faces.paths[0])

        # A disk of a slow network takes its time; meanwhile something else may be opened, or was about to be.
        self._session.jobs.run(
            tr("Looking at {name}", name=path.name), lambda _progress: cube_files(path), done=open_front, key=OPENING
        )

    def open_all(self, paths: Sequence[Path]) -> None:
        """Open what was dropped, absolute paths: the first of several files, which become the list."""
        if len(paths) > 1 and all(path.is_file() for path in paths):
            self._folder.set_files(paths)
            self.listed.emit()
        if paths:
            self.open(paths[0])

    def open_folder(self, folder: Path) -> None:
        """List the panoramas of a folder and of those inside it, and open the first."""

        def show(listed: tuple[Path, ...]) -> None:
            if not listed:
                endings = ", ".join(sorted(SUFFIXES))
                self._session.failed.emit(
                    tr(
                        "Expected a folder with pictures ({endings}), found none: {folder}",
                        endings=endings,
                        folder=folder,
                    )
                )
                return
            self._folder.set_files(listed)
            self.listed.emit()
            self._session.open(listed[0])

        self._session.jobs.run(
            tr("Listing {name}", name=folder.name),
            lambda _progress: list_panoramas(folder).panoramas,
            done=show,
            key=_LISTING,
        )

    def step(self, by: int) -> None:
        """Open the next picture of the list, or the one before; at the ends nothing happens."""
        # A picture that could not be opened is passed, or it would end the way through the folder.
        path = self._folder.neighbour(by, beside=self._refused)
        if path is not None:
            self._session.open(path)

    def choose_file(self) -> None:
        """Ask for a picture."""
        patterns = " ".join(f"*{suffix} *{suffix.upper()}" for suffix in sorted(SUFFIXES))
        dialog = QFileDialog(self._window, tr("Open panorama"), self._settings[LAST_FOLDER])
        dialog.setNameFilters([tr("Panoramas ({patterns})", patterns=patterns), tr("All files (*)")])
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self.open(Path(name)))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def choose_folder(self) -> None:
        """Ask for a folder."""
        dialog = QFileDialog(self._window, tr("Open folder"), self._settings[LAST_FOLDER])
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(lambda name: self.open_folder(Path(name)))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def remember(self, path: Path) -> None:
        """A picture of the user's was opened: remember it, and list those beside it."""
        self._refused = None
        self._settings.remember(path)
        self._fill_recent()
        if path in self._folder.files():
            return

        def show(paths: list[Path]) -> None:
            self._folder.set_files(paths)
            self._folder.set_current(path)

        # A folder of a slow network takes its time.
        self._session.jobs.run(
            tr("Listing {name}", name=path.parent.name),
            lambda _progress: _siblings(path),
            done=show,
            key="siblings",
            visible=False,
        )

    def _fill_recent(self) -> None:
        self.recent.clear()
        for path in self._settings.recent():
            self.recent.addAction(path.name, partial(self.open, path)).setToolTip(str(path))
        if self._settings.recent():
            self.recent.addSeparator()
            self.recent.addAction(tr("Forget these"), self._forget)
        self.recent.setEnabled(bool(self._settings.recent()))

    def _forget(self) -> None:
        self._settings.forget_recent()
        self._fill_recent()

    def _refuse(self, path: Path, error: PanoError) -> None:
        self._refused = path
        if not isinstance(error, NotAFullSphere):
            self._session.failed.emit(str(error))
            return
        # A disk of a slow network takes its time.
        self._session.jobs.run(
            tr("Looking at {name}", name=path.name),
            lambda _progress: _may_be_cube(path),
            done=lambda may_be_cube: self._ask(path, may_be_cube=may_be_cube),
            key="assume",
            visible=False,
        )

    def _ask(self, path: Path, *, may_be_cube: bool) -> None:
        """A picture that is not 2:1 and does not say what it shows: the user decides."""
        question = QMessageBox(self._window)
        question.setObjectName("assume")
        question.setIcon(QMessageBox.Icon.Question)
        question.setWindowTitle(tr("What does this picture show?"))
        question.setText(
            tr("{name} is not twice as wide as high and does not say what part of the sphere it shows.", name=path.name)
        )
        question.setInformativeText(
            tr("The whole sphere: it is fitted to the full grid. A part: it is placed around the horizon, undistorted.")
        )
        full = question.addButton(tr("The whole sphere"), QMessageBox.ButtonRole.AcceptRole)
        crop = question.addButton(tr("A part of it"), QMessageBox.ButtonRole.AcceptRole)
        cube = question.addButton(tr("A cube map"), QMessageBox.ButtonRole.AcceptRole) if may_be_cube else None
        question.addButton(QMessageBox.StandardButton.Cancel)
        question.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def answer(button: object) -> None:
            if button is full:
                self._session.open(path, "full")
            elif button is crop:
                self._session.open(path, "crop")
            elif cube is not None and button is cube:
                self._session.open(path, "cube")

        question.buttonClicked.connect(answer)
        question.open()


def _may_be_cube(path: Path) -> bool:
    """True for a picture of the shape of a cube map."""
    try:
        header = read_header(path)
    except UnsupportedImage:
        return False
    return cube_picture(header.height, header.width) is not None


def _siblings(path: Path) -> list[Path]:
    """The pictures beside a picture, sorted; only itself where the folder cannot be read."""
    try:
        return listed_once(sorted(other for other in path.parent.iterdir() if is_panorama(other.name)))
    except OSError:
        return [path]
