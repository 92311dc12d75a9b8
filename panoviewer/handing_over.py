"""Annotations for other tools and under other names: what is on the disk is written once more, elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from core.export.annotated import UNLABELLED
from core.export.datasets import Report, export_project
from core.io.project import read_project
from core.io.scene_file import SUFFIX
from core.progress import Progress
from panoviewer.dialogs.dataset_dialog import DatasetDialog, Handover
from panoviewer.jobs import Jobs
from panoviewer.saving import Saving
from panoviewer.settings import DATASET, LAST_FOLDER, Settings
from panoviewer.translation import tr

MOST_SENTENCES = 4


class HandingOver(QObject):
    """Exports annotations and saves copies of them.

    Signals:
        noted(str): What was written, and what had to be left out.
        failed(str): Why nothing was written.
    """

    noted = Signal(str)
    failed = Signal(str)

    def __init__(
        self, saving: Saving, jobs: Jobs, settings: Settings, window: QWidget, *, labels: Callable[[], Sequence[str]]
    ) -> None:
        """Make it.

        Args:
            saving: Knows the annotation file, and saves it before it is exported.
            jobs: Runs the export.
            settings: Remember the form.
            window: Parent of the dialogs.
            labels: Tells those that may be chosen from.
        """
        super().__init__(window)
        self._saving = saving
        self._jobs = jobs
        self._settings = settings
        self._window = window
        self._labels = labels

    def export(self) -> None:
        """Ask in which form and where to."""
        path = self._saving.path
        if path is None:
            self.failed.emit(tr("There are no annotations to export here; open a photograph of your own."))
            return
        folder = Path(self._settings[LAST_FOLDER] or Path.home()) / "annotations"
        dialog = DatasetDialog(folder, self._settings[DATASET], self._labels(), self._window)

        def write(wanted: Handover) -> None:
            source = self._saving.folder if wanted.everything else path
            self._save_and_write(source or path, wanted)

        dialog.chosen.connect(write)
        dialog.open()

    def save_copy(self) -> None:
        """Ask for another name for the annotation file."""
        path = self._saving.path
        if path is None:
            self.failed.emit(tr("There are no annotations to save here; open a photograph of your own."))
            return
        dialog = QFileDialog(self._window, tr("Save a copy of the annotations"), str(path.parent))
        dialog.setObjectName("copy_name")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters([tr("Annotations (*{suffix})", suffix=SUFFIX)])
        dialog.selectFile(path.name.removesuffix(SUFFIX) + f"-copy{SUFFIX}")
        dialog.fileSelected.connect(lambda name: self._saving.save_copy(_with_suffix(Path(name))))
        dialog.open()

    def _save_and_write(self, source: Path, wanted: Handover) -> None:
        self._settings[DATASET] = wanted.form

        def write(progress: Progress) -> Report:
            project = read_project(source)
            # A label that nothing bears, such as that of segments without one, is no mistake when it is one of several.
            there = {name or UNLABELLED for name in project.label_colors}
            labels = tuple(name for name in wanted.options.labels if name in there) or wanted.options.labels
            options = replace(wanted.options, labels=labels)
            return export_project(project, wanted.form, wanted.folder, options, progress=progress)

        def done(report: Report) -> None:
            counts = tr(
                "{panoramas} panoramas, {segments} segments, {files} files",
                panoramas=report.panoramas,
                segments=report.segments,
                files=report.files,
            )
            sentences = [*report.failed, *report.dropped]
            more = (
                [tr("{count} more.", count=len(sentences) - MOST_SENTENCES)] if len(sentences) > MOST_SENTENCES else []
            )
            self.noted.emit(
                " ".join(
                    [
                        tr("Written: {counts} in {target}.", counts=counts, target=wanted.folder),
                        *sentences[:MOST_SENTENCES],
                        *more,
                    ]
                )
            )

        self._saving.save(
            then=lambda: self._jobs.run(tr("Exporting annotations"), write, done=done, key="dataset", outlives=True)
        )


def _with_suffix(path: Path) -> Path:
    return path if path.name.endswith(SUFFIX) else path.with_name(path.name + SUFFIX)
