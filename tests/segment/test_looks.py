import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.geometry.camera import Camera
from core.geometry.sphere import angle_between, lonlat_to_directions
from core.geometry.warp import erp_to_camera
from core.scene import Box, Click
from core.segment.corrections import clicked_parts, is_ignored, tempered
from core.segment.looks import (
    OBJECT_ROOM,
    WIDEST_DEG,
    agreement,
    camera_around,
    camera_around_box,
    cameras_around_click,
    fits,
    picture,
    prompt_in,
    sees,
    shared_areas,
)
from core.segment.photo import PhotoLevels

LON = st.floats(-math.pi, math.pi)
LAT = st.floats(-math.pi / 2, math.pi / 2)


def _camera(lon=0.0, lat=0.0, degrees=90.0, size=64):
    return Camera(yaw=lon, pitch=lat, roll=0.0, fov_x=math.radians(degrees), height=size, width=size)


def _disk(size, radius, middle=None):
    v, u = np.ogrid[:size, :size]
    row, col = middle or (size / 2, size / 2)
    return np.hypot(v + 0.5 - row, u + 0.5 - col) < radius


@given(LON, LAT)
def test_a_click_lies_in_the_middle_of_each_of_its_views(lon, lat):
    cameras = cameras_around_click(Click(lon, lat), 128)
    fovs = [camera.fov_x for camera in cameras]
    assert fovs == sorted(fovs)
    for camera in cameras:
        np.testing.assert_allclose(camera.project(lonlat_to_directions(lon, lat)), 64, atol=1e-5)


@given(LON, st.floats(-1.2, 1.2), st.floats(0.1, 0.8), st.floats(0.1, 0.4))
def test_a_box_is_whole_in_its_view_with_some_room(lon, lat, wide, high):
    south, north = max(lat - high / 2, -1.4), min(lat + high / 2, 1.4)
    box = Box(west=math.remainder(lon - wide / 2, 2 * math.pi), south=south,
              east=math.remainder(lon + wide / 2, 2 * math.pi), north=north)  # fmt: skip
    camera = camera_around_box(box, 128)
    corners = lonlat_to_directions([box.west, box.east, box.west, box.east], [south, south, north, north])
    u, v = camera.project(corners)
    assert (np.abs(np.array([u, v]) - 64) < 64).all()
    prompt = prompt_in(camera, (), box)
    assert prompt.box is not None
    reach = max(abs(side - 64) for side in prompt.box)
    assert 0.5 * 64 < reach < 0.9 * 64


@given(LON, st.floats(-1.5, 1.5), st.floats(20, 100), st.floats(0.1, 0.9), st.floats(0.2, 0.8), st.floats(0.2, 0.8))
def test_the_view_around_an_object_holds_it_with_some_room_and_it_fits(lon, lat, fov, size, row, col):
    camera = _camera(lon, lat, fov)
    inside = _disk(64, size * 14, (row * 64, col * 64))
    around = camera_around(camera, inside)
    rows, cols = np.nonzero(inside)
    u, v = around.project(camera.directions(cols + 0.5, rows + 0.5))
    reach = np.abs(np.array([u, v]) - 32).max() / 32
    if math.radians(5) < around.fov_x < math.radians(WIDEST_DEG) - 1e-9:
        assert reach == pytest.approx(1 / OBJECT_ROOM, abs=1e-6)
        assert fits(around, camera, inside)
    assert around.size == camera.size
    assert around.roll == 0


@given(LON)
def test_the_view_around_an_object_turns_with_it(lon):
    inside = _disk(64, 9, (20, 40))
    still, turned = camera_around(_camera(0, 0.3), inside), camera_around(_camera(lon, 0.3), inside)
    assert math.remainder(turned.yaw - still.yaw - lon, 2 * math.pi) == pytest.approx(0, abs=1e-9)
    assert replace(turned, yaw=0.0) == replace(still, yaw=0.0)


def test_an_object_that_outgrew_its_view_or_became_small_in_it_does_not_fit():
    wide = _camera(degrees=90)
    around = camera_around(wide, _disk(64, 6))
    assert fits(around, wide, _disk(64, 6))
    assert fits(around, wide, _disk(64, 7.5))
    assert not fits(around, wide, _disk(64, 20))
    assert not fits(around, wide, _disk(64, 2))
    assert not fits(around, _camera(lon=2.5), _disk(64, 6))
    assert fits(around, wide, np.zeros((64, 64), bool))


