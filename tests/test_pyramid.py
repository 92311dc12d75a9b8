"""Levels of a picture and the pages that a view needs of them."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.geometry.camera import Camera
from core.geometry.sphere import directions_to_erp
from core.geometry.warp import resize_erp
from core.pyramid import BORDER, PAGE, Page, Pyramid, halved, seen_pages


def noise(height, width, channels=3):
    return np.random.default_rng(height).integers(0, 256, (height, width, channels), np.uint8)


def test_levels_are_halves_down_to_a_small_one():
    picture = noise(1024, 2048)
    pyramid = Pyramid.of(picture)
    assert [level.shape[1] for level in pyramid.levels] == [2048, 1024, 512, 256]
    assert np.shares_memory(pyramid.levels[0], picture)


@pytest.mark.parametrize("shape", [(64, 128, 3), (64, 128, 4), (512, 1026, 3), (511, 1022, 3), (65, 131, 4)])
def test_every_pixel_of_a_level_is_the_exact_mean_over_its_area(shape):
    picture = noise(*shape)
    np.testing.assert_array_equal(halved(picture), resize_erp(picture, shape[0] // 2, shape[1] // 2))


def test_a_level_is_rounded_half_up():
    picture = np.zeros((2, 4, 3), np.uint8)
    picture[0, 0], picture[0, 2:] = 2, 1
    np.testing.assert_array_equal(halved(picture)[0, :, 0], [1, 1])


@pytest.mark.parametrize(("wanted", "width"), [(5000, 2048), (2048, 2048), (1025, 2048), (1024, 1024), (10, 256)])
def test_the_smallest_level_with_enough_pixels_is_chosen(wanted, width):
    pyramid = Pyramid.of(noise(1024, 2048))
    assert pyramid.levels[pyramid.level_for(wanted)].shape[1] == width


@pytest.mark.parametrize("size", [(1024, 2048), (700, 1400), (513, 1026), (257, 515)])
def test_pages_together_are_the_level_and_their_borders_go_round_the_sphere(size):
    """By index: column W is column 0, and beyond a pole lies the row across it."""
    height, width = size
    level = noise(height, width)
    pyramid = Pyramid((level,))
    rows, cols = pyramid.page_grid(0)
    for row in range(rows):
        for col in range(cols):
            page = pyramid.pixels_of(Page(0, row, col))
            assert page.flags.c_contiguous
            v = np.arange(row * PAGE - BORDER, min((row + 1) * PAGE, height) + BORDER)
            u = np.arange(col * PAGE - BORDER, min((col + 1) * PAGE, width) + BORDER)
            inside = (v >= 0) & (v < height)
            np.testing.assert_array_equal(page[inside], level[v[inside]][:, u % width])
            for beyond in np.flatnonzero(~inside):
                across = 0 if v[beyond] < 0 else height - 1
                if width % 2 == 0:
                    np.testing.assert_array_equal(page[beyond], level[across, (u + width // 2) % width])


CAMERAS = st.builds(
    Camera,
    yaw=st.floats(-7, 7),
    pitch=st.one_of(st.floats(-math.pi / 2, math.pi / 2), st.sampled_from([math.pi / 2, -math.pi / 2, 1.45, -1.5])),
    roll=st.floats(-math.pi, math.pi),
    fov_x=st.floats(0.04, 2.4),
    height=st.integers(20, 200),
    width=st.integers(20, 200),
)
SIZES = st.sampled_from([(2048, 4096), (2047, 4094), (1500, 3001), (4096, 8192)])


def truly_seen(camera, height, width):
    """By a ray for every pixel."""
    u, v = directions_to_erp(camera.rays(), height, width)
    pages = np.zeros((-(-height // PAGE), -(-width // PAGE)), bool)
    pages[np.minimum(v.astype(int), height - 1) // PAGE, u.astype(int) % width // PAGE] = True
    return pages


@settings(deadline=None, max_examples=200)
@given(CAMERAS, SIZES)
def test_no_page_that_a_ray_meets_is_left_out(camera, size):
    # Nobody can see more: the window stops here, too.
    assume(2 * math.atan(math.tan(camera.fov_x / 2) * camera.height / camera.width) < 2.7)
    assert not (truly_seen(camera, *size) & ~seen_pages(camera, *size)).any()


def test_few_pages_are_fetched_that_no_ray_meets():
    rng = np.random.default_rng(1)
    fetched = met = 0
    for _ in range(60):
        camera = Camera(rng.uniform(-4, 4), rng.uniform(-1.5, 1.5), rng.uniform(-1, 1), rng.uniform(0.1, 1.6), 150, 200)
        fetched += seen_pages(camera, 4096, 8192).sum()
        met += truly_seen(camera, 4096, 8192).sum()
    assert fetched < 1.25 * met


def test_a_view_across_the_seam_needs_both_ends():
    seen = seen_pages(Camera(math.pi, 0.0, 0.0, 0.3, 300, 400), 4096, 8192)
    cols = np.flatnonzero(seen.any(axis=0))
    np.testing.assert_array_equal(cols, [0, 31])


@pytest.mark.parametrize(("pitch", "row"), [(math.pi / 2, 0), (-math.pi / 2, 15)])
def test_a_view_of_a_pole_needs_all_pages_around_it(pitch, row):
    seen = seen_pages(Camera(0.3, pitch, 0.0, 0.2, 300, 400), 4096, 8192)
    assert seen[row].all()
    assert np.flatnonzero(seen.any(axis=1)).tolist() == [row]


class TestPagesInView:
    pyramid = Pyramid(tuple(np.zeros((width // 2, width, 3), np.uint8) for width in (8192, 4096, 2048, 1024)))

    def test_the_base_is_enough_for_a_wide_view(self):
        assert self.pyramid.pages_in_view(Camera(0, 0, 0, 1.5, 300, 400), 2048, 100) == []

    def test_a_narrow_view_is_drawn_from_the_level_with_as_many_pixels(self):
        camera = Camera(1.0, 0.3, 0.0, 0.5, 300, 400)
        pages = self.pyramid.pages_in_view(camera, 2048, 100)
        assert 2 * math.pi * camera.focal_px < 8192
        assert {page.level for page in pages} == {0 if 2 * math.pi * camera.focal_px > 4096 else 1}
        rows, cols = np.nonzero(seen_pages(camera, 4096, 8192))
        assert {(page.row, page.col) for page in pages} == set(zip(rows.tolist(), cols.tolist(), strict=True))

    def test_the_middle_comes_first(self):
        camera = Camera(0.9, -0.4, 0.0, 0.5, 300, 400)
        first = self.pyramid.pages_in_view(camera, 2048, 100)[0]
        u, v = directions_to_erp(camera.world_from_camera[:, 2], 4096, 8192)
        assert abs((first.col + 0.5) * PAGE - u) <= PAGE
        assert abs((first.row + 0.5) * PAGE - v) <= PAGE

    def test_a_coarser_level_is_taken_when_there_is_no_room(self):
        camera = Camera(0.0, math.pi / 2, 0.0, 0.5, 300, 400)
        many = self.pyramid.pages_in_view(camera, 1024, 1000)
        few = self.pyramid.pages_in_view(camera, 1024, len(many) - 1)
        assert few[0].level == many[0].level + 1
        assert len(few) < len(many)
        assert self.pyramid.pages_in_view(camera, 1024, 3) == []
