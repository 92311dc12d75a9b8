import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.geometry.sphere import erp_rays, lonlat_to_directions, lonlat_to_erp
from core.scene import Click
from core.segment import refine
from core.segment.cut import LEAST_LOGIT, cut_view
from core.segment.refine import refine_edges

NOWHERE = (np.zeros((0, 2), np.float32), np.zeros(0, bool))
REACH = math.radians(3)


def _two_colors(inside, seed=0, noise=4.0):
    rng = np.random.default_rng(seed)
    rgb = np.where(inside[..., None], (190, 120, 60), (70, 90, 120)) + rng.normal(0, noise, (*inside.shape, 3))
    return np.clip(rgb, 0, 255).astype(np.uint8)


def _iou(a, b):
    return (a & b).sum() / (a | b).sum()


def _disk(size, radius, middle=None):
    v, u = np.ogrid[:size, :size]
    row, col = middle or (size / 2, size / 2)
    return np.hypot(v + 0.5 - row, u + 0.5 - col) < radius


def _cap(lon, lat, degrees, height=256):
    return erp_rays(height, 2 * height) @ lonlat_to_directions(lon, lat) > np.cos(np.radians(degrees))


def _soft(inside, size, blur):
    small = cv2.resize(inside.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    return (cv2.GaussianBlur(small, (0, 0), blur) * 8 - 4).astype(np.float32)


class TestInAView:
    def test_a_soft_answer_gets_the_border_of_the_picture(self):
        truth = _disk(128, 40)
        truth[:, :40] = False
        logits = _soft(truth, 32, 2.5)
        coarse = cv2.resize(logits, (128, 128)) > 0
        refined = cut_view(_two_colors(truth), logits, *NOWHERE)
        assert refined.shape == (128, 128)
        assert refined.dtype == np.float32
        assert _iou(coarse, truth) < 0.96
        assert _iou(refined > 0, truth) > 0.99

    def test_every_pixel_is_sure_of_its_side(self):
        refined = cut_view(_two_colors(_disk(64, 20)), _soft(_disk(64, 14), 32, 2), *NOWHERE)
        assert (np.abs(refined) >= LEAST_LOGIT).all()

    def test_in_a_picture_of_one_colour_the_answer_stays(self):
        rgb = np.full((64, 64, 3), 128, np.uint8)
        logits = _soft(_disk(64, 20), 64, 1)
        assert _iou(cut_view(rgb, logits, *NOWHERE) > 0, logits > 0) > 0.9

    @given(
        st.lists(st.tuples(st.floats(0, 32), st.floats(0, 32), st.booleans()), min_size=1, max_size=6),
        st.integers(0, 1000),
    )
    def test_the_pixel_of_every_click_obeys_whatever_the_network_says(self, clicks, seed):
        rng = np.random.default_rng(seed)
        rgb = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
        logits = rng.normal(0, 4, (16, 16)).astype(np.float32)
        pixels = {(min(int(v), 31), min(int(u), 31)): sign for u, v, sign in clicks}
        points = np.array([(col + 0.5, row + 0.5) for row, col in pixels], np.float32)
        inside = cut_view(rgb, logits, points, np.array(list(pixels.values()))) > 0
        for (row, col), sign in pixels.items():
            assert inside[row, col] == sign

    def test_a_mirrored_view_gets_the_mirrored_answer(self):
        truth = _disk(64, 18, (30, 26))
        rgb, logits = _two_colors(truth), _soft(truth, 32, 2)
        plain = cut_view(rgb, logits, *NOWHERE) > 0
        mirrored = cut_view(np.ascontiguousarray(rgb[:, ::-1]), np.ascontiguousarray(logits[:, ::-1]), *NOWHERE) > 0
        assert _iou(mirrored[:, ::-1], plain) > 0.99


class TestOnThePanorama:
    @pytest.mark.parametrize(("lon", "lat"), [(0.3, 0.1), (np.pi, -0.4), (-2.0, 1.2), (1.0, np.pi / 2)])
    def test_a_border_that_is_a_little_off_moves_to_the_edge(self, lon, lat):
        truth = _cap(lon, lat, 30)
        rough = _cap(lon + 0.02, lat - 0.01, 31.5)
        refined = refine_edges(_two_colors(truth), rough, reach=REACH)
        assert (refined ^ truth).sum() < 0.3 * (rough ^ truth).sum()

    @given(st.integers(1, 127))
    def test_a_rolled_photo_gets_the_rolled_mask(self, shift):
        truth = _cap(0.2, 0.3, 25, height=64)
        rgb, rough = _two_colors(truth), _cap(0.25, 0.35, 27, height=64)
        plain = refine_edges(rgb, rough, reach=2 * REACH)
        rolled = refine_edges(np.roll(rgb, shift, axis=1), np.roll(rough, shift, axis=1), reach=2 * REACH)
        np.testing.assert_array_equal(np.roll(rolled, -shift, axis=1), plain)

    @pytest.mark.parametrize("shift", [100, 420])
    def test_tiles_go_with_a_rolled_photo_also_where_they_do_not_divide_its_width(self, shift, monkeypatch):
        worked = []
        monkeypatch.setattr(refine, "_refined_tile", lambda rgb, mask, *_: worked.append(rgb.tobytes()) or mask)
        height, width = 300, 600
        lon = (199.5 / width - 0.5) * 2 * np.pi
        rough = _cap(lon, 0.1, 70, height)
        rgb, there = _two_colors(rough), (lon + 2 * np.pi * shift / width + np.pi) % (2 * np.pi) - np.pi
        refine_edges(rgb, rough, [Click(lon, 0.1)], reach=REACH)
        plain = worked[:]
        refine_edges(np.roll(rgb, shift, axis=1), np.roll(rough, shift, axis=1), [Click(there, 0.1)], reach=REACH)
        assert len(plain) > 2
        assert worked[len(plain) :] == plain

    @pytest.mark.parametrize(("lon", "lat"), [(0.3, 0.1), (np.pi, -0.4), (1.0, 1.3)])
    def test_a_correction_works_only_on_the_tiles_that_it_changed(self, lon, lat, monkeypatch):
        worked = []
        whole = refine._refined_tile
        monkeypatch.setattr(refine, "_refined_tile", lambda *args: worked.append(args) or whole(*args))
        rgb, rough = _two_colors(_cap(lon, lat, 60, 512)), _cap(lon + 0.02, lat, 61, 512)
        grown = rough | _cap(lon, lat + np.radians(60), 8, 512)
        click, known = Click(lon, lat), refine.RefinedTiles()
        refine_edges(rgb, rough, [click], reach=REACH / 4, known=known)
        every = len(worked)
        again = refine_edges(rgb, grown, [click], reach=REACH / 4, known=known)
        assert every < len(worked) < 1.7 * every
        np.testing.assert_array_equal(again, refine_edges(rgb, grown, [click], reach=REACH / 4))
        done = len(worked)
        refine_edges(rgb, grown, [click, Click(lon, lat)], reach=REACH / 4, known=known)
        assert len(worked) == done

    def test_nothing_moves_farther_than_it_may(self):
        truth, rough = _cap(0, 0, 40), _cap(0, 0, 25)
        refined = refine_edges(_two_colors(truth), rough, reach=math.radians(4))
        assert not (refined & ~_cap(0, 0, 25 + 5)).any()
        assert not (~refined & _cap(0, 0, 25 - 5)).any()

    def test_thin_parts_and_gaps_are_left_alone(self):
        mask = _cap(0, 0, 30)
        mask[100:103, 330:420] = True  # a wire
        mask[140:143, 200:300] = False  # a slit
        unlike = np.random.default_rng(0).integers(0, 256, (256, 512, 3)).astype(np.uint8)
        refined = refine_edges(unlike, mask, reach=REACH)
        assert refined[100:103, 340:420].all()
        assert not refined[140:143, 220:280].any()

    @pytest.mark.parametrize("positive", [True, False])
    def test_a_click_is_obeyed_also_across_the_seam(self, positive):
        mask = _cap(np.pi, 0, 20)
        click = Click(-np.pi + 1e-3, 0.5 if positive else 0.0, positive)
        refined = refine_edges(_two_colors(mask), mask, [click], reach=REACH)
        u, v = lonlat_to_erp(click.lon, click.lat, 256, 512)
        assert refined[int(v), int(u)] == positive
        assert refined[int(v), 511] == positive

    def test_what_must_not_move_by_a_pixel_does_not_move(self):
        mask = _cap(0, 0, 20)
        np.testing.assert_array_equal(refine_edges(_two_colors(~mask), mask, reach=1e-4), mask)

    @pytest.mark.parametrize("value", [True, False])
    def test_everything_and_nothing_have_no_border(self, value):
        mask = np.full((64, 128), value)
        np.testing.assert_array_equal(refine_edges(_two_colors(_cap(0, 0, 30, 64)), mask, reach=REACH), mask)

    def test_a_mask_of_another_size_is_a_mistake_of_the_caller(self):
        with pytest.raises(ValueError, match="photograph's size"):
            refine_edges(np.zeros((64, 128, 3), np.uint8), np.zeros((32, 64), bool), reach=REACH)
