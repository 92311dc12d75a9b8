import gc
import math
import weakref

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.geometry.sphere import erp_rays, lonlat_to_directions
from core.mask import SphereMask
from core.progress import Cancelled
from core.scene import Box, Click
from core.segment.candidates import OBJECT
from core.segment.first_mask import CentredGuess
from core.segment.guess import FirstGuess, Glimpses
from core.segment.looks import FOVS_DEG
from core.segment.merge import SeenView, merge_mask
from core.segment.network import ViewAnswer
from core.segment.options import Merge

HEIGHT = 128


@pytest.fixture(scope="module", autouse=True)
def _small_pictures():
    """What is tested here does not depend on sizes, and the time does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.segment.first_mask.CLOSE_SIZE", 64)
        patch.setattr("core.segment.first_mask.CUT_SIZE", 96)
        yield


class SeesRed:
    """A network that finds what is red, and judges views by how much of it they hold.

    Args:
        adds: Also says what the earlier answer says.
    """

    centred_size = 64

    def __init__(self, *, adds=False):
        self.adds = adds
        self.encoded = []
        self.asked = []

    def encode_views(self, views, fovs, *, centred):
        self.encoded.append((views.shape, tuple(fovs), centred))
        red = views[..., 0].astype(np.float32) - views[..., 1]
        return (np.stack([cv2.resize(view, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for view in red]),)

    def decode_views(self, features, prompts):
        self.asked.append(prompts)
        return [self._answer(red, prompt) for red, prompt in zip(features[0], prompts, strict=True)]

    def _answer(self, red, prompt):
        logits = np.clip((red - 60) / 15, -4, 4)
        if self.adds and prompt.prior is not None:
            logits = np.where(np.isnan(prompt.prior), logits, prompt.prior)
        inside = logits > 0
        cut_off = inside[0].any() or inside[-1].any() or inside[:, 0].any() or inside[:, -1].any()
        # Of those that hold all of it, the one that shows it largest.
        quality = 0.1 if cut_off else 0.5 + 0.4 * inside.mean()
        return ViewAnswer(np.stack([logits - 1, logits, logits + 1]), np.full(3, quality, np.float32), 1.0, 1)


def _cap(lon, lat, degrees, height=HEIGHT):
    return erp_rays(height, 2 * height) @ lonlat_to_directions(lon, lat) > np.cos(np.radians(degrees))


def _photo(*masks):
    rgb = np.full((HEIGHT, 2 * HEIGHT, 3), 110, np.uint8)
    for mask in masks:
        rgb[mask] = (200, 60, 60)
    return rgb


def _mask(result, reading=None):
    chosen = result.chosen if reading is None else reading
    views = [
        SeenView(camera, logits[chosen], rules=True)
        for camera, logits in zip(result.cameras, result.logits, strict=True)
    ]
    return merge_mask(views, HEIGHT, 2 * HEIGHT, Merge.MAX)


def _says(result, lon, lat):
    """Whether a direction is inside, as the second look sees it."""
    camera, logits = result.cameras[0], result.logits[0][OBJECT]
    u, v = camera.project(lonlat_to_directions(lon, lat)) / np.float64(camera.width) * len(logits)
    return bool(logits[int(v), int(u)] > 0)


def _iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_a_guess_lets_go_of_the_photograph_when_it_is_told_to():
    truth = _cap(0.3, 0.1, 10)
    guess, photo = CentredGuess(SeesRed()), _photo(truth)
    first = guess.guess(photo, [Click(0.3, 0.1)], None, None)
    kept = weakref.ref(photo)
    guess.forget()
    del photo
    gc.collect()
    assert kept() is None
    again = guess.guess(_photo(truth), [Click(0.3, 0.1)], None, None)
    np.testing.assert_array_equal(first.logits[0], again.logits[0])


def test_it_is_a_first_guess():
    assert isinstance(CentredGuess(SeesRed()), FirstGuess)


@settings(max_examples=15)
@given(st.floats(-math.pi, math.pi), st.floats(-math.pi / 2, math.pi / 2), st.floats(8, 35))
def test_an_object_of_any_size_is_found_whole_anywhere(lon, lat, degrees):
    truth = _cap(lon, lat, degrees)
    result = CentredGuess(SeesRed()).guess(_photo(truth), [Click(lon, lat)], None, None)
    assert result.chosen == OBJECT
    assert result.quality.shape == (3,)
    assert all(logits.shape[0] == 3 and logits.dtype == np.float32 for logits in result.logits)
    # An ERP row near a pole holds many pixels of one place.
    assert _iou(_mask(result), truth) > (0.93 if abs(lat) < 1 else 0.85)


def test_a_glimpse_shows_the_object_in_half_of_the_views_and_spares_the_guess_these():
    truth, network = _cap(0.4, 0.2, 8), SeesRed()
    guess, rgb = CentredGuess(network), _photo(_cap(0.4, 0.2, 8))
    assert isinstance(guess, Glimpses)
    rough = guess.glimpse(rgb, [Click(0.4, 0.2)], None)
    assert _iou(_mask(rough), truth) > 0.6
    assert [shape[0] for shape, _, _ in network.encoded] == [4]
    after_glimpse = guess.guess(rgb, [Click(0.4, 0.2)], None, None)
    assert [shape[0] for shape, _, _ in network.encoded] == [4, 3, 1]  # the others, and the second look
    fovs = sorted(fov for _, several, centred in network.encoded if centred for fov in several)
    np.testing.assert_allclose(fovs, np.radians(FOVS_DEG))
    at_once = CentredGuess(SeesRed()).guess(rgb, [Click(0.4, 0.2)], None, None)
    np.testing.assert_array_equal(after_glimpse.logits[0], at_once.logits[0])
    assert guess.glimpse(rgb, [Click(0.4, 0.2)], None) is None


def test_a_glimpse_of_another_click_or_photograph_is_not_taken_for_this_one():
    guess, rgb = CentredGuess(SeesRed()), _photo(_cap(0.4, 0.2, 8), _cap(-0.9, 0, 8))
    guess.glimpse(rgb, [Click(0.4, 0.2)], None)
    other = guess.guess(rgb, [Click(-0.9, 0)], None, None)
    assert _iou(_mask(other), _cap(-0.9, 0, 8)) > 0.7
    guess.glimpse(rgb, [Click(0.4, 0.2)], None)
    moved = _photo(_cap(0.4, 0.2, 4))
    assert _iou(_mask(guess.guess(moved, [Click(0.4, 0.2)], None, None)), _cap(0.4, 0.2, 4)) > 0.6


def test_the_second_look_is_as_close_as_the_object_allows():
    network = SeesRed()
    result = CentredGuess(network).guess(_photo(_cap(0.3, 0.1, 10)), [Click(0.3, 0.1)], None, None)
    *first, second = network.encoded
    assert all(views[2] for views in first)
    assert not second[2]
    assert sum(len(views[1]) for views in first) > 4
    assert math.degrees(result.cameras[0].fov_x) == pytest.approx(28, abs=4)
    assert network.asked[-1][0].prior is not None


def test_the_readings_that_were_not_looked_at_twice_are_there_too():
    truth = _cap(0, 0, 15)
    result = CentredGuess(SeesRed()).guess(_photo(truth), [Click(0, 0)], None, None)
    assert _iou(_mask(result, 0), truth) > 0.85
    assert _mask(result, 0).sum() <= _mask(result, 2).sum()


CLICKS = (Click(0.3, 0.1), Click(0.55, 0.1), Click(0.3, 0.3, positive=False), Click(0.28, 0.05))


@pytest.mark.parametrize("adds", [False, True])
def test_clicks_at_once_are_clicks_one_after_another(adds):
    rgb = _photo(_cap(0.3, 0.1, 10), _cap(0.55, 0.1, 3))
    steps = CentredGuess(SeesRed(adds=adds))
    for count in range(1, len(CLICKS) + 1):
        one_by_one = steps.guess(rgb, CLICKS[:count], None, None)
    at_once = CentredGuess(SeesRed(adds=adds)).guess(rgb, CLICKS, None, None)
    again = steps.guess(rgb, CLICKS, None, None)
    for result in (at_once, again):
        assert result.cameras == one_by_one.cameras
        for a, b in zip(result.logits, one_by_one.logits, strict=True):
            np.testing.assert_array_equal(a, b)


def test_earlier_clicks_are_not_worked_out_again():
    rgb, network = _photo(_cap(0.3, 0.1, 10)), SeesRed()
    guess = CentredGuess(network)
    guess.guess(rgb, CLICKS[:2], None, None)
    before = len(network.encoded)
    guess.guess(rgb, CLICKS[:3], None, None)
    assert len(network.encoded) == before
    other = rgb.copy()
    guess.guess(other, CLICKS[:3], None, None)
    assert len(network.encoded) > before


@settings(max_examples=15)
@given(st.lists(st.tuples(st.floats(-0.5, 0.5), st.floats(-0.4, 0.4), st.booleans()), max_size=4))
def test_every_click_is_obeyed_where_it_was_made(more):
    pixels = {}
    for lon, lat, sign in [(0.0, 0.0, True), *more]:
        col, row = (lon / (2 * math.pi) + 0.5) * 2 * HEIGHT, (0.5 - lat / math.pi) * HEIGHT
        pixels.setdefault((int(row) // 4, int(col) // 4), (lon, lat, sign))
    clicks = [Click(*click) for click in pixels.values()]
    result = CentredGuess(SeesRed()).guess(_photo(_cap(0, 0, 12)), clicks, None, None)
    camera = result.cameras[0]
    for click in clicks:
        u, v = camera.project(lonlat_to_directions(click.lon, click.lat))
        if 0.03 * camera.width < min(u, v) <= max(u, v) < 0.97 * camera.width:
            assert _says(result, click.lon, click.lat) == click.positive


def test_a_positive_click_far_away_widens_the_view():
    rgb = _photo(_cap(0, 0, 5), _cap(0.7, 0, 5))
    guess = CentredGuess(SeesRed())
    one = guess.guess(rgb, [Click(0, 0)], None, None)
    two = guess.guess(rgb, [Click(0, 0), Click(0.7, 0)], None, None)
    assert two.cameras[1].fov_x > one.cameras[1].fov_x
    assert _iou(_mask(two), _cap(0, 0, 5) | _cap(0.7, 0, 5)) > 0.7


class Stubborn(SeesRed):
    """Finds what is red, and then will not hear of anything else."""

    def _answer(self, red, prompt):
        answer = super()._answer(red, prompt)
        if prompt.prior is None:
            return answer
        said = np.nan_to_num(prompt.prior, nan=-4.0).astype(np.float32)
        return ViewAnswer(np.stack([said] * 3), answer.quality, 1.0, 1)


def test_what_the_network_will_not_add_is_looked_at_by_itself():
    back, seat = _cap(0.5, 0.1, 5), _cap(0, 0, 5)
    guess = CentredGuess(Stubborn())
    rgb = _photo(back, seat)
    one = _mask(guess.guess(rgb, [Click(0, 0)], None, None))
    assert _iou(one, seat) > 0.7
    two = _mask(guess.guess(rgb, [Click(0, 0), Click(0.5, 0.1)], None, None))
    assert _iou(two, back | seat) > 0.7


def test_what_the_network_will_not_give_up_is_looked_at_by_itself():
    table, bowl = _cap(0, 0, 16), _cap(0.12, 0.08, 4)
    guess = CentredGuess(Stubborn())
    rgb = _photo(table | bowl)
    state = guess.guess(rgb, [Click(-0.1, 0)], None, None)
    assert _mask(state)[bowl].mean() > 0.9
    rgb[:] = _photo(bowl)  # what stands on it is another thing, as a closer look says
    guess._photo = type(guess._photo)(rgb)
    left = _mask(guess.guess(rgb, [Click(-0.1, 0), Click(0.12, 0.08, positive=False)], None, None))
    assert left[bowl].mean() < 0.3
    assert left[table & ~_cap(0.12, 0.08, 7)].mean() > 0.9


def test_a_negative_click_on_the_object_itself_does_not_take_it_all():
    table = _cap(0, 0, 12)
    guess = CentredGuess(Stubborn())
    rgb = _photo(table)
    left = _mask(guess.guess(rgb, [Click(0, 0), Click(0.1, 0, positive=False)], None, None))
    assert left[table].mean() > 0.8


def test_a_correction_changes_nothing_elsewhere():
    rgb = _photo(_cap(0, 0, 12))
    guess = CentredGuess(SeesRed())
    first = guess.guess(rgb, [Click(0, 0)], None, None)
    changed = rgb.copy()
    changed[_cap(0.1, 0.1, 3)] = 110
    changed[_cap(-0.1, -0.1, 3)] = 110
    guess._photo.rgb[:] = changed  # as if the network had changed its mind in two places
    guess._photo = type(guess._photo)(guess._photo.rgb)
    second = guess.guess(rgb, [Click(0, 0), Click(0.1, 0.1, positive=False)], None, None)
    assert first.cameras == second.cameras
    for lon, lat, changes in ((0.1, 0.1, True), (-0.1, -0.1, False)):
        assert _says(first, lon, lat)
        assert _says(second, lon, lat) != changes


def test_what_became_of_an_answer_is_believed():
    rgb, network = _photo(_cap(0, 0, 12)), SeesRed(adds=True)
    guess = CentredGuess(network)
    first = guess.guess(rgb, [Click(0, 0)], None, None)
    edited = SphereMask.pack(_mask(first) & ~_cap(0.1, 0, 4))
    guess.guess(rgb, [Click(0, 0), Click(-0.3, 0, positive=False)], None, edited)
    prior = network.asked[-1][0].prior
    u, v = (int(x) // 2 for x in first.cameras[0].project(lonlat_to_directions(0.1, 0)))
    assert prior[v, u] < 0
    assert prior[len(prior) // 2, len(prior) // 2] > 0


@settings(max_examples=15)
@given(st.integers(0, 2 * HEIGHT - 1))
def test_a_rolled_photo_gets_the_rolled_mask(shift):
    truth = _cap(0.3, 0.2, 14) & ~_cap(0.4, 0.25, 3)
    rgb = _photo(truth)
    turn = shift / (2 * HEIGHT) * 2 * math.pi
    lon = 0.25
    clicks = [Click(lon, 0.2), Click(lon + 0.15, 0.25, positive=False)]
    turned = [Click(math.remainder(c.lon + turn, 2 * math.pi), c.lat, c.positive) for c in clicks]
    plain = _mask(CentredGuess(SeesRed()).guess(rgb, clicks, None, None))
    rolled = _mask(CentredGuess(SeesRed()).guess(np.roll(rgb, shift, axis=1), turned, None, None))
    assert _iou(np.roll(rolled, -shift, axis=1), plain) > 0.98


def test_a_box_is_looked_at_as_a_whole_and_then_corrected():
    truth = _cap(0.2, 0.1, 10)
    rgb, network = _photo(truth), SeesRed()
    guess = CentredGuess(network)
    reach = math.radians(10)
    box = Box(west=0.2 - reach, south=0.1 - reach, east=0.2 + reach, north=0.1 + reach)
    result = guess.guess(rgb, (), box, None)
    assert len(network.asked[0]) == 1
    assert network.asked[0][0].box is not None
    assert not network.encoded[0][2]
    assert _iou(_mask(result), truth) > 0.93
    corrected = guess.guess(rgb, [Click(0.2, 0.1, positive=False)], box, SphereMask.pack(_mask(result)))
    assert _says(result, 0.2, 0.1)
    assert not _says(corrected, 0.2, 0.1)


def test_negative_clicks_before_the_first_positive_one_count_with_it():
    network = SeesRed()
    clicks = [Click(0.2, 0.0, positive=False), Click(0.0, 0.0)]
    CentredGuess(network).guess(_photo(_cap(0, 0, 20)), clicks, None, None)
    wide = network.asked[0][-1]
    assert wide.positive.tolist() == [False, True]


@pytest.mark.parametrize("clicks", [(), (Click(0, 0, positive=False),)])
def test_without_a_positive_click_or_a_box_nothing_is_meant(clicks):
    with pytest.raises(ValueError, match="positive click or a box"):
        CentredGuess(SeesRed()).guess(_photo(), clicks, None, None)


def test_where_nothing_is_found_the_click_itself_is_the_answer():
    result = CentredGuess(SeesRed()).guess(_photo(), [Click(0.1, 0.1)], None, None)
    assert _says(result, 0.1, 0.1)
    assert (result.logits[0][OBJECT] > 0).mean() < 0.05


def test_progress_is_told_and_can_stop_the_work():
    told = []
    guess = CentredGuess(SeesRed())
    guess.guess(_photo(), CLICKS[:3], None, None, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3)]

    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        guess.guess(_photo(), CLICKS, None, None, progress=stop)
