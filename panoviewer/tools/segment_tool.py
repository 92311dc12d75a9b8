"""Cutting objects out by clicks: what is pointed at grows into a mask, and becomes a segment when it is right."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace

from PySide6.QtCore import QObject, Qt, Signal

from core.geometry.sphere import lonlat_to_directions
from core.mask import SphereMask
from core.scene import Click, Segment
from core.segment.boxes import border_of, box_around
from core.segment.mending import Mending
from core.segment.updates import Stage
from panoviewer.annotating import Annotating
from panoviewer.clicking import Clicking, Found, Prompts
from panoviewer.mask_display import MaskDisplay, preview_layer
from panoviewer.stage import SphereView
from panoviewer.tools.annotation_tool import ENTER, PLAIN, AnnotationTool
from panoviewer.translation import mark, tr
from panoviewer.views.marks import Mark, PathMark, PointMark, Sign
from panoviewer.views.mouse import Pointer

READINGS = (mark("part"), mark("object"), mark("group"))
OBJECT = 1
HELP = mark("Click an object, right click what is not part of it, or drag a box. Enter keeps it, Esc drops it.")
PREPARING = mark("Preparing the click network (first time)…")
MENDING = mark("Click what does belong to it, right click what does not. Enter keeps it, Esc leaves it as it was.")
NOTHING = mark("Nothing was found there; click somewhere else on it, or draw a box around it.")


@dataclass(eq=False)
class Making:
    """An object on its way to a segment.

    Attributes:
        number: Under which `Clicking` knows it.
        label: What it is going to be called.
        corrects: The segment that it takes the place of; None for a new one.
        mending: The mask of that segment, which clicks go on from; None for a new object, or when clicks mean something
            else now.
        prompts: What was pointed at.
        found: How far the answer to that has come; None before there is any.
        mask: The newest there is, perhaps still of the prompts before.
    """

    number: int
    label: str
    corrects: Segment | None = None
    mending: Mending | None = None
    prompts: Prompts = field(default_factory=Prompts)
    found: Found | None = None
    mask: SphereMask | None = None

    def begins_with(self, prompts: Prompts) -> bool:
        """Whether it is the correction of a segment, to which these prompts would change nothing."""
        mending = self.mending
        return mending is not None and (prompts.clicks, prompts.box) == (mending.clicks, mending.box)

    @property
    def is_by_hand(self) -> bool:
        """Whether its mask was also made by other means than clicks, of which a network's estimate says nothing."""
        return self.mending is not None and self.corrects is not None and math.isnan(self.corrects.score)

    @property
    def asks(self) -> bool:
        """Whether there is something to look for: "not this" says something of a mask that is there."""
        return self.prompts.say_something or (self.mending is not None and bool(self.prompts.clicks))


