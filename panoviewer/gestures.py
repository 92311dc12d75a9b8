"""What the mouse and the keys of views and tools do, as one table: what is no entry of a menu."""

from __future__ import annotations

from panoviewer.translation import mark

VIEWS, TOOLS, CLICKS, BRUSHES, LASSO = (
    mark("Views"),
    mark("With any tool"),
    mark("Segment by clicks"),
    mark("Brush and eraser"),
    mark("Lasso"),
)
MEASURE, LEVEL = mark("Measuring"), mark("Levelling")
GESTURES: tuple[tuple[str, str, str], ...] = (
    (VIEWS, mark("Drag"), mark("Panorama: move it, sideways without end. Look-around view: look. 3D: turn.")),
    (VIEWS, mark("Wheel"), mark("Zoom about the cursor.")),
    (VIEWS, mark("Click in the panorama"), mark("Look there.")),
    (VIEWS, mark("Click in the look-around view"), mark("Scroll the panorama there.")),
    (VIEWS, mark("Double click in 3D"), mark("Turn about that point; beside the cloud: show all of it.")),
    (VIEWS, mark("Shift + drag, right drag in 3D"), mark("Move the cloud.")),
    (VIEWS, mark("B in 3D"), mark("Stand at the camera, with the photo over the cloud; again: go back.")),
    (VIEWS, mark("Arrows, + and −"), mark("Look-around view: turn and zoom.")),
    (VIEWS, mark("Click on a segment"), mark("Select it; with Ctrl one more.")),
    (VIEWS, mark("Tab, Shift + Tab"), mark("Views: select the next segment, or the one before.")),
    (VIEWS, mark("Hold H"), mark("Views: see the bare photo.")),
    (
        VIEWS,
        mark("E, Shift + E"),
        mark("Pictures of more than 8 bits: brighter, darker. The eraser is Shift + B then."),
    ),
    (TOOLS, mark("Middle drag, Space + drag"), mark("Move the picture.")),
    (
        TOOLS,
        mark("1 to 9"),
        mark("Give a label: to the open object, to what you have selected, or to the last one and the next."),
    ),
    (CLICKS, mark("Click, right or Shift + click"), mark("This belongs to the object, this does not.")),
    (CLICKS, mark("Drag"), mark("Draw a box around the object.")),
    (CLICKS, mark("Enter, Esc"), mark("Keep the object, give it up. Without one, Esc ends the selection.")),
    (CLICKS, mark("Backspace or undo, Shift + Backspace"), mark("Take the last click back, take all of them back.")),
    (CLICKS, mark("T"), mark("The last click says the opposite.")),
    (CLICKS, mark("P"), mark("Clicks mean the group, the part, the object.")),
    (BRUSHES, mark("Alt + drag"), mark("Brush: erase. Eraser: paint.")),
    (BRUSHES, mark("Ctrl + wheel"), mark("Another size.")),
    (BRUSHES, mark("Enter, Esc"), mark("The segment is done; the next stroke makes a new one.")),
    (LASSO, mark("Alt, Shift + Alt"), mark("Subtract from the selected segment, leave of it only what is inside.")),
    (LASSO, mark("Enter, double click, Backspace, Esc"), mark("Corner by corner: close, take a corner back, give up.")),
    (
        MEASURE,
        mark("Click"),
        mark("In any view, also in 3D: one point more. Two give a length, three also angle and area."),
    ),
    (MEASURE, mark("Enter, Backspace, Esc"), mark("End the line, take a point back, give up.")),
    (MEASURE, mark("Ctrl + C"), mark("Copy what is measured.")),
    (LEVEL, mark("Two clicks"), mark("On the horizon, or above each other; two verticals fix all of the tilt.")),
    (LEVEL, mark("Enter, Backspace, Esc"), mark("Keep it, take a line back, take all back.")),
    (LEVEL, mark("P"), mark("Lines follow verticals, the horizon, or what is nearer.")),
)
"""Where a gesture counts, what is done, and what that does."""
