"""The export dialog: opened when there is something to export, one at a time, and what becomes of its choices."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QWidget

from core.export.geometry import find_geometry
from core.mesh import DEFAULT_MESH
from panoviewer.dialogs.export_dialog import ExportDialog
from panoviewer.session import Session
from panoviewer.settings import FRAME, GEOMETRY_FORMAT, LAST_FOLDER, Settings
from panoviewer.translation import tr


class Exporting(QObject):
    """Shows the export dialog and asks the session to write what was chosen."""

    def __init__(self, session: Session, settings: Settings, window: QWidget) -> None:
        """Make it.

        Args:
            session: Builds the cloud and writes it.
            settings: Remembers frame and folder.
            window: Parent of the dialog.
        """
        super().__init__(window)
        self._session = session
        self._settings = settings
        self._window = window
        self.dialog: ExportDialog | None = None
        session.opened.connect(self.close)
        session.cloud_built.connect(self._show_cloud)

    def show(self) -> None:
        """Open the dialog; runs the model first when it has not run yet."""
        panorama = self._session.document.panorama
        if self._session.put_off(self.show):
            return
        if panorama is None:
            self._session.failed.emit(tr("There is nothing to export; open a panorama first."))
            return
        self._session.want_cloud()
        if self.dialog is None:
            folder = Path(self._settings[LAST_FOLDER] or Path.home())
            stem = "panorama" if panorama.path is None else panorama.path.stem
            dialog = ExportDialog(
                self._session.document.cloud_options,
                folder / stem,
                self._window,
                has_heading=panorama.heading is not None,
            )
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.options_changed.connect(self._session.document.set_cloud_options)
            dialog.set_frame(self._settings[FRAME])
            dialog.set_format(self._settings[GEOMETRY_FORMAT])
            dialog.write_requested.connect(self._write)
            dialog.finished.connect(self._forget)
            dialog.set_cloud(self._session.document.cloud)
            self.dialog = dialog
        self.dialog.show()
        self.dialog.raise_()

    def close(self) -> None:
        """Close the dialog, if it is open: its choices are about another panorama."""
        if self.dialog is not None:
            self.dialog.close()

    def _show_cloud(self) -> None:
        if self.dialog is not None:
            self.dialog.set_cloud(self._session.document.cloud)

    def _write(self, path: Path, frame: str) -> None:
        exporter = find_geometry(path)
        if len(exporter.frames) > 1:
            self._settings[FRAME] = frame
        self._settings[GEOMETRY_FORMAT] = exporter.suffix
        self._settings[LAST_FOLDER] = str(path.parent)
        frame = frame if frame in exporter.frames else exporter.frames[0]
        self._session.export_cloud(path, frame, DEFAULT_MESH if self.dialog is None else self.dialog.mesh_options())

    def _forget(self) -> None:
        self.dialog = None
