import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from core.geometry.camera import Camera
from core.geometry.regions import components
from core.geometry.shapes import polygon
from core.geometry.sphere import angle_between, erp_angles, erp_rays, lonlat_to_directions, solid_angle
from core.mask import SphereMask
from core.outlines import (
    bfov,
    bounding_box,
    centroid,
    crosses_seam,
    flat_polygons,
    mask_rings,
    sphere_polygons,
)
from core.segment.brush import box_mask

HEIGHT, WIDTH = 90, 180
shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
masks = shapes.flatmap(lambda shape: hnp.arrays(np.bool_, shape))
MIDDLES = [(0.4, 0.3), (math.pi, -0.1), (0.7, math.pi / 2), (1.0, -1.3)]


def disc(lon, lat, radius, height=HEIGHT, width=WIDTH):
    return SphereMask.pack(erp_rays(height, width) @ lonlat_to_directions(lon, lat) > np.cos(radius))


def filled_flat(rings, shape):
    inside = np.zeros(shape, int)
    for ring in rings:
        for (u, v0), v1 in zip(ring.corners, np.roll(ring.corners[:, 1], -1), strict=True):
            inside[min(v0, v1) : max(v0, v1), u:] += 1 if v1 > v0 else -1
    return inside


@given(masks)
def test_flat_polygons_give_every_pixel_back(bits):
    mask = SphereMask.pack(bits)
    np.testing.assert_array_equal(filled_flat(flat_polygons(mask), mask.size), mask.unpack())


def test_an_object_across_the_seam_is_two_polygons_in_the_plane_and_one_on_the_sphere():
    mask = disc(math.pi, 0.2, 0.5)
    assert len(flat_polygons(mask)) == 2
    assert len(mask_rings(mask)) == 1
    assert len(sphere_polygons(mask, 0.01)) == 1


@given(masks)
def test_a_mask_crosses_the_seam_when_cutting_there_parts_it(bits):
    mask = SphereMask.pack(bits)
    touching = any(bits[row, -1] and bits[max(row - 1, 0) : row + 2, 0].any() for row in range(mask.height))
    assert crosses_seam(mask) == (touching and mask.width > 1)


@pytest.mark.parametrize(("lon", "lat"), MIDDLES)
def test_polygons_on_the_sphere_cover_the_mask_up_to_the_tolerance(lon, lat):
    whole, hole, island = disc(lon, lat, 0.9), disc(lon, lat, 0.5), disc(lon, lat, 0.2)
    mask = (whole - hole) | island
    polygons = sphere_polygons(mask, 0.02)
    assert sorted(len(p.holes) for p in polygons) == [0, 1]
    found = SphereMask.empty(*mask.size)
    for part in polygons:
        here = SphereMask.from_window(*mask.size, *polygon(*mask.size, part.outer))
        for line in part.holes:
            here = here - SphereMask.from_window(*mask.size, *polygon(*mask.size, line))
        found = found | here
    assert mask.iou(found) > 0.95
    # What differs lies within the tolerance of a border.
    pixel = math.pi / HEIGHT
    border = mask.dilated(0.02 + pixel) - mask.eroded(0.02 + pixel)
    assert ((found - mask | mask - found) - border).is_empty


def test_the_finest_polygons_are_exact():
    mask = disc(3.0, 1.2, 0.6)
    (part,) = sphere_polygons(mask, 1e-5)
    assert SphereMask.from_window(*mask.size, *polygon(*mask.size, part.outer)).same_as(mask)


def test_what_has_no_border_has_no_polygon():
    empty = SphereMask.empty(HEIGHT, WIDTH)
    assert sphere_polygons(empty, 0.01) == sphere_polygons(~empty, 0.01) == flat_polygons(empty) == []
    assert len(flat_polygons(~empty)) == 1
    assert not crosses_seam(empty)
    assert crosses_seam(~empty)


@given(masks)
def test_the_bounding_box_holds_the_mask_and_no_smaller_one_does(bits):
    mask = SphereMask.pack(bits)
    if mask.is_empty:
        return
    box = bounding_box(mask)
    found = box_mask(*mask.size, box)
    assert (found & mask).same_as(mask)
    assert (found.rows, found.cols) == (mask.rows, mask.cols)
    assert -math.pi <= box.west <= math.pi
    assert -math.pi <= box.east <= math.pi
    assert box.south < box.north


def test_the_bounding_box_of_an_object_across_the_seam_wraps():
    box = bounding_box(box_mask(18, 36, bounding_box(disc(math.pi, 0, 0.3, 18, 36))))
    assert box.east < 0 < box.west


