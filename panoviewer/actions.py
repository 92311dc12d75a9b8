"""Every entry of the menus and the tool bar and every shortcut, as one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QToolBar

from panoviewer.theme import icon
from panoviewer.translation import mark, tr


class Menu(StrEnum):
    """The menus, by their titles, from the left to the right."""

    FILE = mark("&File")
    EDIT = mark("&Edit")
    ANNOTATE = mark("&Annotate")
    MEASURE = mark("Mea&sure")
    MODEL = mark("&Model")
    COMPARE = mark("&Compare")
    VIEW = mark("&View")
    HELP = mark("&Help")


@dataclass(frozen=True)
class ActionSpec:
    """One thing that the user can do.

    Attributes:
        name: By which the window finds its handler.
        menu: In which it is.
        text: In the menu; ends in an ellipsis when a dialog follows.
        keys: Shortcuts, the one that is shown first.
        tip: What it does, in a sentence; the tool bar's tool tip and the list of shortcuts show it.
        checkable: Whether it is on or off.
        toolbar: Its short text in the tool bar.
        icon: Name of a picture in `resources`, without its ending.
        separated: Whether a line is drawn above it.
    """

    name: str
    menu: Menu
    text: str
    keys: tuple[str, ...] = ()
    tip: str = ""
    checkable: bool = False
    toolbar: str = ""
    icon: str = ""
    separated: bool = False


ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec(
        "open", Menu.FILE, mark("&Open…"), ("Ctrl+O",), mark("Open a panorama."), toolbar=mark("Open"), icon="open"
    ),
    ActionSpec(
        "open_folder",
        Menu.FILE,
        mark("Open &folder…"),
        ("Ctrl+Shift+O", "Ctrl+U"),
        mark("List the panoramas of a folder."),
    ),
    ActionSpec("recent", Menu.FILE, mark("Open &recent")),
    ActionSpec(
        "sample", Menu.FILE, mark("Open the &sample"), (), mark("Open the panorama that comes with PanoViewer.")
    ),
    ActionSpec(
        "previous",
        Menu.FILE,
        mark("&Previous picture"),
        ("A",),
        mark("Open the picture before this one."),
        separated=True,
    ),
    ActionSpec("next", Menu.FILE, mark("&Next picture"), ("D",), mark("Open the picture after this one.")),
    ActionSpec(
        "export",
        Menu.FILE,
        mark("&Export points or mesh…"),
        ("Ctrl+E",),
        mark("Filter the point cloud and write it to a file."),
        toolbar=mark("Export"),
        icon="export",
        separated=True,
    ),
    ActionSpec(
        "save_panorama",
        Menu.FILE,
        mark("Export the panorama, level…"),
        (),
        mark("Write the panorama level, as it was levelled here, with its metadata made anew."),
    ),
    ActionSpec(
        "save_view",
        Menu.FILE,
        mark("Export the view…"),
        ("Ctrl+Shift+C",),
        mark("Write what the look-around view shows, and its camera as JSON."),
    ),
    ActionSpec(
        "save",
        Menu.FILE,
        mark("&Save the annotations"),
        ("Ctrl+S",),
        mark("Write the annotation file of this panorama."),
    ),
    ActionSpec(
        "save_copy",
        Menu.FILE,
        mark("Save a copy of the annotations…"),
        ("Ctrl+Shift+S",),
        mark("Write the annotations into a file of another name."),
    ),
    ActionSpec(
        "export_annotations",
        Menu.FILE,
        mark("E&xport annotations…"),
        ("Ctrl+Shift+E",),
        mark("Hand the segments over to other tools: COCO, labelme, YOLO, CVAT, COLMAP and more."),
    ),
    ActionSpec(
        "settings", Menu.FILE, mark("Se&ttings…"), ("Ctrl+,",), mark("Change what is remembered."), separated=True
    ),
    ActionSpec("quit", Menu.FILE, mark("&Quit"), ("Ctrl+Q",), mark("Leave PanoViewer.")),
    ActionSpec("undo", Menu.EDIT, mark("&Undo"), ("Ctrl+Z",), mark("Take the last edit back.")),
    ActionSpec(
        "redo", Menu.EDIT, mark("&Redo"), ("Ctrl+Shift+Z", "Ctrl+Y"), mark("Make the edit again that was taken back.")
    ),
    ActionSpec(
        "unite",
        Menu.EDIT,
        mark("&Unite"),
        ("Ctrl+J",),
        mark("Make one of the selected segments, which keeps the name of the first."),
        separated=True,
    ),
    ActionSpec(
        "subtract",
        Menu.EDIT,
        mark("&Subtract"),
        ("Ctrl+Alt+J",),
        mark("Take the others from the first selected segment."),
    ),
    ActionSpec(
        "intersect",
        Menu.EDIT,
        mark("&Intersect"),
        ("Ctrl+Shift+J",),
        mark("Leave of the first selected segment what all share."),
    ),
    ActionSpec(
        "group",
        Menu.EDIT,
        mark("&Group"),
        ("Ctrl+G",),
        mark("Select and show the selected segments together."),
        separated=True,
    ),
    ActionSpec("ungroup", Menu.EDIT, mark("U&ngroup"), ("Ctrl+Shift+G",), mark("Make the selected segments no group.")),
    ActionSpec(
        "lock", Menu.EDIT, mark("&Lock"), ("Ctrl+L",), mark("Let the selected segments refuse edits, or no longer.")
    ),
    ActionSpec(
        "color",
        Menu.EDIT,
        mark("&Colour…"),
        (),
        mark("Give the selected segments a colour of their own."),
        separated=True,
    ),
    ActionSpec(
        "to_top", Menu.EDIT, mark("To the &top"), ("Ctrl+]",), mark("Draw the selected segments over all others.")
    ),
    ActionSpec(
        "to_bottom",
        Menu.EDIT,
        mark("To the &bottom"),
        ("Ctrl+[",),
        mark("Draw the selected segments under all others."),
    ),
    ActionSpec("delete", Menu.EDIT, mark("&Delete"), ("Del",), mark("Delete the selected segments."), separated=True),
    ActionSpec(
        "segment",
        Menu.ANNOTATE,
        mark("&Segment by clicks"),
        ("S",),
        mark("Cut an object out by clicking it; again to look around."),
        checkable=True,
        toolbar=mark("Segment"),
        icon="segment",
    ),
    ActionSpec(
        "brush",
        Menu.ANNOTATE,
        mark("&Brush"),
        ("B",),
        mark("Paint on the selected segment or a new one; again to look around."),
        checkable=True,
        toolbar=mark("Brush"),
        icon="brush",
    ),
    ActionSpec(
        "eraser",
        Menu.ANNOTATE,
        mark("&Eraser"),
        ("E", "Shift+B"),
        mark("Erase from the selected segment; again to look around."),
        checkable=True,
        toolbar=mark("Eraser"),
        icon="eraser",
    ),
    ActionSpec(
        "lasso",
        Menu.ANNOTATE,
        mark("&Lasso"),
        ("L",),
        mark("Draw a line around something; again to look around."),
        checkable=True,
        toolbar=mark("Lasso"),
        icon="lasso",
    ),
    ActionSpec(
        "smaller",
        Menu.ANNOTATE,
        mark("S&maller brush"),
        ("[",),
        mark("Make brush and eraser narrower."),
        separated=True,
    ),
    ActionSpec("larger", Menu.ANNOTATE, mark("La&rger brush"), ("]",), mark("Make brush and eraser wider.")),
    ActionSpec(
        "correct",
        Menu.ANNOTATE,
        mark("&Correct by clicks"),
        ("C",),
        mark("Go on with the clicks of the selected segment."),
    ),
    ActionSpec(
        "class_segments",
        Menu.ANNOTATE,
        mark("Segments of class&es…"),
        (),
        mark("Make segments of what the model says things are, such as all windows."),
        separated=True,
    ),
    ActionSpec(
        "copy",
        Menu.ANNOTATE,
        mark("Copy to all pictures of the &folder…"),
        (),
        mark("Write the selected segments, such as the tripod, into every picture of the list."),
    ),
    ActionSpec(
        "accept",
        Menu.ANNOTATE,
        mark("&Accept"),
        ("Y",),
        mark("Accept the selected segments, or the panorama."),
        separated=True,
    ),
    ActionSpec(
        "reject", Menu.ANNOTATE, mark("Re&ject"), ("X",), mark("Reject the selected segments, or the panorama.")
    ),
    ActionSpec(
        "next_unreviewed",
        Menu.ANNOTATE,
        mark("&Next unreviewed"),
        ("Shift+D",),
        mark("Open the next picture that is not reviewed."),
    ),
    ActionSpec(
        "previous_unreviewed",
        Menu.ANNOTATE,
        mark("&Previous unreviewed"),
        ("Shift+A",),
        mark("Open the picture before this one that is not reviewed."),
    ),
    ActionSpec(
        "measure",
        Menu.MEASURE,
        mark("&Measure"),
        ("M",),
        mark("Measure lengths, heights, angles and areas between clicked points; again to look around."),
        checkable=True,
        toolbar=mark("Measure"),
        icon="measure",
    ),
    ActionSpec(
        "level",
        Menu.MEASURE,
        mark("&Level the panorama"),
        ("Shift+L",),
        mark("Say what is level by two clicks on the horizon or above each other; again to look around."),
        checkable=True,
        toolbar=mark("Level"),
        icon="level",
    ),
    ActionSpec(
        "level_reset", Menu.MEASURE, mark("Level as &photographed"), (), mark("Go back to the pose of the photograph.")
    ),
    ActionSpec(
        "run", Menu.MODEL, mark("&Run the model"), ("Ctrl+R",), mark("Estimate depth, normals and classes again.")
    ),
    ActionSpec(
        "models",
        Menu.MODEL,
        mark("&Models…"),
        ("Ctrl+M",),
        mark("See all models, their licences, and add or remove their weights."),
    ),
    ActionSpec("cancel", Menu.MODEL, mark("&Cancel"), ("Esc",), mark("Stop what is running.")),
    ActionSpec(
        "compare_previous",
        Menu.COMPARE,
        mark("With the &previous prediction"),
        ("Ctrl+K",),
        mark("Compare with what was estimated before."),
    ),
    ActionSpec(
        "compare_files",
        Menu.COMPARE,
        mark("With &files…"),
        ("Ctrl+Shift+K",),
        mark("Compare with files that 'panoviewer predict' wrote."),
    ),
    ActionSpec(
        "compare_segments",
        Menu.COMPARE,
        mark("The two selected &masks"),
        ("Ctrl+Alt+K",),
        mark("Compare the masks of two selected segments."),
    ),
    ActionSpec(
        "swipe",
        Menu.COMPARE,
        mark("&Swipe"),
        ("W",),
        mark("Show both, with a divider between them."),
        checkable=True,
        separated=True,
    ),
    ActionSpec(
        "difference", Menu.COMPARE, mark("&Difference"), ("Q",), mark("Show where they differ."), checkable=True
    ),
    ActionSpec(
        "divider_left",
        Menu.COMPARE,
        mark("Divider to the &left"),
        ("Ctrl+Left",),
        mark("Move the divider to the left."),
    ),
    ActionSpec(
        "divider_right", Menu.COMPARE, mark("Divider to the &right"), ("Ctrl+Right",), mark("Move it to the right.")
    ),
    ActionSpec(
        "compare_end", Menu.COMPARE, mark("&End the comparison"), (), mark("Show one prediction alone."), separated=True
    ),
    ActionSpec(
        "photo",
        Menu.VIEW,
        mark("&Photo only"),
        ("0",),
        mark("Hide all layers."),
        toolbar=mark("Photo"),
        icon="photo",
    ),
    ActionSpec(
        "depth",
        Menu.VIEW,
        mark("&Depth"),
        ("1",),
        mark("Show the depth; runs the model when it has not run yet."),
        checkable=True,
        toolbar=mark("Depth"),
        icon="depth",
    ),
    ActionSpec(
        "normals",
        Menu.VIEW,
        mark("&Normals"),
        ("2",),
        mark("Show the surface normals; runs the model when it has not run yet."),
        checkable=True,
        toolbar=mark("Normals"),
        icon="normals",
    ),
    ActionSpec(
        "classes",
        Menu.VIEW,
        mark("&Classes"),
        ("3",),
        mark("Show what things are; runs the model when it has not run yet."),
        checkable=True,
        toolbar=mark("Classes"),
        icon="classes",
    ),
    ActionSpec(
        "cloud",
        Menu.VIEW,
        mark("&3D point cloud"),
        ("4",),
        mark("Show the point cloud; runs the model when it has not run yet."),
        toolbar=mark("3D"),
        icon="cloud",
    ),
    ActionSpec(
        "masks", Menu.VIEW, mark("&Segments"), ("V",), mark("Show the segments, or hide all of them."), checkable=True
    ),
    ActionSpec(
        "fit", Menu.VIEW, mark("&Fit the panorama"), ("Ctrl+F",), mark("Show the whole panorama."), separated=True
    ),
    ActionSpec(
        "home", Menu.VIEW, mark("First &view"), ("Home",), mark("Look where the photograph says one should look first.")
    ),
    ActionSpec(
        "frame",
        Menu.VIEW,
        mark("Selected se&gment"),
        ("F",),
        mark("Bring the selected segment into the middle, in the look-around view as large as it fits."),
    ),
    ActionSpec(
        "pixels",
        Menu.VIEW,
        mark("One to &one"),
        ("Ctrl+1",),
        mark("Show each pixel of the panorama as one of the screen."),
    ),
    ActionSpec(
        "zoom_back", Menu.VIEW, mark("&Usual zoom"), ("Ctrl+0",), mark("Look around with the usual angle of view.")
    ),
    ActionSpec(
        "stand",
        Menu.VIEW,
        mark("Stand a&t the camera"),
        ("Ctrl+B",),
        mark("Stand in the cloud where the photograph was taken, with the photograph over it."),
        checkable=True,
    ),
    ActionSpec("reset_3d", Menu.VIEW, mark("&Reset the 3D view"), ("R",), mark("Show the whole point cloud.")),
    ActionSpec("grid", Menu.VIEW, mark("&Grid"), ("G",), mark("Draw lines of longitude and latitude."), checkable=True),
    ActionSpec(
        "brighter",
        Menu.VIEW,
        mark("&Brighter"),
        (),
        mark("Show half a step more light of a picture of more than 8 bits."),
        separated=True,
    ),
    ActionSpec(
        "darker", Menu.VIEW, mark("Dar&ker"), (), mark("Show half a step less light of a picture of more than 8 bits.")
    ),
    ActionSpec("exposure", Menu.VIEW, mark("&Exposure of the models"), (), mark("Show the light as models see it.")),
    ActionSpec(
        "full_screen",
        Menu.VIEW,
        mark("F&ull screen"),
        ("F11",),
        mark("Fill the screen."),
        checkable=True,
        separated=True,
    ),
    ActionSpec("shortcuts", Menu.HELP, mark("&Keys and gestures"), ("F1",), mark("List all shortcuts.")),
    ActionSpec("about", Menu.HELP, mark("&About PanoViewer"), (), mark("Version, licence, device.")),
)

TOOLBAR = (
    ("open",),
    ("photo", "depth", "normals", "classes", "cloud"),
    ("segment", "brush", "eraser", "lasso"),
    ("measure", "level"),
    ("export",),
)
"""The entries of the tool bar, in groups."""


def build_actions(
    window: QMainWindow,
    handlers: Mapping[str, Callable[..., object]],
    keys: Mapping[str, Sequence[str]],
    recent: QMenu,
) -> tuple[dict[str, QAction], dict[Menu, QMenu]]:
    """Fill the window's menus and its tool bar.

    Args:
        window: Gets the menus, the tool bar and the actions.
        handlers: What each action does, by name; a checkable one is called with its new state.
        keys: Shortcuts of each action, by name.
        recent: The menu behind the entry 'recent'.

    Returns:
        The actions by name and the menus.
    """
    bar = QToolBar(tr("Tools"), window)
    bar.setObjectName("toolbar")
    bar.setMovable(False)
    actions: dict[str, QAction] = {}
    menus: dict[Menu, QMenu] = {}
    for spec in ACTIONS:
        menu = menus.get(spec.menu)
        if menu is None:
            menu = menus[spec.menu] = window.menuBar().addMenu(tr(spec.menu))
        if spec.separated:
            menu.addSeparator()
        action = QAction(tr(spec.text), window)
        action.setObjectName(spec.name)
        action.setCheckable(spec.checkable)
        if spec.name == "recent":
            action.setMenu(recent)
        elif spec.checkable:
            action.triggered.connect(handlers[spec.name])
        else:
            action.triggered.connect(lambda _checked, handler=handlers[spec.name]: handler())
        menu.addAction(action)
        if spec.toolbar:
            action.setIconText(tr(spec.toolbar))
        actions[spec.name] = action
    set_keys(actions, keys)
    show_icons(actions)
    for number, group in enumerate(TOOLBAR):
        if number:
            bar.addSeparator()
        bar.addActions([actions[name] for name in group])
    bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    bar.setIconSize(QSize(20, 20))
    window.addToolBar(bar)
    return actions, menus


def set_keys(actions: Mapping[str, QAction], keys: Mapping[str, Sequence[str]]) -> None:
    """Give actions these shortcuts, by their names; their tips tell the first one."""
    for spec in ACTIONS:
        action, own = actions[spec.name], keys[spec.name]
        action.setShortcuts([QKeySequence(key) for key in own])
        tip = tr(spec.tip)
        action.setToolTip(f"{tip} ({own[0]})" if own else tip)


def show_icons(actions: Mapping[str, QAction]) -> None:
    """Give actions their icons in the colours of the theme that is worn."""
    for spec in ACTIONS:
        if spec.icon:
            actions[spec.name].setIcon(icon(spec.icon))