def test_clicks_on_the_border_of_a_view_and_behind_it_are_not_told():
    camera = _camera(0.4, 0.2)
    clicks = (
        Click(0.4, 0.2),
        Click(0.4 + math.radians(44.9), 0.2, positive=False),
        Click(0.4 + math.pi, -0.2),
        Click(0.6, 0.1, positive=False),
    )
    assert [sees(camera, click) for click in clicks] == [True, False, False, True]
    prompt = prompt_in(camera, clicks)
    assert prompt.positive.tolist() == [True, False]
    np.testing.assert_allclose(prompt.points[0], 32, atol=1e-4)
    assert prompt.box is None
    assert prompt.prior is None


def test_views_that_say_the_same_agree_and_a_liar_does_not():
    cameras = cameras_around_click(Click(0.3, 0.1), 64)[2:]
    true = []
    for camera in cameras:
        radius = math.tan(math.radians(8)) * picture(camera, 64).focal_px
        true.append(_disk(64, radius))
    alike = agreement(shared_areas(cameras, true), np.ones(len(cameras)))
    assert (alike > 0.8).all()
    lying = [*true[:-1], _disk(64, 30)]
    scores = agreement(shared_areas(cameras, lying), np.ones(len(cameras)))
    assert np.argmin(scores) == len(cameras) - 1
    assert scores[-1] < 0.2


def test_a_view_that_finds_nothing_agrees_with_nobody():
    cameras = cameras_around_click(Click(0, 0), 32)[:3]
    masks = [_disk(32, 10), np.zeros((32, 32), bool), np.zeros((32, 32), bool)]
    np.testing.assert_array_equal(agreement(shared_areas(cameras, masks), np.ones(3)), 0)


