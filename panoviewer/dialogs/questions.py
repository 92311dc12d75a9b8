"""Questions that are answered by a button and hold nothing up meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from panoviewer.translation import tr


def ask(
    parent: QWidget,
    name: str,
    title: str,
    text: str,
    answers: Sequence[tuple[str, Callable[[], object]]],
    *,
    otherwise: str = "",
    hesitates: bool = False,
) -> QMessageBox:
    """Show a question that does not hold the program up.

    Args:
        parent: Its window.
        name: Of the dialog, for tests and style sheets; a question of this name that is open is left as it is.
        title: Its title.
        text: What is the matter.
        answers: Texts of the buttons and what they do.
        otherwise: The button that does nothing; Cancel when empty.
        hesitates: Enter presses that button, so that nobody agrees by habit.
    """
    present = parent.findChild(QMessageBox, name)
    if present is not None and present.isVisible():
        return present
    question = QMessageBox(parent)
    question.setObjectName(name)
    question.setIcon(QMessageBox.Icon.Question)
    question.setWindowTitle(title)
    question.setText(text)
    acts = {question.addButton(answer, QMessageBox.ButtonRole.AcceptRole): act for answer, act in answers}
    nothing = question.addButton(otherwise or tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
    if hesitates:
        question.setDefaultButton(nothing)
    question.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    question.buttonClicked.connect(lambda button: acts[button]() if button in acts else None)
    question.open()
    return question
