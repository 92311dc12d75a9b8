import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.geometry.regions import (
    component_at,
    components,
    farthest_point_inside,
    fill_holes,
    keep_components,
    remove_islands,
    runs_inside,
    runs_outside,
    shortest_arc,
)
from core.geometry.sphere import (
    angle_between,
    erp_angles,
    erp_rays,
    lonlat_to_directions,
    lonlat_to_pixels,
    solid_angle,
)

masks = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(lambda shape: hnp.arrays(np.bool_, shape))


def neighbours(row, col, height, width, *, corners):
    for down, right in [(-1, 0), (1, 0), (0, -1), (0, 1)] + [(-1, -1), (-1, 1), (1, -1), (1, 1)] * corners:
        if 0 <= row + down < height:
            yield row + down, (col + right) % width
    if corners and row in (0, height - 1):
        yield from ((row, other) for other in range(width))


def flooded(bits, value, *, corners):
    """Labels by flooding pixel by pixel from the first one of each part: slow and plain."""
    height, width = bits.shape
    labels = np.zeros(bits.shape, int)
    count = 0
    for start in zip(*np.nonzero(bits == value), strict=True):
        if labels[start]:
            continue
        count += 1
        labels[start] = count
        waiting = [start]
        while waiting:
            for pixel in neighbours(*waiting.pop(), height, width, corners=corners):
                if bits[pixel] == value and not labels[pixel]:
                    labels[pixel] = count
                    waiting.append(pixel)
    return labels, count


def area(bits):
    return float(bits.sum(axis=1) @ solid_angle(*bits.shape)[:, 0])


def disc(height, width, lon, lat, radius):
    return erp_rays(height, width) @ lonlat_to_directions(lon, lat) > np.cos(radius)


@given(masks)
def test_parts_are_those_of_a_flood(bits):
    labels, count = components(bits)
    expected, expected_count = flooded(bits, True, corners=True)
    assert count == expected_count
    np.testing.assert_array_equal(labels, expected)
    assert labels.dtype == np.int32


@given(masks)
def test_parts_outside_touch_by_edges_only(bits):
    runs = runs_outside(bits)
    labels = np.zeros(bits.shape, int)
    for row, start, stop, part in zip(runs.row, runs.start, runs.stop, runs.part, strict=True):
        labels[row, start:stop] = part + 1
    expected, count = flooded(bits, False, corners=False)
    assert runs.count == count
    np.testing.assert_array_equal(labels, expected)


@given(masks)
def test_areas_of_the_parts_sum_to_the_area_of_the_whole(bits):
    runs = runs_inside(bits)
    assert runs.solid_angles().shape == (runs.count,)
    assert runs.solid_angles().sum() == pytest.approx(area(bits), rel=1e-12)


@given(masks)
def test_runs_know_their_pixels(bits):
    runs = runs_inside(bits)
    labels, count = components(bits)
    rows, cols = np.indices(bits.shape)
    np.testing.assert_array_equal(runs.at(rows, cols), labels - 1)
    for part in range(count):
        row, col, strip = runs.window(part)
        alone = np.zeros_like(bits)
        alone[row : row + len(strip), col:] = strip
        np.testing.assert_array_equal(alone, labels == part + 1)


def test_a_mask_across_the_seam_is_one_part():
    bits = np.zeros((6, 12), np.bool_)
    bits[2, [0, 11]] = True
    assert components(bits)[1] == 1
    bits[2, 0], bits[3, 0] = False, True  # now they touch by a corner
    assert components(bits)[1] == 1


def test_a_pole_joins_the_pixels_of_its_row():
    bits = np.zeros((6, 12), np.bool_)
    bits[0, [1, 7]] = True
    bits[5, [2, 9]] = True
    assert components(bits)[1] == 2
    np.testing.assert_array_equal(np.unique(components(bits)[0]), [0, 1, 2])


def test_two_parts_of_the_outside_do_not_meet_in_a_pole():
    bits = np.zeros((4, 8), np.bool_)
    bits[0, [0, 4]] = True
    bits[1] = True
    assert runs_outside(bits).count == 3


@given(masks, st.integers(-20, 20))
def test_a_turned_mask_has_as_many_parts(bits, shift):
    assert components(np.roll(bits, shift, axis=1))[1] == components(bits)[1]


@given(masks, st.integers(0, 8), st.integers(0, 8))
def test_the_part_in_a_direction_is_the_one_labelled_there(bits, row, col):
    row, col = row % bits.shape[0], col % bits.shape[1]
    lon, lat = erp_angles(*bits.shape)
    labels, _ = components(bits)
    expected = labels == labels[row, col] if bits[row, col] else np.zeros_like(bits)
    np.testing.assert_array_equal(component_at(bits, lon[col], lat[row]), expected)


def test_parts_with_a_click_are_kept():
    bits = disc(64, 128, 0, 0, 0.3) | disc(64, 128, 3.1, 0.4, 0.2) | disc(64, 128, 1.5, -1.2, 0.2)
    kept = keep_components(bits, lonlat_to_directions([3.1, 0.1, -1.5], [0.4, 0.0, 0.9]))
    np.testing.assert_array_equal(kept, disc(64, 128, 0, 0, 0.3) | disc(64, 128, 3.1, 0.4, 0.2))
    assert not keep_components(bits, np.zeros((0, 3))).any()


