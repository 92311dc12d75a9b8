"""The exposure of pictures of more than 8 bits: keys, slider and status agree; models see it at 0."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from window_samples import painted, press, shot

from core.panorama import Panorama
from core.pyramid import Pyramid
from core.tone import exposure_of, linear_from_srgb


@pytest.fixture
def bright_window(make_main_window, settle):
    """A window on measured light."""
    window = make_main_window()
    radiance = (5 * linear_from_srgb(painted(128) / 255)).astype(np.float32)
    tone = exposure_of(radiance)
    panorama = Panorama(tone.develop(radiance), radiance=radiance, tone=tone)
    window.show()
    window.session.show(panorama, Pyramid.of(panorama.rgb))
    settle(window)
    return window


def test_keys_slider_and_status_set_one_exposure(bright_window, settle, qtbot):
    window = bright_window
    panorama = window.session.document.panorama
    assert window.exposure_panel.isVisibleTo(window)
    before = shot(window.stage.erp)
    press(window, Qt.Key.Key_E)
    press(window, Qt.Key.Key_E)
    settle(window)
    assert window.exposing.exposure == 1.0
    assert window.exposure_text.text() == "+1.0 EV"
    np.testing.assert_array_equal(window.session.pyramid.levels[0], panorama.tone.develop(panorama.radiance, 1.0))
    assert shot(window.stage.erp).mean() > before.mean() + 5
    QTest.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ShiftModifier)
    settle(window)
    assert window.exposure_text.text() == "+0.5 EV"
    window.exposure_panel._slider.setValue(-23)
    settle(window)
    assert window.exposing.exposure == -2.3
    assert shot(window.stage.erp).mean() < before.mean() - 5
    window.actions_by_name["exposure"].trigger()
    settle(window)
    np.testing.assert_array_equal(window.session.pyramid.levels[0], panorama.rgb)
    np.testing.assert_array_equal(shot(window.stage.erp), before)


def test_models_and_the_status_line_go_on_with_what_models_see(bright_window, settle):
    window = bright_window
    panorama = window.session.document.panorama
    seen = panorama.rgb.copy()
    window.exposing.set_exposure(4.0)
    settle(window)
    assert window.session.document.panorama is panorama
    np.testing.assert_array_equal(panorama.rgb, seen)


def test_an_exposure_leaves_layers_and_view_alone(bright_window, settle):
    window = bright_window
    camera = window.viewpoint.camera
    press(window, Qt.Key.Key_1)
    settle(window)
    overlay = window.stage._overlay
    assert overlay is not None
    window.exposing.set_exposure(2.0)
    settle(window)
    assert window.stage._overlay is overlay
    assert window.viewpoint.camera == camera


def test_an_ordinary_picture_has_no_exposure_and_e_is_the_eraser(bright_window, settle):
    window = bright_window
    window.exposing.set_exposure(3.0)
    settle(window)
    panorama = Panorama(painted(64))
    window.session.show(panorama, Pyramid.of(panorama.rgb))
    settle(window)
    assert window.exposing.exposure == 0
    assert not window.exposure_panel.isVisibleTo(window)
    assert not window.actions_by_name["brighter"].isEnabled()
    keys = [key.toString() for key in window.actions_by_name["eraser"].shortcuts()]
    assert keys == ["E", "Shift+B"]
    window.exposing.set_exposure(3.0)
    settle(window)
    np.testing.assert_array_equal(window.session.pyramid.levels[0], panorama.rgb)
