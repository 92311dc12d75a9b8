"""From the window to a file: the dialog, what it shows, and that the file is the command line's."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QPushButton
from window_samples import press, write_panorama

import core.models
from core.cloud import CloudOptions, PointCloud
from core.export import files_of
from core.export.geometry import GEOMETRY
from core.io.scene_file import annotation_path
from core.mask import SphereMask
from core.mesh import Mesh
from core.models import ModelSpec
from core.models.base import Task
from core.panorama import Panorama
from core.scene import Segment
from panoviewer import main_window as main_window_module
from panoviewer.cli import main
from panoviewer.dialogs.export_dialog import ExportDialog
from panoviewer.session import first_stride
from panoviewer.settings import FRAME, GEOMETRY_FORMAT, LAST_FOLDER

SPEC = ModelSpec(
    "pano-s", "Fake", tuple(Task), "fake_model:FakeModel", "pano_s.safetensors", source="tests", licence="none"
)


@pytest.fixture
def catalogue(monkeypatch):
    monkeypatch.setattr(core.models, "MODELS", (SPEC,))


CHOICES = [
    ((), lambda dialog: None, None),
    (
        ("--max-range", "4.2", "--stride", "2", "--frame", "ros", "--camera-height", "1.2"),
        lambda dialog: (dialog._max.setValue(4.2), dialog._stride.setValue(2), dialog.set_frame("ros")),
        1.2,
    ),
    (
        ("--min-range", "1.75", "--voxel", "0.1", "--raw-pose", "--keep-edges", "--frame", "opencv"),
        lambda dialog: (
            dialog._min.setValue(1.75),
            dialog._voxel.setValue(10.0),
            dialog._raw_pose.setChecked(True),
            dialog._edges.setChecked(False),
            dialog.set_frame("opencv"),
        ),
        None,
    ),
]


def test_a_first_visitor_exports_a_cloud_in_four_actions(make_main_window, settle, qtbot, tmp_path, monkeypatch):
    """The sample is open; 3D, Export, Save and the file dialog's own button are all it takes."""
    sample = write_panorama(tmp_path / "sample.png", 64)
    monkeypatch.setattr(main_window_module, "sample_path", lambda: sample)
    window = make_main_window()
    window.settings[LAST_FOLDER] = str(tmp_path)
    window.open(sample)
    settle(window)
    buttons = {button.text(): button for button in window.hints.findChildren(QPushButton)}
    QTest.mouseClick(buttons["4  3D"], Qt.MouseButton.LeftButton)
    settle(window)
    QTest.mouseClick(buttons["Ctrl+E  Export"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(window.exporting.dialog._write.isEnabled)
    QTest.mouseClick(window.exporting.dialog._write, Qt.MouseButton.LeftButton)
    dialog = window.exporting.dialog.findChild(QFileDialog)
    qtbot.waitUntil(dialog.isVisible)
    assert not dialog.isModal() or dialog.windowModality() == Qt.WindowModality.WindowModal
    with qtbot.waitSignal(window.session.exported):
        dialog.accept()
    assert (tmp_path / "sample.ply").stat().st_size > 100_000


@pytest.mark.parametrize(("flags", "choose", "height"), CHOICES)
@pytest.mark.parametrize("suffix", [".ply", ".npz"])
def test_the_exported_file_is_that_of_the_command_line(
    make_main_window, settle, qtbot, tmp_path, catalogue, flags, choose, height, suffix
):
    picture = write_panorama(tmp_path / "room.png")
    by_command, by_window = tmp_path / f"command{suffix}", tmp_path / f"window{suffix}"
    assert main(["cloud", str(picture), "-o", str(by_command), *flags]) == 0

    window = make_main_window()
    window.open(picture)
    settle(window)
    press(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    settle(window)
    dialog = window.exporting.dialog
    if height is not None:
        window.inference._height.setValue(height)
    choose(dialog)
    qtbot.waitUntil(dialog._write.isEnabled)
    settle(window)
    assert f"{len(window.session.document.cloud):,} points" in dialog._count.text()
    with qtbot.waitSignal(window.session.exported):
        dialog.write_requested.emit(by_window, dialog.frame)
    assert by_window.read_bytes() == by_command.read_bytes()
    assert str(by_window) in window.messages.text


def test_every_format_of_the_window_is_that_of_the_command_line(
    make_main_window, settle, qtbot, tmp_path, catalogue, monkeypatch
):
    picture = write_panorama(tmp_path / "room.png")
    window = make_main_window()
    window.open(picture)
    settle(window)
    press(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    settle(window)
    dialog = window.exporting.dialog
    dialog.set_frame("ros")
    dialog._triangles.setValue(700)
    dialog._texture.setValue(32)
    dialog._stride.setValue(2)
    qtbot.waitUntil(dialog._write.isEnabled)
    settle(window)
    for folder in ("command", "window"):
        (tmp_path / folder).mkdir()
    for exporter in GEOMETRY:
        dialog.set_format(exporter.suffix)
        flags = ["--stride", "2", *(("--frame", "ros") if len(exporter.frames) > 1 else ())]
        flags += ["--triangles", "700", "--texture", "32"] if exporter.kind is Mesh else []
        by_command, by_window = (tmp_path / folder / f"a{exporter.suffix}" for folder in ("command", "window"))
        assert main(["cloud", str(picture), "-o", str(by_command), *flags]) == 0
        with qtbot.waitSignal(window.session.exported):
            dialog.write_requested.emit(by_window, dialog.frame)
        for one, other in zip(files_of(exporter, by_command), files_of(exporter, by_window), strict=True):
            assert one.read_bytes() == other.read_bytes(), one.name
    assert window.settings[FRAME] == "ros", "that a glTF file has its own frame does not change the choice"
    assert window.settings[GEOMETRY_FORMAT] == ".obj"


def test_points_of_segments_bear_their_numbers_as_those_of_the_command_line(
    make_main_window, settle, qtbot, tmp_path, catalogue
):
    picture = write_panorama(tmp_path / "room.png")
    window = make_main_window()
    window.open(picture)
    settle(window)
    height, width = window.session.document.panorama.rgb.shape[:2]
    bits = np.zeros((height, width), bool)
    bits[height // 4 : height // 2, : width // 4] = True
    window.desk.annotating.add([Segment(1, SphereMask.pack(bits), "wall")])
    window.desk.saving.save()
    press(window, Qt.Key.Key_4)
    settle(window)
    by_command, by_window = tmp_path / "command.npz", tmp_path / "window.npz"
    assert main(["cloud", str(annotation_path(picture)), "-o", str(by_command)]) == 0
    with qtbot.waitSignal(window.session.exported):
        window.session.export_cloud(by_window, "z-up")
    assert by_window.read_bytes() == by_command.read_bytes()
    assert set(np.load(by_window)["segment_ids"]) == {-1, 1}


def test_the_dialog_offers_what_the_format_and_the_photograph_allow(qapp):
    dialog = ExportDialog(CloudOptions(), Path("room"))
    assert "enu" not in {dialog._frame.itemData(place) for place in range(dialog._frame.count())}
    assert not dialog._triangles.isEnabled()
    dialog.set_format(".glb")
    assert dialog._triangles.isEnabled()
    assert not dialog._voxel.isEnabled()
    assert not dialog._frame.isEnabled()
    assert dialog._frame.currentData() == "gltf"
    dialog.set_format(".laz")
    assert dialog._frame.isEnabled()
    assert dialog._voxel.isEnabled()
    assert dialog._frame.currentData() == dialog.frame == "z-up"
    dialog.set_format(".usd")
    assert dialog.exporter.suffix == ".laz"
    dialog.deleteLater()
    north = ExportDialog(CloudOptions(), Path("room"), has_heading=True)
    north.set_frame("enu")
    assert north.frame == "enu"
    north.deleteLater()


def test_a_file_has_the_newest_scale_even_before_the_cloud_is_shown_in_it(window, settle, qtbot, tmp_path):
    press(window, Qt.Key.Key_4)
    settle(window)
    session, document, shown = window.session, window.session.document, []

    def export():
        shown.append(document.cloud.camera_height)
        session.export_cloud(tmp_path / "cloud.npz", "opencv")

    document.prediction_changed.connect(export, Qt.ConnectionType.SingleShotConnection)
    with qtbot.waitSignal(session.exported):
        window.inference._height.setValue(3.2)
    settle(window)
    assert shown == [pytest.approx(1.6)]
    np.testing.assert_array_equal(np.load(tmp_path / "cloud.npz")["points"], document.cloud.points)
    assert document.cloud.camera_height == pytest.approx(3.2)


def test_the_filtered_cloud_is_shown_before_it_is_written(window, settle, qtbot, needs_opengl):
    press(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    settle(window)
    everything = window.stage.cloud.point_count
    window.exporting.dialog._max.setValue(2.0)
    qtbot.waitUntil(lambda: window.exporting.dialog._write.isEnabled() and window.stage.cloud.point_count < everything)
    reach = np.linalg.norm(window.session.buffer.positions, axis=1).max()
    assert reach <= 2.0
    assert window.session.document.cloud_options == CloudOptions(max_range=2.0)


def test_a_file_that_cannot_be_written_is_one_sentence(window, settle, qtbot, tmp_path):
    press(window, Qt.Key.Key_4)
    settle(window)
    window.session.export_cloud(tmp_path / "nowhere" / "cloud.ply", "z-up")
    qtbot.waitUntil(lambda: not window.messages.isHidden())
    assert "nowhere" in window.messages.text
    assert math.isinf(window.session.document.cloud_options.max_range)


@pytest.mark.parametrize(("width", "stride"), [(4096, 1), (8192, 1), (16384, 2), (32768, 4)])
def test_a_giant_photo_begins_with_fewer_points(width, stride):
    rgb = np.broadcast_to(np.zeros(3, np.uint8), (width // 2, width, 3))
    assert first_stride(Panorama(rgb)) == stride


def test_a_nearest_range_that_leaves_nothing_is_said_not_to_count(qapp):
    dialog = ExportDialog(CloudOptions(), Path("room.ply"))
    empty = PointCloud(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8))
    dialog._max.setValue(4.0)
    dialog._min.setValue(4.0)
    assert (dialog.options().min_range, dialog.options().max_range) == (0.0, 4.0)
    dialog.set_cloud(replace(empty, options=dialog.options()))
    assert dialog._count.text().endswith("Nearest does not count: it must be below farthest.")
    dialog._min.setValue(1.0)
    assert dialog.options().min_range == 1.0
    dialog.set_cloud(replace(empty, options=dialog.options()))
    assert "Nearest" not in dialog._count.text()
    dialog.deleteLater()
