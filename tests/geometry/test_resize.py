import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.geometry.camera import rotation_from_angles
from core.geometry.sphere import erp_rays
from core.geometry.warp import resize_erp

sides = st.integers(1, 23)
kinds = st.sampled_from([np.uint8, np.uint16, np.float32, np.float64, np.bool_, np.int16])


def smooth(directions):
    """A smooth function on the sphere."""
    directions = np.asarray(directions, np.float64)
    return directions @ (0.3, 0.5, 0.2) + (directions @ (0.5, -0.3, 0.7)) ** 2


def noise(kind, shape, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, shape)
    return values % 2 == 0 if kind == np.bool_ else values.astype(kind)


@given(kinds, sides, sides, st.booleans())
def test_the_same_size_changes_nothing(kind, height, width, nearest):
    image = noise(kind, (height, width, 2))
    resized = resize_erp(image, height, width, nearest=nearest)
    assert resized.dtype == image.dtype
    np.testing.assert_array_equal(resized, image)


@given(kinds, sides, sides, st.integers(-50, 50))
def test_a_turn_by_whole_columns_rolls(kind, height, width, columns):
    image = noise(kind, (height, width))
    turned = resize_erp(image, height, width, lon_offset=2 * math.pi * columns / width)
    np.testing.assert_array_equal(turned, np.roll(image, -columns, axis=1))


def test_what_lies_at_the_offset_comes_to_the_middle():
    image = np.zeros((8, 16), np.float32)
    image[:, 12] = 1  # its left edge is a quarter turn right
    turned = resize_erp(image, 8, 16, lon_offset=math.pi / 2)
    assert (turned[:, 8] == 1).all()


@settings(max_examples=60)
@given(kinds, *[sides] * 4, st.integers(-40, 40), st.floats(-10, 10), st.booleans(), st.integers(0, 5))
def test_rolling_and_turning_back_changes_nothing(
    kind, height, width, new_height, new_width, columns, offset, nearest, seed
):
    image = noise(kind, (height, width), seed)
    straight = resize_erp(image, new_height, new_width, nearest=nearest, lon_offset=offset)
    rolled = resize_erp(
        np.roll(image, columns, axis=1),
        new_height,
        new_width,
        nearest=nearest,
        lon_offset=offset + 2 * math.pi * columns / width,
    )
    if image.dtype.kind == "f":
        np.testing.assert_allclose(rolled, straight, rtol=0, atol=1e-6 * 255)
    else:
        np.testing.assert_array_equal(rolled, straight)


def test_rolling_a_picture_of_noise_and_turning_back_agrees_to_a_millionth():
    rng = np.random.default_rng(3)
    image = rng.random((501, 1003, 3)).astype(np.float32)
    for columns in (1, 77, 1002):
        turn = 2 * math.pi * columns / 1003
        straight = resize_erp(image, 128, 256, lon_offset=0.3)
        rolled = resize_erp(np.roll(image, columns, axis=1), 128, 256, lon_offset=0.3 + turn)
        np.testing.assert_allclose(rolled, straight, rtol=0, atol=1e-6)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))
def test_minifying_by_whole_factors_is_the_mean_of_blocks(height, width, down, across):
    image = noise(np.float64, (height * down, width * across))
    blocks = image.reshape(height, down, width, across).mean(axis=(1, 3))
    np.testing.assert_allclose(resize_erp(image, height, width), blocks, rtol=1e-12)


@given(*[sides] * 4)
def test_minifying_keeps_the_mean_exactly(height, width, new_height, new_width):
    image = noise(np.float64, (height, width))
    resized = resize_erp(image, min(height, new_height), min(width, new_width))
    assert resized.mean() == pytest.approx(image.mean(), rel=1e-12)


def test_enlarging_is_linear_between_pixel_centres():
    image = np.array([[0.0, 4.0, 8.0, 4.0]] * 2)
    resized = resize_erp(image, 2, 8)
    np.testing.assert_allclose(resized[0], [1, 1, 3, 5, 7, 7, 5, 3])


@pytest.mark.parametrize("offset", [0.0, 0.7, -2.0])
@pytest.mark.parametrize(("height", "width"), [(64, 128), (65, 131), (63, 125)])
@pytest.mark.parametrize(("new_height", "new_width"), [(200, 400), (201, 403), (40, 80), (33, 65)])
def test_a_smooth_function_stays_where_it_is(height, width, new_height, new_width, offset):
    image = smooth(erp_rays(height, width))
    turned = smooth(erp_rays(new_height, new_width) @ rotation_from_angles(offset, 0, 0).T)
    # Linear interpolation errs by an eighth of the second derivative, here below 4, times the pixel squared, and a mean
    # over a box likewise; a box that cuts through pixels also by up to a twelfth of a pixel times the slope, below 1.5.
    pixel = math.pi / height
    cuts = pixel / 8 if new_height < height and height % new_height else 0.0
    error = max(pixel, math.pi / new_height) ** 2 / 2 + cuts
    np.testing.assert_allclose(resize_erp(image, new_height, new_width, lon_offset=offset), turned, atol=error)


def test_over_a_pole_enlarging_looks_at_the_other_side():
    image = np.zeros((4, 8))
    image[0, 0] = 1.0
    resized = resize_erp(image, 40, 80)
    across = resized[0, 40:50]
    # The topmost row lies 0.45 rows from the pole's neighbours: the pixel across the pole has 0.45 of the weight.
    np.testing.assert_allclose(across.max(), 0.45 * 0.95, atol=1e-12)
    assert resized[5, 40:50].max() == 0


