"""Crop tags that do not fit the picture or each other: what is assumed then, and that it is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_files import crop_tags, noise, save, xmp_attributes
from PIL import Image

from core.errors import NotAFullSphere
from core.io.images import read_header, read_panorama, read_preview
from core.io.placement import place

WHOLE = crop_tags(size=(400, 200), full=(400, 200), at=(0, 0))
PART = crop_tags(size=(300, 100), full=(800, 400), at=(200, 120))


def picture(folder, size, tags):
    return save(folder, Image.fromarray(np.maximum(noise(size[1], size[0]), 1)), "PNG", xmp=xmp_attributes(**tags))


def without(tags, *names):
    return {name: value for name, value in tags.items() if name not in names}


def rectangle(panorama):
    """(left, top, width, height) of what the picture shows, and the sphere; it must not run over the seam."""
    rows, cols = np.nonzero(panorama.valid.any(axis=1))[0], np.nonzero(panorama.valid.any(axis=0))[0]
    size = int(cols[-1] - cols[0] + 1), int(rows[-1] - rows[0] + 1)
    return (int(cols[0]), int(rows[0]), *size), (panorama.width, panorama.height)


def test_a_picture_that_fits_its_tags_needs_no_note(tmp_path):
    assert read_panorama(picture(tmp_path, (400, 200), WHOLE)).notes == ()
    assert read_panorama(picture(tmp_path, (300, 100), PART)).notes == ()
    assert read_panorama(picture(tmp_path, (200, 100), WHOLE)).notes == (), "a whole sphere may be resized"
    assert read_panorama(picture(tmp_path, (400, 200), {})).notes == ()


def test_a_part_that_was_resized_evenly_is_scaled_and_told(tmp_path):
    panorama = read_panorama(picture(tmp_path, (150, 50), PART))
    assert rectangle(panorama) == ((100, 60, 150, 50), (400, 200))
    (note,) = panorama.notes
    assert "300 x 100" in note
    assert "150 x 50" in note
    assert "resized" in note


@pytest.mark.parametrize("shift", [-1, -250, -799])
def test_a_part_that_begins_left_of_the_sphere_goes_over_the_seam_and_is_told(tmp_path, shift):
    panorama = read_panorama(picture(tmp_path, (300, 100), PART | {"CroppedAreaLeftPixels": shift}))
    np.testing.assert_array_equal(np.roll(panorama.rgb, -shift, axis=1)[120:220, :300], np.maximum(noise(100, 300), 1))
    (note,) = panorama.notes
    assert str(shift) in note
    assert str(shift + 800) in note


@pytest.mark.parametrize("size", [(800, 400), (799, 400), (801, 400)])
def test_a_part_that_was_completed_to_its_full_size_is_a_full_sphere_and_told(tmp_path, size):
    panorama = read_panorama(picture(tmp_path, size, PART))
    assert panorama.valid is None
    assert (panorama.width, panorama.height) == size
    assert "300 x 100" in panorama.notes[0]
    assert "full sphere" in panorama.notes[-1]


def test_a_completed_picture_of_a_part_of_its_own_shape_is_no_enlarged_part(tmp_path):
    tags = crop_tags(size=(200, 100), full=(400, 200), at=(100, 50))
    assert read_panorama(picture(tmp_path, (400, 200), tags)).valid is None


@pytest.mark.parametrize("missing", ["FullPanoWidthPixels", "FullPanoHeightPixels", "CroppedAreaImageWidthPixels"])
@pytest.mark.parametrize("value", [None, 0, "abc", "NaN", -5, 10**9])
def test_unreadable_tags_of_a_picture_that_nothing_else_calls_a_part_are_told_and_it_is_a_full_sphere(
    tmp_path, missing, value
):
    tags = without(WHOLE, missing) if value is None else WHOLE | {missing: value}
    panorama = read_panorama(picture(tmp_path, (400, 200), tags))
    assert panorama.valid is None
    assert (panorama.width, panorama.height) == (400, 200)
    assert any(missing in note for note in panorama.notes)
    assert "full sphere" in panorama.notes[-1]


CONTRADICTIONS = {
    "another width": PART | {"CroppedAreaImageWidthPixels": 250},
    "beyond the right": PART | {"CroppedAreaImageWidthPixels": 900},
    "beyond the bottom": PART | {"CroppedAreaTopPixels": 350},
    "beyond the top": PART | {"CroppedAreaTopPixels": -10},
    "right of the sphere": PART | {"CroppedAreaLeftPixels": 5000},
    "far left of the sphere": PART | {"CroppedAreaLeftPixels": -5000},
    "no sphere": PART | {"FullPanoWidthPixels": 0, "FullPanoHeightPixels": 0},
    "a sphere of letters": PART | {"FullPanoWidthPixels": "abc"},
    "a sphere that is not 2:1": PART | {"FullPanoHeightPixels": 500},
    "a sphere unsaid": without(PART, "FullPanoWidthPixels", "FullPanoHeightPixels"),
    "a place unsaid": without(PART, "CroppedAreaLeftPixels"),
}


@pytest.mark.parametrize("size", [(400, 200), (300, 110)])
@pytest.mark.parametrize("tags", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_tags_that_speak_of_a_part_and_cannot_be_followed_are_refused_also_for_a_2_to_1_picture(tmp_path, tags, size):
    path = picture(tmp_path, size, tags)
    for read in (read_panorama, lambda path: read_preview(path, 100)):
        with pytest.raises(NotAFullSphere, match=r"--assume full .*--assume crop .*: .*photo.png$") as refused:
            read(path)
        assert "metadata" in str(refused.value)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("tags", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_an_assumption_settles_a_contradiction_and_is_told(tmp_path, tags):
    path = picture(tmp_path, (400, 200), tags)
    panorama = read_panorama(path, assume="full")
    assert panorama.valid is None
    np.testing.assert_array_equal(panorama.rgb, np.maximum(noise(200, 400), 1))
    assert "assume full" in panorama.notes[-1]
    panorama = read_panorama(path, assume="crop")
    assert "assume crop" in panorama.notes[-1]
    assert panorama.path == path


def test_a_part_is_centred_on_the_sphere_that_its_tags_name_as_far_as_they_can_be_believed(tmp_path):
    tags = without(PART, "CroppedAreaLeftPixels")
    panorama = read_panorama(picture(tmp_path, (400, 200), tags), assume="crop")
    assert rectangle(panorama) == ((200, 100, 400, 200), (800, 400))
    small = read_panorama(picture(tmp_path, (1000, 200), tags), assume="crop")
    assert rectangle(small) == ((0, 150, 1000, 200), (1000, 500)), "wider than that sphere"


def test_assumptions_about_a_picture_that_says_nothing_are_told(tmp_path):
    path = picture(tmp_path, (400, 100), {})
    assert "stretched" in read_panorama(path, assume="full").notes[-1]
    assert "middle" in read_panorama(path, assume="crop").notes[-1]
    assert read_preview(path, 50, assume="crop").notes == read_panorama(path, assume="crop").notes


def test_other_metadata_that_is_ignored_is_told_too(tmp_path):
    panorama = read_panorama(picture(tmp_path, (400, 200), WHOLE | {"PosePitchDegrees": 100}))
    assert "PosePitchDegrees" in panorama.notes[0]
    assert panorama.is_level


def test_a_cylinder_is_not_judged_by_tags_that_mean_something_else(tmp_path):
    path = picture(tmp_path, (400, 200), PART | {"ProjectionType": "cylindrical", "CroppedAreaTopPixels": -50})
    with pytest.raises(NotAFullSphere, match="equirectangular"):
        read_panorama(path)
    assert "cylindrical" in read_panorama(path, assume="full").notes[-1]


value = st.one_of(st.none(), st.integers(-900, 900), st.sampled_from(["abc", "", "inf", 0, 400, 200, 10**9]))


@given(
    values=st.lists(value, min_size=6, max_size=6),
    width=st.integers(4, 900),
    height=st.integers(2, 450),
    assume=st.sampled_from([None, "full", "crop"]),
)
def test_whatever_the_tags_say_a_picture_is_placed_within_its_sphere_or_refused(
    tmp_path_factory, values, width, height, assume
):
    given_tags = {name: each for name, each in zip(list(PART)[1:], values, strict=True) if each is not None}
    path = save(
        tmp_path_factory.getbasetemp(), Image.new("1", (width, height)), "PNG", xmp=xmp_attributes(**given_tags)
    )
    header = read_header(path)
    try:
        placement = place(header, assume)
    except NotAFullSphere:
        assert assume is None
        return
    assert 0 <= placement.left < placement.full_width
    assert 0 < placement.width <= placement.full_width
    assert 0 <= placement.top <= placement.top + placement.height <= placement.full_height
