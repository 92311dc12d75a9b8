"""Another language: every text of the window comes from the translator, and the collector finds every one."""

import ast
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from html import escape
from pathlib import Path

import pytest
from PySide6.QtCore import QLocale, QTranslator
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QMenu,
    QMessageBox,
    QTableWidget,
    QTabWidget,
    QWidget,
)
from window_samples import write_panorama

import panoviewer
from core import measure
from core.colors import COLORMAPS
from core.export import EXPORTERS
from core.export.datasets import DATASETS
from core.io.annotation import Annotation
from core.io.lock import ProjectLocked
from core.io.photo_reference import Photo
from core.io.recovery import Generation, Recovery
from core.io.scene_file import FileChanged
from core.models import listed_models
from core.models.base import Task
from core.models.facts import catalogue_facts
from panoviewer import translation
from panoviewer.actions import ACTIONS, Menu
from panoviewer.gestures import GESTURES
from panoviewer.settings import SETTINGS
from panoviewer.translation import FROM_ELSEWHERE, install_translation, tr

PACKAGE = Path(panoviewer.__file__).parent
NAMES = {"PanoViewer", "VisPy canvas", *COLORMAPS, *(spec.title for spec in listed_models())}
"""What is the same in every language."""
SAME = ("<b>PanoViewer ", "CPU ", "0.png (256 × 128)")
"""So begins what is."""
WORD = re.compile(r"[A-Za-z]{3,}")


SAID_IN = {"models": ("For", "Weights")}
"""Columns of tables whose cells are words of the program; what is in others comes from files and from the catalogue."""


class Brackets(QTranslator):
    """Says everything in brackets."""

    def translate(self, context, text, disambiguation=None, n=-1):
        return f"[{text}]"


@pytest.fixture
def picture(tmp_path):
    return write_panorama(tmp_path / "0.png")


@pytest.fixture
def brackets(application):
    translator = Brackets()
    application.installTranslator(translator)
    yield
    application.removeTranslator(translator)


def cells(table, title):
    """What stands in a column of a table, by its heading in brackets."""
    headings = [table.horizontalHeaderItem(column).text() for column in range(table.columnCount())]
    column = headings.index(f"[{title}]")
    return [table.item(row, column).text() for row in range(table.rowCount())]


def texts(widget):
    """All that a widget says by itself."""
    yield widget.toolTip()
    yield widget.accessibleName()
    yield widget.windowTitle()
    if isinstance(widget, QMenu):
        yield widget.title()
    if isinstance(widget, QLabel | QAbstractButton):
        yield widget.text()
    if isinstance(widget, QMessageBox):
        yield widget.text()
        yield widget.informativeText()
    if isinstance(widget, QLineEdit):
        yield widget.placeholderText()
    if isinstance(widget, QDoubleSpinBox):
        yield widget.specialValueText()
    if isinstance(widget, QTabWidget):
        yield from (widget.tabText(index) for index in range(widget.count()))
    if isinstance(widget, QComboBox):
        yield from (widget.itemText(index) for index in range(widget.count()))
    if isinstance(widget, QTableWidget):
        yield from (widget.horizontalHeaderItem(column).text() for column in range(widget.columnCount()))
        yield from (text for column in SAID_IN.get(widget.objectName(), ()) for text in cells(widget, column))


def untranslated(top):
    """What a window and everything in it says without brackets; names and file names aside."""
    said = [(type(widget).__name__, text) for widget in (top, *top.findChildren(QWidget)) for text in texts(widget)]
    said += [("QAction", text) for action in top.actions() for text in (action.text(), action.toolTip())]
    keys = {f"<b>{escape(', '.join(spec.keys))}</b>" for spec in ACTIONS}
    return sorted(
        {
            (kind, text)
            for kind, text in said
            if WORD.search(text) and "[" not in text and text not in NAMES | keys and not text.startswith(SAME)
        }
    )


def shown_since(before):
    """The windows that are on the screen and were not there before."""
    return [widget for widget in set(QApplication.topLevelWidgets()) - before if widget.isVisible()]


def test_every_text_of_the_window_and_its_dialogs_comes_from_the_translator(
    brackets, make_main_window, settle, picture, qtbot
):
    window = make_main_window()
    window.open(picture)
    settle(window)
    window.show_cloud()
    settle(window)
    for name in ("segment", "measure", "level"):
        window.actions_by_name[name].trigger()
        settle(window)
    assert untranslated(window) == []
    for menu in window.menuBar().actions():
        assert menu.text().startswith("[")
        for action in menu.menu().actions():
            assert action.isSeparator() or action.text().startswith("["), action.text()
    for name in ("settings", "shortcuts", "about", "models", "export", "export_annotations", "class_segments"):
        before = set(QApplication.topLevelWidgets())
        window.actions_by_name[name].trigger()
        qtbot.waitUntil(lambda before=before: bool(shown_since(before)))
        settle(window)
        for dialog in shown_since(before):
            assert untranslated(dialog) == [], name
            assert name != "models" or cells(dialog.table, "For"), "its lines are not there yet"
            dialog.close()


