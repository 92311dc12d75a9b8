import os
import subprocess
import sys
import zlib
from dataclasses import FrozenInstanceError, astuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.errors import PanoError
from core.geometry.camera import rotation_from_angles
from core.geometry.dilation import dilate, erode
from core.geometry.sphere import erp_angles, erp_rays, lonlat_to_directions, solid_angle
from core.geometry.warp import resize_erp
from core.mask import SphereMask

shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)


@st.composite
def sphere_bits(draw, shape=None):
    """Masks of every density: hypothesis alone would draw few that are nearly empty or nearly full."""
    shape = draw(shapes) if shape is None else shape
    bits = draw(hnp.arrays(np.bool_, shape))
    row, col = draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))
    rows, cols = draw(st.integers(1, shape[0])), draw(st.integers(1, shape[1]))
    kept = np.zeros(shape, np.bool_)
    kept[row : row + rows, np.arange(col, col + cols) % shape[1]] = True
    return bits & kept


pairs = shapes.flatmap(lambda shape: st.tuples(sphere_bits(shape), sphere_bits(shape)))


def disc(height, width, lon, lat, radius):
    return erp_rays(height, width) @ lonlat_to_directions(lon, lat) > np.cos(radius)


@given(sphere_bits())
def test_a_mask_survives_packing(bits):
    mask = SphereMask.pack(bits)
    np.testing.assert_array_equal(mask.unpack(), bits)
    assert mask.count == bits.sum()
    assert mask.is_empty == (not bits.any())


@given(sphere_bits())
def test_the_box_is_the_smallest_around_the_circle(bits):
    mask = SphereMask.pack(bits)
    if mask.is_empty:
        assert mask.box().shape == (0, 0)
        return
    box = mask.box()
    assert box[0].any()
    assert box[-1].any()
    doubled = "".join(".#"[int(used)] for used in np.tile(bits.any(axis=0), 2))
    widest_free = max(len(run) for run in doubled.split("#"))
    assert mask.cols == bits.shape[1] - widest_free


def test_a_mask_across_the_seam_has_a_small_box():
    bits = np.zeros((40, 80), np.bool_)
    bits[10:13, [78, 79, 0, 1]] = True
    mask = SphereMask.pack(bits)
    assert (mask.row, mask.col, mask.rows, mask.cols) == (10, 78, 3, 4)
    assert mask.box().all()


@given(sphere_bits(), st.integers(-30, 30))
def test_the_same_directions_hold_the_same_bytes_however_they_were_made(bits, col):
    whole = SphereMask.pack(bits)
    height, width = bits.shape
    rolled = SphereMask.from_window(height, width, 0, col, np.roll(bits, -col, axis=1))
    assert astuple(rolled) == astuple(whole)
    assert rolled.same_as(whole)
    assert SphereMask.pack(np.asfortranarray(bits)).same_as(whole)


@given(sphere_bits())
def test_masks_that_differ_are_not_the_same(bits):
    other = bits.copy()
    other[0, 0] = ~other[0, 0]
    assert not SphereMask.pack(bits).same_as(SphereMask.pack(other))


@given(sphere_bits(), st.data())
def test_a_window_shows_what_lies_there(bits, data):
    height, width = bits.shape
    row = data.draw(st.integers(0, height - 1))
    rows = data.draw(st.integers(0, height - row))
    col = data.draw(st.integers(-2 * width, 2 * width))
    cols = data.draw(st.integers(0, width))
    seen = SphereMask.pack(bits).window(row, col, rows, cols)
    np.testing.assert_array_equal(seen, bits[row : row + rows, np.arange(col, col + cols) % width])


@given(sphere_bits(), st.data())
def test_a_window_without_the_rest_is_a_mask(bits, data):
    height, width = bits.shape
    row = data.draw(st.integers(0, height - 1))
    rows = data.draw(st.integers(0, height - row))
    col = data.draw(st.integers(-2 * width, 2 * width))
    cols = data.draw(st.integers(0, width))
    index = np.arange(row, row + rows)[:, None], np.arange(col, col + cols)[None] % width
    alone = np.zeros_like(bits)
    alone[index] = bits[index]
    assert SphereMask.from_window(height, width, row, col, bits[index]).same_as(SphereMask.pack(alone))


@given(pairs)
def test_set_operations_are_those_of_the_pixels(pair):
    a, b = pair
    for result, expected in (
        (SphereMask.pack(a) | SphereMask.pack(b), a | b),
        (SphereMask.pack(a) & SphereMask.pack(b), a & b),
        (SphereMask.pack(a) - SphereMask.pack(b), a & ~b),
        (~SphereMask.pack(a), ~a),
    ):
        assert result.same_as(SphereMask.pack(expected))


