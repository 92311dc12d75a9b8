"""The map of masks without a window: every pixel against the obvious way, and only what changes is touched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.mask import SphereMask
from panoviewer.views import masks as masks_module
from panoviewer.views.masks import MaskLayer, MaskMap, Part, painted

HEIGHT, WIDTH = 12, 24


def on_top(layers):
    """The index by which layer is on top, painted one after another; 0 where none is."""
    index = np.zeros((HEIGHT, WIDTH), int)
    for number, layer in enumerate(layers, start=1):
        index[layer.mask.unpack()] = number
    return index


def packed(rows, cols, row=0, col=0, size=(HEIGHT, WIDTH)):
    """A full rectangle, which may run over the seam."""
    bits = np.zeros(size, bool)
    bits[row : row + rows, :cols] = True
    return SphereMask.pack(np.roll(bits, col, axis=1))


def colors_of(mask_map):
    return mask_map.palette[mask_map.index, 0]


@st.composite
def mask_layers(draw):
    rows, cols = draw(st.integers(1, HEIGHT)), draw(st.integers(1, WIDTH))
    pattern = draw(st.lists(st.booleans(), min_size=7, max_size=31))
    bits = np.zeros((HEIGHT, WIDTH), bool)
    row = draw(st.integers(0, HEIGHT - rows))
    bits[row : row + rows, :cols] = np.resize(pattern, (rows, cols))
    mask = SphereMask.pack(np.roll(bits, draw(st.integers(0, WIDTH - 1)), axis=1))
    return MaskLayer(mask, draw(st.tuples(*[st.integers(0, 255)] * 3)), opacity=1.0)


@given(st.lists(mask_layers(), max_size=5), st.data())
def test_any_change_gives_the_map_that_is_painted_anew(layers, data):
    mask_map = MaskMap(HEIGHT, WIDTH)
    mask_map.set_layers(layers)
    kept = data.draw(st.permutations(layers)) if layers else []
    kept = kept[: data.draw(st.integers(0, len(kept)))]
    before = mask_map.index.copy()
    wanted = [*kept, *data.draw(st.lists(mask_layers(), max_size=2))]
    parts = mask_map.set_layers(wanted)

    top = on_top(wanted)
    expected = np.array([(0, 0, 0, 0), *((*layer.color, 255) for layer in wanted)])[top]
    np.testing.assert_array_equal(colors_of(mask_map), expected)
    told = np.zeros((HEIGHT, WIDTH), bool)
    for part in parts:
        told[part.row : part.row + part.height, part.col : part.col + part.width] = True
    assert not (mask_map.index != before)[~told].any()


def test_a_mask_across_the_seam_is_two_parts_and_the_rest_is_left_alone():
    mask_map = MaskMap(HEIGHT, WIDTH)
    parts = mask_map.set_layers([MaskLayer(packed(2, 6, 3, WIDTH - 2))])
    assert set(parts) == {Part(3, WIDTH - 2, 2, 2), Part(3, 0, 2, 4)}


def test_the_same_array_again_costs_nothing_and_another_colour_only_the_palette():
    mask_map, mask = MaskMap(HEIGHT, WIDTH), packed(2, 2)
    mask_map.set_layers([MaskLayer(mask, color=(255, 0, 0), opacity=1.0)])
    assert mask_map.set_layers([MaskLayer(mask, color=(0, 0, 255), opacity=1.0)]) == []
    assert tuple(colors_of(mask_map)[0, 0]) == (0, 0, 255, 255)


def test_a_mask_taken_away_leaves_what_was_below_it():
    mask_map = MaskMap(HEIGHT, WIDTH)
    below = MaskLayer(packed(4, 4), color=(9, 9, 9), opacity=1.0)
    above = MaskLayer(packed(2, 2), color=(7, 7, 7), opacity=1.0)
    mask_map.set_layers([below, above])
    mask_map.set_layers([below])
    assert (colors_of(mask_map)[:4, :4, 0] == 9).all()
    mask_map.set_layers([])
    assert mask_map.is_empty
    assert not mask_map.index.any()


def test_opacity_and_outline_stand_in_the_palette():
    mask_map = MaskMap(HEIGHT, WIDTH)
    mask = packed(4, 4)
    mask_map.set_layers([MaskLayer(mask, color=(200, 100, 0), opacity=0.5, outline=(1, 2, 3))])
    inside, border = mask_map.palette[mask_map.index[0, 0]]
    assert tuple(inside) == (100, 50, 0, 128)
    assert tuple(border) == (1, 2, 3, 255)
    mask_map.set_layers([MaskLayer(mask, color=(200, 100, 0), opacity=0.5, outline=None)])
    inside, border = mask_map.palette[mask_map.index[0, 0]]
    assert tuple(inside) == tuple(border)


def test_two_hundred_masks_are_told_apart():
    mask_map = MaskMap(64, 128)
    layers = [
        MaskLayer(packed(2, 2, 4 * (i // 30), 4 * (i % 30), (64, 128)), (i % 256, 7, 9), opacity=1.0)
        for i in range(400)
    ]
    mask_map.set_layers(layers)
    assert len(np.unique(mask_map.index)) == 401


@pytest.mark.parametrize(("row", "col"), [(0, 0), (5, 3), (7, 20), (2, 22)])
def test_a_panorama_that_is_too_wide_gets_every_third_pixel(monkeypatch, row, col):
    monkeypatch.setattr(masks_module, "MAX_WIDTH", 8)
    bits = np.zeros((HEIGHT, WIDTH), bool)
    bits[row : row + 4, :13] = np.random.default_rng(row).random((4, 13)) < 0.5
    layer = MaskLayer(SphereMask.pack(np.roll(bits, col, axis=1)), opacity=1.0)
    mask_map = MaskMap(HEIGHT, WIDTH)
    mask_map.set_layers([layer])
    np.testing.assert_array_equal(mask_map.index > 0, on_top([layer])[1::3, 1::3] > 0)


def test_an_empty_mask_is_no_work():
    assert MaskMap(HEIGHT, WIDTH).set_layers([MaskLayer(SphereMask.empty(HEIGHT, WIDTH))]) == []


def test_a_mask_of_another_grid_is_the_callers_mistake():
    with pytest.raises(ValueError, match="size"):
        MaskMap(HEIGHT, WIDTH).set_layers([MaskLayer(SphereMask.empty(HEIGHT, 2 * WIDTH))])


def test_borders_are_drawn_on_the_side_of_the_mask():
    slots = np.zeros((7, 7), np.uint16)
    slots[1:6, 1:6] = 1
    palette = np.array([[(0, 0, 0, 0)] * 2, [(1, 1, 1, 1), (9, 9, 9, 9)]], np.uint8)
    picture = painted(slots, palette, 1)[..., 0]
    assert (picture[2:5, 2:5] == 1).all()
    assert (picture[slots == 0] == 0).all()
    assert picture[1, 1:6].tolist() == [9] * 5


def test_a_prepared_mask_is_not_unpacked_again(monkeypatch):
    unpacked = []
    real = SphereMask.box
    monkeypatch.setattr(SphereMask, "box", lambda mask: unpacked.append(mask) or real(mask))
    mask_map, mask = MaskMap(HEIGHT, WIDTH), packed(3, 5)
    mask_map.prepare(mask)
    mask_map.set_layers([MaskLayer(mask)])
    assert unpacked == [mask]
    assert (mask_map.index > 0).sum() == 15


def test_two_hundred_masks_are_laid_without_asking_each_about_each(monkeypatch):
    masks = [packed(2, 2, row=row, col=col) for row in range(HEIGHT - 1) for col in range(0, WIDTH, 2)]
    asked = []
    real = MaskMap._places
    monkeypatch.setattr(MaskMap, "_places", lambda self, mask: asked.append(mask) or real(self, mask))
    mask_map = MaskMap(HEIGHT, WIDTH)
    for count in (len(masks) - 1, len(masks)):
        asked.clear()
        mask_map.set_layers([MaskLayer(mask) for mask in masks[:count]])
        assert len(asked) <= 2 * count
    assert mask_map.index.all()