def test_what_annotating_asks_comes_from_the_translator(brackets, make_main_window, settle, picture, qtbot):
    window = make_main_window()
    window.open(picture)
    settle(window)
    window.desk.annotating.set_label("chair")
    annotation = Annotation.of(window.session.document.scene, Photo(picture.name, 1234, "0" * 64, 128, 256))
    times = ("2026-11-21T14:03:22Z", "2026-11-21T15:03:22Z")
    recovery = Recovery(
        annotation, 12, ("Add chair",), *times, 3, 2, 1, "", False, picture, Generation(None, annotation)
    )
    saving = window.desk.saving
    for ask in (
        lambda: saving.conflict.emit(FileChanged("[An error's own sentence stays English.]")),
        lambda: saving.locked.emit(ProjectLocked("[So does this one.]", None)),
        lambda: saving.recoverable.emit(recovery),
    ):
        before = set(QApplication.topLevelWidgets())
        ask()
        qtbot.waitUntil(lambda before=before: bool(shown_since(before)))
        settle(window)
        (dialog,) = shown_since(before)
        assert untranslated(dialog) == []
        said = " ".join(text for widget in (dialog, *dialog.findChildren(QWidget)) for text in texts(widget))
        # Brackets around a part do not hide that the rest has none.
        while (bare := re.sub(r"\[[^\[\]]*\]", "", said)) != said:
            said = bare
        assert WORD.findall(said) == []
        dialog.close()


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """What the tools of PySide6 make of the sources: every text, and a translation of all into «text»."""
    folder = Path(sys.executable).parent
    tools = [shutil.which(name, path=str(folder)) for name in ("pyside6-lupdate", "pyside6-lrelease")]
    if None in tools:
        pytest.skip("PySide6 without its tools for translators")
    ts = tmp_path_factory.mktemp("translation") / "panoviewer_de.ts"
    sources = sorted(map(str, PACKAGE.rglob("*.py")))
    collect = [tools[0], "-tr-function-alias", "QT_TR_NOOP+=mark", *sources, "-ts", str(ts)]
    subprocess.run(collect, capture_output=True, check=True)
    document = ET.parse(ts)
    assert {context.findtext("name") for context in document.iter("context")} == {translation.CONTEXT}
    for message in document.iter("message"):
        message.find("translation").text = f"«{message.findtext('source')}»"
        del message.find("translation").attrib["type"]
    document.write(ts, encoding="utf-8", xml_declaration=True)
    subprocess.run([tools[1], str(ts), "-qm", str(ts.with_suffix(".qm"))], capture_output=True, check=True)
    return ts.parent, {message.findtext("source") for message in document.iter("message")}


def spoken_literals():
    """Every literal that `tr` and `mark` are given, as Python itself reads the sources."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("tr", "mark"):
                if isinstance(node.args[0], ast.Constant):
                    found.add(node.args[0].value)
                else:
                    # A collector sees literals alone: what is made as it runs has to be marked where it stands.
                    assert node.func.id == "tr", f"{path}:{node.lineno}"
                    assert not isinstance(node.args[0], ast.JoinedStr | ast.BinOp), f"{path}:{node.lineno}"
    return found


def test_the_collector_finds_every_text(collected):
    _, found = collected
    assert sorted(spoken_literals() ^ found) == []
    tables = {text for spec in ACTIONS for text in (spec.text, spec.tip, spec.toolbar)}
    tables |= {text for gesture in GESTURES for text in gesture} | {str(menu) for menu in Menu}
    tables |= {setting.label for setting in SETTINGS}
    assert sorted(tables - found - {""}) == []


def test_a_translation_is_loaded_by_the_language(application, collected):
    folder, _ = collected
    assert install_translation(application, QLocale(QLocale.Language.Japanese), folder) == []
    installed = install_translation(application, QLocale("de_AT"), folder)
    try:
        assert len(installed) == 2, "ours, and that of Qt itself"
        assert tr("&Open…") == "«&Open…»"
        assert tr("Reading {name}", name="a.jpg") == "«Reading a.jpg»"
        box = QMessageBox(QMessageBox.Icon.NoIcon, "", "", QMessageBox.StandardButton.Cancel)
        assert box.button(QMessageBox.StandardButton.Cancel).text().replace("&", "") == "Abbrechen"
    finally:
        for translator in installed:
            application.removeTranslator(translator)
    assert tr("&Open…") == "&Open…"


def test_what_core_says_in_the_window_is_collected():
    words = set(FROM_ELSEWHERE)
    assert {
        exporter.title for exporter in EXPORTERS if exporter.title and exporter.kind.__name__ in ("PointCloud", "Mesh")
    } <= words
    assert {dataset.title for dataset in DATASETS} <= words
    assert {measure.METRIC, measure.SCALED, measure.RELATIVE} <= words
    assert {str(task) for task in Task} <= words
    assert {task for facts in catalogue_facts() for task in facts.tasks} <= words


def test_a_translation_with_wrong_braces_shows_the_english_text(application):
    class Wrong(QTranslator):
        def translate(self, context, text, disambiguation=None, n=-1):
            return {
                "Reading {name}": "Legas {nomo}",
                "Writing {name}": "Skribas {name",
                "Adding {name}": "Aldonas {name.nomo}",
                "Opening {name}": "Malfermas {name[nomo]}",
            }.get(text, text)

    wrong = Wrong()
    application.installTranslator(wrong)
    try:
        assert tr("Reading {name}", name="a.jpg") == "Reading a.jpg"
        assert tr("Writing {name}", name="a.jpg") == "Writing a.jpg"
        assert tr("Adding {name}", name="a.jpg") == "Adding a.jpg"
        assert tr("Opening {name}", name="a.jpg") == "Opening a.jpg"
        assert tr("Saving {name}", name="{a}.jpg") == "Saving {a}.jpg"
    finally:
        application.removeTranslator(wrong)
