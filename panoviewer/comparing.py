"""Two predictions of the open panorama side by side: a divider or a difference in both views, and the numbers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from core.comparison import Comparison, Figures, compare
from core.io.digest import file_sha256
from core.io.saved_prediction import SavedPrediction, read_prediction
from core.prediction import Prediction
from core.progress import Progress
from core.pyramid import Pyramid
from panoviewer.layering import Layering
from panoviewer.panels.compare_bar import CompareBar
from panoviewer.pointing import Pointing
from panoviewer.session import Session
from panoviewer.settings import LAST_FOLDER, Settings
from panoviewer.stage import Stage
from panoviewer.translation import tr
from panoviewer.views.difference import Legend, paint_difference
from panoviewer.views.overlay import Composer, Layer

Compared = tuple[Comparison, Figures, Composer]


class Comparing(QObject):
    """Compares the prediction that is shown, A, with another one, B; follows what is shown, in which style.

    Signals:
        changed: Another comparison is shown, in another way, or none.
        noted(str): A sentence about what is compared.
    """

    changed = Signal()
    noted = Signal(str)

    def __init__(
        self,
        session: Session,
        settings: Settings,
        *,
        layering: Layering,
        stage: Stage,
        pointing: Pointing,
        bar: CompareBar,
        window: QWidget,
    ) -> None:
        """Connect them.

        Args:
            session: Has A, and what was estimated before it.
            settings: Know the last folder.
            layering: Decides which layer is compared, and its colours.
            stage: Shows B beside A.
            pointing: Tells both values under the cursor.
            bar: Says what is compared.
            window: Parent of the dialog.
        """
        super().__init__(window)
        self._session = session
        self._settings = settings
        self._layering = layering
        self._stage = stage
        self._pointing = pointing
        self._bar = bar
        self._window = window
        self._other: Prediction | None = None
        self._name = ""
        self._compared: Compared | None = None
        self._is_difference = False
        self._is_matching = False
        self._divider = 0.5
        bar.matching_changed.connect(self._match)
        bar.closed.connect(self.stop)
        layering.style_changed.connect(self._paint)
        session.opened.connect(self.stop)
        session.predicted.connect(self._compare)

    @property
    def active(self) -> bool:
        """True while two predictions are compared."""
        return self._other is not None

    @property
    def is_difference(self) -> bool:
        """True while the difference is shown, and not a divider."""
        return self._is_difference

    @property
    def divider(self) -> float:
        """Where A ends and B begins, as a share of the views' width."""
        return self._divider

    @property
    def comparison(self) -> Comparison | None:
        """What is compared; None before it has been worked out."""
        return None if self._compared is None else self._compared[0]

    def start_previous(self) -> None:
        """Compare with what was estimated before."""
        previous = self._session.previous
        if previous is None:
            self.noted.emit(tr("There is nothing to compare with yet: choose another model or device and run it, too."))
            return
        self.start(previous, tr("{model} before, {device}", model=previous.model, device=previous.device))

    def choose_files(self) -> None:
        """Ask for the report of a set of files to compare with."""
        if self._session.document.prediction is None:
            self.noted.emit(tr("There is nothing to compare yet: run a model first."))
            return
        dialog = QFileDialog(self._window, tr("Compare with the files of a prediction"), self._settings[LAST_FOLDER])
        dialog.setObjectName("compare_files")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters([tr("Reports of 'panoviewer predict' (*.json)")])
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.start_files(Path(path)))
        dialog.open()

    def start_files(self, report: Path) -> None:
        """Compare with the files that a report ``STEM.json`` tells of."""
        panorama = self._session.document.panorama
        photo = None if panorama is None else panorama.path

        def read(_progress: Progress) -> tuple[SavedPrediction, bool]:
            saved = read_prediction(report)
            if photo is None or not saved.source_sha256 or not photo.is_file():
                return saved, True
            return saved, file_sha256(photo) == saved.source_sha256

        def done(found: tuple[SavedPrediction, bool]) -> None:
            saved, is_same = found
            if not is_same:
                self.noted.emit(
                    tr(
                        "{name} was made from another file, {source_name}; it is compared anyway.",
                        name=report.name,
                        source_name=saved.source_name,
                    )
                )
            self.start(saved.prediction, f"{saved.prediction.model}, {report.name}")

        self._session.jobs.run(tr("Reading {name}", name=report.name), read, done=done, key="compare-files")

    def start(self, other: Prediction, name: str) -> None:
        """Compare with a prediction of the open panorama.

        Args:
            other: The prediction.
            name: What it is called.
        """
        if self._session.document.prediction is None:
            return
        self._other, self._name = other, name
        self._is_difference = False
        self._compare()

    def stop(self) -> None:
        """Show A alone again."""
        for key in ("compare", "compare-paint"):
            self._session.jobs.cancel(key)
        self._other = self._compared = None
        self._bar.hide()
        self._stage.set_other(None, None)
        self._pointing.set_other(None)
        self.changed.emit()

    def show_swipe(self) -> None:
        """A on the left of a divider, B on the right."""
        self._show(is_difference=False)

    def show_difference(self) -> None:
        """Where they differ, in the uppermost layer that is shown."""
        self._show(is_difference=True)

    def divide(self, place: float) -> None:
        """Move the divider to a share of the views' width."""
        self._divider = min(max(place, 0.0), 1.0)
        if self.active and not self._is_difference:
            self._stage.move_divider(self._divider)

    def _show(self, *, is_difference: bool) -> None:
        self._is_difference = is_difference
        self._tell()
        self._paint()

    def _match(self, on: bool) -> None:
        self._is_matching = on
        self._compare()

    def _compare(self) -> None:
        other, shown = self._other, self._session.document.prediction
        if other is None:
            self.changed.emit()
            return
        if shown is None:
            self.stop()
            return
        is_matching, limits = self._is_matching, self._session.summary.limits

        def work(progress: Progress) -> Compared:
            comparison = compare(shown, other, match_scale=is_matching)
            progress(1, 2)
            return comparison, comparison.figures(), Composer(comparison.b, limits)

        self._bar.set_figures(None)
        self._bar.show()
        self._tell()
        self._session.jobs.run(tr("Comparing"), work, done=self._take, key="compare")

    def _take(self, compared: Compared) -> None:
        self._compared = compared
        comparison, figures, _composer = compared
        self._bar.set_figures(figures, comparison.scale)
        self._pointing.set_other(comparison.b)
        self._tell()
        visible, shared = self._layering.style.visible(), comparison.shared()
        if shared and not any(layer.value in shared for layer in visible):
            self._layering.show(Layer(shared[0]))  # paints, too
        else:
            self._paint()

    def _tell(self) -> None:
        shown, comparison = self._session.document.prediction, self.comparison
        if shown is not None:
            self._bar.set_names(f"{shown.model}, {shown.device}", self._name)
        self._bar.set_mode(
            is_difference=self._is_difference,
            is_matching=self._is_matching,
            has_depth=comparison is not None and "depth" in comparison.shared(),
        )
        self.changed.emit()

    def _paint(self) -> None:
        if self._compared is None:
            return
        comparison, _figures, composer = self._compared
        style = self._layering.style
        layers = style.visible()

        def difference(_progress: Progress) -> tuple[Pyramid | None, Legend | None]:
            found = paint_difference(comparison, layers[-1]) if layers else None
            return (None, None) if found is None else (Pyramid.of(found[0]), found[1])

        def swipe(_progress: Progress) -> tuple[Pyramid | None, Legend | None]:
            picture = composer.compose(style)
            return None if picture is None else Pyramid.of(picture), None

        self._session.jobs.run(
            tr("Painting the comparison"),
            difference if self._is_difference else swipe,
            done=partial(self._lay, is_difference=self._is_difference),
            key="compare-paint",
            visible=False,
        )

    def _lay(self, painted: tuple[Pyramid | None, Legend | None], *, is_difference: bool) -> None:
        pyramid, legend = painted
        self._bar.set_legend(legend)
        self._stage.set_other(pyramid, 0.0 if is_difference else self._divider, movable=not is_difference)
