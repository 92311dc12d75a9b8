"""Which classes of a prediction become segments."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from panoviewer.translation import tr


class ClassesDialog(QDialog):
    """Lets the user tick classes.

    Signals:
        chosen(object, bool): The indices of the ticked classes, and whether each piece becomes a segment by itself.
    """

    chosen = Signal(object, bool)

    def __init__(
        self, names: Sequence[str], shares: Sequence[tuple[int, float]], parent: QWidget | None = None
    ) -> None:
        """Make it.

        Args:
            names: Of all classes.
            shares: Index and share of the sphere of those that occur.
            parent: Its parent.
        """
        super().__init__(parent)
        self.setObjectName("classes")
        self.setWindowTitle(tr("Segments of classes"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Classes"))
        for index, share in shares:
            item = QListWidgetItem(f"{names[index]}   {100 * share:.1f} %")
            item.setData(Qt.ItemDataRole.UserRole, index)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Unchecked)
            self.list.addItem(item)
        self.list.itemChanged.connect(self._allow)
        self.apart = QCheckBox(tr("Each connected piece by itself"))
        self.apart.setChecked(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.add = buttons.addButton(tr("Add"), QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self._choose)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel(tr("Tick what is to become segments:")))
        layout.addWidget(self.list)
        layout.addWidget(self.apart)
        layout.addWidget(buttons)
        self._allow()

    def ticked(self) -> list[int]:
        """Indices of the ticked classes."""
        items = [self.list.item(row) for row in range(self.list.count())]
        return [item.data(Qt.ItemDataRole.UserRole) for item in items if item.checkState() == Qt.CheckState.Checked]

    def _allow(self) -> None:
        self.add.setEnabled(bool(self.ticked()))

    def _choose(self) -> None:
        self.chosen.emit(self.ticked(), self.apart.isChecked())
        self.accept()
