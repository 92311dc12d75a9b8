"""Builds the parts of the window and connects them; the only file that knows them all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QByteArray, QEvent, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QDockWidget,
    QLabel,
    QLineEdit,
    QMainWindow,
    QVBoxLayout,
    QWidget,
)

from core.io.images import Assume
from core.panorama import Panorama
from core.pyramid import Pyramid
from panoviewer.actions import Menu, build_actions, set_keys, show_icons
from panoviewer.annotation_desk import AnnotationDesk
from panoviewer.comparison_desk import ACTIONS as COMPARISONS
from panoviewer.comparison_desk import ComparisonDesk
from panoviewer.diagnostics import SAMPLE
from panoviewer.dialogs.about import show_about, show_shortcuts
from panoviewer.dialogs.questions import ask
from panoviewer.dialogs.settings_dialog import SettingsDialog
from panoviewer.exporting import Exporting
from panoviewer.exposing import STEP, Exposing
from panoviewer.jobs import Job
from panoviewer.layering import Layering
from panoviewer.levelling import Levelling
from panoviewer.measuring import Measuring
from panoviewer.opengl import OpenGL
from panoviewer.opening import Opening
from panoviewer.panels.cloud_panel import CloudPanel
from panoviewer.panels.column import Column
from panoviewer.panels.exposure_panel import ExposurePanel
from panoviewer.panels.folder_panel import FolderPanel
from panoviewer.panels.inference_panel import InferencePanel, describe
from panoviewer.panels.layers_panel import LayersPanel
from panoviewer.panels.message_bar import HintStrip, MessageBar
from panoviewer.picture_saving import PictureSaving
from panoviewer.pointing import Pointing
from panoviewer.scaling import Scaling
from panoviewer.session import Session
from panoviewer.settings import (
    DEVICE,
    GEOMETRY,
    HINTS,
    LAYOUT,
    MODEL,
    TEXTURE_WIDTH,
    Settings,
)
from panoviewer.shortcuts import Shortcuts
from panoviewer.stage import Stage
from panoviewer.standing import Standing
from panoviewer.theme import icon
from panoviewer.tools.navigate_tool import NavigateTool
from panoviewer.tools.tool import Tool
from panoviewer.tools.toolbox import Toolbox
from panoviewer.translation import tr
from panoviewer.viewpoint import Viewpoint
from panoviewer.views.cloud_buffer import CloudBuffer
from panoviewer.views.overlay import Layer
from panoviewer.weight_keeping import WeightKeeping

TOLD_MS = 5000
TICK_MS = 1000
TITLE = "PanoViewer"
"""Name of the window while nothing is open."""


def sample_path() -> Path:
    """Where the bundled panorama is."""
    return Path(str(files("resources").joinpath(SAMPLE)))


class MainWindow(QMainWindow):
    """The window: panorama on top, look-around view and 3D below it, panels at the sides."""

    def __init__(self, session: Session, settings: Settings, opengl: OpenGL) -> None:
        super().__init__()
        self.session = session
        self.settings = settings
        self.viewpoint = Viewpoint(self)
        self._opengl = opengl
        self._read_only = ""
        self.setWindowTitle(TITLE)
        self.setWindowIcon(icon("panoviewer"))
        self.setAcceptDrops(True)
        self.resize(1480, 920)

        self.stage = Stage(opengl.reason, max_texture_width=settings[TEXTURE_WIDTH], background=self._in_background)
        self.pointing = Pointing(session.document, self.viewpoint, self.stage, self)
        self.navigate = NavigateTool(self.stage, self.viewpoint, self)
        self.toolbox = Toolbox(self.stage, self.navigate, self)
        self.inference = InferencePanel()
        self.inference.set_choices(settings[MODEL], settings[DEVICE])
        self.layers = LayersPanel()
        self.cloud_panel = CloudPanel()
        self.exposure_panel = ExposurePanel()
        self.folder = FolderPanel()
        self.messages = MessageBar()
        self.opening = Opening(session, settings, self.folder, self)
        self.exporting = Exporting(session, settings, self)
        self.pictures = PictureSaving(session, self.viewpoint, settings, self)
        self.weights = WeightKeeping(session, settings, self)
        self.desk = AnnotationDesk(
            self,
            session,
            settings,
            stage=self.stage,
            viewpoint=self.viewpoint,
            toolbox=self.toolbox,
            folder=self.folder,
            open_picture=self.opening.open,
            keeps=lambda path: path != sample_path(),
        )
        self.scaling = Scaling(session, self.inference, self.desk.saving, self)
        self.measuring = Measuring(
            session, self.stage, self.pointing, set_marks=self.desk.display.set_marks, parent=self
        )
        self.levelling = Levelling(
            session.document, self.desk.annotating, set_marks=self.desk.display.set_marks, parent=self
        )
        self.shortcuts = Shortcuts(settings, self)
        self.actions_by_name, menus = build_actions(self, self._handlers(), self.shortcuts.keys(), self.opening.recent)
        # Before others hear of it, who may lend keys.
        self.shortcuts.changed.connect(lambda: set_keys(self.actions_by_name, self.shortcuts.keys()))
        self._view_menu = menus[Menu.VIEW]
        self.desk.attach(self.actions_by_name)
        self.layering = Layering(
            session,
            settings,
            panel=self.layers,
            cloud_panel=self.cloud_panel,
            cloud=self.stage.cloud,
            actions=self.actions_by_name,
            parent=self,
        )
        self.standing = Standing(
            session,
            self.stage,
            self.viewpoint,
            self.pointing,
            panel=self.cloud_panel,
            action=self.actions_by_name["stand"],
            by_software=opengl.is_software,
            parent=self,
        )
        self.comparison = ComparisonDesk(
            session,
            settings,
            desk=self.desk,
            layering=self.layering,
            stage=self.stage,
            pointing=self.pointing,
            actions=self.actions_by_name,
            window=self,
        )
        self.exposure_text = QLabel()
        self.exposure_text.setAccessibleName(tr("Exposure"))
        self.exposing = Exposing(
            session,
            panel=self.exposure_panel,
            status=self.exposure_text,
            actions=self.actions_by_name,
            shortcuts=self.shortcuts,
            parent=self,
        )
        names = (
            (tr("estimates depth, normals and classes."), "depth"),
            (tr("shows the point cloud."), "cloud"),
            (tr("saves it."), "export"),
        )
        self.hints = HintStrip([(sentence, self.actions_by_name[name]) for sentence, name in names])
        self._arrange()
        self._connect()
        self._restore()

    # ----- building -----

    def _arrange(self) -> None:
        central = QWidget()
        layout = QVBoxLayout(central)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.messages)
        layout.addWidget(self.hints)
        layout.addWidget(self.desk.strip)
        layout.addWidget(self.measuring.strip)
        layout.addWidget(self.levelling.strip)
        layout.addWidget(self.comparison.bar)
        layout.addWidget(self.stage, 1)
        self.setCentralWidget(central)
        self.hints.hide()

        panel = QWidget()
        column = QVBoxLayout(panel)
        column.setContentsMargins(12, 6, 12, 12)
        sections = ((tr("Model"), self.inference, 0), (tr("Layers"), self.layers, 1), (tr("3D"), self.cloud_panel, 0))
        for title, widget, stretch in sections:
            heading = QLabel(title)
            heading.setObjectName("heading")
            column.addWidget(heading)
            column.addWidget(widget, stretch)
        column.insertWidget(column.indexOf(self.layers), self.exposure_panel)
        column.addStretch(0)
        right = Qt.DockWidgetArea.RightDockWidgetArea
        panel_dock = self._dock(tr("Layers and model"), "panel", Column(panel), right)
        segments_dock = self._dock(tr("Segments"), "segments", self.desk.panel, Qt.DockWidgetArea.RightDockWidgetArea)
        self.tabifyDockWidget(panel_dock, segments_dock)
        panel_dock.raise_()
        self.desk.tool_chosen.connect(segments_dock.raise_)
        self._film_dock = self._dock(
            tr("Views of the object"), "film", self.desk.film, Qt.DockWidgetArea.BottomDockWidgetArea
        )
        self._film_dock.hide()
        self.desk.film_wanted.connect(self._film_dock.setVisible)
        self._folder_dock = self._dock(tr("Folder"), "folder", self.folder, Qt.DockWidgetArea.LeftDockWidgetArea)
        self._folder_dock.hide()

        self.status = QLabel()
        self.status.setAccessibleName(tr("Under the cursor"))
        self.progress_text = QLabel()
        self.progress_text.setObjectName("quiet")
        # Decoders that say nothing until they are done shall not look dead.
        self._clock = QTimer(self)
        self._clock.setInterval(TICK_MS)
        self._clock.timeout.connect(self._show_jobs)
        self.badge = QLabel()
        self.badge.setObjectName("badge")
        self.badge.setAccessibleName(tr("Device"))
        self.statusBar().addWidget(self.status, 1)
        self.statusBar().addPermanentWidget(self.progress_text)
        self.statusBar().addPermanentWidget(self.exposure_text)
        self.statusBar().addPermanentWidget(self.badge)
        self.statusBar().setSizeGripEnabled(False)
        self._show_badge()

    def _dock(self, title: str, name: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(widget)
        dock.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetClosable | QDockWidget.DockWidgetFeature.DockWidgetMovable
        )
        self.addDockWidget(area, dock)
        self._view_menu.addAction(dock.toggleViewAction())
        return dock

    def _handlers(self) -> dict[str, Callable[..., object]]:
        return {
            "open": self.opening.choose_file,
            "open_folder": self.opening.choose_folder,
            "sample": lambda: self.open(sample_path()),
            "previous": lambda: self.opening.step(-1),
            "next": lambda: self.opening.step(1),
            "export": self.exporting.show,
            "save_panorama": self.pictures.save_panorama,
            "save_view": self.pictures.save_view,
            "settings": lambda: SettingsDialog(self.settings, self.shortcuts, self).open(),
            "quit": self.close,
            "run": lambda: self.layering.run(),  # noqa: PLW0108
            "models": self.weights.show,
            "cancel": self.session.jobs.cancel,
            **{name: partial(self._compare, name) for name in COMPARISONS},
            "photo": lambda: self.layering.show(None),
            "depth": lambda _on: self.layering.show(Layer.DEPTH),
            "normals": lambda _on: self.layering.show(Layer.NORMALS),
            "classes": lambda _on: self.layering.show(Layer.CLASSES),
            "cloud": self.show_cloud,
            "fit": self.stage.erp.fit,
            "home": self.look_home,
            "pixels": self.stage.erp.show_pixels,
            "zoom_back": self.viewpoint.zoom_back,
            # These are made after the actions.
            "stand": lambda on: self.standing.stand(stands=on),
            "reset_3d": lambda: self.standing.reset(),  # noqa: PLW0108
            "grid": lambda on: self.stage.erp.set_grid(visible=on),
            "brighter": lambda: self.exposing.brighten(STEP),
            "darker": lambda: self.exposing.brighten(-STEP),
            "exposure": lambda: self.exposing.set_exposure(0.0),
            "full_screen": lambda on: self.showFullScreen() if on else self.showNormal(),
            **self.desk.handlers(),
            "measure": lambda _on: self._use_measure(),
            "level": lambda _on: self._use(self.levelling.tool),
            "level_reset": self.levelling.reset,
            "shortcuts": lambda: show_shortcuts(self, self.shortcuts.keys()),
            "about": lambda: show_about(self, self._opengl),
        }

    def _connect(self) -> None:
        session = self.session
        self.opening.listed.connect(self._folder_dock.show)
        session.opened.connect(self._show_panorama)
        session.previewed.connect(self._show_preview)
        session.exposed.connect(self.stage.set_photo)
        session.preview_ended.connect(self._end_preview)
        session.predicted.connect(self._show_prediction)
        session.overlay_changed.connect(self.stage.set_overlay)
        session.cloud_built.connect(self._show_cloud_buffer)
        session.exported.connect(lambda path: self.messages.show_note(tr("Written: {path}", path=path)))
        session.failed.connect(self.messages.show_error)
        session.jobs.changed.connect(self._show_jobs)
        session.jobs.succeeded.connect(lambda job: self.messages.outdate(job.started))

        self.desk.noted.connect(self.messages.show_note)
        self.desk.failed.connect(self.messages.show_error)
        self.desk.told.connect(self._show_told)
        self.desk.read_only_changed.connect(self._show_read_only)

        self.pointing.told.connect(self.status.setText)
        self.comparison.noted.connect(self.messages.show_note)

        self.inference.run_requested.connect(self.layering.run)
        self.inference.cancel_requested.connect(session.jobs.cancel)
        self.inference.device_changed.connect(lambda name: self.settings.__setitem__(DEVICE, name))
        self.inference.model_changed.connect(lambda name: self.settings.__setitem__(MODEL, name))
        self.inference.model_changed.connect(self.weights.choose)
        self.weights.missing_changed.connect(self.inference.set_missing)
        self.weights.fetched_changed.connect(lambda names: self.inference.set_fetched(names, self.settings[MODEL]))
        self.settings.changed.connect(
            lambda _setting: self.inference.set_choices(self.settings[MODEL], self.settings[DEVICE])
        )
        self.measuring.length_typed.connect(self.scaling.set_length)
        session.document.level_changed.connect(self._show_level)
        self.pictures.noted.connect(self.messages.show_note)
        self.pictures.failed.connect(self.messages.show_error)
        self.scaling.noted.connect(self.messages.show_note)
        self.scaling.withdrawn.connect(self.messages.withdraw)
        self.scaling.scaled.connect(self.measuring.strip.show_scale)
        self.scaling.failed.connect(self.messages.show_error)
        self.toolbox.changed.connect(self._show_tool)
        self.hints.dismissed.connect(lambda: self.settings.__setitem__(HINTS, False))

    def _restore(self) -> None:
        if self.settings[GEOMETRY]:
            self.restoreGeometry(QByteArray(self.settings[GEOMETRY]))
        if self.settings[LAYOUT]:
            self.restoreState(QByteArray(self.settings[LAYOUT]))
            self._folder_dock.hide()
            self._film_dock.hide()

    # ----- opening -----

    def open(self, path: Path, assume: Assume | None = None) -> None:
        """Open a picture, or list a folder and open its first picture; see `Opening.open`."""
        self.opening.open(path, assume)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files and folders are welcome."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped; several files become the list."""
        event.acceptProposedAction()
        self.opening.open_all([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])

    def _show_panorama(self) -> None:
        panorama = self.session.document.panorama
        if panorama is None:
            return
        if not self.stage.previewing:
            self._look_first(panorama)
        self.stage.set_panorama(self.session.pyramid)
        self.messages.hide()
        path = panorama.path
        is_sample = path is not None and path == sample_path()
        self.hints.setVisible(is_sample and self.settings[HINTS])
        self._show_title()
        if path is not None and not is_sample:
            self.opening.remember(path)
        self.folder.set_current(path)
        self.desk.enter()

    def _show_preview(self, panorama: Panorama, pyramid: Pyramid) -> None:
        self.stage.preview(pyramid)
        self._look_first(panorama)
        self.setWindowTitle(
            TITLE if panorama.path is None else f"{tr('Opening {name}', name=panorama.path.name)} - {TITLE}"
        )

    def _end_preview(self) -> None:
        self.stage.end_preview()
        self.look_home()
        self._show_title()

    def _look_first(self, panorama: Panorama) -> None:
        self.viewpoint.set_cursor(None)
        self.viewpoint.reset(panorama.initial_view, panorama.level_from_world)

    def _show_title(self) -> None:
        panorama = self.session.document.panorama
        if panorama is None or panorama.path is None:
            self.setWindowTitle(TITLE)
        else:
            read_only = tr(", read only") if self._read_only else ""
            self.setWindowTitle(f"{panorama.path.name} ({panorama.width} × {panorama.height}{read_only}) - {TITLE}")

    def _show_read_only(self, sentence: str) -> None:
        """Say that nothing can be edited, as long as it is so."""
        if sentence:
            self.messages.show_note(sentence)
        elif self.messages.text == self._read_only:
            self.messages.hide()
        self._read_only = sentence
        self._show_title()

    # ----- looking -----

    def look_home(self) -> None:
        """Back to the first view."""
        panorama = self.session.document.panorama
        if panorama is not None:
            self.viewpoint.reset(panorama.initial_view, panorama.level_from_world)
            self.stage.erp.fit()

    # ----- tools -----

    def _use_measure(self) -> None:
        """Measure, or look around again."""
        self._use(self.measuring.tool)
        if self.toolbox.tool is self.measuring.tool:
            self.measuring.start()

    def _use(self, tool: Tool) -> None:
        """Use a tool; a second time looks around again."""
        self.toolbox.use(self.navigate if self.toolbox.tool is tool else tool)

    def _show_tool(self) -> None:
        for name, tool in (("measure", self.measuring.tool), ("level", self.levelling.tool)):
            self.actions_by_name[name].setChecked(self.toolbox.tool is tool)

    def _show_level(self) -> None:
        """The panorama is held in another pose."""
        panorama = self.session.document.panorama
        if panorama is not None:
            self.viewpoint.set_level(panorama.level_from_world)
        self.pointing.refresh()
        self.measuring.refresh()

    # ----- keys of the tool -----

    def event(self, event: QEvent) -> bool:
        """Keep keys that the tool takes from the shortcuts, and Esc from all of them while something is typed."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            is_taken = event.key() == Qt.Key.Key_Escape if self._is_typing() else self.toolbox.takes(event)
            if is_taken:
                event.accept()
                return True
        if event.type() == QEvent.Type.WindowDeactivate:
            self.toolbox.let_go()
        if event.type() == QEvent.Type.WindowActivate:
            self.desk.saving.look_at_disk()
            self.weights.refresh()
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Hand what no view had a use for to the tool; Enter and Esc first of all leave a field for the views."""
        if self._is_typing():
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape):
                self.stage.erp.setFocus()
        elif not self.toolbox.press(event):
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Hand it to the tool."""
        if not self.toolbox.release(event):
            super().keyReleaseEvent(event)

    def _is_typing(self) -> bool:
        return isinstance(self.focusWidget(), (QLineEdit, QAbstractSpinBox))

    # ----- model and cloud -----

    def show_cloud(self) -> None:
        """Have the point cloud built."""
        if not self.stage.cloud.available:
            self.messages.show_note(tr("There is no OpenGL for the 3D view; the point cloud can still be exported."))
        self.session.want_cloud()

    def _show_prediction(self) -> None:
        self.inference.set_prediction(self.session.document.prediction)
        self._show_badge()
        self.pointing.refresh()

    def _show_badge(self) -> None:
        prediction = self.session.document.prediction
        if prediction is None:
            self.badge.setText(tr("model not run"))
            self.badge.setToolTip(tr("After a run: the device that it really used."))
        else:
            self.badge.setText(f"{prediction.device.upper()}  {prediction.seconds:.1f} s")
            ran = tr(
                "{model} ran on {device} in {seconds:.1f} s.",
                model=prediction.model,
                device=prediction.device,
                seconds=prediction.seconds,
            )
            self.badge.setToolTip("\n".join((ran, *prediction.notes)))

    def _compare(self, name: str, *on: bool) -> None:
        # What compares is made after the actions.
        self.comparison.handlers()[name](*on)

    def _show_cloud_buffer(self, buffer: CloudBuffer | None) -> None:
        self.stage.cloud.set_cloud(buffer, keep_view=buffer is not None)
        self.cloud_panel.set_buffer(buffer)
        self.layering.color_cloud()

    # ----- the rest -----

    @property
    def settled(self) -> bool:
        """True when nothing runs and everything is on the screen."""
        return self.session.jobs.idle and self.stage.settled

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save the annotations, remember where the window was and stop all work."""
        if self.desk.put_off_closing(self.close):
            event.ignore()
            return
        problem = self.desk.finish()
        if problem:
            event.ignore()
            answers = [(tr("Close without saving"), self._close_unsaved)]
            ask(self, "unsaved", tr("The annotations could not be saved"), problem, answers, otherwise=tr("Stay"))
            return
        self.settings[GEOMETRY] = bytes(self.saveGeometry().data())
        self.settings[LAYOUT] = bytes(self.saveState().data())
        self.hide()
        self.session.close()
        self.stage.release()
        super().closeEvent(event)

    def _close_unsaved(self) -> None:
        self.desk.give_up()
        self.close()

    def _show_told(self, sentence: str) -> None:
        if self.toolbox.tool is self.navigate and sentence:
            self.statusBar().showMessage(sentence, TOLD_MS)

    def show_icons(self) -> None:
        """Draw the icons in the colours of another theme."""
        show_icons(self.actions_by_name)

    def _show_jobs(self) -> None:
        jobs: list[Job] = self.session.jobs.visible()
        self.inference.set_jobs(jobs)
        self.progress_text.setText(describe(jobs[-1]) if jobs else "")
        if bool(jobs) != self._clock.isActive():
            (self._clock.start if jobs else self._clock.stop)()
        self.actions_by_name["cancel"].setEnabled(bool(jobs))

    def _in_background(
        self,
        work: Callable[[], NDArray[np.uint8]],
        done: Callable[[NDArray[np.uint8]], None],
        failed: Callable[[], None],
    ) -> None:
        # Whoever draws waits for its picture, whatever is open by then, before it draws the next one.
        self.session.jobs.run(
            tr("Drawing"),
            lambda _progress: work(),
            done=done,
            failed=lambda _error: failed(),
            visible=False,
            outlives=True,
        )
