import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.geometry.dilation import dilate, erode
from core.geometry.sphere import angle_between, erp_angles, erp_rays, lonlat_to_directions

masks = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(lambda shape: hnp.arrays(np.bool_, shape))
# Far from angles between centres of pixels, where the last bit would decide.
angles = st.integers(0, 62).map(lambda n: n / 20 + 0.003)


def nearest_inside(bits):
    """Angle from each pixel's centre to the nearest one inside, by trying all."""
    rays = lonlat_to_directions(*np.meshgrid(*erp_angles(*bits.shape)))
    return angle_between(rays[:, :, None], rays[bits]).min(axis=2, initial=4.0)


@given(masks, angles)
def test_a_grown_mask_holds_what_lies_within_the_angle(bits, angle):
    np.testing.assert_array_equal(dilate(bits, angle), nearest_inside(bits) <= angle)


@given(masks, angles)
def test_a_shrunk_mask_loses_what_lies_within_the_angle_of_the_outside(bits, angle):
    np.testing.assert_array_equal(erode(bits, angle), nearest_inside(~bits) > angle)


@given(masks, angles, st.integers(-12, 12))
def test_growing_and_turning_may_be_exchanged(bits, angle, shift):
    np.testing.assert_array_equal(
        dilate(np.roll(bits, shift, axis=1), angle), np.roll(dilate(bits, angle), shift, axis=1)
    )


@given(masks)
def test_growing_by_nothing_changes_nothing(bits):
    np.testing.assert_array_equal(dilate(bits, 0.0), bits)


@pytest.mark.parametrize("steps", [1, 7, 90])
def test_a_centre_exactly_on_the_border_is_within(steps):
    height, width = 180, 360
    bits = np.zeros((height, width), np.bool_)
    bits[90, 17] = True
    grown = dilate(bits, steps * np.pi / height)
    assert grown[90 - steps, 17]
    assert not grown[:, 17][: 90 - steps].any()


@pytest.mark.parametrize(("lon", "lat"), [(0.3, 0.1), (3.1, -0.7), (-1.0, 1.5)])
def test_a_grown_disc_is_the_larger_disc(lon, lat):
    rays = erp_rays(180, 360)
    middle = lonlat_to_directions(lon, lat)
    grown = dilate(rays @ middle > np.cos(0.3), 0.2)
    away = angle_between(rays, middle)
    assert grown[away < 0.5 - np.pi / 180].all()
    assert not grown[away > 0.5].any()


@given(masks, angles, st.integers(0, 8), st.integers(1, 9))
def test_a_strip_is_grown_as_it_is_within_the_whole(bits, angle, row, rows):
    row = min(row, len(bits) - 1)
    alone = np.zeros_like(bits)
    alone[row : row + rows] = bits[row : row + rows]
    strip = dilate(bits[row : row + rows], angle, height=len(bits), row=row)
    np.testing.assert_array_equal(strip, dilate(alone, angle)[row : row + rows])


@pytest.mark.parametrize("angle", [-0.1, float("nan")])
def test_an_angle_that_is_none_is_refused(angle):
    with pytest.raises(ValueError, match="at least 0"):
        dilate(np.ones((2, 4), np.bool_), angle)
