"""Choosing what of the points is written, and as what; the 3D view shows each choice before anything is."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from core.cloud import ENU, FRAME_NAMES, CloudOptions, PointCloud
from core.export import Exporter, files_of
from core.export.geometry import GEOMETRY, find_geometry
from core.geometry.edges import EdgeFilter
from core.mesh import DEFAULT_MESH, MIN_TEXTURE, MIN_TRIANGLES, Mesh, MeshOptions
from panoviewer.dialogs.questions import ask
from panoviewer.panels.number_field import NumberField
from panoviewer.translation import mark, tr

FRAME_TITLES = {
    "z-up": mark("z up (CloudCompare, Blender)"),
    "opencv": mark("OpenCV: y down, z forward"),
    "gltf": mark("glTF: y up, z backward"),
    "ros": mark("ROS: x forward, z up"),
    "enu": mark("ENU: x east, y north, z up"),
}
NO_HEADING = mark("The photograph's metadata do not say where north is.")
SETTLE_MS = 200
"""A spin box that is turned asks for one new cloud, not for one per step."""


class ExportDialog(QDialog):
    """Edits `CloudOptions` beside the main window, which stays usable.

    Signals:
        options_changed(object): The user wants these `CloudOptions`.
        write_requested(object, str): Write the cloud to this `Path` in this frame.
    """

    options_changed = Signal(object)
    write_requested = Signal(object, str)

    def __init__(
        self, options: CloudOptions, suggested: Path, parent: QWidget | None = None, *, has_heading: bool = False
    ) -> None:
        """Make the dialog.

        Args:
            options: What it begins with.
            suggested: The file that it suggests, without the format's ending.
            parent: Its parent.
            has_heading: Whether it is known where north is.
        """
        super().__init__(parent)
        self.setWindowTitle(tr("Export points or mesh"))
        self.setModal(False)
        self.setMinimumWidth(400)
        self._options = options
        self._suggested = suggested
        self._cloud: PointCloud | None = None
        self._chosen_frame = FRAME_NAMES[0]
        self._format = QComboBox()
        for exporter in GEOMETRY:
            self._format.addItem(tr(exporter.title), exporter.suffix)
        self._frame = QComboBox()
        for name in FRAME_NAMES:
            if name != ENU or has_heading:
                self._frame.addItem(tr(FRAME_TITLES.get(name, name)), name)
        if not has_heading:
            self._frame.setToolTip(tr("East and north cannot be chosen. {why}", why=tr(NO_HEADING)))
        self._min = _metres(tr("from the camera on"))
        self._max = _metres(tr("without limit"))
        self._edges = QCheckBox(tr("Leave out points between surfaces"))
        self._edges.setToolTip(
            tr("Where a near surface ends in front of a far one, depth has values that are neither.")
        )
        self._angle = NumberField(minimum=0.5, maximum=45.0, singleStep=0.5, decimals=1, suffix="°")
        self._angle.setToolTip(tr("Surfaces that are seen at a smaller angle than this are suspected."))
        self._jump = NumberField(minimum=0.0, maximum=50.0, singleStep=0.5, decimals=1, suffix=" %")
        self._jump.setToolTip(tr("Points that differ from both neighbours by more than this share are suspected."))
        self._stride = _Stride(minimum=1, maximum=64)
        # Or the 3 of '3ft' would count before the rest is there.
        self._stride.setKeyboardTracking(False)
        self._stride.setToolTip(tr("Take only every n-th row and column of pixels."))
        self._voxel = NumberField(minimum=0.0, maximum=1000.0, singleStep=1.0, decimals=1, suffix=" cm")
        self._voxel.setSpecialValueText(tr("off"))
        self._voxel.setToolTip(tr("Average all points in each cube of this edge length into one."))
        self._triangles = NumberField(minimum=MIN_TRIANGLES, maximum=50_000_000, decimals=0, singleStep=100_000)
        self._triangles.setValue(DEFAULT_MESH.triangles)
        self._triangles.setToolTip(tr("Rows and columns are left out until there are no more triangles than this."))
        self._texture = NumberField(minimum=MIN_TEXTURE, maximum=32768, decimals=0, singleStep=1024, suffix=" px")
        self._texture.setValue(DEFAULT_MESH.texture_width)
        self._texture.setToolTip(tr("A wider photograph is brought to this width."))
        self._raw_pose = QCheckBox(tr("Keep the photograph's own tilt"))
        self._raw_pose.setToolTip(tr("By default the cloud stands upright as the photograph's metadata say."))
        self._count = QLabel()
        self._count.setObjectName("count")

        form = QFormLayout()
        form.addRow(tr("Format"), self._format)
        form.addRow(tr("Frame"), self._frame)
        form.addRow(tr("Nearest"), self._min)
        form.addRow(tr("Farthest"), self._max)
        form.addRow(tr("Edges"), self._edges)
        form.addRow(tr("Grazing angle"), self._angle)
        form.addRow(tr("Relative jump"), self._jump)
        form.addRow(tr("Density"), self._stride)
        form.addRow(tr("Cubes"), self._voxel)
        form.addRow(tr("Triangles"), self._triangles)
        form.addRow(tr("Texture"), self._texture)
        form.addRow(tr("Pose"), self._raw_pose)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self._write = QPushButton(tr("Save…"))
        self._write.setObjectName("primary")
        self._write.setDefault(True)
        buttons.addButton(self._write, QDialogButtonBox.ButtonRole.AcceptRole)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self._count)
        layout.addWidget(buttons)

        self._timer = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._timer.timeout.connect(self._emit)
        self._show_options()
        self.set_cloud(None)
        for box in (self._min, self._max, self._angle, self._jump, self._stride, self._voxel):
            box.valueChanged.connect(self._later)
        for check in (self._edges, self._raw_pose):
            check.toggled.connect(self._later)
        self._format.currentIndexChanged.connect(self._show_format)
        self._frame.activated.connect(lambda place: self.set_frame(self._frame.itemData(place)))
        self._triangles.valueChanged.connect(self._show_count)
        self._write.clicked.connect(self._choose_file)
        buttons.rejected.connect(self.close)
        self._show_format()

    @property
    def exporter(self) -> Exporter:
        """The chosen format."""
        return GEOMETRY[self._format.currentIndex()]

    def set_format(self, suffix: str) -> None:
        """Choose a format by its ending; one that there is not leaves the choice as it is."""
        place = self._format.findData(suffix)
        if place >= 0:
            self._format.setCurrentIndex(place)

    def mesh_options(self) -> MeshOptions:
        """How fine a mesh is to be."""
        return MeshOptions(int(self._triangles.value()), int(self._texture.value()))

    @property
    def frame(self) -> str:
        """The chosen frame, one of `FRAME_NAMES`, whether or not the format takes it."""
        return self._chosen_frame

    def set_frame(self, name: str) -> None:
        """Choose a frame; one that there is not leaves the choice as it is."""
        if self._frame.findData(name) >= 0:
            self._chosen_frame = name
            self._show_format()

    def options(self) -> CloudOptions:
        """What the controls say."""
        edges = None
        if self._edges.isChecked():
            edges = EdgeFilter(min_angle_deg=self._angle.value(), min_jump=round(self._jump.value() / 100, 6))
        return replace(
            self._options,
            min_range=self._min.value() if self._is_nearest_used() else 0.0,
            max_range=self._farthest(),
            edges=edges,
            stride=self._stride.value(),
            voxel=round(self._voxel.value() / 100, 6) or None,
            raw_pose=self._raw_pose.isChecked(),
        )

    def _farthest(self) -> float:
        return self._max.value() or math.inf

    def _is_nearest_used(self) -> bool:
        """Whether something is left between the nearest and the farthest range."""
        return self._min.value() < self._farthest()

    def set_cloud(self, cloud: PointCloud | None) -> None:
        """Say how many points the choices leave."""
        self._cloud = cloud
        self._show_count()

    def _show_count(self) -> None:
        cloud = self._cloud
        known = cloud is not None and cloud.options == self.options()
        self._write.setEnabled(known and cloud is not None and len(cloud) > 0)
        if cloud is None or not known:
            self._count.setText(tr("Counting…"))
            return
        unit = "" if cloud.is_metric else tr(", relative scale")
        ignored = "" if self._is_nearest_used() else tr("\nNearest does not count: it must be below farthest.")
        mesh = (
            tr(", a mesh of at most {value:,} triangles", value=int(self._triangles.value()))
            if self.exporter.kind is Mesh
            else ""
        )
        self._count.setText(
            tr("{count:,} points{mesh}{unit}{ignored}", count=len(cloud), mesh=mesh, unit=unit, ignored=ignored)
        )

    def _show_format(self) -> None:
        """What does not concern the format cannot be chosen."""
        is_mesh = self.exporter.kind is Mesh
        for box, concerned in (
            (self._triangles, is_mesh),
            (self._texture, is_mesh),
            (self._voxel, not is_mesh),
            (self._frame, len(self.exporter.frames) > 1),
        ):
            box.setEnabled(concerned)
        # A format with a frame of its own shows it, and gives the chosen one back when another format is chosen.
        frames = self.exporter.frames
        self._frame.setCurrentIndex(self._frame.findData(self.frame if self.frame in frames else frames[0]))
        self._show_count()

    def _show_options(self) -> None:
        options, edges = self._options, self._options.edges
        boxes = (self._min, self._max, self._edges, self._angle, self._jump, self._stride, self._voxel, self._raw_pose)
        blockers = [QSignalBlocker(box) for box in boxes]
        self._min.setValue(options.min_range)
        self._max.setValue(options.max_range if math.isfinite(options.max_range) else 0.0)
        self._edges.setChecked(edges is not None)
        shown = edges or EdgeFilter()
        self._angle.setValue(shown.min_angle_deg)
        self._jump.setValue(100 * shown.min_jump)
        self._stride.setValue(options.stride)
        self._voxel.setValue(100 * (options.voxel or 0.0))
        self._raw_pose.setChecked(options.raw_pose)
        for blocker in blockers:
            blocker.unblock()
        self._angle.setEnabled(edges is not None)
        self._jump.setEnabled(edges is not None)

    def _later(self) -> None:
        self._angle.setEnabled(self._edges.isChecked())
        self._jump.setEnabled(self._edges.isChecked())
        self._write.setEnabled(False)
        self._count.setText(tr("Counting…"))
        self._timer.start()

    def _emit(self) -> None:
        self.options_changed.emit(self.options())

    def _choose_file(self) -> None:
        """Ask where to, without blocking the window."""
        filters = {f"{exporter.title} (*{exporter.suffix})": exporter.suffix for exporter in GEOMETRY}
        chosen = next(name for name, suffix in filters.items() if suffix == self.exporter.suffix)
        dialog = QFileDialog(self, tr("Save points or mesh"), str(self._suggested.parent))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(list(filters))
        dialog.selectNameFilter(chosen)
        dialog.selectFile(self._suggested.name + self.exporter.suffix)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def write(name: str) -> None:
            path, asked = Path(name), [Path(name)]
            if path.suffix.lower() not in filters.values():
                path, asked = path.with_name(path.name + filters[dialog.selectedNameFilter()]), []
            # The file dialog has asked about the name as it was typed, and about that file only.
            taken = [file for file in files_of(find_geometry(path), path) if file not in asked and file.exists()]
            write_it = partial(self.write_requested.emit, path, self.frame)
            if not taken:
                write_it()
                return
            names = ", ".join(file.name for file in taken)
            text = (
                tr("{name} is there already. Replace it?", name=names)
                if len(taken) == 1
                else tr("{names} are there already. Replace them?", names=names)
            )
            ask(self, "replace", tr("Replace the file?"), text, [(tr("Replace"), write_it)])

        dialog.fileSelected.connect(write)
        dialog.open()


class _Stride(QSpinBox):
    """A number that reads "every pixel", "every 2nd pixel", "every 3rd pixel"."""

    def textFromValue(self, value: int) -> str:
        """The number as one says it."""
        if value == 1:
            return tr("every pixel")
        endings = {1: "st", 2: "nd", 3: "rd"}
        return tr(
            "every {value}{ending} pixel",
            value=value,
            ending="th" if value // 10 == 1 else endings.get(value % 10, "th"),
        )

    def valueFromText(self, text: str) -> int:
        """The digits in a text; without any it is every pixel."""
        return int("".join(letter for letter in text if letter.isdigit()) or 1)

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """The digits of a number within the limits, or what is said of one: the 3 of "3ft" is no number."""
        value = self.valueFromText(text)
        is_said = text.strip() in (str(value), self.textFromValue(value))
        inside = is_said and self.minimum() <= value <= self.maximum()
        return (QValidator.State.Acceptable if inside else QValidator.State.Intermediate), text, position


def _metres(special: str) -> NumberField:
    box = NumberField(minimum=0.0, maximum=10_000.0, singleStep=0.5, decimals=2, suffix=" m")
    box.setSpecialValueText(special)
    return box
