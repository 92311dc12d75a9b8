from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.edits import subtract_segments, unite_segments
from core.errors import PanoError
from core.geometry.sphere import lonlat_to_directions
from core.history import History
from core.labels import add_label, change_label
from core.mask import SphereMask
from core.panorama import Panorama
from core.prediction import Prediction
from core.scene import Click, Label, Review, Scene, Segment, add_segment, change_segments, remove_segments
from core.segment.brush import brush

HEIGHT, WIDTH = 8, 16


def photo():
    return Panorama(np.arange(HEIGHT * WIDTH * 3, dtype=np.uint8).reshape(HEIGHT, WIDTH, 3))


def dot(seed, *, size=0.5):
    rng = np.random.default_rng(seed)
    at = lonlat_to_directions(rng.uniform(-np.pi, np.pi), rng.uniform(-1.5, 1.5))
    return brush(SphereMask.empty(HEIGHT, WIDTH), at, size, positive=True)


def noise(seed, height, width):
    return SphereMask.pack(np.random.default_rng(seed).random((height, width)) < 0.5)


def add(seed, **fields):
    def edit(scene):
        clicks = (Click(0.1 * seed, 0.2, positive=seed % 2 == 0),)
        return add_segment(Segment(scene.next_number, dot(seed), clicks=clicks, **fields))(scene)

    return edit


def frozen(scene):
    """Everything in a scene, byte by byte."""
    segments = tuple(
        tuple(astuple(getattr(s, f)) if f == "mask" else repr(getattr(s, f)) for f in s.__dataclass_fields__)
        for s in scene.segments
    )
    classes = None if scene.prediction is None else scene.prediction.classes.tobytes()
    return scene.panorama.rgb.tobytes(), classes, segments, scene.labels, scene.review


class UndoAndRedo(RuleBasedStateMachine):
    """A history beside a list of everything that ever was."""

    @initialize()
    def begin(self):
        scene = Scene(photo())
        self.history = History(scene)
        self.frozen, self.scenes = [frozen(scene)], [scene]
        self.names = []
        self.at = self.saved = 0

    def edit(self, name, edit):
        before = self.history.scene
        try:
            after = self.history.apply(name, edit)
        except PanoError:
            assert self.history.scene is before
            return
        if after is before:
            return
        if self.saved > self.at:
            self.saved = -1  # the saved scene is on a way that is given up
        del self.frozen[self.at + 1 :], self.scenes[self.at + 1 :], self.names[self.at :]
        self.frozen.append(frozen(after))
        self.scenes.append(after)
        self.names.append(name)
        self.at += 1

    numbers = st.integers(1, 6)

    @rule(seed=st.integers(0, 50), locked=st.booleans())
    def add_one(self, seed, locked):
        self.edit(f"Add {seed}", add(seed, locked=locked))

    @rule(number=numbers)
    def remove(self, number):
        self.edit("Remove", remove_segments([number]))

    @rule(number=numbers, seed=st.integers(0, 50), positive=st.booleans())
    def paint(self, number, seed, positive):
        def edit(scene):
            if all(segment.number != number for segment in scene.segments):
                return scene
            rng = np.random.default_rng(seed)
            painted = brush(scene.segment(number).mask, rng.normal(size=(3, 3)), 0.3, positive=positive)
            return change_segments([number], mask=painted)(scene)

        self.edit("Paint", edit)

    @rule(number=numbers, other=numbers, edit_of=st.sampled_from([unite_segments, subtract_segments]))
    def combine(self, number, other, edit_of):
        there = {segment.number for segment in self.history.scene.segments}
        if {number, other} <= there and number != other:
            self.edit("Combine", edit_of(number, [other]))

    @rule(name=st.sampled_from("abc"), other=st.sampled_from("abc"))
    def label(self, name, other):
        self.edit("Label", add_label(Label(name, (1, 2, 3))))
        self.edit("Rename", change_label(name, Label(other, (4, 5, 6))))

    @rule(review=st.sampled_from(Review))
    def review_panorama(self, review):
        self.edit("Review", lambda scene: scene if scene.review is review else replace(scene, review=review))

    @rule()
    def nothing(self):
        self.edit("Nothing", lambda scene: scene)

    @rule()
    def predict(self):
        prediction = Prediction(classes=np.zeros((4, 8), np.int16), class_names=("wall",))
        self.edit("Predict", lambda scene: replace(scene, prediction=prediction))

    @precondition(lambda self: self.at > 0)
    @rule(times=st.integers(1, 4))
    def undo(self, times):
        for _ in range(times):
            self.history.undo()
            self.at = max(self.at - 1, 0)

    @precondition(lambda self: self.at + 1 < len(self.frozen))
    @rule(times=st.integers(1, 4))
    def redo(self, times):
        for _ in range(times):
            self.history.redo()
            self.at = min(self.at + 1, len(self.frozen) - 1)

    @rule()
    def save(self):
        self.history.mark_saved(self.history.scene)
        self.saved = self.at

    @invariant()
    def the_present_is_what_it_was(self):
        assert self.history.scene is self.scenes[self.at]
        assert frozen(self.history.scene) == self.frozen[self.at]
        assert self.history.undo_names == tuple(reversed(self.names[: self.at]))
        assert self.history.redo_names == tuple(self.names[self.at :])
        assert self.history.undo_name == (self.names[self.at - 1] if self.at else None)
        assert self.history.redo_name == (self.names[self.at] if self.at < len(self.names) else None)
        assert self.history.is_saved == (self.at == self.saved)
        assert self.history.nbytes >= 0


