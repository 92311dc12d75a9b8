"""What PanoViewer is, and which keys do what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from operator import itemgetter

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from panoviewer.actions import ACTIONS
from panoviewer.diagnostics import program_version
from panoviewer.gestures import GESTURES
from panoviewer.opengl import OpenGL
from panoviewer.translation import tr

Line = tuple[str, str]
"""Keys and what they do; or a heading and nothing."""
KEYS_WIDTH, SENTENCE_WIDTH, GAP = 110, 225, 28
WRAP, WRAP_KEYS = 34, 13
"""Letters that fit into a row of a sentence and of keys."""
ROW, ROW_GAP = 16, 2
SLACK = 1.5
COLUMN_WIDTH, MOST_COLUMNS = 370, 4
"""Of the list of keys; wide rather than high, as screens are."""
FRAME = 40
"""What the system draws around a window takes of the screen's height."""


def show_about(parent: QWidget, opengl: OpenGL) -> None:
    """Say version, licence and what draws the pictures."""
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setWindowTitle(tr("About PanoViewer"))
    box.setText(f"<b>PanoViewer {program_version()}</b>")
    drawn = (
        tr("OpenGL by {renderer}.", renderer=opengl.renderer)
        if opengl.reason is None
        else tr("No OpenGL. {reason}", reason=opengl.reason)
    )
    box.setInformativeText(
        tr(
            "Opens 360° photographs and understands them: depth, normals, classes and point "
            "clouds on the sphere.\n\nApache License 2.0.\n\n{drawn}",
            drawn=drawn,
        )
    )
    box.open()


def show_shortcuts(parent: QWidget, keys_of: Mapping[str, Sequence[str]]) -> None:
    """List all keys and gestures, beside each other; as large as the list is or as the screen allows.

    Args:
        parent: Its parent.
        keys_of: The keys of each action, by name.
    """
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(tr("Keys and gestures"))
    lines: list[Line] = []
    with_keys = [(spec, keys_of[spec.name]) for spec in ACTIONS if keys_of[spec.name]]
    keys = [(tr(spec.menu).replace("&", ""), ", ".join(own), tr(spec.tip)) for spec, own in with_keys]
    gestures_said = [(tr(where), tr(what), tr(does)) for where, what, does in GESTURES]
    for group, gestures in groupby((*keys, *gestures_said), key=itemgetter(0)):
        lines += [(group, ""), *[(name, sentence) for _, name, sentence in gestures]]
    page = QWidget()
    columns = QHBoxLayout(page)
    columns.setSpacing(GAP)
    available = parent.screen().availableGeometry().width() - 80
    for part in _columns(lines, min(max(available // COLUMN_WIDTH, 1), MOST_COLUMNS)):
        columns.addWidget(_table(part), alignment=Qt.AlignmentFlag.AlignTop)
    scroll = QScrollArea()
    scroll.setWidget(page)
    scroll.setWidgetResizable(True)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    layout = QVBoxLayout(dialog)
    layout.addWidget(scroll)
    layout.addWidget(buttons)
    bar = scroll.verticalScrollBar().sizeHint().width()
    scroll.setMinimumWidth(min(page.sizeHint().width() + bar, available))
    wanted = page.sizeHint().height() + buttons.sizeHint().height() + 40
    dialog.resize(dialog.sizeHint().width(), min(wanted, parent.screen().availableGeometry().height() - FRAME))
    dialog.open()


def _columns(lines: Sequence[Line], count: int) -> list[list[Line]]:
    """The lines in so many columns; a heading stands above what it is of."""
    share = sum(map(_rows, lines)) / count
    columns: list[list[Line]] = [[]]
    filled = 0.0
    for line in lines:
        needed = _rows(line) + (0 if line[1] else 1)
        if columns[-1] and filled + needed > share * len(columns) + SLACK and len(columns) < count:
            columns.append([])
        columns[-1].append(line)
        filled += _rows(line)
    return columns


def _rows(line: Line) -> float:
    """About how many rows of text a line takes, with the gap below it."""
    return max(-(-len(line[1]) // WRAP), -(-len(line[0]) // WRAP_KEYS)) + ROW_GAP / ROW


def _table(rows: Sequence[Line]) -> QWidget:
    """Headings, keys and what they do, line by line."""
    table = QWidget()
    grid = QGridLayout(table)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(14)
    grid.setVerticalSpacing(ROW_GAP)
    for row, (keys, tip) in enumerate(rows):
        if not tip:
            heading = QLabel(keys)
            heading.setObjectName("heading")
            grid.addWidget(heading, row, 0, 1, 2)
            continue
        name = QLabel(f"<b>{escape(keys)}</b>", wordWrap=True)
        name.setMaximumWidth(KEYS_WIDTH)
        sentence = QLabel(tip, wordWrap=True)
        sentence.setMinimumWidth(SENTENCE_WIDTH)
        for column, label in enumerate((name, sentence)):
            grid.addWidget(label, row, column, Qt.AlignmentFlag.AlignTop)
    return table
