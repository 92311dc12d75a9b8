"""The weights of models: which are there, adding, comparing and removing them, what is asked before they are used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from core.errors import ModelUnavailable, PanoError
from core.io.atomic import make_folder
from core.models import find_model, models_folder, weights_file
from core.models.facts import ModelFacts, catalogue_facts
from core.models.places import read_places, write_places
from core.models.store import Card, add_model, addable_models, remove_model, verify_model
from core.progress import Progress
from panoviewer.dialogs.models_dialog import ModelsDialog
from panoviewer.dialogs.questions import ask
from panoviewer.jobs import Lane
from panoviewer.session import Session
from panoviewer.settings import LICENCES, Settings

if TYPE_CHECKING:
    from core.models.hub import Offer
    from core.models.perspective_hub import FolderOffer

KEY = "weights"


class WeightKeeping(QObject):
    """Shows the Models window and does what it asks for; keeps a model from running that cannot or may not yet.

    Signals:
        missing_changed(object): The names of the models whose weights are not there.
        fetched_changed(object): The names of the models of panoramas that the user has brought or fetched.
        held_up(str): A model was not run, because a question has to be answered first.
    """

    missing_changed = Signal(object)
    fetched_changed = Signal(object)
    held_up = Signal(str)

    def __init__(self, session: Session, settings: Settings, window: QWidget) -> None:
        """Make it; from now on it decides whether the session may run a model.

        Args:
            session: Runs models, and the jobs.
            settings: Remember which licences were accepted.
            window: Parent of the dialogs.
        """
        super().__init__(window)
        self._session = session
        self._jobs = session.jobs
        self._settings = settings
        self._window = window
        self.dialog: ModelsDialog | None = None
        session.permit = self.permit
        self._jobs.changed.connect(self._show_job)

    def show(self, name: str = "") -> None:
        """Open the Models window, with the line of a model selected."""
        if self.dialog is None:
            dialog = ModelsDialog(self._window)
            dialog.add_requested.connect(self.add)
            dialog.download_requested.connect(self.download)
            dialog.verify_requested.connect(self.verify)
            dialog.remove_requested.connect(self.remove)
            dialog.folder_requested.connect(self.open_folder)
            dialog.folder_chosen.connect(self.set_folder)
            dialog.cancel_requested.connect(self.cancel)
            dialog.finished.connect(self._forget)
            self.dialog = dialog
        if name:
            self.dialog.choose(name)
        self.refresh()
        self._show_job()
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def refresh(self, lane: Lane = Lane.WORK) -> None:
        """Look again at what lies on the disk, in another thread."""

        def done(found: tuple[tuple[ModelFacts, ...], Path]) -> None:
            facts, folder = found
            self.missing_changed.emit({one.spec.name for one in facts if one.state == "missing"})
            self.fetched_changed.emit(
                [one.spec.name for one in facts if one.spec.folder is not None and one.spec.tasks]
            )
            if self.dialog is not None:
                self.dialog.set_facts(facts, folder)

        is_shown = self.dialog is not None
        self._jobs.run(
            "Looking for weights",
            lambda _progress: (catalogue_facts(estimate=is_shown), models_folder()),
            done=done,
            lane=lane,
            key="catalogue",
            visible=False,
            outlives=True,
        )

    def permit(self, name: str, then: Callable[[], object]) -> bool:
        """Whether a model may run now. Otherwise the user is asked, and `then` is called when it may.

        Args:
            name: The model, as for `find_model`.
            then: What was wanted.
        """
        try:
            spec = find_model(name)
        except ModelUnavailable:
            return True  # whoever loads it says so in a sentence
        if not weights_file(spec).is_file() and not spec.is_bundled:
            self.offer(name)
            return False
        if spec.asks and spec.folder is None and spec.name not in self._settings[LICENCES]:

            def accept() -> None:
                self._settings[LICENCES] = (*self._settings[LICENCES], spec.name)
                then()

            text = (
                f"The weights of {spec.title} may not be free for every use:\n\n{spec.licence}\n({spec.source})\n\n"
                "Does that licence allow what you do with them? You are asked once."
            )
            ask(self._window, "licence", "Licence of the weights", text, [("Yes", accept)], otherwise="No")
            self.held_up.emit(f"The licence of {spec.title} has to be accepted before its first use: {spec.licence}")
            return False
        return True

    def offer(self, name: str) -> None:
        """Say that the weights of a model are missing, and offer the Models window."""
        spec = find_model(name)
        text = (
            f"The weights of {spec.title} are not on this machine.\n\nThe Models window says where they are published "
            "and takes over the file that you have."
        )
        ask(self._window, "no_weights", "Weights are missing", text, [("Models…", partial(self.show, spec.name))])
        self.held_up.emit(f"The weights of {spec.title} are not on this machine; add them in the Models window.")

    def choose(self, name: str) -> None:
        """Another model was chosen: offer the Models window at once when its weights are missing."""
        spec = find_model(name)
        if not spec.is_bundled and not weights_file(spec).is_file():
            self.offer(name)

    def add(self, path: Path, name: str) -> None:
        """Take over the weights of a published file; an empty name for whichever model it belongs to."""

        def add(progress: Progress) -> Card:
            return add_model(path, name=name or None, progress=progress)

        self._run(f"Adding {path.name}", add, done=self._take)

    def _take(self, card: Card) -> None:
        self._session.forget_model(card.model)
        self._note(f"{card.model}: added, {card.weights.bytes / 1e6:,.1f} MB from {card.source.name}.")
        if self.dialog is not None:
            self.dialog.choose(card.model)

    def download(self, name: str) -> None:
        """Ask the server about the published weights of a model, and fetch them if the user then wants them.

        Args:
            name: Of the catalogue, or "owner/name" of a perspective network of the hub.
        """
        if "/" in name:
            self._download_folder(name)
            return

        def ask_server(progress: Progress) -> Offer:
            from core.models.hub import look

            return look(name, progress=progress)

        self._run(f"Asking for {name}", ask_server, done=self._ask_to_fetch)

    def _ask_to_fetch(self, offer: Offer) -> None:
        spec, size = offer.spec, f"{offer.bytes / 1e6:,.1f} MB"
        begun = f", of which {offer.arrived / 1e6:,.1f} MB are here already" if offer.arrived else ""
        text = (
            f"Download {spec.title}, {size}{begun}? {offer.needed_bytes / 1e6:,.0f} MB of disk space are needed "
            f"meanwhile.\n\nFrom: {offer.answer.address}\nLicence of the weights: {spec.licence}"
        )
        if offer.is_changed:
            text += "\n\nThis is not the file that was fetched the first time: its publisher has replaced it."
        if spec.asks:
            text += "\n\nDoes that licence allow what you do with them?"
        answers = [("Yes, download" if spec.asks else "Download", partial(self._fetch, offer))]
        ask(self.dialog or self._window, "download", "Download weights", text, answers)

    def _fetch(self, offer: Offer) -> None:
        name = offer.spec.name
        if offer.spec.asks and name not in self._settings[LICENCES]:
            self._settings[LICENCES] = (*self._settings[LICENCES], name)

        def fetch(progress: Progress) -> Card:
            from core.models.hub import pull

            return pull(offer, progress=progress)

        self._run(f"Downloading {name}", fetch, done=self._take)

    def _download_folder(self, name: str) -> None:
        def ask_server(progress: Progress) -> FolderOffer:
            from core.models.perspective_hub import look_folder

            return look_folder(name, progress=progress)

        self._run(f"Asking for {name}", ask_server, done=self._ask_to_fetch_folder)

    def _ask_to_fetch_folder(self, offer: FolderOffer) -> None:
        if offer.is_here:
            self._note(f"{offer.name}: is here already.")
            return
        begun = f", of which {offer.arrived / 1e6:,.1f} MB are here already" if offer.arrived else ""
        takes = (
            "" if offer.expected_seconds is None else f" Estimate for this processor: {offer.expected_seconds:,.1f} s."
        )
        text = (
            f"Download {offer.name}, {offer.bytes / 1e6:,.1f} MB{begun}?\n\nIt says {offer.task} "
            f"({offer.folder.architecture}) on perspective tiles.{takes}\nLicence of the weights: {offer.licence}"
        )
        if offer.asks:
            text += "\n\nDoes that licence allow what you do with them?"
        answers = [("Yes, download" if offer.asks else "Download", partial(self._fetch_folder, offer))]
        ask(self.dialog or self._window, "download", "Download weights", text, answers)

    def _fetch_folder(self, offer: FolderOffer) -> None:
        def fetch(progress: Progress) -> Path:
            from core.models.perspective_hub import pull_folder

            return pull_folder(offer, progress=progress)

        def done(_folder: Path) -> None:
            self._session.forget_model(offer.name)
            self._note(f"{offer.name}: added, {offer.bytes / 1e6:,.1f} MB.")
            if self.dialog is not None:
                self.dialog.choose(offer.name)

        self._run(f"Downloading {offer.name}", fetch, done=done)

    def verify(self, name: str) -> None:
        """Compare the weights of a model with what they were when they were added."""

        def done(card: Card) -> None:
            self._note(f"{name}: as it was added, SHA-256 {card.weights.sha256}")

        self._run(f"Comparing {name}", lambda progress: verify_model(name, progress=progress), done=done)

    def remove(self, name: str) -> None:
        """Delete the weights of a model."""

        def done(size: int) -> None:
            self._session.forget_model(name)
            self._note(f"{name}: removed, {size / 1e6:,.1f} MB are free again.")

        self._run(f"Removing {name}", lambda _progress: remove_model(name), done=done)

    def cancel(self) -> None:
        """Stop what is being done with weights; what was there before stays."""
        self._jobs.cancel(KEY)
        self._note("Cancelled.")
        # In the same thread: what has been cancelled has come to its end by then.
        self.refresh(Lane.WEIGHTS)

    def set_folder(self, folder: Path | None) -> None:
        """Look for added weights in another folder from now on, or with None where they lie by default."""

        def done(_nothing: None) -> None:
            for spec in addable_models():
                self._session.forget_model(spec.name)

        self._run(
            "Changing the folder",
            lambda _progress: write_places(replace(read_places(), folder=folder)),
            done=done,
        )

    def open_folder(self) -> None:
        """Show the folder of the weights in the system's file manager; it is made when there is none yet."""

        def make(_progress: Progress) -> Path:
            make_folder(models_folder())
            return models_folder()

        def done(folder: Path) -> None:
            if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
                self._note(f"There is no file manager that shows a folder; it is {folder}")

        self._jobs.run("Opening the folder", make, done=done, failed=self._fail, visible=False, outlives=True)

    def _run(self, title: str, work: Callable[[Progress], Any], *, done: Callable[[Any], None]) -> None:
        def finish(result: object) -> None:
            done(result)
            self.refresh()

        def fail(error: PanoError) -> None:
            self._fail(error)
            self.refresh()

        self._jobs.run(title, work, done=finish, failed=fail, lane=Lane.WEIGHTS, key=KEY, outlives=True)

    def _show_job(self) -> None:
        if self.dialog is not None:
            running = [job for job in self._jobs.visible() if job.key == KEY]
            self.dialog.set_job(running[-1] if running else None)

    def _note(self, sentence: str) -> None:
        if self.dialog is not None:
            self.dialog.messages.show_note(sentence)

    def _fail(self, error: PanoError) -> None:
        if self.dialog is not None:
            self.dialog.messages.show_error(str(error))
        else:
            self._session.failed.emit(str(error))

    def _forget(self) -> None:
        self.dialog = None
