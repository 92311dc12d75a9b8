"""The catalogue of models as a window: what there is, what it may be used for, where its weights lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QLabel,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core.models.checkpoints import SAFE_SUFFIX, TORCH_SUFFIXES
from core.models.facts import ModelFacts
from core.models.perspective_folder import is_hub_name
from core.models.places import Places, default_folder
from panoviewer.dialogs.questions import ask
from panoviewer.jobs import Job
from panoviewer.panels.inference_panel import describe
from panoviewer.panels.message_bar import MessageBar
from panoviewer.translation import mark, tr

COLUMNS = (
    mark("Model"),
    mark("For"),
    mark("Parameters"),
    mark("Size"),
    mark("Weights"),
    mark("Licence"),
    mark("Time"),
    mark("Memory"),
)
TIPS = (
    "",
    mark("What it estimates"),
    mark("Numbers that the network holds"),
    mark("Of the file of weights; ≈ where it is not here yet"),
    mark("Whether they come with the program, were added, or are not there"),
    mark("Of the weights; open the line for the whole of it"),
    mark("Estimate of one prediction on this processor; of networks for clicks, of one view"),
    mark("That one prediction took on a processor"),
)
STATES = {"bundled": mark("bundled"), "added": mark("added"), "missing": mark("missing")}
MOST_LICENCE = 34
"""Characters of a licence in the table; all of it stands below."""
UNKNOWN = "–"


class ModelsDialog(QDialog):
    """Shows `ModelFacts` and asks for what is to be done with weights; does nothing itself. Not modal.

    Signals:
        add_requested(object, str): Take over the weights of the file at this `Path`, of the model of this name; an
            empty name for whichever it belongs to.
        convert_requested(object, object, str): Write the weights of the file at the first `Path` to the second one, and
            add nothing; the name as for `add_requested`.
        download_requested(str): Fetch the weights of this model from where they are published; or a perspective network
            by its name in the hub.
        verify_requested(str): Compare the weights of this model with what they were.
        remove_requested(str): Delete the weights of this model; the user has confirmed it.
        folder_requested: Show the folder of the weights.
        folder_chosen(object): Added weights shall lie in the folder at this `Path`, or with None where they lie by
            default.
        mirror_chosen(str): Weights shall be fetched from this address; an empty one for the Hugging Face Hub.
        cancel_requested: Stop what is being done.
    """

    add_requested = Signal(object, str)
    convert_requested = Signal(object, object, str)
    download_requested = Signal(str)
    verify_requested = Signal(str)
    remove_requested = Signal(str)
    folder_requested = Signal()
    folder_chosen = Signal(object)
    mirror_chosen = Signal(str)
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("models")
        self.setWindowTitle(tr("Models"))
        self.setModal(False)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._facts: tuple[ModelFacts, ...] = ()
        self._places = Places()
        self._wanted = ""
        self._is_busy = False
        self.messages = MessageBar()
        self._folder = QLabel()
        self._folder.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._open = QPushButton(tr("Open folder"))
        self._change = QPushButton(tr("Change…"))
        self._change.setToolTip(tr("Look for weights in another folder, and add them there. None are moved."))
        self._reset = QPushButton(tr("Standard folder"))
        self._mirror = QPushButton(tr("Mirror…"))
        self._mirror.setToolTip(tr("Fetch weights from another server than the Hugging Face Hub."))
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setObjectName("models")
        self.table.setAccessibleName(tr("Models"))
        for column, (title, tip) in enumerate(zip(COLUMNS, TIPS, strict=True)):
            heading = QTableWidgetItem(tr(title))
            heading.setToolTip(tr(tip))
            self.table.setHorizontalHeaderItem(column, heading)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setTabKeyNavigation(False)  # or Tab goes through all of the cells before it comes to a button
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setSectionResizeMode(COLUMNS.index("Model"), QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setHighlightSections(False)
        self.details = QLabel(wordWrap=True)
        self.details.setTextFormat(Qt.TextFormat.RichText)
        self.details.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.details.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.details.setMinimumHeight(7 * self.details.fontMetrics().lineSpacing())
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._status = QLabel()
        self._status.setObjectName("quiet")
        self.cancel = QPushButton(tr("Cancel"))
        self.add = QPushButton(tr("Add file…"))
        self.add.setToolTip(
            tr("Take over the weights of a published file. Nothing in it is run, and every entry is checked.")
        )
        self.download = QPushButton(tr("Download…"))
        self.download.setToolTip(
            tr("Ask the server how large the published file is, and fetch it if you then want it.")
        )
        self.by_name = QPushButton(tr("Download by name…"))
        self.by_name.setToolTip(
            tr("A network for perspective pictures from the Hugging Face Hub: licence, size and time are told first.")
        )
        self.verify = QPushButton(tr("Verify"))
        self.verify.setToolTip(tr("Compare the weights with what they were when they were added."))
        self.remove = QPushButton(tr("Remove…"))
        self.remove.setToolTip(tr("Delete weights that were added."))
        self.convert = QPushButton(tr("Convert file…"))
        self.convert.setToolTip(
            tr("Write the weights of a published file as checked safetensors where you want them, and add nothing.")
        )
        close = QPushButton(tr("Close"))
        self._buttons = QHBoxLayout()
        for button in (self.add, self.download, self.by_name, self.verify, self.remove, self.convert):
            self._buttons.addWidget(button)
        self._buttons.addStretch(1)
        self._buttons.addWidget(close)
        for button in (
            self._open,
            self._change,
            self._reset,
            self._mirror,
            self.cancel,
            self.add,
            self.download,
            self.by_name,
            self.verify,
            self.remove,
            self.convert,
            close,
        ):
            button.setAutoDefault(False)
        top = QHBoxLayout()
        top.addWidget(self._folder, 1)
        for button in (self._open, self._change, self._reset, self._mirror):
            top.addWidget(button)
        work = QHBoxLayout()
        work.addWidget(self._progress, 1)
        work.addWidget(self._status)
        work.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.addWidget(self.messages)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.details)
        layout.addLayout(work)
        layout.addLayout(self._buttons)
        self.resize(1120, 520)
        # Up and down choose a model at once.
        self.table.setFocus()

        self.table.itemSelectionChanged.connect(self._show_choice)
        self._open.clicked.connect(self.folder_requested)
        self._change.clicked.connect(self._choose_folder)
        self._reset.clicked.connect(lambda: self.folder_chosen.emit(None))
        self._mirror.clicked.connect(self._ask_for_mirror)
        self.cancel.clicked.connect(self.cancel_requested)
        self.add.clicked.connect(self._choose_file)
        self.download.clicked.connect(lambda: self.download_requested.emit(self.chosen_name))
        self.by_name.clicked.connect(self._ask_for_name)
        self.verify.clicked.connect(lambda: self.verify_requested.emit(self.chosen_name))
        self.remove.clicked.connect(self._ask_to_remove)
        self.convert.clicked.connect(self._choose_file_to_convert)
        close.clicked.connect(self.close)
        self.set_job(None)
        self._show_choice()

    @property
    def chosen(self) -> ModelFacts | None:
        """What is told of the model whose line is selected."""
        rows = self.table.selectionModel().selectedRows()
        return self._facts[rows[0].row()] if rows else None

    @property
    def chosen_name(self) -> str:
        """Its name; empty when no line is selected."""
        return "" if self.chosen is None else self.chosen.spec.name

    def choose(self, name: str) -> None:
        """Select the line of a model, now or as soon as there is one."""
        self._wanted = name
        for row, facts in enumerate(self._facts):
            if facts.spec.name == name:
                self.table.selectRow(row)
                self._wanted = ""

    def set_facts(self, facts: Sequence[ModelFacts], folder: Path, places: Places) -> None:
        """Show these models.

        Args:
            facts: One line each.
            folder: Where added weights lie.
            places: What the user has chosen of that.
        """
        chosen = self._wanted or self.chosen_name
        self._facts = tuple(facts)
        self._places = places
        self._folder.setText(
            tr("Added weights lie in {folder}, fetched from {mirror}", folder=folder, mirror=places.mirror)
            if places.mirror
            else tr("Added weights lie in {folder}", folder=folder)
        )
        self._reset.setVisible(folder != default_folder())
        self.table.setRowCount(len(facts))
        for row, one in enumerate(facts):
            for column, text in enumerate(_cells(one)):
                item = QTableWidgetItem(text)
                item.setToolTip(one.spec.licence if column == COLUMNS.index("Licence") else text)
                self.table.setItem(row, column, item)
        self.choose(chosen)
        if self.chosen is None:
            self.table.selectRow(0)
        self._show_choice()

    def set_job(self, job: Job | None) -> None:
        """Show what is being done with weights, or that nothing is."""
        self._is_busy = job is not None
        for widget in (self._progress, self._status, self.cancel):
            widget.setVisible(self._is_busy)
        if job is not None:
            self._progress.setRange(0, 1000 if job.fraction > 0 else 0)
            self._progress.setValue(round(job.fraction * 1000))
            self._status.setText(describe(job))
        self._enable()

    def _show_choice(self) -> None:
        chosen = self.chosen
        self.details.setText(
            tr("Select a model to see all that is known of it.") if chosen is None else _details(chosen)
        )
        self._enable()

    def _enable(self) -> None:
        chosen = self.chosen
        is_added = chosen is not None and chosen.state == "added"
        is_offered = chosen is not None and chosen.state == "missing" and chosen.spec.hub is not None
        for button in (self.add, self.by_name, self.convert):
            button.setEnabled(not self._is_busy)
        self.download.setEnabled(is_offered and not self._is_busy)
        for button in (self.verify, self.remove):
            button.setEnabled(is_added and not self._is_busy)

    def _choose_file(self) -> None:
        self._ask_for_file(self.add_requested.emit)

    def _choose_file_to_convert(self) -> None:
        self._ask_for_file(self._choose_target)

    def _ask_for_file(self, take: Callable[[Path, str], object]) -> None:
        """Let the user choose a published file; `take` gets it, and the name of the model of the selected line."""
        chosen = self.chosen
        # Two models may have files with the same entries; a selected line says which is meant.
        name = "" if chosen is None or chosen.spec.is_bundled else chosen.spec.name
        of = "" if chosen is None or not name else tr(" of {title}", title=chosen.spec.title)
        dialog = QFileDialog(self, tr("The published file{of}", of=of))
        dialog.setObjectName("weights_file")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        patterns = " ".join(f"*{suffix}" for suffix in (*TORCH_SUFFIXES, SAFE_SUFFIX))
        dialog.setNameFilters([tr("Weights ({patterns})", patterns=patterns), tr("All files (*)")])
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: take(Path(path), name))
        dialog.open()

    def _choose_target(self, source: Path, name: str) -> None:
        dialog = QFileDialog(self, tr("Where the weights of {name} go", name=source.name), str(source.parent))
        dialog.setObjectName("weights_target")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(SAFE_SUFFIX.removeprefix("."))
        dialog.setNameFilter(tr("Weights ({patterns})", patterns=f"*{SAFE_SUFFIX}"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.convert_requested.emit(source, Path(path), name))
        dialog.open()

    def _ask_for_mirror(self) -> None:
        dialog = QInputDialog(self)
        dialog.setObjectName("mirror")
        dialog.setWindowTitle(tr("Mirror"))
        dialog.setLabelText(
            tr("Address of a server that stands in for the Hugging Face Hub; nothing for the Hub itself:")
        )
        dialog.setTextValue(self._places.mirror)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.textValueSelected.connect(lambda text: self.mirror_chosen.emit(text.strip()))
        dialog.open()

    def _ask_for_name(self) -> None:
        dialog = QInputDialog(self)
        dialog.setObjectName("hub_name")
        dialog.setWindowTitle(tr("Download by name"))
        dialog.setLabelText(tr("Name of a network for depth or ADE20K classes in the Hugging Face Hub, owner/name:"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.textValueSelected.connect(self._take_name)
        dialog.open()

    def _take_name(self, name: str) -> None:
        name = name.strip().removeprefix("https://huggingface.co/").strip("/")
        if is_hub_name(name):
            self.download_requested.emit(name)
        else:
            self.messages.show_error(
                tr("Expected the name of a network in the hub, such as owner/name, got: {name}", name=name[:80])
            )

    def _choose_folder(self) -> None:
        dialog = QFileDialog(self, tr("Folder for the weights of models"))
        dialog.setObjectName("weights_folder")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.folder_chosen.emit(Path(path).absolute()))
        dialog.open()

    def _ask_to_remove(self) -> None:
        chosen = self.chosen
        if chosen is not None:
            name, size = chosen.spec.name, _size(chosen.bytes)
            text = tr(
                "Delete the weights of {title}, {size}?\n\nTo have them again, add the published file.",
                title=chosen.spec.title,
                size=size,
            )
            answers = [(tr("Delete"), lambda: self.remove_requested.emit(name))]
            ask(self, "remove_weights", tr("Remove weights"), text, answers)


def _cells(facts: ModelFacts) -> tuple[str, ...]:
    spec = facts.spec
    licence = tr("non-commercial or unstated") if spec.asks else spec.licence
    if len(licence) > MOST_LICENCE:
        licence = licence[: MOST_LICENCE - 1] + "…"
    return (
        spec.title,
        ", ".join(tr(task) for task in facts.tasks),
        f"{spec.parameters / 1e6:,.1f} M" if spec.parameters else UNKNOWN,
        ("≈ " if facts.bytes is None and facts.likely_bytes else "") + _size(facts.likely_bytes),
        tr(STATES[facts.state]),
        licence,
        UNKNOWN if facts.expected_seconds is None else f"{facts.expected_seconds:.1f} s",
        _size(spec.peak_bytes or None),
    )


def _details(facts: ModelFacts) -> str:
    spec = facts.spec
    lines = [
        (tr("Name"), f"{spec.name}, {spec.title}"),
        (tr("Licence"), spec.licence + (tr(" - you will be asked before its first use") if spec.asks else "")),
        (tr("Source"), spec.source),
        (tr("File"), str(facts.file) if facts.state != "missing" else tr("expected at {file}", file=facts.file)),
    ]
    if facts.sha256 is not None:
        lines.append(("SHA-256", facts.sha256))
    if facts.state == "missing" and spec.hub is not None:
        lines.append((tr("Published"), tr("{file} of huggingface.co/{repo}", file=spec.hub.file, repo=spec.hub.repo)))
    rows = "".join(f"<tr><td><b>{title}</b>&nbsp;&nbsp;</td><td>{escape(text)}</td></tr>" for title, text in lines)
    return f"<table>{rows}</table>"


def _size(count: int | None) -> str:
    if count is None:
        return UNKNOWN
    return tr("{count:.2f} GB", count=count / 1e9) if count >= 1e9 else tr("{count:.1f} MB", count=count / 1e6)
