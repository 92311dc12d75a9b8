"""Builds what comparing takes, and connects it: two predictions or two segments, never both at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from panoviewer.annotation_desk import AnnotationDesk
from panoviewer.comparing import Comparing
from panoviewer.comparing_segments import ComparingSegments
from panoviewer.layering import Layering
from panoviewer.panels.compare_bar import CompareBar
from panoviewer.pointing import Pointing
from panoviewer.session import Session
from panoviewer.settings import Settings
from panoviewer.stage import Stage

ACTIONS = (
    *("compare_previous", "compare_files", "compare_segments", "compare_end"),
    *("swipe", "difference", "divider_left", "divider_right"),
)
"""The actions of comparing."""
_OF_A_COMPARISON = ("swipe", "difference", "divider_left", "divider_right", "compare_end")
STEP = 0.02
"""Share of the views' width by which a key moves the divider."""


class ComparisonDesk(QObject):
    """Everything about comparisons in the window.

    Attributes:
        bar: To be shown above the views.
        predictions, segments: What is compared.

    Signals:
        noted(str): Why nothing is compared, or what else must be known.
    """

    noted = Signal(str)

    def __init__(
        self,
        session: Session,
        settings: Settings,
        *,
        desk: AnnotationDesk,
        layering: Layering,
        stage: Stage,
        pointing: Pointing,
        actions: Mapping[str, QAction],
        window: QWidget,
    ) -> None:
        """Make and connect them.

        Args:
            session: Has the predictions, and the jobs.
            settings: Of how predictions are coloured.
            desk: Knows what is selected.
            layering: Knows what is shown.
            stage: Shows the result.
            pointing: Says what lies under the cursor.
            actions: By name; those of `ACTIONS` are enabled and checked from here on.
            window: Parent of the dialogs.
        """
        super().__init__(window)
        self._session, self._actions = session, actions
        self.bar = CompareBar()
        self.predictions = Comparing(
            session, settings, layering=layering, stage=stage, pointing=pointing, bar=self.bar, window=window
        )
        self.segments = ComparingSegments(
            desk.annotating,
            session.jobs,
            stage=stage,
            bar=self.bar,
            set_bare=lambda bare: desk.display.set_bare(bare=bare),
            parent=self,
        )
        for comparing in (self.predictions, self.segments):
            comparing.noted.connect(self.noted)
            comparing.changed.connect(self.refresh)
        session.document.scene_changed.connect(self.segments.follow)
        self.bar.mode_changed.connect(lambda on: self._set_difference(on=on))
        stage.divided.connect(self._divide)
        self.refresh()

    def handlers(self) -> dict[str, Callable[..., object]]:
        """What the actions of comparing do, by their names."""
        predictions = self.predictions
        return {
            "compare_previous": lambda: self._compare_predictions(predictions.start_previous),
            "compare_files": lambda: self._compare_predictions(predictions.choose_files),
            "compare_segments": self._compare_segments,
            "compare_end": self.bar.closed.emit,
            "swipe": lambda *_on: self._set_difference(on=False),
            "difference": lambda *_on: self._set_difference(on=True),
            "divider_left": lambda: self._divide(self._shown.divider - STEP),
            "divider_right": lambda: self._divide(self._shown.divider + STEP),
        }

    @property
    def _shown(self) -> Comparing | ComparingSegments:
        return self.segments if self.segments.active else self.predictions

    def refresh(self) -> None:
        """Offer what can be done with a comparison."""
        shown, actions = self._shown, self._actions
        actions["compare_previous"].setEnabled(self._session.previous is not None)
        for name in _OF_A_COMPARISON:
            actions[name].setEnabled(shown.active)
        actions["swipe"].setChecked(shown.active and not shown.is_difference)
        actions["difference"].setChecked(shown.active and shown.is_difference)

    def _divide(self, place: float) -> None:
        self._shown.divide(place)

    def _set_difference(self, *, on: bool) -> None:
        if on:
            self._shown.show_difference()
        else:
            self._shown.show_swipe()

    def _compare_predictions(self, start: Callable[[], object]) -> None:
        self.segments.stop()
        start()

    def _compare_segments(self) -> None:
        self.predictions.stop()
        self.segments.start()
