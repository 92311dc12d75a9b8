"""Masks in the pixels of whole and of partial pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from project_samples import some_mask, write_photo

from core.errors import UnsupportedImage
from core.io.picture_grid import FlatMask, PictureGrid
from core.io.placement import Placement
from core.mask import SphereMask

HEIGHT, WIDTH = 16, 32


def unpack(flat):
    canvas = np.zeros((flat.height, flat.width), bool)
    flat.paint(canvas, 1)
    return canvas


@given(st.integers(0, 60), st.integers(0, WIDTH - 1))
def test_a_mask_in_a_whole_picture_is_the_mask_itself_in_its_smallest_flat_box(seed, turn):
    mask = SphereMask.pack(np.roll(some_mask(seed).unpack(), turn, axis=1))
    grid = PictureGrid.whole(HEIGHT, WIDTH)
    flat = grid.to_picture(mask)
    bits = mask.unpack()
    np.testing.assert_array_equal(unpack(flat), bits)
    assert flat.count == mask.count
    assert flat.outside == 0
    assert flat.is_cut == (mask.col + mask.cols > WIDTH or mask.cols == WIDTH)
    assert flat.bits.any(axis=0)[[0, -1]].all()
    assert flat.bits.any(axis=1)[[0, -1]].all()
    assert grid.to_sphere(flat.bits, flat.row, flat.col).same_as(mask)


@given(st.integers(0, 60), st.data())
def test_a_part_of_the_sphere_shows_its_part_of_a_mask_and_counts_the_rest(seed, data):
    height, width = data.draw(st.integers(1, HEIGHT)), data.draw(st.integers(1, WIDTH))
    top, left = data.draw(st.integers(0, HEIGHT - height)), data.draw(st.integers(0, WIDTH - 1))
    mask = some_mask(seed)
    grid = PictureGrid(height, width, Placement(HEIGHT, WIDTH, height=height, width=width, top=top, left=left))
    flat = grid.to_picture(mask)
    expected = np.roll(mask.unpack(), -left, axis=1)[top : top + height, :width]
    np.testing.assert_array_equal(unpack(flat), expected)
    assert flat.outside == mask.count - expected.sum()
    seen = grid.to_sphere(flat.bits, flat.row, flat.col)
    assert (seen - mask).is_empty
    assert seen.count == expected.sum()


def test_a_resampled_picture_keeps_the_shape_of_a_mask():
    grid = PictureGrid(2 * HEIGHT, WIDTH, Placement(HEIGHT, WIDTH, height=HEIGHT, width=WIDTH))
    mask = some_mask(4)
    flat = grid.to_picture(mask)
    np.testing.assert_array_equal(unpack(flat), np.repeat(mask.unpack(), 2, axis=0))
    assert grid.to_sphere(flat.bits, flat.row, flat.col).same_as(mask)


def test_an_empty_mask_stays_empty():
    flat = PictureGrid.whole(HEIGHT, WIDTH).to_picture(SphereMask.empty(HEIGHT, WIDTH))
    assert flat.is_empty
    assert flat.count == 0
    assert FlatMask.of(np.zeros((3, 4), bool)).is_empty


def test_the_grid_of_a_file_comes_from_its_header(tmp_path):
    path = write_photo(tmp_path)
    assert PictureGrid.of_file(path, (HEIGHT, WIDTH)) == PictureGrid.whole(HEIGHT, WIDTH)
    with pytest.raises(UnsupportedImage, match="64 x 32, this one has 32 x 16"):
        PictureGrid.of_file(path, (32, 64))
