"""Running the model in the window: layers, cloud, progress, cancel."""

import itertools
import threading

import numpy as np
import pytest
from PySide6.QtCore import Qt
from window_samples import press, shot, write_panorama

from panoviewer.jobs import Job
from panoviewer.panels.inference_panel import describe
from panoviewer.settings import DEVICE
from panoviewer.views.overlay import Layer


def predicted(window, settle):
    press(window, Qt.Key.Key_1)
    settle(window)
    assert window.session.document.prediction is not None


def test_the_first_key_runs_the_model_and_shows_the_depth(window, settle, fake_model):
    before = shot(window.stage.erp)
    predicted(window, settle)
    assert fake_model.runs == 1
    assert window.session.document.prediction.size == (256, 512)
    assert np.abs(shot(window.stage.erp) - before).mean() > 20
    assert window.actions_by_name["depth"].isChecked()
    assert window.badge.text().startswith("CPU")


def test_running_the_model_shows_the_depth_where_no_layer_shows_and_leaves_one_that_does(window, settle, fake_model):
    before = shot(window.stage.erp)
    press(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    settle(window)
    assert fake_model.runs == 1
    assert np.abs(shot(window.stage.erp) - before).mean() > 20
    assert window.actions_by_name["depth"].isChecked()
    press(window, Qt.Key.Key_2)
    settle(window)
    press(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    settle(window)
    assert fake_model.runs == 2
    assert window.layering.style.visible() == [Layer.NORMALS]


def test_the_other_keys_show_other_layers_without_running_again(window, settle, fake_model):
    predicted(window, settle)
    pictures = [shot(window.stage.perspective)]
    for key, layer in ((Qt.Key.Key_2, Layer.NORMALS), (Qt.Key.Key_3, Layer.CLASSES), (Qt.Key.Key_0, None)):
        press(window, key)
        settle(window)
        pictures.append(shot(window.stage.perspective))
        checked = [name for name in ("depth", "normals", "classes") if window.actions_by_name[name].isChecked()]
        assert checked == ([] if layer is None else [layer.value])
    for one, other in itertools.pairwise(pictures):
        assert np.abs(one - other).mean() > 10
    assert fake_model.runs == 1


def test_the_same_key_twice_shows_the_photo_again(window, settle):
    before = shot(window.stage.erp)
    predicted(window, settle)
    press(window, Qt.Key.Key_1)
    settle(window)
    assert np.abs(shot(window.stage.erp) - before).max() <= 2


def test_the_opacity_slider_fades_the_layer(window, settle):
    photo = shot(window.stage.erp)
    predicted(window, settle)
    window.layers._sliders[Layer.DEPTH].setValue(100)
    settle(window)
    full = shot(window.stage.erp)
    window.layers._sliders[Layer.DEPTH].setValue(50)
    settle(window)
    inside = np.s_[20:-20, 20:-20]
    mean = (photo[inside] + full[inside]) / 2
    assert np.percentile(np.abs(shot(window.stage.erp)[inside] - mean), 95) <= 3


def test_the_fourth_key_builds_the_cloud(window, settle, fake_model, needs_opengl):
    press(window, Qt.Key.Key_4)
    settle(window)
    cloud = window.session.document.cloud
    assert len(cloud) > 50_000
    assert window.stage.cloud.point_count > 0
    assert f"{len(cloud):,} points" in window.cloud_panel._count.text()
    picture = shot(window.stage.cloud)
    assert np.mean(np.abs(picture - picture[3, 3]).max(axis=-1) > 20) > 0.1
    assert fake_model.runs == 1


def test_a_result_for_a_closed_panorama_is_dropped(window, qtbot, settle, fake_model, tmp_path):
    fake_model.seconds = 20.0
    press(window, Qt.Key.Key_1)
    qtbot.waitUntil(lambda: fake_model.runs == 1)
    window.open(write_panorama(tmp_path / "other.png"))
    settle(window)
    qtbot.waitUntil(lambda: fake_model.stopped)
    assert window.session.document.prediction is None
    assert window.session.document.panorama.path.name == "other.png"
    assert not window.actions_by_name["depth"].isChecked()


def test_escape_cancels_at_once_and_stops_the_model(window, qtbot, fake_model):
    fake_model.seconds = 20.0
    press(window, Qt.Key.Key_1)
    qtbot.waitUntil(lambda: fake_model.runs == 1)
    press(window, Qt.Key.Key_Escape)
    assert window.session.jobs.visible() == []
    assert not window.inference._cancel.isEnabled()
    qtbot.waitUntil(lambda: fake_model.stopped)
    assert window.session.document.prediction is None
    assert window.messages.isHidden()


def test_a_layer_whose_estimate_was_cancelled_does_not_come_with_a_later_one(window, settle, qtbot, fake_model):
    fake_model.seconds = 20.0
    press(window, Qt.Key.Key_1)
    qtbot.waitUntil(lambda: fake_model.runs == 1)
    press(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: fake_model.stopped)
    fake_model.seconds = 0.0
    window.session.predict()
    settle(window)
    assert window.session.document.prediction is not None
    assert window.layering.style.visible() == []


def test_progress_is_shown_while_the_model_runs(window, qtbot, fake_model):
    fake_model.seconds = 20.0
    press(window, Qt.Key.Key_1)
    qtbot.waitUntil(lambda: "left" in window.progress_text.text() or "done" in window.progress_text.text())
    assert "Estimating depth, normals, classes" in window.progress_text.text()
    assert window.inference._progress.isVisible()
    assert window.inference._progress.value() > 0


def test_work_that_says_nothing_of_its_progress_is_seen_to_go_on(window, qtbot):
    stop = threading.Event()
    job = window.session.jobs.run("Opening hall.webp", lambda _progress: stop.wait(30), done=print)
    assert window.progress_text.text() == "Opening hall.webp…"
    job.started -= 5
    qtbot.waitUntil(lambda: window.progress_text.text().startswith("Opening hall.webp: for "), timeout=20_000)
    assert (window.inference._progress.minimum(), window.inference._progress.maximum()) == (0, 0), "it is busy"
    stop.set()
    qtbot.waitUntil(lambda: not window.progress_text.text())
    assert not window._clock.isActive()


def test_a_long_title_is_seen_whole_beside_the_time_that_is_left(window):
    job = Job("Estimating depth, normals and classes", 1, "predict", True, print, None, fraction=0.999)
    job.started -= 60
    assert describe(job).endswith("almost done")
    window.inference.set_jobs([job])
    status = window.inference._status
    assert status.text() == describe(job)
    assert status.heightForWidth(status.width()) <= status.height()
    window.inference.set_jobs([])


def test_a_known_camera_height_scales_depth_and_cloud_at_once(window, settle, fake_model):
    press(window, Qt.Key.Key_4)
    settle(window)
    before, cloud = window.session.document.prediction, window.session.document.cloud
    window.inference._height.setValue(3.2)
    settle(window)
    after = window.session.document.prediction
    np.testing.assert_array_equal(after.depth, before.depth * np.float32(2))
    np.testing.assert_allclose(window.session.document.cloud.points, cloud.points * 2, rtol=1e-6)
    assert after.camera_height == pytest.approx(3.2)
    window.inference._height.setValue(0.0)
    settle(window)
    np.testing.assert_array_equal(window.session.document.prediction.depth, before.depth)
    assert fake_model.runs == 1


def test_the_badge_names_the_device_that_was_used(window, settle, fake_model):
    window.settings[DEVICE] = "auto"
    fake_model.device = "cuda:0"
    predicted(window, settle)
    assert window.badge.text().startswith("CUDA:0")


def test_a_fault_of_a_model_does_not_end_the_window(window, qtbot, monkeypatch, fake_model):
    monkeypatch.setattr(fake_model, "predict", lambda rgb, *, progress: 1 / 0)
    press(window, Qt.Key.Key_1)
    qtbot.waitUntil(lambda: not window.messages.isHidden())
    assert "fault in the program" in window.messages.text
    assert not window.actions_by_name["depth"].isChecked()


def test_closing_while_the_model_runs_ends_its_thread(make_main_window, settle, qtbot, fake_model, tmp_path):
    fake_model.seconds = 20.0
    window = make_main_window()
    window.open(write_panorama(tmp_path / "room.png", 64))
    settle(window)
    press(window, Qt.Key.Key_1)
    qtbot.waitUntil(lambda: fake_model.runs == 1)
    window.close()
    assert fake_model.stopped
    assert not any(thread.name.startswith("model") for thread in threading.enumerate())


def test_an_error_goes_when_the_next_try_works(window, qtbot, settle, monkeypatch, fake_model):
    with monkeypatch.context() as broken:
        broken.setattr(fake_model, "predict", lambda rgb, *, progress: 1 / 0)
        press(window, Qt.Key.Key_1)
        qtbot.waitUntil(lambda: not window.messages.isHidden())
    press(window, Qt.Key.Key_1)
    settle(window)
    assert window.session.document.prediction is not None
    assert window.messages.isHidden()
