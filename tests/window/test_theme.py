"""The dark and the light theme: complete, readable, and worn at once when they are chosen."""

import re
from importlib.resources import files

import numpy as np
import pytest
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QWidget
from window_samples import shot

from panoviewer.actions import ACTIONS
from panoviewer.dialogs.classes_dialog import ClassesDialog
from panoviewer.panels.column import Column
from panoviewer.panels.range_plot import RangePlot
from panoviewer.settings import THEME
from panoviewer.theme import DARK, LIGHT, Theme, icon, wear

THEMES = pytest.mark.parametrize("colors", [DARK, LIGHT], ids=["dark", "light"])


@pytest.fixture
def clothes(application):
    """Gives the application back its own after the test."""
    yield application
    wear(application, DARK)


@pytest.fixture
def theme(clothes, settings):
    theme = Theme(clothes, settings)
    yield theme
    theme.setParent(None)
    settings.changed.disconnect()


def luminance(color):
    channels = np.array(QColor(color).getRgbF()[:3])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ (
        0.2126,
        0.7152,
        0.0722,
    )


def contrast(one, other):
    """WCAG 2's ratio, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_both_themes_know_every_colour_of_the_style_sheet():
    sheet = files("resources").joinpath("panoviewer.qss").read_text(encoding="utf-8")
    names = set(re.findall(r"@([a-z_]+)[;\s]", re.sub(r"/\*.*?\*/", "", sheet, flags=re.S)))
    assert names == set(DARK) == set(LIGHT)
    assert not re.search(r"#[0-9a-fA-F]{6}", sheet)


@THEMES
@pytest.mark.parametrize(
    ("text", "ground", "least"),
    [
        ("text", "window", 7), ("text", "bar", 7), ("text", "field", 7), ("text", "list", 7), ("text", "button", 7),
        ("text", "error", 6), ("text", "note", 6), ("text", "hints", 7), ("text", "hint", 5), ("text", "tool_on", 5),
        ("quiet", "window", 4.5), ("accent", "window", 4.5), ("chosen_text", "chosen", 7), ("tip_text", "tip", 7),
        ("primary_text", "primary", 3.8), ("canvas_text", "canvas", 4.5),
    ],
)  # fmt: skip
def test_text_can_be_read(colors, text, ground, least):
    assert contrast(colors[text], colors[ground]) >= least


@THEMES
def test_icons_are_drawn_in_the_colour_of_the_text(clothes, colors):
    wear(clothes, colors)
    for spec in ACTIONS:
        if spec.icon:
            picture = icon(spec.icon).pixmap(48, 48).toImage()
            seen = {
                picture.pixelColor(x, y).name()
                for x in range(48)
                for y in range(48)
                if picture.pixelColor(x, y).alpha() == 255
            }
            other = LIGHT if colors is DARK else DARK
            assert seen
            assert other["text"] not in seen
            if spec.icon != "classes":
                assert colors["text"] in seen


def test_the_setting_decides_and_takes_effect_at_once(theme, settings, make_main_window, qtbot):
    window = make_main_window()
    theme.changed.connect(window.show_icons)
    pictures = {}
    for choice, colors in (("light", LIGHT), ("dark", DARK)):
        settings[THEME] = choice
        qtbot.wait(20)
        assert QGuiApplication.palette().color(QPalette.ColorRole.Window).name() == colors["window"]
        pictures[choice] = shot(window.inference)
        ground = np.array(QColor(colors["window"]).getRgb()[:3])
        assert np.abs(pictures[choice] - ground).max(axis=-1).min() == 0
    assert pictures["light"].mean() > pictures["dark"].mean() + 100


@pytest.mark.parametrize(("scheme", "colors"), [("Light", LIGHT), ("Dark", DARK), ("Unknown", DARK)])
def test_without_a_setting_the_systems_scheme_is_followed(clothes, settings, monkeypatch, scheme, colors):
    from PySide6.QtCore import Qt

    from panoviewer import theme as theme_module

    class Hints:
        colorSchemeChanged = QGuiApplication.styleHints().colorSchemeChanged  # noqa: N815

        def colorScheme(self):
            return getattr(Qt.ColorScheme, scheme)

    class Application:
        palette = QGuiApplication.palette

        @staticmethod
        def styleHints():
            return Hints()

    monkeypatch.setattr(theme_module, "QGuiApplication", Application)
    theme = Theme(clothes, settings)
    assert clothes.palette().color(QPalette.ColorRole.Window).name() == colors["window"]
    theme.setParent(None)


def test_nothing_of_the_panel_is_cut_off_when_a_theme_takes_more_room(theme, settings, make_main_window, qtbot):
    settings[THEME] = "dark"
    window = make_main_window()
    column = window.findChild(Column)
    for choice in ("light", "dark"):
        settings[THEME] = choice
        qtbot.waitUntil(lambda: column.viewport().width() >= column.widget().minimumSizeHint().width())
        assert column.widget().width() == column.viewport().width()


def test_the_histogram_of_depth_takes_the_new_theme_on(clothes, qtbot):
    frame = QWidget()
    plot = RangePlot(frame)
    frame.resize(plot.sizeHint())
    qtbot.addWidget(frame)
    frame.show()
    qtbot.waitExposed(frame)
    for colors in (DARK, LIGHT, DARK):
        wear(clothes, colors)
        is_light = colors is LIGHT
        # There the region that is chosen lies over the background, and tints it.
        qtbot.waitUntil(lambda is_light=is_light: (shot(plot)[2, 2].mean() > 128) == is_light)


@THEMES
def test_a_box_to_tick_in_a_list_can_be_seen(clothes, colors, qtbot):
    wear(clothes, colors)
    dialog = ClassesDialog(["wall"], [(0, 0.5)])
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitExposed(dialog)
    picture = shot(dialog.list.viewport())
    left = picture[: dialog.list.sizeHintForRow(0), :24]
    values = {tuple(pixel[:3]) for pixel in left.reshape(-1, picture.shape[2]).tolist()}
    edge = QColor(colors["edge"])
    assert (edge.red(), edge.green(), edge.blue()) in values


def test_the_views_stay_dark_in_the_light_theme(clothes, make_main_window):
    wear(clothes, LIGHT)
    window = make_main_window()
    for view in (window.stage.erp, window.stage.cloud):
        assert shot(view)[5, 5].max() < 40