@given(pairs)
def test_areas_and_overlaps_are_weighted_by_solid_angle(pair):
    a, b = (SphereMask.pack(bits) for bits in pair)
    areas = solid_angle(*a.size)
    shared, either = (areas * (pair[0] & pair[1])).sum(), (areas * (pair[0] | pair[1])).sum()
    assert a.solid_angle() == pytest.approx((areas * pair[0]).sum(), rel=1e-12)
    assert a.shared_solid_angle(b) == pytest.approx(shared, rel=1e-12, abs=1e-15)
    assert a.iou(b) == pytest.approx(shared / either if either else 1.0, rel=1e-12)
    assert a.iou(a) == 1.0


def test_the_whole_sphere_has_four_pi():
    mask = SphereMask.pack(np.ones((33, 65), np.bool_))
    assert mask.solid_angle() == pytest.approx(4 * np.pi, rel=1e-12)
    assert (mask.row, mask.col, mask.rows, mask.cols) == (0, 0, 33, 65)
    assert (~mask).is_empty


@given(sphere_bits())
def test_a_direction_is_inside_when_its_pixel_is(bits):
    mask = SphereMask.pack(bits)
    lon, lat = np.meshgrid(*erp_angles(*bits.shape))
    found = [mask.contains(*angles) for angles in zip(lon.ravel(), lat.ravel(), strict=True)]
    np.testing.assert_array_equal(np.reshape(found, bits.shape), bits)


def test_both_poles_and_both_sides_of_the_seam_belong_to_a_pixel():
    bits = np.zeros((4, 8), np.bool_)
    bits[0, 4] = bits[3, 4] = bits[2, 0] = True
    mask = SphereMask.pack(bits)
    assert mask.contains(0.1, np.pi / 2)
    assert mask.contains(0.1, -np.pi / 2)
    assert mask.contains(np.pi, -0.1)
    assert mask.contains(-np.pi, -0.1)


@given(sphere_bits(), st.sampled_from([True, 7, (1, 2, 3)]))
def test_painting_touches_the_pixels_inside_only(bits, value):
    canvas = np.zeros((*bits.shape, 3), np.uint8) if isinstance(value, tuple) else np.zeros(bits.shape, np.uint8)
    expected = canvas.copy()
    expected[bits] = value
    SphereMask.pack(bits).paint(canvas, value)
    np.testing.assert_array_equal(canvas, expected)


def test_masks_of_other_grids_do_not_mix():
    a, b = SphereMask.empty(4, 8), SphereMask.empty(8, 16)
    for mix in (a.__or__, a.__and__, a.__sub__, a.iou):
        with pytest.raises(ValueError, match="expected a mask of"):
            mix(b)
    with pytest.raises(ValueError, match="expected a canvas of"):
        a.paint(np.zeros((8, 16)), True)


@given(sphere_bits(), st.integers(1, 15), st.integers(1, 15))
def test_another_grid_keeps_the_majority_of_each_area(bits, height, width):
    expected = resize_erp(bits, height, width)
    np.testing.assert_array_equal(SphereMask.pack(bits).resized(height, width).unpack(), expected)


@given(sphere_bits(), st.integers(2, 4))
def test_a_mask_that_is_repeated_pixel_by_pixel_comes_back_from_the_finer_grid(bits, factor):
    fine = np.repeat(np.repeat(bits, factor, axis=0), factor, axis=1)
    assert SphereMask.pack(fine).resized(*bits.shape).same_as(SphereMask.pack(bits))


@given(sphere_bits(), st.integers(-12, 12))
def test_a_turn_by_whole_columns_is_exact(bits, shift):
    yaw = rotation_from_angles(2 * np.pi * shift / bits.shape[1], 0, 0)
    assert SphereMask.pack(bits).turned(yaw).same_as(SphereMask.pack(np.roll(bits, shift, axis=1)))


def test_a_disc_turned_from_the_horizon_lies_on_the_pole():
    up = rotation_from_angles(0, np.pi / 2, 0)
    turned = SphereMask.pack(disc(128, 256, 0, 0, 0.4)).turned(up)
    assert turned.iou(SphereMask.pack(disc(128, 256, 0, np.pi / 2, 0.4))) > 0.95


@given(sphere_bits(), st.integers(0, 62).map(lambda n: n / 20 + 0.003))
def test_growing_and_shrinking_work_around_the_box(bits, angle):
    mask = SphereMask.pack(bits)
    assert mask.dilated(angle).same_as(SphereMask.pack(dilate(bits, angle)))
    assert mask.eroded(angle).same_as(SphereMask.pack(erode(bits, angle)))


def test_a_mask_cannot_be_changed():
    bits = disc(32, 64, 3.0, 0.2, 0.5)
    mask = SphereMask.pack(bits)
    with pytest.raises(FrozenInstanceError):
        mask.count = 0
    kept = bits.copy()
    bits[:] = False
    mask.box()[:] = False
    mask.unpack()[:] = False
    np.testing.assert_array_equal(mask.unpack(), kept)


