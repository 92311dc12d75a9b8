import numpy as np
import pytest

from core.colors import (
    COLORMAPS,
    FAR,
    MISSING,
    NATURAL_COLORS,
    VISIONS,
    class_colors,
    class_palette,
    colorize,
    colormap,
    depth_colors,
    depth_limits,
    lab_as_seen,
    normal_colors,
)
from core.models.ade20k import ADE20K_NAMES


@pytest.mark.parametrize("name", COLORMAPS)
def test_colour_maps_have_256_different_colours_and_are_constants(name):
    table = colormap(name)
    assert table.shape == (256, 3)
    assert len(np.unique(table, axis=0)) > 200
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 0


@pytest.mark.parametrize("name", [name for name in COLORMAPS if name != "turbo"])
def test_colour_maps_grow_brighter_for_all_eyes(name):
    for vision in VISIONS:
        lightness = lab_as_seen(colormap(name), vision)[:, 0]
        assert (np.diff(lightness[::8]) > 0).all(), vision


def test_numbers_take_the_colours_of_the_map():
    table = colormap("viridis")
    picture = colorize(np.array([0.0, 5.0, 10.0, -3.0, 99.0, np.nan]), 0, 10)
    np.testing.assert_array_equal(picture[[0, 2, 3, 4]], table[[0, 255, 0, 255]])
    assert (picture[1] == table[127]).all() or (picture[1] == table[128]).all()
    np.testing.assert_array_equal(picture[5], MISSING)
    logarithmic = colorize(np.array([1.0, 10.0, 100.0]), 1, 100, logarithmic=True)
    np.testing.assert_allclose(logarithmic[1], table[128], atol=2)


def test_depth_is_painted_between_its_percentiles_and_far_apart_from_unknown():
    depth = np.geomspace(1, 100, 64 * 128, dtype=np.float32).reshape(64, 128)
    far = np.zeros(depth.shape, bool)
    depth[:2] = np.nan
    far[0] = True
    low, high = depth_limits(depth)
    assert 1 < low < 1.3
    assert 90 < high < 100
    picture = depth_colors(depth, far)
    assert (picture[0] == FAR).all()
    assert (picture[1] == MISSING).all()
    assert (picture[-1, -1] == colormap("viridis")[255]).all()
    assert depth_limits(np.full((2, 4), np.nan)) == (1.0, 2.0)
    flat_low, flat_high = depth_limits(np.full((2, 4), 3.0))
    assert flat_low < flat_high


def test_normals_are_the_usual_colours():
    normals = np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0], [np.nan] * 3], np.float32)
    np.testing.assert_array_equal(normal_colors(normals), [[128, 128, 0], [255, 128, 128], [128, 0, 128], MISSING])


@pytest.mark.parametrize("names", [(), tuple(NATURAL_COLORS)])
def test_thirty_classes_stay_apart_for_all_eyes(names):
    palette = np.concatenate([class_palette(30, names), np.array([MISSING], np.uint8)])
    for vision in VISIONS:
        lab = lab_as_seen(palette, vision)
        apart = np.linalg.norm(lab[:, None] - lab, axis=-1)[np.triu_indices(31, 1)]
        assert apart.min() > 7, "three just noticeable differences"


def test_the_150_classes_of_ade20k_all_have_colours_of_their_own():
    palette = class_palette(150, ADE20K_NAMES)
    for vision in VISIONS:
        lab = lab_as_seen(palette, vision)
        apart = np.linalg.norm(lab[:, None] - lab, axis=-1)[np.triu_indices(150, 1)]
        assert apart.min() > 2.3, "a just noticeable difference"


def test_a_class_keeps_its_colour_whatever_comes_after_it():
    names = tuple(NATURAL_COLORS)
    np.testing.assert_array_equal(class_palette(5, names), class_palette(30, names)[:5])
    np.testing.assert_array_equal(class_palette(5), class_palette(90)[:5])


def test_known_things_look_like_themselves():
    names = tuple(NATURAL_COLORS)
    colors = dict(zip(names, class_palette(len(names), names).astype(int), strict=True))
    assert colors["sky"].argmax() == 2
    assert colors["grass"].argmax() == 1
    assert colors["tree"].argmax() == 1
    assert colors["lamp"].min() == colors["lamp"][2]


def test_classes_are_painted_in_the_palette_and_none_is_missing():
    picture = class_colors(np.array([[0, 2], [-1, 1]], np.int16), ("wall", "floor", "sky"))
    palette = class_palette(3, ("wall", "floor", "sky"))
    np.testing.assert_array_equal(picture, [[palette[0], palette[2]], [MISSING, palette[1]]])
    assert class_colors(np.full((2, 2), -1)).tolist() == [[list(MISSING)] * 2] * 2
