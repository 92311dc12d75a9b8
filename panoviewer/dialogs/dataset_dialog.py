"""In which form annotations are handed over, of which panoramas, and where to."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.export.datasets import DATASETS
from panoviewer.translation import tr


class DatasetDialog(QDialog):
    """Chooses a form and a folder.

    Signals:
        chosen(str, object, bool, bool): Name of the form, the folder as a `Path`, whether all panoramas of the project
            are wanted, whether rejected segments are, too.
    """

    chosen = Signal(str, object, bool, bool)

    def __init__(self, folder: Path, form: str, parent: QWidget | None = None) -> None:
        """Make the dialog.

        Args:
            folder: The folder that it suggests.
            form: The form that it suggests.
            parent: Its parent.
        """
        super().__init__(parent)
        self.setObjectName("dataset")
        self.setWindowTitle(tr("Export annotations"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.form = QComboBox()
        for dataset in DATASETS:
            self.form.addItem(tr(dataset.title), dataset.name)
        self.form.setCurrentIndex(max(self.form.findData(form), 0))
        self.everything = QCheckBox(tr("All annotated panoramas of the folder"))
        self.everything.setChecked(True)
        self.with_rejected = QCheckBox(tr("Rejected segments, too"))
        self.folder = QLineEdit(str(folder))
        self.folder.setMinimumWidth(320)
        browse = QPushButton(tr("Browse…"))
        browse.clicked.connect(self._browse)
        row = QHBoxLayout()
        row.addWidget(self.folder, 1)
        row.addWidget(browse)
        lines = QFormLayout()
        lines.addRow(tr("Form"), self.form)
        lines.addRow(tr("Folder"), row)
        lines.addRow("", self.everything)
        lines.addRow("", self.with_rejected)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        export = buttons.addButton(tr("Export"), QDialogButtonBox.ButtonRole.AcceptRole)
        export.setObjectName("primary")
        export.setDefault(True)
        buttons.accepted.connect(self._choose)
        buttons.rejected.connect(self.reject)
        self.folder.textChanged.connect(lambda text: export.setEnabled(bool(text.strip())))
        layout = QVBoxLayout(self)
        layout.addLayout(lines)
        layout.addWidget(buttons)

    def _choose(self) -> None:
        folder = Path(self.folder.text().strip()).expanduser()
        self.chosen.emit(self.form.currentData(), folder, self.everything.isChecked(), self.with_rejected.isChecked())
        self.accept()

    def _browse(self) -> None:
        dialog = QFileDialog(self, tr("Folder for the annotations"), self.folder.text())
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self.folder.setText)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