class TestCorrections:
    camera = _camera(size=64)

    def _click(self, row, col, positive=True):
        lon, lat = (float(x) for x in _lonlat(self.camera.directions(col + 0.5, row + 0.5)))
        return Click(lon, lat, positive)

    def test_only_parts_that_were_clicked_on_are_looked_at(self):
        two = _disk(64, 6, (20, 20)) | _disk(64, 6, (44, 44))
        clicks = [self._click(20, 20), self._click(44, 44, positive=False)]
        np.testing.assert_array_equal(clicked_parts(two, self.camera, clicks), _disk(64, 6, (20, 20)))
        np.testing.assert_array_equal(clicked_parts(two, self.camera, [self._click(5, 60)]), two)

    def test_a_mask_of_another_resolution_is_asked_at_the_same_place(self):
        two = _disk(32, 3, (10, 10)) | _disk(32, 3, (22, 22))
        kept = clicked_parts(two, self.camera, [self._click(20, 20)])
        np.testing.assert_array_equal(kept, _disk(32, 3, (10, 10)))

    def test_a_change_away_from_the_click_is_taken_back(self):
        before = np.where(_disk(64, 10), 3.0, -3.0).astype(np.float32)
        wanted, unwanted = _disk(64, 5, (32, 45)), _disk(64, 5, (8, 8))
        after = np.where(_disk(64, 10) | wanted | unwanted, 2.0, -2.0).astype(np.float32)
        result = tempered(before, after, self.camera, [self._click(32, 45)])
        np.testing.assert_array_equal(result > 0, _disk(64, 10) | wanted)
        assert result[8, 8] == -3.0
        assert result[32, 32] == 2.0

    def test_a_click_beside_the_border_finds_fault_with_little(self):
        before = np.where(_disk(128, 50), 3.0, -3.0).astype(np.float32)
        after = np.full((128, 128), -2.0, np.float32)
        camera = _camera(size=128)
        lon, lat = _lonlat(camera.directions(64 + 46.5, 64.5))
        result = tempered(before, after, camera, [Click(lon, lat, positive=False)])
        assert result[64, 64 + 46] < 0
        assert result[64, 64 + 36] < 0
        assert result[64, 64] > 0
        lon, lat = _lonlat(camera.directions(64.5, 64.5))
        np.testing.assert_array_equal(tempered(before, after, camera, [Click(lon, lat, positive=False)]), after)

    def test_what_an_earlier_click_asked_for_is_not_taken_back(self):
        before = np.where(_disk(64, 10), 3.0, -3.0).astype(np.float32)
        after = np.where(_disk(64, 10) | _disk(64, 2, (8, 8)) | _disk(64, 2, (50, 50)), 2.0, -2.0).astype(np.float32)
        result = tempered(before, after, self.camera, [self._click(8, 8), self._click(50, 50)])
        np.testing.assert_array_equal(result, after)

    def test_what_was_unknown_counts_as_outside(self):
        before = np.full((64, 64), np.nan, np.float32)
        after = np.where(_disk(64, 5, (20, 20)) | _disk(64, 5, (50, 50)), 2.0, -2.0).astype(np.float32)
        result = tempered(before, after, self.camera, [self._click(20, 20)])
        np.testing.assert_array_equal(result > 0, _disk(64, 5, (20, 20)))
        assert np.isfinite(result).all()

    def test_a_correction_that_changes_only_the_clicked_pixels_was_ignored(self):
        before = np.where(_disk(64, 10), 3.0, -3.0).astype(np.float32)
        speck, part = before.copy(), before.copy()
        speck[_disk(64, 2, (8, 8))] = 2.0
        part[_disk(64, 6, (8, 8))] = 2.0
        click = self._click(8, 8)
        assert is_ignored(before, speck, self.camera, click)
        assert is_ignored(before, before, self.camera, click)
        assert not is_ignored(before, part, self.camera, click)
        assert is_ignored(before, part, self.camera, self._click(50, 50))

    def test_a_correction_that_agrees_with_the_mask_was_not_ignored(self):
        before = np.where(_disk(64, 10), 3.0, -3.0).astype(np.float32)
        assert not is_ignored(before, before, self.camera, self._click(32, 32))
        assert not is_ignored(before, before, self.camera, self._click(5, 5, positive=False))

    def test_a_correction_beside_the_border_asks_for_little(self):
        before = np.where(_disk(64, 10), 3.0, -3.0).astype(np.float32)
        assert not is_ignored(before, before, self.camera, self._click(32, 46))
        assert is_ignored(before, before, self.camera, self._click(32, 60))

    def test_out_of_sight_only_an_addition_was_ignored(self):
        before = np.where(_disk(64, 10), 3.0, -3.0).astype(np.float32)
        assert is_ignored(before, before, self.camera, Click(math.pi, 0.0))
        assert not is_ignored(before, before, self.camera, Click(math.pi, 0.0, positive=False))

    def test_a_correction_outside_the_view_changes_what_it_will(self):
        before, after = np.full((64, 64), -1, np.float32), np.full((64, 64), 1, np.float32)
        np.testing.assert_array_equal(
            tempered(before, after, self.camera, [Click(0.0, 0.0), Click(math.pi, 0.0)]), after
        )


def _lonlat(direction):
    x, y, z = direction
    return math.atan2(x, z), math.atan2(-y, math.hypot(x, z))


class TestPhotoLevels:
    @pytest.mark.parametrize("size", [(256, 512), (250, 500), (129, 258)])
    def test_wide_views_look_like_those_of_the_whole_photo(self, size):
        height, width = size
        v, u = np.mgrid[:height, :width] / height * 2 * np.pi
        waves = [np.sin(u * 3), np.cos(v * 4), np.sin(u + v * 2)]
        rgb = np.stack([127 + 100 * wave for wave in waves], axis=-1).astype(np.uint8)
        levels = PhotoLevels(rgb)
        for degrees, pixels in ((100, 16), (60, 32), (20, 64)):
            camera = _camera(0.7, 0.4, degrees, pixels)
            difference = levels.view(camera).astype(int) - erp_to_camera(rgb, camera)
            assert np.abs(difference).mean() < 2.5

    def test_narrow_views_are_taken_of_the_photo_itself(self):
        rgb = np.random.default_rng(0).integers(0, 256, (128, 256, 3)).astype(np.uint8)
        camera = _camera(0.7, 0.4, 20, 64)
        np.testing.assert_array_equal(PhotoLevels(rgb).view(camera), erp_to_camera(rgb, camera))

    def test_the_photo_is_kept_as_it_is(self):
        rgb = np.zeros((64, 128, 3), np.uint8)
        assert PhotoLevels(rgb).rgb is rgb


def test_views_around_a_click_look_along_it():
    camera = cameras_around_click(Click(1.0, -0.5), 32)[0]
    axis = camera.world_from_camera[:, 2]
    assert angle_between(axis, lonlat_to_directions(1.0, -0.5)) < 1e-7
