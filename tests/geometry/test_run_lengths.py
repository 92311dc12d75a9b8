"""Run lengths as COCO and CVAT store them, compared with pycocotools."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco

from core.geometry.run_lengths import column_lengths, column_mask, lengths_from_text, row_lengths, text_from_lengths

masks = arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@given(masks)
def test_the_text_of_a_mask_is_that_of_pycocotools(mask):
    lengths = column_lengths(*mask.shape, 0, 0, mask)
    assert text_from_lengths(lengths).encode() == coco.encode(np.asfortranarray(mask.view(np.uint8)))["counts"]
    np.testing.assert_array_equal(lengths_from_text(text_from_lengths(lengths)), lengths)


@given(masks, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
def test_a_part_of_a_picture_gives_the_lengths_of_the_whole(box, above, below, left, right):
    whole = np.pad(box, ((above, below), (left, right)))
    lengths = column_lengths(*whole.shape, above, left, box)
    np.testing.assert_array_equal(lengths, column_lengths(*whole.shape, 0, 0, whole))
    assert lengths.sum() == whole.size
    first, columns = column_mask(*whole.shape, lengths)
    restored = np.zeros_like(whole)
    restored[:, first : first + columns.shape[1]] = columns
    np.testing.assert_array_equal(restored, whole)


@given(masks)
def test_lengths_along_rows_begin_outside_and_alternate(mask):
    lengths = row_lengths(mask)
    values = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    np.testing.assert_array_equal(values.reshape(mask.shape), mask)
    assert (lengths[1:] > 0).all()


@given(st.lists(st.integers(0, 2**38), max_size=20))
def test_lengths_of_any_size_survive_their_text(lengths):
    np.testing.assert_array_equal(lengths_from_text(text_from_lengths(np.array(lengths, np.int64))), lengths)


@given(st.text(max_size=30))
def test_no_text_makes_the_reader_fail_in_another_way(text):
    try:
        lengths = lengths_from_text(text)
        column_mask(4, 5, lengths)
    except ValueError:
        return
    assert lengths.sum() == 20


def test_letters_of_other_alphabets_are_damage_and_no_digits():
    assert lengths_from_text("5?").tolist() == [5, 15]
    with pytest.raises(ValueError, match="damaged"):
        lengths_from_text("5\u20ac")


@pytest.mark.parametrize("lengths", [[19], [21], [-1, 21], [10, 2**62, 2**62], [[20]]])
def test_lengths_that_do_not_fit_the_picture_are_refused(lengths):
    with pytest.raises(ValueError, match="sum to 4 x 5"):
        column_mask(4, 5, lengths)
