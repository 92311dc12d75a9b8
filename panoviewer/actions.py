"""Every entry of the menus and the tool bar and every shortcut, as one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QToolBar

from panoviewer.theme import icon


@dataclass(frozen=True)
class ActionSpec:
    """One thing that the user can do.

    Attributes:
        name: By which the window finds its handler.
        menu: Title of the menu.
        text: In the menu; ends in an ellipsis when a dialog follows.
        keys: Shortcuts, the one that is shown first.
        tip: What it does, in a sentence; the tool bar's tool tip and the list of shortcuts show it.
        checkable: Whether it is on or off.
        toolbar: Its short text in the tool bar.
        icon: Name of a picture in `resources`, without its ending.
        separated: Whether a line is drawn above it.
    """

    name: str
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    tip: str = ""
    checkable: bool = False
    toolbar: str = ""
    icon: str = ""
    separated: bool = False


ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec("open", "&File", "&Open…", ("Ctrl+O",), "Open a panorama.", toolbar="Open", icon="open"),
    ActionSpec("open_folder", "&File", "Open &folder…", ("Ctrl+Shift+O", "Ctrl+U"), "List the panoramas of a folder."),
    ActionSpec("recent", "&File", "Open &recent"),
    ActionSpec("sample", "&File", "Open the &sample", (), "Open the panorama that comes with PanoViewer."),
    ActionSpec("previous", "&File", "&Previous picture", ("A",), "Open the picture before this one.", separated=True),
    ActionSpec("next", "&File", "&Next picture", ("D",), "Open the picture after this one."),
    ActionSpec(
        "export",
        "&File",
        "&Export points or mesh…",
        ("Ctrl+E",),
        "Filter the point cloud and write it to a file.",
        toolbar="Export",
        icon="export",
        separated=True,
    ),
    ActionSpec(
        "save_panorama",
        "&File",
        "Export the panorama, level…",
        (),
        "Write the panorama level, as it was levelled here, with its metadata made anew.",
    ),
    ActionSpec(
        "save_view",
        "&File",
        "Export the view…",
        ("Ctrl+Shift+C",),
        "Write what the look-around view shows, and its camera as JSON.",
    ),
    ActionSpec("save", "&File", "&Save the annotations", ("Ctrl+S",), "Write the annotation file of this panorama."),
    ActionSpec(
        "save_copy",
        "&File",
        "Save a copy of the annotations…",
        ("Ctrl+Shift+S",),
        "Write the annotations into a file of another name.",
    ),
    ActionSpec(
        "export_annotations",
        "&File",
        "E&xport annotations…",
        ("Ctrl+Shift+E",),
        "Hand the segments over to other tools: COCO, labelme, YOLO, CVAT, COLMAP and more.",
    ),
    ActionSpec("settings", "&File", "Se&ttings…", ("Ctrl+,",), "Change what is remembered.", separated=True),
    ActionSpec("quit", "&File", "&Quit", ("Ctrl+Q",), "Leave PanoViewer."),
    ActionSpec("undo", "&Edit", "&Undo", ("Ctrl+Z",), "Take the last edit back."),
    ActionSpec("redo", "&Edit", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "Make the edit again that was taken back."),
    ActionSpec(
        "unite",
        "&Edit",
        "&Unite",
        ("Ctrl+J",),
        "Make one of the selected segments, which keeps the name of the first.",
        separated=True,
    ),
    ActionSpec("subtract", "&Edit", "&Subtract", ("Ctrl+Alt+J",), "Take the others from the first selected segment."),
    ActionSpec(
        "intersect", "&Edit", "&Intersect", ("Ctrl+Shift+J",), "Leave of the first selected segment what all share."
    ),
    ActionSpec(
        "group", "&Edit", "&Group", ("Ctrl+G",), "Select and show the selected segments together.", separated=True
    ),
    ActionSpec("ungroup", "&Edit", "U&ngroup", ("Ctrl+Shift+G",), "Make the selected segments no group."),
    ActionSpec("lock", "&Edit", "&Lock", ("Ctrl+L",), "Let the selected segments refuse edits, or no longer."),
    ActionSpec("color", "&Edit", "&Colour…", (), "Give the selected segments a colour of their own.", separated=True),
    ActionSpec("to_top", "&Edit", "To the &top", ("Ctrl+]",), "Draw the selected segments over all others."),
    ActionSpec("to_bottom", "&Edit", "To the &bottom", ("Ctrl+[",), "Draw the selected segments under all others."),
    ActionSpec("delete", "&Edit", "&Delete", ("Del",), "Delete the selected segments.", separated=True),
    ActionSpec(
        "segment",
        "&Annotate",
        "&Segment by clicks",
        ("S",),
        "Cut an object out by clicking it; again to look around.",
        checkable=True,
        toolbar="Segment",
        icon="segment",
    ),
    ActionSpec(
        "brush",
        "&Annotate",
        "&Brush",
        ("B",),
        "Paint on the selected segment or a new one; again to look around.",
        checkable=True,
        toolbar="Brush",
        icon="brush",
    ),
    ActionSpec(
        "eraser",
        "&Annotate",
        "&Eraser",
        ("E", "Shift+B"),
        "Erase from the selected segment; again to look around.",
        checkable=True,
        toolbar="Eraser",
        icon="eraser",
    ),
    ActionSpec(
        "lasso",
        "&Annotate",
        "&Lasso",
        ("L",),
        "Draw a line around something; again to look around.",
        checkable=True,
        toolbar="Lasso",
        icon="lasso",
    ),
    ActionSpec("smaller", "&Annotate", "S&maller brush", ("[",), "Make brush and eraser narrower.", separated=True),
    ActionSpec("larger", "&Annotate", "La&rger brush", ("]",), "Make brush and eraser wider."),
    ActionSpec("correct", "&Annotate", "&Correct by clicks", ("C",), "Go on with the clicks of the selected segment."),
    ActionSpec(
        "class_segments",
        "&Annotate",
        "Segments of class&es…",
        (),
        "Make segments of what the model says things are, such as all windows.",
        separated=True,
    ),
    ActionSpec(
        "copy",
        "&Annotate",
        "Copy to all pictures of the &folder…",
        (),
        "Write the selected segments, such as the tripod, into every picture of the list.",
    ),
    ActionSpec(
        "accept", "&Annotate", "&Accept", ("Y",), "Accept the selected segments, or the panorama.", separated=True
    ),
    ActionSpec("reject", "&Annotate", "Re&ject", ("X",), "Reject the selected segments, or the panorama."),
    ActionSpec(
        "next_unreviewed", "&Annotate", "&Next unreviewed", ("Shift+D",), "Open the next picture that is not reviewed."
    ),
    ActionSpec(
        "previous_unreviewed",
        "&Annotate",
        "&Previous unreviewed",
        ("Shift+A",),
        "Open the picture before this one that is not reviewed.",
    ),
    ActionSpec(
        "measure",
        "Mea&sure",
        "&Measure",
        ("M",),
        "Measure lengths, heights, angles and areas between clicked points; again to look around.",
        checkable=True,
        toolbar="Measure",
        icon="measure",
    ),
    ActionSpec(
        "level",
        "Mea&sure",
        "&Level the panorama",
        ("Shift+L",),
        "Say what is level by two clicks on the horizon or above each other; again to look around.",
        checkable=True,
        toolbar="Level",
        icon="level",
    ),
    ActionSpec("level_reset", "Mea&sure", "Level as &photographed", (), "Go back to the pose of the photograph."),
    ActionSpec("run", "&Model", "&Run the model", ("Ctrl+R",), "Estimate depth, normals and classes again."),
    ActionSpec(
        "models", "&Model", "&Models…", ("Ctrl+M",), "See all models, their licences, and add or remove their weights."
    ),
    ActionSpec("cancel", "&Model", "&Cancel", ("Esc",), "Stop what is running."),
    ActionSpec(
        "compare_previous",
        "&Compare",
        "With the &previous prediction",
        ("Ctrl+K",),
        "Compare with what was estimated before.",
    ),
    ActionSpec(
        "compare_files",
        "&Compare",
        "With &files…",
        ("Ctrl+Shift+K",),
        "Compare with files that 'panoviewer predict' wrote.",
    ),
    ActionSpec(
        "compare_segments",
        "&Compare",
        "The two selected &masks",
        ("Ctrl+Alt+K",),
        "Compare the masks of two selected segments.",
    ),
    ActionSpec(
        "swipe",
        "&Compare",
        "&Swipe",
        ("W",),
        "Show both, with a divider between them.",
        checkable=True,
        separated=True,
    ),
    ActionSpec("difference", "&Compare", "&Difference", ("Q",), "Show where they differ.", checkable=True),
    ActionSpec("divider_left", "&Compare", "Divider to the &left", ("Ctrl+Left",), "Move the divider to the left."),
    ActionSpec("divider_right", "&Compare", "Divider to the &right", ("Ctrl+Right",), "Move it to the right."),
    ActionSpec("compare_end", "&Compare", "&End the comparison", (), "Show one prediction alone.", separated=True),
    ActionSpec(
        "photo",
        "&View",
        "&Photo only",
        ("0",),
        "Hide all layers.",
        toolbar="Photo",
        icon="photo",
    ),
    ActionSpec(
        "depth",
        "&View",
        "&Depth",
        ("1",),
        "Show the depth; runs the model when it has not run yet.",
        checkable=True,
        toolbar="Depth",
        icon="depth",
    ),
    ActionSpec(
        "normals",
        "&View",
        "&Normals",
        ("2",),
        "Show the surface normals; runs the model when it has not run yet.",
        checkable=True,
        toolbar="Normals",
        icon="normals",
    ),
    ActionSpec(
        "classes",
        "&View",
        "&Classes",
        ("3",),
        "Show what things are; runs the model when it has not run yet.",
        checkable=True,
        toolbar="Classes",
        icon="classes",
    ),
    ActionSpec(
        "cloud",
        "&View",
        "&3D point cloud",
        ("4",),
        "Show the point cloud; runs the model when it has not run yet.",
        toolbar="3D",
        icon="cloud",
    ),
    ActionSpec("masks", "&View", "&Segments", ("V",), "Show the segments, or hide all of them.", checkable=True),
    ActionSpec("fit", "&View", "&Fit the panorama", ("Ctrl+F",), "Show the whole panorama.", separated=True),
    ActionSpec("home", "&View", "First &view", ("Home",), "Look where the photograph says one should look first."),
    ActionSpec(
        "stand",
        "&View",
        "Stand a&t the camera",
        ("Ctrl+B",),
        "Stand in the cloud where the photograph was taken, with the photograph over it.",
        checkable=True,
    ),
    ActionSpec("reset_3d", "&View", "&Reset the 3D view", ("R",), "Show the whole point cloud."),
    ActionSpec("grid", "&View", "&Grid", ("G",), "Draw lines of longitude and latitude.", checkable=True),
    ActionSpec(
        "brighter",
        "&View",
        "&Brighter",
        (),
        "Show half a step more light of a picture of more than 8 bits.",
        separated=True,
    ),
    ActionSpec("darker", "&View", "Dar&ker", (), "Show half a step less light of a picture of more than 8 bits."),
    ActionSpec("exposure", "&View", "&Exposure of the models", (), "Show the light as models see it."),
    ActionSpec("full_screen", "&View", "F&ull screen", ("F11",), "Fill the screen.", checkable=True, separated=True),
    ActionSpec("shortcuts", "&Help", "&Keys and gestures", ("F1",), "List all shortcuts."),
    ActionSpec("about", "&Help", "&About PanoViewer", (), "Version, licence, device."),
)

TOOLBAR = (
    ("open",),
    ("photo", "depth", "normals", "classes", "cloud"),
    ("segment", "brush", "eraser", "lasso"),
    ("measure", "level"),
    ("export",),
)
"""The entries of the tool bar, in groups."""

VIEWS, TOOLS, CLICKS, BRUSHES, LASSO = "Views", "With any tool", "Segment by clicks", "Brush and eraser", "Lasso"
MEASURE, LEVEL = "Measuring", "Levelling"
GESTURES: tuple[tuple[str, str, str], ...] = (
    (VIEWS, "Drag", "Panorama: move it, sideways without end. Look-around view: look. 3D: turn."),
    (VIEWS, "Wheel", "Zoom about the cursor."),
    (VIEWS, "Click in the panorama", "Look there."),
    (VIEWS, "Click in the look-around view", "Scroll the panorama there."),
    (VIEWS, "Double click in 3D", "Turn about that point; beside the cloud: show all of it."),
    (VIEWS, "Shift + drag, right drag in 3D", "Move the cloud."),
    (VIEWS, "B in 3D", "Stand at the camera, with the photo over the cloud; again: go back."),
    (VIEWS, "Arrows, + and −", "Look-around view: turn and zoom."),
    (VIEWS, "Click on a segment", "Select it; with Ctrl one more."),
    (VIEWS, "Tab, Shift + Tab", "Views: select the next segment, or the one before."),
    (VIEWS, "Hold H", "Views: see the bare photo."),
    (VIEWS, "E, Shift + E", "Pictures of more than 8 bits: brighter, darker. The eraser is Shift + B then."),
    (TOOLS, "Middle drag, Space + drag", "Move the picture."),
    (TOOLS, "1 to 9", "Give a label: to the open object, to what you have selected, or to the next one."),
    (CLICKS, "Click, right or Shift + click", "This belongs to the object, this does not."),
    (CLICKS, "Drag", "Draw a box around the object."),
    (CLICKS, "Enter, Esc", "Keep the object, give it up. Without one, Esc ends the selection."),
    (CLICKS, "Backspace, Shift + Backspace", "Take the last click back, take all of them back."),
    (CLICKS, "T", "The last click says the opposite."),
    (CLICKS, "P", "Clicks mean the group, the part, the object."),
    (BRUSHES, "Alt + drag", "Brush: erase. Eraser: paint."),
    (BRUSHES, "Ctrl + wheel", "Another size."),
    (LASSO, "Alt, Shift + Alt", "Subtract from the selected segment, leave of it only what is inside."),
    (LASSO, "Enter, double click, Backspace, Esc", "Corner by corner: close, take a corner back, give up."),
    (MEASURE, "Click", "In any view, also in 3D: one point more. Two give a length, three also angle and area."),
    (MEASURE, "Enter, Backspace, Esc", "End the line, take a point back, give up."),
    (MEASURE, "Ctrl + C", "Copy what is measured."),
    (LEVEL, "Two clicks", "On the horizon, or above each other; two verticals fix all of the tilt."),
    (LEVEL, "Enter, Backspace, Esc", "Keep it, take a line back, take all back."),
    (LEVEL, "P", "Lines follow verticals, the horizon, or what is nearer."),
)
"""Where a gesture counts, what is done, and what that does."""


def build_actions(
    window: QMainWindow,
    handlers: Mapping[str, Callable[..., object]],
    keys: Mapping[str, Sequence[str]],
    recent: QMenu,
) -> tuple[dict[str, QAction], dict[str, QMenu]]:
    """Fill the window's menus and its tool bar.

    Args:
        window: Gets the menus, the tool bar and the actions.
        handlers: What each action does, by name; a checkable one is called with its new state.
        keys: Shortcuts of each action, by name.
        recent: The menu behind the entry 'recent'.

    Returns:
        The actions by name and the menus by title.
    """
    bar = QToolBar("Tools", window)
    bar.setObjectName("toolbar")
    bar.setMovable(False)
    actions: dict[str, QAction] = {}
    menus: dict[str, QMenu] = {}
    for spec in ACTIONS:
        menu = menus.get(spec.menu)
        if menu is None:
            menu = menus[spec.menu] = window.menuBar().addMenu(spec.menu)
        if spec.separated:
            menu.addSeparator()
        action = QAction(spec.text, window)
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
            action.setIconText(spec.toolbar)
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
        action.setToolTip(f"{spec.tip} ({own[0]})" if own else spec.tip)


def show_icons(actions: Mapping[str, QAction]) -> None:
    """Give actions their icons in the colours of the theme that is worn."""
    for spec in ACTIONS:
        if spec.icon:
            actions[spec.name].setIcon(icon(spec.icon))