@given(masks)
def test_the_centroid_is_the_mean_direction(bits):
    mask = SphereMask.pack(bits)
    if mask.is_empty:
        return
    # Each pixel is cut into many, whose centres stand for them.
    fine = np.repeat(np.repeat(mask.unpack(), 24, axis=0), 24, axis=1)
    rays = lonlat_to_directions(*np.meshgrid(*erp_angles(*fine.shape)))
    mean = ((fine * solid_angle(*fine.shape))[..., None] * rays).sum(axis=(0, 1))
    if np.linalg.norm(mean) < 1e-3 * mask.solid_angle():
        return
    assert angle_between(lonlat_to_directions(*centroid(mask)), mean) < 0.02


@pytest.mark.parametrize(("lon", "lat"), MIDDLES)
def test_the_centroid_of_a_disc_is_its_middle(lon, lat):
    off = angle_between(lonlat_to_directions(*centroid(disc(lon, lat, 0.5))), lonlat_to_directions(lon, lat))
    assert off < 0.01


def test_a_band_all_around_has_its_deepest_point_as_its_centroid():
    band = box_mask(HEIGHT, WIDTH, bounding_box(~SphereMask.empty(HEIGHT, WIDTH))) - disc(0, 1.6, 1) - disc(0, -1.6, 1)
    assert band.contains(*centroid(band))


@pytest.mark.parametrize(("lon", "lat"), [(0.4, 0.3), (math.pi, -0.1), (-1.0, 1.0), (1.0, -1.2)])
def test_the_field_of_view_of_a_pinhole_picture_is_found_again(lon, lat):
    camera = Camera(yaw=lon, pitch=lat, roll=0, fov_x=1.4, height=300, width=400)
    u, v = camera.project(erp_rays(512, 1024))
    mask = SphereMask.pack((u >= 0) & (u <= 400) & (v >= 0) & (v <= 300))
    found = bfov(mask)
    pixel = math.pi / 512
    fov_y = 2 * math.atan(300 / 400 * math.tan(0.7))
    assert angle_between(lonlat_to_directions(found.lon, found.lat), lonlat_to_directions(lon, lat)) < pixel
    assert found.fov_w == pytest.approx(1.4, abs=4 * pixel)
    assert found.fov_h == pytest.approx(fov_y, abs=4 * pixel)
    assert found.solid_angle == pytest.approx(mask.solid_angle(), rel=0.03)


@given(masks)
def test_a_field_of_view_holds_every_corner_of_every_pixel(bits):
    mask = SphereMask.pack(bits)
    found = bfov(mask)
    if found is None:
        return
    assert 0 < found.fov_w < math.pi
    assert 0 < found.fov_h < math.pi
    rows, cols = np.nonzero(mask.unpack())
    corners = np.concatenate([np.stack([rows + i, cols + j]) for i in (0, 1) for j in (0, 1)], axis=1)
    lat, lon = (0.5 - corners[0] / mask.height) * np.pi, (corners[1] / mask.width - 0.5) * 2 * np.pi
    camera = Camera(yaw=found.lon, pitch=found.lat, roll=0, fov_x=found.fov_w, height=2, width=2)
    x, y, z = (lonlat_to_directions(lon, lat) @ camera.world_from_camera).T
    assert (np.abs(np.arctan2(x, z)) <= found.fov_w / 2 + 1e-6).all()
    assert (np.abs(np.arctan2(y, z)) <= found.fov_h / 2 + 1e-6).all()


def test_what_no_hemisphere_holds_has_no_field_of_view():
    assert bfov(SphereMask.empty(HEIGHT, WIDTH)) is None
    assert bfov(~SphereMask.empty(HEIGHT, WIDTH)) is None
    assert bfov(~disc(0.3, 0.2, 0.5)) is None
    assert bfov(disc(0.3, 0.2, 1.7)) is None
    assert bfov(disc(0.3, 0.2, 1.4)) is not None


def test_a_mask_without_pixels_has_neither_box_nor_middle():
    for function in (bounding_box, centroid):
        with pytest.raises(ValueError, match="without pixels"):
            function(SphereMask.empty(4, 8))


@given(masks)
def test_a_part_on_the_sphere_has_one_outer_ring(bits):
    mask = SphereMask.pack(bits)
    rings = mask_rings(mask)
    count = components(mask.unpack())[1]
    assert sum(not ring.is_hole for ring in rings) == (0 if mask.count == mask.height * mask.width else count)