@given(masks)
def test_filling_leaves_one_part_outside_and_adds_only(bits):
    filled = fill_holes(bits)
    assert runs_outside(filled).count <= 1
    assert (filled | bits == filled).all()


def test_only_small_holes_are_filled_when_asked():
    bits = disc(90, 180, 3.0, 0.2, 1.0)
    small, large = disc(90, 180, 3.1, 0.5, 0.1), disc(90, 180, 2.9, -0.2, 0.3)
    np.testing.assert_array_equal(fill_holes(bits & ~small & ~large, 0.05), bits & ~large)
    np.testing.assert_array_equal(fill_holes(bits & ~small & ~large), bits)


def test_a_hole_over_the_pole_is_filled():
    ring = disc(64, 128, 0, np.pi / 2, 0.6) & ~disc(64, 128, 0, np.pi / 2, 0.3)
    np.testing.assert_array_equal(fill_holes(ring), disc(64, 128, 0, np.pi / 2, 0.6))


def test_small_islands_go_and_the_largest_stays_whatever_its_size():
    large, small = disc(90, 180, 3.1, 0, 0.3), disc(90, 180, 0, 1.0, 0.1)
    np.testing.assert_array_equal(remove_islands(large | small, 0.1), large)
    np.testing.assert_array_equal(remove_islands(large | small, 10.0), large)
    np.testing.assert_array_equal(remove_islands(large | small, 0.001), large | small)


@given(masks)
def test_a_mask_that_is_cleaned_twice_is_the_one_cleaned_once(bits):
    np.testing.assert_array_equal(fill_holes(fill_holes(bits, 0.5), 0.5), fill_holes(bits, 0.5))
    np.testing.assert_array_equal(remove_islands(remove_islands(bits, 0.5), 0.5), remove_islands(bits, 0.5))


@given(masks)
def test_the_deepest_point_is_the_one_found_by_trying_all(bits):
    if not bits.any() or bits.all():
        return
    rays = lonlat_to_directions(*np.meshgrid(*erp_angles(*bits.shape)))
    depths = angle_between(rays[bits][:, None], rays[~bits][None]).min(axis=1)
    lon, lat = farthest_point_inside(bits)
    row, col = lonlat_to_pixels(lon, lat, *bits.shape)
    assert bits[row, col]
    at = angle_between(rays[row, col], rays[~bits]).min()
    assert at == pytest.approx(depths.max(), rel=1e-7)


@pytest.mark.parametrize(("lon", "lat"), [(0.3, 0.2), (np.pi, -0.4), (1.0, np.pi / 2), (-2.0, -1.4)])
def test_the_deepest_point_of_a_disc_is_its_middle(lon, lat):
    height, width = 256, 512
    deepest = farthest_point_inside(disc(height, width, lon, lat, 0.3))
    off = angle_between(lonlat_to_directions(*deepest), lonlat_to_directions(lon, lat))
    assert off < 1.5 * np.pi / height


@given(masks, st.integers(0, 8))
def test_the_deepest_point_turns_with_the_mask(bits, shift):
    if not bits.any() or bits.any(axis=0).sum() > bits.shape[1] - 2:
        return
    used = bits.any(axis=0)
    gaps = np.diff(np.append(np.flatnonzero(used), np.flatnonzero(used)[0] + len(used)))
    if np.sum(gaps == gaps.max()) > 1:
        return
    row, col = lonlat_to_pixels(*farthest_point_inside(bits), *bits.shape)
    turned_row, turned_col = lonlat_to_pixels(*farthest_point_inside(np.roll(bits, shift, axis=1)), *bits.shape)
    assert (turned_row, turned_col) == (row, (col + shift) % bits.shape[1])


def test_of_several_deepest_points_the_uppermost_and_westernmost_counts():
    bits = np.zeros((5, 12), np.bool_)
    bits[1:4, [10, 2, 6]] = True  # three equal bars; the widest gaps are equal too and the first is taken
    row, col = lonlat_to_pixels(*farthest_point_inside(bits), 5, 12)
    assert (row, col) == (2, 6)
    bits[:, 6] = False
    assert lonlat_to_pixels(*farthest_point_inside(bits), 5, 12) == (2, 10)


def test_the_deepest_points_of_everything_and_nothing():
    lon, lat = farthest_point_inside(np.ones((6, 12), np.bool_))
    assert (abs(lon), abs(lat)) == pytest.approx((np.pi / 12, np.pi / 12))
    with pytest.raises(ValueError, match="no deepest point"):
        farthest_point_inside(np.zeros((6, 12), np.bool_))


@pytest.mark.parametrize(
    ("used", "expected"), [("0110", (1, 2)), ("1001", (3, 2)), ("1111", (0, 4)), ("1011", (2, 3)), ("1", (0, 1))]
)
def test_the_shortest_arc_goes_around_the_widest_gap(used, expected):
    assert shortest_arc(np.array([c == "1" for c in used])) == expected


def test_an_array_that_is_no_mask_is_refused():
    with pytest.raises(ValueError, match="expected a bool array"):
        components(np.zeros((4, 8), np.uint8))


def test_the_deepest_pixel_of_a_mask_wider_than_16_bits_is_its_middle():
    bits = np.zeros((2, 140_001), bool)
    bits[:, 2:-1] = True
    lon, _ = farthest_point_inside(bits)
    assert lon == erp_angles(2, 140_001)[0][70_000]
