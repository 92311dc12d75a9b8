"""The window in another language: every text of its own goes through `tr`.

    pyside6-lupdate -tr-function-alias QT_TR_NOOP+=mark -extensions py panoviewer -ts panoviewer_de.ts
    pyside6-linguist panoviewer_de.ts
    pyside6-lrelease panoviewer_de.ts -qm resources/panoviewer_de.qm

Sentences of errors and the command line stay English.
"""

from __future__ import annotations

import logging
from importlib.resources import as_file, files
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

log = logging.getLogger(__name__)

CONTEXT = ""
"""Under which `pyside6-lupdate` lists what a plain function `tr` says."""


def tr(text: str, /, **values: object) -> str:
    """A text in the language of the window.

    Args:
        text: In English; a literal, or what was marked where it stands. 'Opening {name}' takes a value.
        **values: What its braces name.
    """
    translated = QCoreApplication.translate(CONTEXT, text) if text else text
    if not values:
        return translated
    try:
        return translated.format(**values)
    except (LookupError, ValueError, AttributeError, TypeError):
        log.warning("The translation of %r names what it does not have: %r", text, translated)
        return text.format(**values)


def mark(text: str) -> str:
    """A text of a table or a constant, for the collector; whoever shows it asks `tr`."""
    return text


FROM_ELSEWHERE = (
    # Of `core.measure`.
    mark("{distance} from the camera"),
    mark("length {length}"),
    mark("angle {angle}"),
    mark("area {area}"),
    mark("height over ground {heights}"),
    mark("estimate"),
    mark("estimate, scaled by a known length"),
    mark("estimate without unit: type a true length or the camera height"),
    # Of `core.models.base`.
    mark("depth"),
    mark("normals"),
    mark("classes"),
    # Of `core.models.facts`.
    mark("clicks"),
    # Of `core.export`.
    mark("PLY point cloud"),
    mark("PCD point cloud"),
    mark("LAS 1.4"),
    mark("LAZ 1.4, compressed"),
    mark("E57, with the photograph"),
    mark("Text, XYZ with a header"),
    mark("Text, CSV"),
    mark("NumPy point cloud"),
    mark("glTF, textured mesh"),
    mark("OBJ, textured mesh"),
    mark("COCO instances, JSON"),
    mark("labelme JSON"),
    mark("YOLO segmentation"),
    mark("CVAT XML 1.1"),
    mark("Masks, PNG"),
    mark("Outlines on the sphere, JSON"),
    mark("Perspective training set"),
    mark("COLMAP rig with masks"),
    mark("SAM 2 video"),
)
"""Texts that the window shows and that stand where Qt is not known."""


def install_translation(
    application: QCoreApplication, locale: QLocale | None = None, folder: Path | None = None
) -> list[QTranslator]:
    """Let the window, and Qt itself, speak the language of the system where there is a translation.

    Args:
        application: Speaks it from then on.
        locale: Another language than that of the system (LANGUAGE, LC_ALL, LANG).
        folder: Where 'panoviewer_de.qm' lies; None for `resources`.

    Returns:
        What was installed; nothing where there is no translation.
    """
    locale = QLocale.system() if locale is None else locale
    own = QTranslator(application)
    with as_file(files("resources")) as resources:
        if not own.load(locale, "panoviewer", "_", str(folder or resources)):
            return []
    translators = [own]
    qt = QTranslator(application)
    if qt.load(locale, "qtbase", "_", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
        translators.insert(0, qt)
    for translator in translators:
        application.installTranslator(translator)
    return translators
