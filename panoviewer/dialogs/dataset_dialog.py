"""In which form annotations are handed over, of which panoramas, and where to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.export.annotated import UNLABELLED, DatasetOptions
from core.export.datasets import DATASETS, find_dataset
from core.export.view_set import LAYOUTS, MAX_SIZE, MIN_SIZE
from panoviewer.panels.number_field import NumberField
from panoviewer.translation import mark, tr

LAYOUT_NAMES = {"cube": mark("Cube, 6"), "icosahedron": mark("Icosahedron, 12"), "zigzag": mark("Zigzag, 24")}
MOST_ROWS = 7
"""Labels that are seen at once."""


@dataclass(frozen=True)
class Handover:
    """What is handed over.

    Attributes:
        form: Its name.
        folder: Where to.
        everything: All panoramas of the project, not the open one alone.
        options: What of them.
    """

    form: str
    folder: Path
    everything: bool
    options: DatasetOptions


class DatasetDialog(QDialog):
    """Chooses a form and a folder.

    Signals:
        chosen(object): A `Handover`.
    """

    chosen = Signal(object)

    def __init__(self, folder: Path, form: str, labels: Sequence[str] = (), parent: QWidget | None = None) -> None:
        """Make the dialog.

        Args:
            folder: The folder that it suggests.
            form: The form that it suggests.
            labels: To choose from; all are suggested.
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
        self.labels = QListWidget()
        self.labels.setAccessibleName(tr("Labels to export"))
        self.labels.setToolTip(
            tr("Only segments with a checked label; with all checked, also those of other pictures.")
        )
        for name in (*labels, UNLABELLED):
            item = QListWidgetItem(tr("no label") if name == UNLABELLED else name, self.labels)
            item.setData(Qt.ItemDataRole.UserRole, name)
            item.setCheckState(Qt.CheckState.Checked)
        rows = min(self.labels.count(), MOST_ROWS)
        self.labels.setFixedHeight(rows * self.labels.sizeHintForRow(0) + 2 * self.labels.frameWidth())
        self.layout_of_views = QComboBox()
        self.layout_of_views.addItem(tr("As usual for this form"), None)
        for name in LAYOUTS:
            self.layout_of_views.addItem(tr(LAYOUT_NAMES[name]), name)
        self.view_size = NumberField(minimum=MIN_SIZE, maximum=MAX_SIZE, decimals=0, singleStep=64, suffix=" px")
        self.view_size.setValue(DatasetOptions().view_size)
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
        lines.addRow(tr("Labels"), self.labels)
        lines.addRow(tr("Views"), self.layout_of_views)
        lines.addRow(tr("Side of a view"), self.view_size)
        lines.addRow("", self.everything)
        lines.addRow("", self.with_rejected)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        export = buttons.addButton(tr("Export"), QDialogButtonBox.ButtonRole.AcceptRole)
        export.setObjectName("primary")
        export.setDefault(True)
        buttons.accepted.connect(self._choose)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(lines)
        layout.addWidget(buttons)
        self._export = export
        self.form.currentIndexChanged.connect(self._refresh)
        self.labels.itemChanged.connect(self._refresh)
        self.folder.textChanged.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        has_views = find_dataset(self.form.currentData()).has_views
        self.layout_of_views.setEnabled(has_views)
        self.view_size.setEnabled(has_views)
        self._export.setEnabled(bool(self.folder.text().strip()) and bool(self._checked()))

    def _checked(self) -> list[str]:
        items = [self.labels.item(row) for row in range(self.labels.count())]
        return [item.data(Qt.ItemDataRole.UserRole) for item in items if item.checkState() == Qt.CheckState.Checked]

    def _choose(self) -> None:
        folder = Path(self.folder.text().strip()).expanduser()
        checked, layout = self._checked(), self.layout_of_views.currentData()
        options = DatasetOptions(
            () if len(checked) == self.labels.count() else tuple(checked),
            self.with_rejected.isChecked(),
            layout=layout if self.layout_of_views.isEnabled() else None,
            view_size=round(self.view_size.value()),
        )
        self.chosen.emit(Handover(self.form.currentData(), folder, self.everything.isChecked(), options))
        self.accept()

    def _browse(self) -> None:
        dialog = QFileDialog(self, tr("Folder for the annotations"), self.folder.text())
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self.folder.setText)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
