"""Small photographs, scenes and annotation files for tests."""

import hashlib
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from core.io.annotation import Annotation
from core.io.images import read_panorama
from core.io.photo_reference import Photo
from core.mask import SphereMask
from core.scene import Box, Click, Label, Review, Scene, Segment

HEIGHT, WIDTH = 16, 32
LABELS = (Label("door", (130, 60, 30)), Label("окно", (10, 200, 250)))


def write_photo(folder, name="hall.png", seed=0):
    """A small photograph on the disk."""
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def open_photo(folder, name="hall.png", seed=0):
    """The same as a panorama."""
    return read_panorama(write_photo(folder, name, seed))


def some_mask(seed=0, height=HEIGHT, width=WIDTH):
    """A disc with holes that lies across the seam for some seeds."""
    dice = np.random.default_rng(seed)
    row, col, radius = dice.integers(0, height), dice.integers(0, width), dice.integers(2, height // 2)
    rows, cols = np.ogrid[:height, :width]
    across = np.minimum((cols - col) % width, (col - cols) % width)
    inside = (rows - row) ** 2 + across**2 <= radius**2
    return SphereMask.pack(inside & (dice.random((height, width)) < 0.8))


def some_segment(number=1, **changes):
    """A segment with every field away from its default."""
    segment = Segment(
        number=number,
        mask=some_mask(number),
        label="door",
        color=(1, 2, 255),
        group=3,
        locked=True,
        review=Review.ACCEPTED,
        clicks=(Click(0.1, -0.2), Click(-3.0, 1.5, positive=False)),
        box=Box(3.0, -0.5, -3.0, 0.25),
        score=0.875,
        model="click-s",
    )
    return replace(segment, **changes)


def some_scene(panorama, count=2):
    """A scene with segments, labels and a review."""
    segments = tuple(some_segment(number) for number in range(1, count + 1))
    return Scene(panorama, segments=segments, labels=LABELS, review=Review.ACCEPTED)


def some_annotation(count=2, **changes):
    """The same without a photograph on the disk."""
    photo = Photo("hall.png", 1234, hashlib.sha256(b"hall").hexdigest(), HEIGHT, WIDTH)
    segments = tuple(some_segment(number) for number in range(1, count + 1))
    return replace(Annotation(photo, segments, LABELS, Review.REJECTED), **changes)


def state(value):
    """Everything of a scene or an annotation that is saved, to be compared by ==."""
    return (
        value.review,
        value.labels,
        [
            (
                s.number, s.label, s.color, s.group, s.locked, s.review, s.clicks, s.box, repr(s.score), s.model,
                s.mask.size, s.mask.row, s.mask.col, s.mask.rows, s.mask.cols, s.mask.count, s.mask.data,
            )
            for s in value.segments
        ],
    )  # fmt: skip


numbers = st.integers(1, 2**31 - 1)
angles = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
colors = st.tuples(*[st.integers(0, 255)] * 3)
masks = st.one_of(
    st.integers(0, 30).map(some_mask),
    st.just(SphereMask.empty(HEIGHT, WIDTH)),
    st.just(SphereMask.pack(np.ones((HEIGHT, WIDTH), bool))),
)
segments = st.builds(
    Segment,
    number=numbers,
    mask=masks,
    label=names,
    color=st.none() | colors,
    group=st.integers(0, 2**31 - 1),
    locked=st.booleans(),
    review=st.sampled_from(Review),
    clicks=st.lists(st.builds(Click, angles, angles, st.booleans()), max_size=4).map(tuple),
    box=st.none() | st.builds(Box, angles, angles, angles, angles),
    score=st.just(float("nan")) | st.floats(0, 1),
    model=names,
)
labels = st.lists(st.builds(Label, names, colors), max_size=4, unique_by=lambda label: label.name).map(tuple)
annotations = st.builds(
    Annotation,
    photo=st.just(some_annotation().photo),
    segments=st.lists(segments, max_size=4, unique_by=lambda segment: segment.number).map(tuple),
    labels=labels,
    review=st.sampled_from(Review),
)
