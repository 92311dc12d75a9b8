"""A field for a number, read alike in every country."""

from __future__ import annotations

import re

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QToolTip, QWidget

from panoviewer.translation import tr

NUMBER = re.compile(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)")
WHOLE = re.compile(r"[+-]?[0-9]+")
APART = "\u00a0"
THOUSANDS = re.compile(r"(?<=[0-9])[ \u00a0](?=[0-9]{3}([ \u00a0]|$))")
TOLD_MS = 10_000


class NumberField(QDoubleSpinBox):
    """A number with its unit: comma and point are both the decimal sign, whatever the language, and neither groups.

    Anything may be typed; what is no number within the limits is not taken in part. The field keeps its value then,
    and says so. Empty stands for the least value where that has a name of its own, such as "unknown". What is typed
    counts with Enter or when the field is left.

    Signals:
        entered(float): The user has typed or stepped to a number, which may be the one that was there.
    """

    entered = Signal(float)

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        minimum: float = 0.0,
        maximum: float = 100.0,
        decimals: int = 2,
        singleStep: float = 1.0,  # noqa: N803
        suffix: str = "",
    ) -> None:
        """Make the field; what it takes is named as `QDoubleSpinBox` names it."""
        super().__init__(parent)
        self.setDecimals(decimals)
        self.setRange(minimum, maximum)
        self.setSingleStep(singleStep)
        self.setSuffix(suffix)
        self._is_touched = False
        # Or the 3 of '3ft' would count before the rest is there.
        self.setKeyboardTracking(False)
        self.lineEdit().textEdited.connect(self._touch)
        self.editingFinished.connect(self._tell)

    def textFromValue(self, value: float) -> str:
        """With a point, as in all other texts of the window; thousands of whole numbers stand a little apart."""
        return f"{value:.{self.decimals()}f}" if self.decimals() else f"{value:,.0f}".replace(",", APART)

    def valueFromText(self, text: str) -> float:
        """The number in a text; the value that there is where it holds none."""
        number = self._number(text)
        return self.value() if number is None else number

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Whether a text is a number within the limits; nothing is refused while it is typed."""
        is_number = self._number(text) is not None
        return (QValidator.State.Acceptable if is_number else QValidator.State.Intermediate), text, position

    def fixup(self, text: str) -> str:
        """Keep the value instead of a text that is no number, and say so."""
        self._is_touched = False
        sentence = tr(
            "Expected a number from {low} to {high}, got '{typed}'; the field keeps {kept}.",
            low=self.textFromValue(self.minimum()),
            high=self.textFromValue(self.maximum()) + self.suffix(),
            typed=text.removeprefix(self.prefix()).removesuffix(self.suffix()).strip(),
            kept=self._kept(),
        )
        # A focus that is just moving on would take it away again.
        QTimer.singleShot(0, self, lambda: self._say(sentence))
        return self._kept()

    def stepBy(self, steps: int) -> None:
        """Step as the arrows and the wheel do."""
        before = self.value()
        super().stepBy(steps)
        self._is_touched |= self.value() != before

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Type; a name in the place of a number gives way, and no dialog goes on with what was refused."""
        special = self.specialValueText()
        if special and self.text() == special and event.text().isprintable() and event.text():
            self.lineEdit().selectAll()
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        is_refused = is_enter and not self.hasAcceptableInput()
        super().keyPressEvent(event)
        if is_refused:
            event.accept()

    # ----- within -----

    def _number(self, text: str) -> float | None:
        typed, special = self._typed(text), self.specialValueText()
        if special and typed in ("", special):
            return self.minimum()
        # Among whole numbers, 65.536 is rather one with its thousands apart than one to be rounded.
        if not (NUMBER if self.decimals() else WHOLE).fullmatch(typed):
            return None
        exact = float(typed.replace(",", "."))
        number = round(exact, self.decimals())
        is_lost = number == 0 != exact
        return None if is_lost or not self.minimum() <= number <= self.maximum() else number

    def _typed(self, text: str) -> str:
        """A text without the unit, which Qt puts behind one that was typed, too."""
        text = text.removeprefix(self.prefix()).removesuffix(self.suffix()).strip()
        unit = self.suffix().strip()
        text = text.removesuffix(unit).strip() if unit else text
        return text if self.decimals() else THOUSANDS.sub("", text)

    def _kept(self) -> str:
        special = self.specialValueText()
        if special and self.value() == self.minimum():
            return special
        return f"{self.prefix()}{self.textFromValue(self.value())}{self.suffix()}"

    def _say(self, sentence: str) -> None:
        if self.isVisible():
            below = self.mapToGlobal(QPoint(0, self.height() // 2))
            QToolTip.showText(below, sentence, self, self.rect(), TOLD_MS)

    def _touch(self) -> None:
        self._is_touched = True

    def _tell(self) -> None:
        if self._is_touched:
            self._is_touched = False
            self.entered.emit(self.value())
