"""Every action with its keys, to be changed; what cannot be is said at once."""

from __future__ import annotations

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from panoviewer.actions import ACTIONS
from panoviewer.shortcuts import MOST, Keys, clashes, normal
from panoviewer.translation import mark, tr

Index = QModelIndex | QPersistentModelIndex

TITLES = (mark("Action"), mark("Key"), mark("Also"))
SIZE = (560, 380)
"""Pixels of the table at least, at a scale of 1."""
WRONG = "#e06c60"


class KeysPage(QWidget):
    """A table of all actions.

    Signals:
        checked(bool): Whether these keys can be had.
    """

    checked = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._search = QLineEdit(placeholderText=tr("Search for an action or a key"), clearButtonEnabled=True)
        self._search.textChanged.connect(self._filter)
        standard = QPushButton(tr("Standard keys"))
        standard.setToolTip(tr("Give every action the keys that it came with."))
        standard.clicked.connect(lambda: self.set_keys({spec.name: spec.keys for spec in ACTIONS}))
        self._table = QTableWidget(len(ACTIONS), len(TITLES))
        self._table.setHorizontalHeaderLabels([tr(title) for title in TITLES])
        self._table.verticalHeader().hide()
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._table.setItemDelegate(_KeyDelegate(self._table))
        self._table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._table.setMinimumSize(*SIZE)
        self._table.setColumnWidth(1, 120)
        self._wrong = QLabel(wordWrap=True)
        self._wrong.setAccessibleName(tr("What is wrong with the keys"))
        top = QHBoxLayout()
        top.addWidget(self._search, 1)
        top.addWidget(standard)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self._table)
        layout.addWidget(self._wrong)
        for row, spec in enumerate(ACTIONS):
            menu, text = (part.replace("&", "").rstrip("…") for part in (tr(spec.menu), tr(spec.text)))
            title = QTableWidgetItem(f"{menu}: {text}")
            title.setToolTip(tr(spec.tip))
            title.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            self._table.setItem(row, 0, title)
        self._table.itemChanged.connect(self._check)

    def keys(self) -> dict[str, Keys]:
        """The keys of each action by its name."""
        return {
            spec.name: tuple(filter(None, (self._text(row, column) for column in range(1, 1 + MOST))))
            for row, spec in enumerate(ACTIONS)
        }

    def set_keys(self, keys: dict[str, Keys]) -> None:
        """Show the keys of each action, by its name."""
        self._table.blockSignals(True)
        for row, spec in enumerate(ACTIONS):
            own = [normal(key) for key in keys[spec.name]]
            for column in range(1, 1 + MOST):
                key = own[column - 1] if column <= len(own) else ""
                self._table.setItem(row, column, QTableWidgetItem(key))
        self._table.blockSignals(False)
        self._check()

    def _text(self, row: int, column: int) -> str:
        item = self._table.item(row, column)
        return item.text() if item is not None else ""

    def _check(self) -> None:
        wrong = clashes(self.keys())
        self._table.blockSignals(True)
        for row, spec in enumerate(ACTIONS):
            for column in range(1, 1 + MOST):
                item = self._table.item(row, column)
                if item is not None:
                    item.setData(Qt.ItemDataRole.ForegroundRole, QColor(WRONG) if spec.name in wrong else None)
                    item.setToolTip(wrong.get(spec.name, tr("Double click, then press the key.")))
        self._table.blockSignals(False)
        self._wrong.setText(next(iter(wrong.values()), ""))
        self.checked.emit(not wrong)

    def _filter(self, text: str) -> None:
        for row in range(len(ACTIONS)):
            said = " ".join(self._text(row, column) for column in range(len(TITLES)))
            self._table.setRowHidden(row, text.lower() not in said.lower())


class _KeyDelegate(QStyledItemDelegate):
    """Reads a key where a text would be typed; Del and Backspace alone leave none."""

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:  # noqa: ARG002
        """An editor that hears keys."""
        editor = QKeySequenceEdit(parent)
        editor.setMaximumSequenceLength(1)
        editor.setClearButtonEnabled(True)
        editor.keySequenceChanged.connect(lambda _key: self.commitData.emit(editor))
        return editor

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Show the key there is."""
        if isinstance(editor, QKeySequenceEdit):
            # That is no key that was pressed, and the view does not know the editor yet.
            editor.blockSignals(True)
            editor.setKeySequence(QKeySequence(str(index.data() or "")))
            editor.blockSignals(False)

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: Index) -> None:
        """Keep the key that was pressed."""
        if isinstance(editor, QKeySequenceEdit):
            model.setData(index, normal(editor.keySequence().toString()))
