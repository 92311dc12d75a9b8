"""What a person does to segments: which are selected and hidden, and every edit of them, by its name in the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from core.edits import EditRefused, refuse_locked
from core.labels import add_label, change_label, free_color, move_label, remove_label, short_name
from core.scene import Edit, Label, Review, Scene, Segment, change_segments, remove_segments
from panoviewer.document import Document
from panoviewer.translation import mark, tr

NO_SCENE = mark("Segments can be made as soon as the annotations of a panorama are read.")


class Annotating(QObject):
    """Selection and visibility, which are not saved, and the edits, which are.

    Segments are named by their numbers. A locked segment refuses every edit but those of its lock, and says so.

    Whatever gives a label, a key, the list or a new name: it goes to the object that a tool is making; without one to
    the segments that the user has selected, or painted; and always to those to come. A segment that was merely kept
    last is selected for what mends it. It gets the label, too, unless its own was given for it: some people name
    before they keep, others after it, and one that still bears the name of the object before is waiting for its own.

    Signals:
        selection_changed: Other segments are selected.
        visibility_changed: Other segments are to be seen.
        label_changed: New segments get another label.
        label_renamed(str, str): A label has another name, in this scene.
        told(str): A sentence for the status line.
    """

    selection_changed = Signal()
    visibility_changed = Signal()
    label_changed = Signal()
    label_renamed = Signal(str, str)
    told = Signal(str)

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._selected: tuple[int, ...] = ()
        self._is_chosen = False
        self._is_given = self._is_unnamed = False
        self._is_taken_back = False
        self._is_making = False
        self._turn: Callable[[Callable[[], object]], object] = lambda act: act()
        self._hidden: frozenset[int] = frozenset()
        self._all_hidden = False
        self._label = ""
        self._blocked = ""
        document.scene_changed.connect(self._forget_gone)

    # ----- what there is -----

    @property
    def scene(self) -> Scene | None:
        """The present scene; None while there is none."""
        return self._document.scene

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Of the present scene; none while there is no scene."""
        scene = self._document.scene
        return () if scene is None else scene.segments

    @property
    def labels(self) -> tuple[Label, ...]:
        """The label set of the present scene."""
        scene = self._document.scene
        return () if scene is None else scene.labels

    @property
    def selected(self) -> tuple[int, ...]:
        """Numbers of the selected segments, in the order in which they were chosen."""
        return self._selected

    def find(self, number: int) -> Segment | None:
        """The segment of a number; None when it is gone."""
        return next((segment for segment in self.segments if segment.number == number), None)

    @property
    def selected_segments(self) -> tuple[Segment, ...]:
        """The same segments themselves."""
        by_number = {segment.number: segment for segment in self.segments}
        return tuple(by_number[number] for number in self._selected)

    @property
    def target(self) -> Segment | None:
        """The one selected segment; None when there is none, or when there are several."""
        return self.selected_segments[0] if len(self._selected) == 1 else None

    @property
    def label(self) -> str:
        """What new segments are called; empty for nothing."""
        return self._label

    def set_making(self, *, making: bool) -> None:
        """A tool has an object in hand that is no segment yet, or none any more."""
        self._is_making = making

    def set_turns(self, turn: Callable[[Callable[[], object]], object]) -> None:
        """Labels are given through this, which calls what it gets when the edits that were begun before are made."""
        self._turn = turn

    def in_turn(self, act: Callable[[], object]) -> None:
        """Do this when all edits that were begun before are made; at once where there are none."""
        self._turn(act)

    def set_blocked(self, reason: str) -> None:
        """Refuse all edits with this sentence; empty allows them."""
        self._blocked = reason

    def may_edit(self) -> bool:
        """Whether there is a scene that can be edited; where there is not, it is told why."""
        if self._document.scene is None or self._blocked:
            self.told.emit(self._blocked or tr(NO_SCENE))
        return self._document.scene is not None and not self._blocked

    # ----- selection and visibility -----

    def select(self, numbers: Iterable[int], *, extend: bool = False) -> None:
        """Choose segments for the user, with all of their groups, instead of or beside those chosen before."""
        self._is_chosen = True
        self._is_taken_back = False
        by_number = {segment.number: segment for segment in self.segments}
        chosen = dict.fromkeys(self._selected if extend else ())
        for number in numbers:
            group = by_number[number].group if number in by_number else 0
            same = [s.number for s in self.segments if group and s.group == group]
            chosen.update(dict.fromkeys([number, *same]))
        self._select(tuple(number for number in chosen if number in by_number))

    def toggle(self, number: int) -> None:
        """Choose a segment, too, or no longer."""
        if number in self._selected:
            self._select(tuple(other for other in self._selected if other != number))
        else:
            self.select([number], extend=True)

    def select_neighbour(self, step: int) -> None:
        """Choose the segment `step` places after the selected one; after the last comes the first."""
        numbers = [segment.number for segment in self.segments if self.is_visible(segment.number)]
        if numbers:
            last = self._selected[-1] if self._selected and self._selected[-1] in numbers else None
            place = numbers.index(last) + step if last is not None else (0 if step > 0 else -1)
            self.select([numbers[place % len(numbers)]])

    def segment_at(self, lon: float, lat: float) -> Segment | None:
        """The uppermost segment to be seen in a direction, radians."""
        for segment in reversed(self.segments):
            if self.is_visible(segment.number) and segment.mask.contains(lon, lat):
                return segment
        return None

    def is_visible(self, number: int) -> bool:
        """Whether a segment is to be seen."""
        return not self._all_hidden and number not in self._hidden

    @property
    def all_hidden(self) -> bool:
        """Whether none are to be seen, whatever `is_shown` says of each."""
        return self._all_hidden

    def is_shown(self, number: int) -> bool:
        """Whether a segment is to be seen when not all are hidden."""
        return number not in self._hidden

    def set_shown(self, numbers: Iterable[int], *, shown: bool) -> None:
        """Show or hide segments, with all of their groups."""
        chosen = set(numbers)
        groups = {s.group for s in self.segments if s.number in chosen and s.group}
        chosen |= {s.number for s in self.segments if s.group in groups}
        self._hidden = self._hidden - chosen if shown else self._hidden | chosen
        self.visibility_changed.emit()

    def set_all_hidden(self, *, hidden: bool) -> None:
        """Hide all, or show again those that are not hidden one by one."""
        self._all_hidden = hidden
        self.visibility_changed.emit()

    # ----- edits of segments -----

    def add(self, segments: Sequence[Segment], name: str = "", *, select: bool = True) -> bool:
        """Put new segments on top, and labels of theirs into the set; returns whether that could be done.

        Args:
            segments: At least one; their numbers are given here.
            name: Of the edit; by default 'Add' and the label.
            select: Whether they are selected in place of the others, though not for labels that are given next.
        """
        scene = self._document.scene
        if not self.may_edit() or scene is None:
            return False
        first = scene.next_number
        numbered = tuple(replace(segment, number=first + index) for index, segment in enumerate(segments))

        def edit(scene: Scene) -> Scene:
            for label in dict.fromkeys(segment.label for segment in numbered if segment.label):
                scene = add_label(Label(label, free_color(scene.labels)))(scene)
            return replace(scene, segments=(*scene.segments, *numbered))

        self._document.apply(name or tr("Add {label}", label=segments[0].label or tr("segment")), edit)
        if select:
            self.select([segment.number for segment in numbered])
            self._is_chosen = False
            is_own = any(segment.label != self._label for segment in numbered)
            self._is_unnamed = not is_own and not (self._is_given and self._label)
            self._is_given = self._is_given and is_own
        return True

    def change(self, number: int, name: str, **changes: object) -> None:
        """Give fields of a segment other values; nothing happens when it is gone.

        Args:
            number: Of the segment.
            name: Of the edit.
            **changes: Its fields.
        """
        segment = self.find(number)
        if segment is not None and not self.refused([segment]):
            self.apply(name, change_segments([number], **changes))

    def apply(self, name: str, edit: Edit) -> None:
        """Make an edit, unless edits are refused; segments that are new by it are selected."""
        if self.may_edit():
            before = {segment.number for segment in self.segments}
            self._document.apply(name, edit)
            new = [segment.number for segment in self.segments if segment.number not in before]
            if new:
                self.select(new)

    def remove_selected(self) -> None:
        """Delete the selected segments that are not locked."""
        self._edit_selected(tr("Delete"), remove_segments)

    def set_label(self, name: str) -> None:
        """Give a label, as this class says to what; a name that is not in the label set is added to it."""
        self.in_turn(lambda: self._set_label(name))

    def add_label(self, name: str) -> None:
        """The same with a name that was typed as a new one; it is told where it is none."""
        if not name:
            self.told.emit(tr("Type the name of the new label first."))
            return

        def act() -> None:
            is_known = any(label.name == name for label in self.labels)
            is_given = self._set_label(name)
            # Whoever types several names is making a label set.
            self._is_unnamed = False
            if is_given and is_known and self.may_edit():
                self.told.emit(tr("There is a label {name} already; it is in use now.", name=short_name(name)))

        self.in_turn(act)

    def set_label_by_key(self, key: int) -> None:
        """The same with the `key`-th label of the set, from 1."""

        def act() -> None:
            if key <= len(self.labels):
                self._set_label(self.labels[key - 1].name)
            else:
                self.told.emit(tr("There is no label {key} yet; add labels in the panel Segments.", key=key))

        self.in_turn(act)

    def take_back_label(self, before: Scene | None, label: str) -> None:
        """A label was given by mistake: segments have their own again, and so have those to come.

        Args:
            before: The scene before; nothing may have been edited since but that label.
            label: What new segments were called before.
        """
        if before is not self._document.scene:
            self._document.undo()
        self._label = label
        self.label_changed.emit()
        self.told.emit("")

    def change_selected(self, name: str, **changes: object) -> None:
        """Give fields of the selected segments other values; those that have them already are no edit."""

        def differs(segment: Segment) -> bool:
            return any(getattr(segment, field) != value for field, value in changes.items())

        numbers = [segment.number for segment in self.selected_segments if differs(segment)]
        self._edit_selected(name, lambda free: change_segments([n for n in free if n in numbers], **changes))

    def set_locked(self, numbers: Iterable[int], *, locked: bool) -> None:
        """Lock or unlock segments."""
        chosen = [s.number for s in self.segments if s.number in set(numbers) and s.locked != locked]
        self.apply(tr("Lock") if locked else tr("Unlock"), change_segments(chosen, locked=locked))

    def group_selected(self) -> None:
        """Make the selected segments one group."""
        self.change_selected(tr("Group"), group=1 + max((segment.group for segment in self.segments), default=0))

    def ungroup_selected(self) -> None:
        """Make the selected segments no group."""
        self.change_selected(tr("Ungroup"), group=0)

    def review(self, verdict: Review) -> None:
        """Accept or reject the selected segments, or without any the panorama; a second time takes it back."""
        scene = self._document.scene
        if scene is None:
            return
        names = {Review.ACCEPTED: tr("Accept"), Review.REJECTED: tr("Reject"), Review.OPEN: tr("Reopen")}
        if self._selected:
            if all(segment.review is verdict for segment in self.selected_segments):
                verdict = Review.OPEN
            # A verdict is no edit of a segment: one that is locked can be reviewed, too.
            self.apply(names[verdict], change_segments(self._selected, review=verdict))
        elif self._is_taken_back:
            # Whoever judges a segment and has just undone it does not mean all of the panorama.
            self._is_taken_back = False
            self.told.emit(tr("The selected segment is gone; once more judges the whole panorama."))
        else:
            verdict = Review.OPEN if scene.review is verdict else verdict
            self.apply(tr("{verdict} panorama", verdict=names[verdict]), lambda scene: replace(scene, review=verdict))

    # ----- edits of the label set -----

    def change_label(self, name: str, label: Label) -> None:
        """Rename or recolour a label, on its segments as well."""
        before = self._document.scene
        if not label.name:
            self.told.emit(tr("A label needs a name; {name} keeps its own.", name=short_name(name)))
            return
        is_known = label.name != name and any(other.name == label.name for other in self.labels)
        self.apply(tr("Change label {name}", name=short_name(name)), change_label(name, label))
        if is_known and self._document.scene is not before:
            self.told.emit(
                tr(
                    "There was a label {name} already: both are one now, until you undo it.",
                    name=short_name(label.name),
                )
            )
        if self._document.scene is not before and label.name != name:
            if self._label == name:
                self._label = label.name
                self.label_changed.emit()
            self.label_renamed.emit(name, label.name)

    def remove_label(self, name: str) -> None:
        """Take a label out of the set and from its segments."""
        self.apply(tr("Remove label {name}", name=short_name(name)), remove_label(name))
        if self._label == name:
            self._label = ""
            self.label_changed.emit()

    def move_label(self, name: str, place: int) -> None:
        """Give a label another hot key."""
        self.apply(tr("Order labels"), move_label(name, place))

    # ----- within -----

    def _set_label(self, name: str) -> bool:
        """Give a label; False where a segment has refused it."""
        self._label = name
        self.label_changed.emit()
        named = () if self._is_making else self.selected_segments
        is_late = bool(named) and not self._is_chosen
        if is_late and not self._is_unnamed:
            named = ()
        self._is_given = not named
        is_new = bool(name) and all(label.name != name for label in self.labels)
        is_refused = self.refused(named)
        numbers = [segment.number for segment in named if not segment.locked and segment.label != name]

        def edit(scene: Scene) -> Scene:
            known = add_label(Label(name, free_color(scene.labels)))(scene) if is_new else scene
            return change_segments(numbers, label=name)(known)

        if numbers:
            self.apply(tr("Label as {name}", name=short_name(name)) if name else tr("Remove label"), edit)
        elif is_new:
            self.apply(tr("Add label {name}", name=short_name(name)), edit)
        if is_late and numbers:
            self.told.emit(
                tr(
                    "The last one is called {name}, and so are the next; undo is for the last one.",
                    name=short_name(name),
                )
            )
        if not named and self._document.scene is not None and not self._blocked:
            what = tr("The object") if self._is_making else tr("The next one")
            self.told.emit(
                tr("{what} is called {name}.", what=what, name=short_name(name))
                if name
                else tr("{what} has no label.", what=what)
            )
        return not is_refused

    def _select(self, numbers: tuple[int, ...]) -> None:
        if numbers != self._selected:
            self._selected = numbers
            self.selection_changed.emit()

    def _forget_gone(self) -> None:
        there = {segment.number for segment in self.segments}
        if self._document.scene is None:
            self._hidden = frozenset()
        is_undone = self._document.redo_name is not None
        left = tuple(number for number in self._selected if number in there)
        self._is_taken_back = is_undone and (self._is_taken_back or (bool(self._selected) and not left))
        self._select(left)

    def _edit_selected(self, name: str, edit_of: Callable[[list[int]], Edit]) -> None:
        """Edit the selected segments that are not locked."""
        segments = self.selected_segments
        self.refused(segments)
        free = [segment.number for segment in segments if not segment.locked]
        if free:
            self.apply(name, edit_of(free))

    def refused(self, segments: Sequence[Segment]) -> bool:
        """Whether one of these segments is locked; if so, it is told."""
        scene = self._document.scene
        if scene is not None:
            try:
                refuse_locked(scene, [segment.number for segment in segments])
            except EditRefused as error:
                self.told.emit(str(error))
                return True
        return False
