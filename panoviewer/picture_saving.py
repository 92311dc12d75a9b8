"""Pictures on their way out of the window: the panorama as it is levelled, and what the look-around view shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from core.export.turned import fine_camera, write_turned, write_view
from core.panorama import Panorama
from core.progress import Progress
from panoviewer.session import Session
from panoviewer.settings import LAST_FOLDER, Settings
from panoviewer.translation import mark, tr
from panoviewer.viewpoint import Viewpoint

NOTHING = mark("There is nothing to save; open a panorama first.")
OF_8_BITS = ("JPEG (*.jpg)", "PNG (*.png)", "TIFF (*.tif)")
OF_LIGHT = ("OpenEXR (*.exr)", "Radiance HDR (*.hdr)")


class PictureSaving(QObject):
    """Asks for a name and writes.

    Signals:
        noted(str): What was written.
        failed(str): Why nothing was.
    """

    noted = Signal(str)
    failed = Signal(str)

    def __init__(self, session: Session, viewpoint: Viewpoint, settings: Settings, window: QWidget) -> None:
        """Make it.

        Args:
            session: Has the panorama and runs the work.
            viewpoint: Knows the view.
            settings: Remember the folder.
            window: Parent of the dialogs.
        """
        super().__init__(window)
        self._session = session
        self._viewpoint = viewpoint
        self._settings = settings
        self._window = window

    def save_panorama(self) -> None:
        """Write the panorama level, with its metadata made anew."""
        panorama = self._panorama()
        if panorama is None:
            return
        filters = (*OF_8_BITS, *(OF_LIGHT if panorama.radiance is not None else ()))

        def write(path: Path) -> Path:
            return write_turned(panorama, panorama.level_from_world, path)

        self._ask("panorama_name", tr("Export the panorama, level"), "_level.jpg", filters, write)

    def save_view(self) -> None:
        """Write what the look-around view shows, as sharp as the photograph is, with its camera."""
        panorama, pyramid = self._panorama(), self._session.pyramid
        if panorama is None or pyramid is None:
            return
        camera = fine_camera(self._viewpoint.photo, panorama.width)

        def write(path: Path) -> Path:
            return write_view(panorama, pyramid.levels[0], camera, path)

        self._ask("view_name", tr("Export the view and its camera"), "_view.png", ("PNG (*.png)",), write)

    def _panorama(self) -> Panorama | None:
        panorama = self._session.document.panorama
        if panorama is None or panorama.path is None:
            self.failed.emit(tr(NOTHING))
            return None
        return panorama

    def _ask(self, name: str, title: str, ending: str, filters: tuple[str, ...], write: Callable[[Path], Path]) -> None:
        """Ask for the name of a file, and write it."""
        panorama = self._panorama()
        if panorama is None or panorama.path is None:
            return
        suffix = Path(ending).suffix
        folder = Path(self._settings[LAST_FOLDER] or panorama.path.parent)
        dialog = QFileDialog(self._window, title, str(folder))
        dialog.setObjectName(name)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(list(filters))
        dialog.setDefaultSuffix(suffix[1:])
        dialog.filterSelected.connect(lambda chosen: dialog.setDefaultSuffix(chosen.rpartition("*.")[2].rstrip(")")))
        dialog.selectFile(panorama.path.stem + ending)

        def begin(text: str) -> None:
            path = Path(text) if Path(text).suffix else Path(text + suffix)
            self._settings[LAST_FOLDER] = str(path.parent)

            def work(_progress: Progress) -> Path:
                return write(path)

            self._session.jobs.run(
                tr("Writing {name}", name=path.name),
                work,
                done=lambda written: self.noted.emit(tr("Written: {written}", written=written)),
                failed=lambda error: self.failed.emit(str(error)),
                outlives=True,
            )

        dialog.fileSelected.connect(begin)
        dialog.open()
