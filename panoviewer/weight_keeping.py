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
from core.models import ModelSpec, find_model, models_folder, weights_file
from core.models.facts import ModelFacts, catalogue_facts
from core.models.places import Places, read_places, write_places
from core.models.store import Card, add_model, addable_models, convert_model, remove_model, verify_model
from core.progress import Progress
from panoviewer.dialogs.models_dialog import ModelsDialog
from panoviewer.dialogs.questions import ask
from panoviewer.jobs import Lane
from panoviewer.session import Session
from panoviewer.settings import LICENCES, Settings
from panoviewer.translation import tr

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
            dialog.convert_requested.connect(self.convert)
            dialog.download_requested.connect(self.download)
            dialog.verify_requested.connect(self.verify)
            dialog.remove_requested.connect(self.remove)
            dialog.folder_requested.connect(self.open_folder)
            dialog.folder_chosen.connect(self.set_folder)
            dialog.mirror_chosen.connect(self.set_mirror)
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

        def done(found: tuple[tuple[ModelFacts, ...], Path, Places]) -> None:
            facts, folder, places = found
            self.missing_changed.emit({one.spec.name for one in facts if one.state == "missing"})
            self.fetched_changed.emit(
                [one.spec.name for one in facts if one.spec.folder is not None and one.spec.tasks]
            )
            if self.dialog is not None:
                self.dialog.set_facts(facts, folder, places)

        is_shown = self.dialog is not None
        self._jobs.run(
            tr("Looking for weights"),
            lambda _progress: (catalogue_facts(estimate=is_shown), models_folder(), read_places()),
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

            text = tr(
                "The weights of {title} may not be free for every "
                "use:\n\n{licence}\n({source})\n\nDoes that licence allow what you do with them? "
                "You are asked once.",
                title=spec.title,
                licence=spec.licence,
                source=spec.source,
            )
            ask(
                self._window,
                "licence",
                tr("Licence of the weights"),
                text,
                [(tr("Yes"), accept)],
                otherwise=tr("No"),
                hesitates=True,
            )
            self.held_up.emit(
                tr(
                    "The licence of {title} has to be accepted before its first use: {licence}",
                    title=spec.title,
                    licence=spec.licence,
                )
            )
            return False
        return True

    def offer(self, name: str) -> None:
        """Say that the weights of a model are missing, and offer the Models window."""
        spec = find_model(name)
        text = tr(
            "The weights of {title} are not on this machine.\n\nThe Models window says where "
            "they are published and takes over the file that you have.",
            title=spec.title,
        )
        ask(
            self._window,
            "no_weights",
            tr("Weights are missing"),
            text,
            [(tr("Models…"), partial(self.show, spec.name))],
        )
        self.held_up.emit(
            tr("The weights of {title} are not on this machine; add them in the Models window.", title=spec.title)
        )

    def choose(self, name: str) -> None:
        """Another model was chosen: offer the Models window at once when its weights are missing."""
        spec = find_model(name)
        if not spec.is_bundled and not weights_file(spec).is_file():
            self.offer(name)

    def add(self, path: Path, name: str) -> None:
        """Take over the weights of a published file; an empty name for whichever model it belongs to."""

        def add(progress: Progress) -> Card:
            return add_model(path, name=name or None, progress=progress)

        self._run(tr("Adding {name}", name=path.name), add, done=self._take)

    def _take(self, card: Card) -> None:
        self._session.forget_model(card.model)
        self._note(
            tr(
                "{model}: added, {bytes:,.1f} MB from {name}.",
                model=card.model,
                bytes=card.weights.bytes / 1e6,
                name=card.source.name,
            )
        )
        if self.dialog is not None:
            self.dialog.choose(card.model)

    def convert(self, path: Path, target: Path, name: str) -> None:
        """Write the weights of a published file as a file of the user's own; the name as for `add`."""

        def convert(progress: Progress) -> Card:
            return convert_model(path, target, name=name or None, progress=progress)

        def done(card: Card) -> None:
            self._note(
                tr(
                    "Weights of {model}, {bytes:,.1f} MB, lie in {target}; nothing was added.",
                    model=card.model,
                    bytes=card.weights.bytes / 1e6,
                    target=target,
                )
            )

        self._run(tr("Converting {name}", name=path.name), convert, done=done)

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

        self._run(tr("Asking for {name}", name=name), ask_server, done=self._ask_to_fetch)

    def _ask_to_fetch(self, offer: Offer) -> None:
        spec, size = offer.spec, tr("{bytes:,.1f} MB", bytes=offer.bytes / 1e6)
        begun = (
            tr(", of which {arrived:,.1f} MB are here already", arrived=offer.arrived / 1e6) if offer.arrived else ""
        )
        text = tr(
            "Download {title}, {size}{begun}? {needed_bytes:,.0f} MB of disk space are "
            "needed meanwhile.{takes}\n\nFrom: {address}\nLicence of the weights: {licence}",
            title=spec.title,
            size=size,
            begun=begun,
            needed_bytes=offer.needed_bytes / 1e6,
            takes=_takes(offer.expected_seconds, spec),
            address=offer.answer.address,
            licence=spec.licence,
        )
        if offer.is_changed:
            text += tr("\n\nThis is not the file that was fetched the first time: its publisher has replaced it.")
        if spec.asks:
            text += tr("\n\nDoes that licence allow what you do with them?")
        answers = [(tr("Yes, download") if spec.asks else tr("Download"), partial(self._fetch, offer))]
        ask(self.dialog or self._window, "download", tr("Download weights"), text, answers, hesitates=bool(spec.asks))

    def _fetch(self, offer: Offer) -> None:
        name = offer.spec.name
        if offer.spec.asks and name not in self._settings[LICENCES]:
            self._settings[LICENCES] = (*self._settings[LICENCES], name)

        def fetch(progress: Progress) -> Card:
            from core.models.hub import pull

            return pull(offer, progress=progress)

        self._run(tr("Downloading {name}", name=name), fetch, done=self._take)

    def _download_folder(self, name: str) -> None:
        def ask_server(progress: Progress) -> FolderOffer:
            from core.models.perspective_hub import look_folder

            return look_folder(name, progress=progress)

        self._run(tr("Asking for {name}", name=name), ask_server, done=self._ask_to_fetch_folder)

    def _ask_to_fetch_folder(self, offer: FolderOffer) -> None:
        if offer.is_here:
            self._note(tr("{name}: is here already.", name=offer.name))
            return
        begun = (
            tr(", of which {arrived:,.1f} MB are here already", arrived=offer.arrived / 1e6) if offer.arrived else ""
        )
        text = tr(
            "Download {name}, {bytes:,.1f} MB{begun}?\n\nIt says {task} ({architecture}) on "
            "perspective tiles.{takes}\nLicence of the weights: {licence}",
            name=offer.name,
            bytes=offer.bytes / 1e6,
            begun=begun,
            task=tr(offer.task),
            architecture=offer.folder.architecture,
            takes=_takes(offer.expected_seconds, offer.folder.spec()),
            licence=offer.licence,
        )
        if offer.asks:
            text += tr("\n\nDoes that licence allow what you do with them?")
        answers = [(tr("Yes, download") if offer.asks else tr("Download"), partial(self._fetch_folder, offer))]
        ask(self.dialog or self._window, "download", tr("Download weights"), text, answers, hesitates=offer.asks)

    def _fetch_folder(self, offer: FolderOffer) -> None:
        def fetch(progress: Progress) -> Path:
            from core.models.perspective_hub import pull_folder

            return pull_folder(offer, progress=progress)

        def done(_folder: Path) -> None:
            self._session.forget_model(offer.name)
            self._note(tr("{name}: added, {bytes:,.1f} MB.", name=offer.name, bytes=offer.bytes / 1e6))
            if self.dialog is not None:
                self.dialog.choose(offer.name)

        self._run(tr("Downloading {name}", name=offer.name), fetch, done=done)

    def verify(self, name: str) -> None:
        """Compare the weights of a model with what they were when they were added."""

        def done(card: Card) -> None:
            self._note(tr("{name}: as it was added, SHA-256 {sha256}", name=name, sha256=card.weights.sha256))

        self._run(tr("Comparing {name}", name=name), lambda progress: verify_model(name, progress=progress), done=done)

    def remove(self, name: str) -> None:
        """Delete the weights of a model."""

        def done(size: int) -> None:
            self._session.forget_model(name)
            self._note(tr("{name}: removed, {size:,.1f} MB are free again.", name=name, size=size / 1e6))

        self._run(tr("Removing {name}", name=name), lambda _progress: remove_model(name), done=done)

    def cancel(self) -> None:
        """Stop what is being done with weights; what was there before stays."""
        self._jobs.cancel(KEY)
        self._note(tr("Cancelled."))
        # In the same thread: what has been cancelled has come to its end by then.
        self.refresh(Lane.WEIGHTS)

    def set_folder(self, folder: Path | None) -> None:
        """Look for added weights in another folder from now on, or with None where they lie by default."""

        def done(_nothing: None) -> None:
            for spec in addable_models():
                self._session.forget_model(spec.name)

        self._run(
            tr("Changing the folder"),
            lambda _progress: write_places(replace(read_places(), folder=folder)),
            done=done,
        )

    def set_mirror(self, address: str) -> None:
        """Fetch weights from another server from now on, or with an empty address from the Hugging Face Hub."""
        self._run(
            tr("Changing the mirror"),
            lambda _progress: write_places(replace(read_places(), mirror=address)),
            done=lambda _nothing: None,
        )

    def open_folder(self) -> None:
        """Show the folder of the weights in the system's file manager; it is made when there is none yet."""

        def make(_progress: Progress) -> Path:
            make_folder(models_folder())
            return models_folder()

        def done(folder: Path) -> None:
            if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
                self._note(tr("There is no file manager that shows a folder; it is {folder}", folder=folder))

        self._jobs.run(tr("Opening the folder"), make, done=done, failed=self._fail, visible=False, outlives=True)

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


def _takes(seconds: float | None, spec: ModelSpec) -> str:
    """A sentence on what a model will take on this machine; none where nobody knows."""
    if seconds is None:
        return ""
    return tr(
        " Estimate for this processor: {expected_seconds:,.1f} s{each}{memory}.",
        expected_seconds=seconds,
        each="" if spec.tasks else tr(" for each view"),
        memory=tr(", {peak:.1f} GB of memory", peak=spec.peak_bytes / 1e9) if spec.peak_bytes else "",
    )
