"""Scripted annotation sessions, to be killed: each says what it was told is safe.

Run as `python annotating.py`; each line of its input, `PHOTO SEED REPORT`, begins a session in a process of its own. It
writes lines into the file or pipe REPORT: its process number, then `?DIGEST` before and `!DIGEST` after a state is
secured.
"""

import hashlib
import os
import random
import signal
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from project_samples import some_mask, some_segment, state

from core.history import History
from core.io.images import read_panorama
from core.io.lock import lock_project
from core.io.scene_file import open_scene
from core.scene import Label, Review, add_segment, change_segment, remove_segments


def digest(value):
    """Of everything that is saved of a scene."""
    return hashlib.sha256(repr(state(value)).encode()).hexdigest()


def random_edit(scene, dice):
    """A name and an edit of the kinds that a person makes."""
    kind = dice.randrange(8)
    if kind < 2 or not scene.segments:
        segment = some_segment(scene.next_number, mask=some_mask(dice.randrange(1000)))
        return "Add segment", add_segment(segment)
    number = dice.choice(scene.segments).number
    if kind < 5:
        painted = scene.segment(number).mask | some_mask(dice.randrange(1000))
        return "Brush", change_segment(number, mask=painted)
    if kind == 5:
        return "Label", change_segment(number, label=dice.choice(["door", "окно"]), review=dice.choice(list(Review)))
    if kind == 6 and len(scene.segments) > 3:
        return "Remove", remove_segments([number])
    labels, review = tuple(Label(f"label {n}", (n, n, n)) for n in range(dice.randrange(5))), dice.choice(list(Review))
    return "Labels", lambda scene: replace(scene, labels=labels, review=review)


def annotate(photo, seed, report):
    """Edit, undo, redo and save without end."""
    dice = random.Random(seed)
    panorama = read_panorama(photo)

    def say(text):
        report.write(f"{text}\n".encode())

    say(os.getpid())
    with lock_project(photo.parent):
        file = open_scene(panorama)
        history = History(file.scene if file.recovery is None else file.accept_recovery())
        say(f"!{digest(history.scene)}")
        while True:
            act = dice.random()
            if act < 0.15:
                name, scene = "Undo", history.undo()
            elif act < 0.25:
                name, scene = "Redo", history.redo()
            else:
                name, edit = random_edit(history.scene, dice)
                scene = history.apply(name, edit)
            # A kill between these two lines may leave either state; after the second one it must leave this one.
            say(f"?{digest(scene)}")
            file.record(name, scene)
            say(f"!{digest(scene)}")
            if dice.random() < 0.2:
                file.save(scene)


def serve():
    """Begin a session for each line of the input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        photo, seed, report = line.rstrip("\n").split("\t")
        if os.fork() == 0:
            with open(report, "wb", buffering=0) as stream:
                annotate(Path(photo), int(seed), stream)


if __name__ == "__main__":
    serve()