class SegmentTool(AnnotationTool):
    """Clicks and boxes become prompts; what is found is shown at once and becomes an edit with Enter.

    Enter may come before the last view was looked at: the object is finished behind the scenes while the next one is
    begun, or another tool is used. Only Esc gives an object up.

    Signals:
        making_changed: Another object is being made, or it has come farther; see `making`.
        reading_changed(int): Clicks mean another of `READINGS`.
    """

    buttons = Qt.MouseButton.LeftButton | Qt.MouseButton.RightButton
    making_changed = Signal()
    reading_changed = Signal(int)

    def __init__(
        self, clicking: Clicking, annotating: Annotating, display: MaskDisplay, parent: QObject | None = None
    ) -> None:
        super().__init__(annotating, display, parent)
        self._clicking = clicking
        self._numbers = itertools.count(1)
        self._making: Making | None = None
        self._finishing: list[Making] = []
        self._reading: int | None = None
        self._drag: list[Mark] = []
        self._dragged = False
        self._is_used = False
        clicking.ready.connect(self._tell_ready)
        clicking.found.connect(self._take)
        clicking.failed.connect(self._fail)

    @property
    def making(self) -> Making | None:
        """The object that is being made; None between two objects."""
        return self._making

    # ----- the contract of a tool -----

    def begin(self) -> None:
        """Load the network and prepare views; say what to do."""
        self._is_used = True
        self._clicking.prepare()
        self.told.emit(tr(HELP) if self._clicking.is_ready else f"{tr(HELP)}  ·  {tr(PREPARING)}")

    def end(self) -> None:
        """Keep what is begun; the marks go."""
        self.finish()
        self._is_used = False
        self._drag = []
        self._display.set_marks()
        self.told.emit("")

    def flush(self) -> None:
        """Finish with what was found so far."""
        self.finish()
        for making in list(self._finishing):
            self._clicking.cancel(making.number)
            self._commit(making)

    def drag(self, view: SphereView, pointer: Pointer) -> None:
        """Draw the box, as this view sees it."""
        if pointer.button == Qt.MouseButton.LeftButton and pointer.start is not None:
            self._dragged = True
            self._drag = [PathMark(view.box_between(pointer.start, pointer), closed=True, dashed=True)]
            self._show_marks()

    def release(self, view: SphereView, pointer: Pointer) -> None:
        """The box is drawn."""
        dragged, self._dragged, self._drag = self._dragged, False, []
        if dragged and pointer.start is not None:
            border = view.box_between(pointer.start, pointer)
            self._ask(replace(self._begun().prompts, box=box_around(border), clicks=()))

    def click(self, view: SphereView, pointer: Pointer) -> None:  # noqa: ARG002
        """One prompt more."""
        if pointer.button not in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
            return
        negative = pointer.button == Qt.MouseButton.RightButton or pointer.holds(Qt.KeyboardModifier.ShiftModifier)
        lon, lat = pointer.lonlat
        prompts = self._begun().prompts
        self._ask(replace(prompts, clicks=(*prompts.clicks, Click(lon, lat, positive=not negative))))

    def move(self, view: SphereView, pointer: Pointer | None) -> None:  # noqa: ARG002
        """Views near the cursor are prepared first."""
        if pointer is not None:
            self._clicking.look_at(*pointer.lonlat)

    def takes_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> bool:
        """Enter, Backspace, Esc and T while an object is being made; P and digits always."""
        mine = key in (*ENTER, Qt.Key.Key_Backspace, Qt.Key.Key_Escape, Qt.Key.Key_T)
        if self._making is not None and mine:
            return modifiers in (*PLAIN, Qt.KeyboardModifier.ShiftModifier)
        return (key == Qt.Key.Key_P and modifiers in PLAIN) or super().takes_key(key, modifiers)

    def press_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> None:
        """Finish, take back, give up, flip the last click, choose the reading or the label."""
        if key in ENTER:
            self.finish()
        elif key == Qt.Key.Key_Backspace:
            self.take_back(everything=bool(modifiers & Qt.KeyboardModifier.ShiftModifier))
        elif key == Qt.Key.Key_Escape and self._making is not None:
            self.give_up()
        elif key == Qt.Key.Key_T:
            self.flip()
        elif key == Qt.Key.Key_P:
            self.next_reading()
        else:
            super().press_key(key, modifiers)

    # ----- what the keys do -----

    def finish(self) -> None:
        """Make a segment of the object, as soon as all of it is known."""
        making, self._making = self._making, None
        if making is None:
            return
        if making.corrects is None:
            making.label = self._annotating.label
        self._finishing.append(making)
        if not making.asks or making.begins_with(making.prompts):
            self._finishing.remove(making)
            self._clicking.cancel(making.number)
        elif making.found is not None and making.found.is_final:
            self._commit(making)
        else:
            if not self._clicking.looks_for(making.number):
                # Cancelled before its end; whoever wants to keep it wants all of it.
                self._clicking.ask(making.number, making.prompts, making.mending)
            self.told.emit(tr("Finishing…"))
        self._show()

    def take_back(self, *, everything: bool = False) -> None:
        """Remove the last prompt; without any the object is given up."""
        if self._making is None:
            return
        prompts = self._making.prompts
        had_clicks = bool(prompts.clicks)
        if prompts.clicks and not everything:
            prompts = replace(prompts, clicks=prompts.clicks[:-1])
        else:
            prompts = replace(prompts, clicks=(), box=None)
        if prompts.clicks or prompts.box is not None or (had_clicks and self._making.begins_with(prompts)):
            self._ask(prompts)
        else:
            self.give_up()

    def give_up(self) -> None:
        """Forget the object."""
        making, self._making = self._making, None
        if making is not None:
            self._clicking.cancel(making.number)
            self.told.emit(tr(HELP))
            self._show()

    @property
    def begun(self) -> str:
        """The last click or the box of the object that is being made, or the correction of one."""
        making = self._making
        if making is None or not (making.corrects is not None or making.prompts.clicks or making.prompts.box):
            return ""
        if making.begins_with(making.prompts):
            return tr("correction")
        return tr("click") if making.prompts.clicks else tr("box")

    def undo(self) -> None:
        """Take it back."""
        if self._making is not None and self._making.begins_with(self._making.prompts):
            self.give_up()
        else:
            self.take_back()

    def flip(self) -> None:
        """The last click says the opposite."""
        if self._making is not None and self._making.prompts.clicks:
            prompts = self._making.prompts
            last = prompts.clicks[-1]
            self._ask(replace(prompts, clicks=(*prompts.clicks[:-1], replace(last, positive=not last.positive))))

    def next_reading(self) -> None:
        """Clicks mean the group, then the part, then again the object."""
        self.set_reading({None: 2, 2: 0, 0: OBJECT}[self._reading])

    def set_reading(self, reading: int) -> None:
        """Clicks mean this of `READINGS`; the object is what the network would choose itself."""
        self._reading = None if reading == OBJECT else reading
        self.told.emit(tr("Clicks mean the {reading}.", reading=tr(READINGS[reading])))
        self.reading_changed.emit(reading)
        if self._making is not None:
            mending = self._making.mending
            if mending is not None and (mending.clicks or mending.box):
                # Who wants the whole of a part, or a part of it, wants another mask than the one there is.
                self._making.mending = None
            self._ask(replace(self._making.prompts, reading=self._reading))

    def correct(self, segment: Segment) -> None:
        """Go on from the mask of a segment, which the result takes the place of.

        What brush, lasso or another program has made of it stays, except where a new click is about it.
        """
        if self._annotating.refused([segment]) or not self._annotating.may_edit():
            return
        self.finish()
        self._annotating.select([segment.number])
        mending = Mending(segment.mask, segment.clicks, segment.box, self._reading)
        prompts = Prompts(segment.clicks, segment.box, self._reading)
        self._making = Making(next(self._numbers), segment.label, segment, mending, prompts, mask=segment.mask)
        # The views of its clicks are looked at once more: the next click goes on from there.
        self._ask(prompts)
        self.told.emit(tr(MENDING))

    # ----- within -----

    def _begun(self) -> Making:
        """The object being made; a new one when there is none."""
        if self._making is None:
            self._annotating.select(())
            self._making = Making(next(self._numbers), self._annotating.label, prompts=Prompts(reading=self._reading))
        return self._making

    def _ask(self, prompts: Prompts) -> None:
        making = self._begun()
        making.prompts = prompts
        making.found = None
        if not self._annotating.may_edit():
            self.give_up()
            return
        if making.asks:
            self.told.emit(tr("Looking…") if self._clicking.is_ready else tr(PREPARING))
            self._clicking.ask(making.number, prompts, making.mending)
        else:
            making.mask = None if making.mending is None else making.mending.mask
            self._clicking.cancel(making.number)
            self.told.emit(tr("Now click what does belong to it.") if making.mending is None else tr(MENDING))
        self._show()

    def _tell_ready(self) -> None:
        if self._is_used:
            making = self._making
            self.told.emit(tr(HELP) if making is None else tr("Looking…") if making.asks else tr(MENDING))

    def _take(self, number: int, found: Found) -> None:
        for making in (self._making, *self._finishing):
            if making is not None and making.number == number:
                making.found = found
                making.mask = making.mask if found.mask is None else found.mask
                if making is self._making:
                    self._tell(found)
                elif found.is_final:
                    self._commit(making)
                self._show(masks=found.mask is not None)
                return

    def _fail(self, number: int, why: str) -> None:
        self._finishing = [making for making in self._finishing if making.number != number]
        if self._making is not None and self._making.number == number:
            self._making = None
        self._show()
        self.told.emit(why)

    def _tell(self, found: Found) -> None:
        update = found.update
        if found.mask is not None and found.mask.is_empty:
            self.told.emit(tr(NOTHING) if found.is_final else tr("Looking…"))
            return
        clicks = len(found.prompts.clicks)
        told = tr("1 click") if clicks == 1 else tr("{clicks} clicks", clicks=clicks)
        parts = [told if clicks else tr("box")]
        if self._making is None or not self._making.is_by_hand:
            parts.append(tr("score {score:.2f}", score=update.score))
        if update.stage is Stage.VIEW and update.left:
            parts.append(tr("view {done} of about {total}", done=update.done, total=update.done + update.left))
        if found.is_final:
            parts.append(tr("Enter keeps it, more clicks correct it, P asks for its group or part"))
        self.told.emit("  ·  ".join(parts))

    def _commit(self, making: Making) -> None:
        """The object becomes a segment, or takes the place of one."""
        if making in self._finishing:
            self._finishing.remove(making)
        found, mask = making.found, making.mask
        if mask is None or mask.is_empty:
            self.told.emit(tr(NOTHING))
            self._show()
            return
        segment = Segment(
            1,
            mask,
            making.label,
            clicks=making.prompts.clicks,
            box=making.prompts.box,
            score=math.nan if found is None or making.is_by_hand else found.update.score,
            model=self._clicking.model,
        )
        if making.corrects is None:
            # What comes when another tool is in use must not be what that tool goes on with.
            self._annotating.add([segment], select=self._making is None and self._is_used)
        else:
            made = {name: getattr(segment, name) for name in ("mask", "clicks", "box", "score", "model")}
            self._annotating.change(
                making.corrects.number, tr("Correct {label}", label=making.label or tr("segment")), **made
            )
        if self._making is None and self._is_used:
            self.told.emit(tr(HELP))
        self._show()

    def _show(self, *, masks: bool = True) -> None:
        """Draw what is being made, and what is being finished."""
        if masks:
            all_made = [*self._finishing, *([self._making] if self._making is not None else [])]
            layers = [preview_layer(making.mask) for making in all_made if making.mask is not None]
            corrected = self._making.corrects if self._making is not None else None
            self._display.set_preview(self, layers, instead_of=None if corrected is None else corrected.number)
        self._annotating.set_making(making=self._making is not None and self._making.corrects is None)
        if self._is_used:
            self._show_marks()
        self.making_changed.emit()
        self.note_begun()

    def _show_marks(self) -> None:
        marks: list[Mark] = []
        if self._making is not None:
            prompts = self._making.prompts
            if prompts.box is not None:
                marks.append(PathMark(border_of(prompts.box), closed=True, dashed=True))
            for click in prompts.clicks:
                sign = Sign.POSITIVE if click.positive else Sign.NEGATIVE
                marks.append(PointMark(lonlat_to_directions(click.lon, click.lat), sign))
        self._display.set_marks([*marks, *self._drag])