def test_every_process_packs_to_the_same_bytes():
    code = (
        "import numpy as np, hashlib; from core.mask import SphereMask; "
        "bits = np.random.default_rng(3).random((64, 128)) < 0.3; "
        "print(hashlib.sha256(SphereMask.pack(bits).data).hexdigest())"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[1],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(hashes) == 1


def test_two_hundred_ragged_segments_on_an_8k_panorama_fit_in_500_mb():
    """An object over half of the sphere, with a border of leaves and a spray of single pixels all over it."""
    height, width = 4096, 8192
    rng = np.random.default_rng(5)
    lon, lat = (angles.astype(np.float32) for angles in erp_angles(height, width))
    nearness = np.sin(lat)[:, None] * np.float32(0.3) + np.cos(lat)[:, None] * np.cos(lon - np.float32(3.0)) * 0.95
    leaves = np.repeat(np.repeat(rng.random((height // 8, width // 8)) < 0.5, 8, axis=0), 8, axis=1)
    spray = rng.integers(0, 64, (height, width), np.uint8) == 0
    outer = nearness > 0.0
    mask = SphereMask.pack((outer & (leaves | (nearness > 0.2))) ^ (outer & spray))
    assert mask.solid_angle() > 0.4 * 4 * np.pi
    assert len(mask.data) * 200 < 500e6


def test_no_mask_takes_more_than_its_bits():
    bits = np.random.default_rng(0).random((1024, 2048)) < 0.5
    assert len(SphereMask.pack(bits).data) < bits.size / 8 * 1.001 + 32


@given(sphere_bits(), st.data())
def test_what_a_file_says_is_read_whatever_box_it_was_written_with(bits, data):
    mask = SphereMask.pack(bits)
    stored = SphereMask.from_stored(*astuple(mask))
    assert stored.same_as(mask)
    if not mask.is_empty:
        col = data.draw(st.integers(0, bits.shape[1] - 1))
        packed = zlib.compress(np.packbits(np.roll(bits, -col, axis=1)).tobytes(), 9)
        assert SphereMask.from_stored(*bits.shape, 0, col, *bits.shape, mask.count, packed).same_as(mask)


SOUND = SphereMask.pack(np.pad(np.ones((3, 5), np.bool_), ((1, 4), (2, 9))))  # on 8 x 16


@pytest.mark.parametrize(
    "changes",
    [
        {"row": -1},
        {"row": 6},
        {"col": 16},
        {"col": -1},
        {"rows": 0},
        {"rows": 8},
        {"cols": 17},
        {"cols": -5, "rows": -3},
        {"count": 0},
        {"count": 14},
        {"count": 16},
        {"rows": 3, "cols": 6},
        {"rows": 0, "cols": 0, "count": 0, "row": 0, "col": 0},  # data without a box
        {"data": b""},
        {"data": SOUND.data[:-2]},
        {"data": SOUND.data + b"\0"},
        {"data": b"no deflate"},
        {"data": zlib.compress(b"\xff\xff")},  # a bit beyond the box
        {"data": zlib.compress(b"\xff")},
        {"height": 0},
        {"height": 1 << 40, "width": 1 << 40, "rows": 1 << 39, "cols": 1 << 39, "count": 1},
    ],
)
def test_a_damaged_mask_in_a_file_is_told_in_a_sentence(changes):
    names = ("height", "width", "row", "col", "rows", "cols", "count", "data")
    fields = dict(zip(names, astuple(SOUND), strict=True)) | changes
    with pytest.raises(PanoError, match=r"[a-z].*; .*\.$"):
        SphereMask.from_stored(**fields)


def test_a_deflate_bomb_is_not_unpacked():
    bomb = zlib.compress(bytes(64 << 20), 9)
    code = (
        "import resource, sys; from core.mask import SphereMask; from core.errors import PanoError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    SphereMask.from_stored(8, 16, 1, 2, 3, 5, 15, sys.stdin.buffer.read())\n"
        "except PanoError:\n    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], input=bomb, capture_output=True, check=True
    )
    assert int(result.stdout) < 16 << 10  # KiB


@given(st.lists(st.integers(-3, 20), min_size=7, max_size=7), st.binary(max_size=40))
def test_whatever_a_file_says_gives_a_mask_or_a_sentence(numbers, data):
    try:
        mask = SphereMask.from_stored(*numbers, data)
    except PanoError:
        return
    assert mask.same_as(SphereMask.pack(mask.unpack()))


@pytest.mark.parametrize("bits", [np.zeros((4, 8), np.uint8), np.zeros((4, 8, 3), np.bool_), np.zeros(4, np.bool_)])
def test_an_array_that_is_no_mask_is_refused(bits):
    with pytest.raises(ValueError, match="expected a bool array"):
        SphereMask.pack(bits)


def test_a_part_beyond_the_grid_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        SphereMask.from_window(4, 8, 2, 0, np.ones((3, 2), np.bool_))
    with pytest.raises(ValueError, match="does not fit"):
        SphereMask(4, 8, 2, 0, 3, 2, 1, b"")