UndoAndRedo.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
TestUndoAndRedo = UndoAndRedo.TestCase


def test_without_edits_there_is_nothing_to_undo():
    scene = Scene(photo())
    history = History(scene)
    assert history.undo() is history.redo() is history.scene is scene
    assert (history.undo_name, history.redo_name, history.undo_names, history.redo_names) == (None, None, (), ())
    assert history.is_saved
    assert history.nbytes == 0


def test_an_edit_that_fails_leaves_everything_as_it_was():
    history = History(Scene(photo()))
    history.apply("Add", add(1))
    history.undo()
    with pytest.raises(KeyError):
        history.apply("Fail", lambda scene: scene.segment(99))
    assert history.redo_name == "Add"


def test_a_scene_that_was_saved_while_edits_went_on_is_the_saved_one():
    history = History(Scene(photo()))
    saved = history.apply("Add", add(1))
    history.apply("Add more", add(2))
    history.mark_saved(saved)
    assert not history.is_saved
    history.undo()
    assert history.is_saved
    history.redo()
    assert not history.is_saved


def test_what_scenes_share_is_counted_once():
    large = Panorama(np.zeros((512, 1024, 3), np.uint8))
    history = History(Scene(large))
    first = noise(1, 512, 1024)
    history.apply("Add", add_segment(Segment(1, first)))
    for n in range(100):
        history.apply("Relabel", change_segments([1], label=str(n)))
    # The photograph and the mask are those of the present scene.
    assert history.nbytes < 200_000
    history.apply("Repaint", change_segments([1], mask=noise(2, 512, 1024)))
    assert len(first.data) < history.nbytes < len(first.data) + 200_000
    history.undo()
    assert history.nbytes < len(first.data) * 1.1 + 200_000


def test_over_budget_the_oldest_edits_are_given_up_and_no_others():
    mask_bytes = len(noise(0, 512, 1024).data)
    history = History(Scene(Panorama(np.zeros((512, 1024, 3), np.uint8))), budget=5 * mask_bytes + 20_000)
    for n in range(20):
        edit = change_segments([1], mask=noise(n, 512, 1024)) if n else add_segment(Segment(1, noise(0, 512, 1024)))
        history.apply(f"Paint {n}", edit)
        assert history.nbytes <= 5 * mask_bytes + 20_000
    assert history.undo_names == tuple(f"Paint {n}" for n in range(19, 14, -1))
    for n in range(18, 13, -1):
        assert history.undo().segment(1).mask.same_as(noise(n, 512, 1024))
    assert history.undo_name is None
    assert history.undo().segment(1).mask.same_as(noise(14, 512, 1024))
    assert len(history.redo_names) == 5


def test_the_last_edit_can_be_undone_whatever_it_holds():
    history = History(Scene(photo()), budget=0)
    before = history.apply("Add", add(1))
    history.apply("Remove", remove_segments([1]))
    assert history.undo_names == ("Remove",)
    assert history.undo() is before


def test_forgotten_redo_steps_give_their_memory_back():
    history = History(Scene(Panorama(np.zeros((512, 1024, 3), np.uint8))))
    history.apply("Add", add_segment(Segment(1, noise(1, 512, 1024))))
    history.undo()
    assert history.nbytes > 60_000
    history.apply("Review", lambda scene: replace(scene, review=Review.ACCEPTED))
    assert history.nbytes < 10_000