@given(kinds.filter(lambda kind: kind != np.int16), *[sides] * 4, st.floats(-4, 4))
def test_a_constant_stays_that_constant(kind, height, width, new_height, new_width, offset):
    image = np.full((height, width), True if kind == np.bool_ else 201, kind)
    resized = resize_erp(image, new_height, new_width, lon_offset=offset)
    assert resized.dtype == kind
    np.testing.assert_allclose(resized, image.flat[0], rtol=1e-15 if kind == np.float64 else 0)


@given(
    hnp.arrays(np.float32, st.tuples(sides, sides), elements=st.floats(0.5, 99, width=32)),
    *[sides] * 2,
    st.floats(-4, 4),
    st.integers(0, 9),
)
def test_means_stay_within_the_range_of_what_is_known(image, height, width, offset, seed):
    hole = np.random.default_rng(seed).random(image.shape) < 0.3
    image[hole] = np.nan
    resized = resize_erp(image, height, width, lon_offset=offset)
    known = resized[~np.isnan(resized)]
    if hole.all():
        assert known.size == 0
    else:
        assert (known >= np.nanmin(image) * (1 - 1e-6)).all()
        assert (known <= np.nanmax(image) * (1 + 1e-6)).all()


def test_nan_neither_spreads_nor_vanishes():
    image = np.ones((12, 24), np.float32)
    image[3:6, 6:9] = np.nan
    enlarged = np.isnan(resize_erp(image, 60, 120))
    assert enlarged[15:30, 30:45].mean() > 0.9  # only the corners are rounded
    assert not enlarged[:14].any()
    assert enlarged.sum() <= 15 * 15
    minified = resize_erp(image, 4, 8)
    np.testing.assert_array_equal(np.isnan(minified), np.pad([[True]], ((1, 2), (2, 5))))
    single = np.ones((12, 24), np.float32)
    single[4, 4] = np.nan
    np.testing.assert_array_equal(resize_erp(single, 6, 12), 1)


def test_infinity_counts_as_unknown():
    image = np.ones((4, 8), np.float32)
    image[1, 1] = np.inf
    np.testing.assert_array_equal(resize_erp(image, 2, 4), 1)


def test_channels_are_independent():
    image = np.dstack([noise(np.float32, (10, 20), seed) for seed in range(4)])
    together = resize_erp(image, 7, 13, lon_offset=0.3)
    for channel in range(4):
        np.testing.assert_array_equal(together[..., channel], resize_erp(image[..., channel], 7, 13, lon_offset=0.3))


def test_a_mask_is_true_where_half_is_covered():
    mask = np.zeros((4, 8), bool)
    mask[0, :2] = True  # half of the first block of 2 x 2
    mask[0, 2] = True  # a quarter of the second
    np.testing.assert_array_equal(resize_erp(mask, 2, 4)[0], [True, False, False, False])


@given(*[sides] * 4, st.floats(-4, 4))
def test_labels_are_never_invented(height, width, new_height, new_width, offset):
    labels = np.random.default_rng(0).choice(np.array([-1, 3, 77], np.int16), (height, width))
    resized = resize_erp(labels, new_height, new_width, lon_offset=offset)
    assert resized.dtype == np.int16
    assert set(np.unique(resized)) <= set(np.unique(labels))


def test_the_nearest_pixel_is_the_one_under_the_centre():
    image = np.arange(15, dtype=np.uint8)[None].repeat(3, axis=0)
    np.testing.assert_array_equal(resize_erp(image, 1, 5, nearest=True)[0], [1, 4, 7, 10, 13])
    np.testing.assert_array_equal(resize_erp(image, 3, 30, nearest=True)[0], np.arange(30) // 2)


def test_grey_levels_are_rounded_to_the_nearest():
    image = np.array([[10, 11, 10, 10]], np.uint8)
    np.testing.assert_array_equal(resize_erp(image, 1, 2), [[11, 10]])  # 10.5 and 10


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.bool_, np.int16])
def test_sides_that_cv2_cannot_count_work(kind):
    image = noise(kind, (5, 40_000))
    smaller = resize_erp(image, 5, 20_000, nearest=True)
    np.testing.assert_array_equal(smaller, image[:, 1::2])
    larger = resize_erp(image, 3, 70_001, lon_offset=1.0)
    assert larger.shape == (3, 70_001)
    if kind == np.float32:
        pairs = image.reshape(5, 20_000, 2).mean(axis=2)
        np.testing.assert_allclose(resize_erp(image, 5, 20_000), pairs, rtol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(0, 4), (4, 0)])
def test_an_empty_result_is_refused(height, width):
    with pytest.raises(ValueError, match="at least one pixel"):
        resize_erp(np.zeros((4, 8)), height, width)


@pytest.mark.parametrize("image", [np.zeros(4), np.zeros((0, 4)), np.zeros((1, 2, 3, 4))])
def test_what_is_no_map_is_refused(image):
    with pytest.raises(ValueError, match="shape"):
        resize_erp(image, 2, 4)


def test_a_type_without_a_mean_is_refused():
    with pytest.raises(TypeError, match="complex64"):
        resize_erp(np.zeros((2, 4), np.complex64), 4, 8)
