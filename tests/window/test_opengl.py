"""What has to be right before Qt starts."""

import pytest

from panoviewer import opengl
from panoviewer.opengl import OpenGL, WindowError, check_display, forget_foreign_plugins


def test_plugin_paths_of_the_full_opencv_are_dropped():
    environment = {"QT_QPA_PLATFORM_PLUGIN_PATH": "/x/site-packages/cv2/qt/plugins", "HOME": "/home/me"}
    forget_foreign_plugins(environment)
    assert environment == {"HOME": "/home/me"}


def test_plugin_paths_of_the_user_are_kept():
    environment = {"QT_PLUGIN_PATH": "/opt/qt/plugins:/x/cv2/qt/plugins"}
    forget_foreign_plugins(environment)
    assert environment == {"QT_PLUGIN_PATH": "/opt/qt/plugins"}


def test_no_screen_is_told_in_a_sentence():
    with pytest.raises(WindowError, match="DISPLAY"):
        check_display({}, "linux")


@pytest.mark.parametrize(
    "environment", [{"DISPLAY": ":0"}, {"WAYLAND_DISPLAY": "wayland-0"}, {"QT_QPA_PLATFORM": "offscreen"}]
)
def test_a_screen_of_any_kind_is_enough(environment):
    check_display(environment, "linux")


def test_other_systems_always_have_a_screen():
    check_display({}, "darwin")


def test_a_child_that_dies_before_qt_starts_means_that_there_is_no_window():
    with pytest.raises(WindowError, match="could not connect"):
        opengl._answer("", "\nqt.qpa.xcb: could not connect to display :99\n")


def test_a_child_that_dies_while_drawing_means_that_there_is_no_opengl():
    assert "driver" in opengl._answer("qt\n", "Segmentation fault").reason


def test_an_answer_is_taken_as_it_is():
    answer = opengl._answer('qt\n{"reason": null, "renderer": "llvmpipe", "is_software": true}\n', "")
    assert answer == OpenGL(None, "llvmpipe", True)


def test_what_a_driver_says_besides_does_not_hide_the_answer():
    chatter = 'loading swrast\nqt\nMESA: warning\n{"reason": null, "renderer": "llvmpipe", "is_software": true}\n'
    assert opengl._answer(chatter, "") == OpenGL(None, "llvmpipe", True)
    assert "driver" in opengl._answer("qt\nMESA: warning\n", "").reason
    with pytest.raises(WindowError, match="could not connect"):
        opengl._answer("loading swrast\n", "could not connect")


def test_the_probe_draws_for_real(needs_opengl):
    assert needs_opengl.renderer


def test_opengl_can_be_switched_off(monkeypatch):
    monkeypatch.setenv(opengl.SWITCH, "off")
    assert "switched off" in opengl._child.__wrapped__().reason


def test_the_offscreen_platform_has_no_opengl(monkeypatch):
    monkeypatch.delenv(opengl.SWITCH, raising=False)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert "offscreen" in opengl._child.__wrapped__().reason
