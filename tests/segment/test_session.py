"""An object is followed around the sphere, by networks that know the truth."""

import math
from dataclasses import replace

import numpy as np
import pytest
from fake_network import Leaker, Oracle, band, cap, click, painted

from core.geometry.camera import Camera
from core.mask import SphereMask
from core.panorama import Panorama
from core.progress import Cancelled
from core.scene import Box
from core.segment.guess import GuessResult
from core.segment.merge import SeenView
from core.segment.options import Expand, Keep, MemoryChoice, Merge, Order, Policy, SegmentOptions
from core.segment.session import SegmentSession
from core.segment.sweep import Verdict
from core.segment.updates import Stage, edge_doubt
from core.segment.zigzag import project_click

HEIGHT = 256
PLAIN = SegmentOptions(refine=False)
OBJECTS = {
    "ahead": (cap(HEIGHT, 10, 5, 15), click(10, 5)),
    "across the seam": (cap(HEIGHT, 179, -10, 20), click(-175, -10)),
    "over the upper pole": (cap(HEIGHT, 30, 88, 25), click(30, 70)),
    "a small thing at the pole": (cap(HEIGHT, 0, 90, 4), click(0, 89.5)),
    "over the lower pole": (cap(HEIGHT, -70, -85, 30), click(0, -89)),
    "half the sphere": (cap(HEIGHT, 40, 20, 90), click(60, 0)),
    "all the way round": (band(HEIGHT, -20, 10), click(100, -5)),
}


def session(network, panorama, options=PLAIN, **kwargs):
    return SegmentSession(network, panorama, options, **kwargs)


def accepted(update):
    return [frame.number for frame in update.frames if frame.verdict is Verdict.ACCEPTED]


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("name", OBJECTS)
def test_one_click_finds_the_whole_object(name, policy):
    bits, first = OBJECTS[name]
    found = session(Oracle(needs_hint=True), painted(bits), replace(PLAIN, policy=policy)).segment([first])
    assert found.mask.iou(SphereMask.pack(bits)) > 0.985
    assert found.clicks == (first,)
    assert found.score == pytest.approx(0.9)


@pytest.mark.parametrize(
    "options",
    [
        replace(PLAIN, views=48),
        replace(PLAIN, fov_deg=100),
        replace(PLAIN, order=Order.RASTER),
        replace(PLAIN, memory=MemoryChoice.INDEX, memories=2),
        replace(PLAIN, memories=0),
        replace(PLAIN, prior=False),
        replace(PLAIN, merge=Merge.MAX),
        replace(PLAIN, expand=Expand.EVERYWHERE),
        replace(PLAIN, keep=Keep.ALL),
    ],
    ids=lambda o: ",".join(f"{k}={getattr(o, k)}" for k in vars(o) if getattr(o, k) != getattr(PLAIN, k)),
)
def test_every_choice_finds_an_object_that_goes_round(options):
    bits, first = OBJECTS["all the way round"]
    found = session(Oracle(needs_hint=True), painted(bits), options).segment([first])
    assert found.mask.iou(SphereMask.pack(bits)) > 0.98


def test_an_object_wider_than_120_degrees_is_followed_to_its_end():
    bits = cap(HEIGHT, 0, 0, 70)
    found = session(Oracle(needs_hint=True), painted(bits)).segment([click(50, 10)])
    assert found.mask.iou(SphereMask.pack(bits)) > 0.99


def test_a_panorama_rolled_by_yaw_steps_gives_the_rolled_mask_to_the_last_pixel():
    bits = cap(HEIGHT, 20, 30, 40) | band(HEIGHT, -5, 5)
    noisy = replace(PLAIN, merge=Merge.MEAN)
    still = session(Oracle(noise=4.0), painted(bits), noisy).segment([click(25, 20), click(-60, 1)])
    assert 0.5 < still.mask.iou(SphereMask.pack(bits)) < 0.999
    for steps in (1, 3, 4):
        columns = steps * 2 * HEIGHT // 8
        rolled = painted(np.roll(bits, columns, axis=1))
        clicks = [click(25 + 45 * steps, 20), click(-60 + 45 * steps, 1)]
        found = session(Oracle(noise=4.0), rolled, noisy).segment(clicks)
        assert np.array_equal(found.mask.unpack(), np.roll(still.mask.unpack(), columns, axis=1))


def test_a_small_object_costs_few_views():
    bits = cap(HEIGHT, 10, 5, 10)
    network = Oracle(needs_hint=True)
    one = session(network, painted(bits), replace(PLAIN, policy=Policy.P3))
    assert len(accepted(list(one.updates([click(10, 5)]))[-1])) == 1
    assert network.count("encode") == 1
    network = Oracle(needs_hint=True)
    list(session(network, painted(bits), replace(PLAIN, policy=Policy.P1)).updates([click(10, 5)]))
    assert network.count("encode") <= 4


def test_the_sweep_stops_where_the_object_ends():
    bits = cap(HEIGHT, 0, 0, 50)
    network = Oracle(needs_hint=True)
    last = list(session(network, painted(bits)).updates([click(0, 0)]))[-1]
    assert 2 <= network.count("encode") < 16
    assert last.left == 0
    assert all(frame.logits is None for frame in last.frames if frame.verdict is None)


def test_a_look_alike_that_does_not_touch_the_object_is_not_taken():
    wanted, other = cap(HEIGHT, 0, 0, 20), cap(HEIGHT, 120, 10, 20)
    for options in (PLAIN, replace(PLAIN, expand=Expand.EVERYWHERE), replace(PLAIN, merge=Merge.MAX)):
        found = session(Oracle(), painted(wanted | other), options).segment([click(0, 0)])
        assert found.mask.iou(SphereMask.pack(wanted)) > 0.98
    everywhere = replace(PLAIN, expand=Expand.EVERYWHERE, keep=Keep.ALL)
    last = list(session(Oracle(), painted(wanted | other), everywhere).updates([click(0, 0)]))[-1]
    assert Verdict.REJECTED in {frame.verdict for frame in last.frames}
    assert last.mask.iou(SphereMask.pack(wanted)) > 0.98


def test_further_parts_in_the_same_views_stay_if_asked():
    near = cap(HEIGHT, 0, 0, 12) | cap(HEIGHT, 22, 0, 5)
    clicked = session(Oracle(), painted(near)).segment([click(0, 0)])
    everything = session(Oracle(), painted(near), replace(PLAIN, keep=Keep.ALL)).segment([click(0, 0)])
    assert clicked.mask.iou(SphereMask.pack(cap(HEIGHT, 0, 0, 12))) > 0.98
    assert everything.mask.iou(SphereMask.pack(near)) > 0.98


def test_holes_survive():
    ring = cap(HEIGHT, 0, 0, 25) & ~cap(HEIGHT, 0, 0, 10)
    found = session(Oracle(), painted(ring)).segment([click(17, 0)])
    assert found.mask.iou(SphereMask.pack(ring)) > 0.97


def test_the_mean_forgives_what_views_say_at_their_borders():
    bits = cap(HEIGHT, 30, 10, 50)
    truth = SphereMask.pack(bits)
    mean, largest = (
        session(Oracle(poor_border=0.06), painted(bits), replace(PLAIN, merge=how))
        .segment([click(20, 0)])
        .mask.iou(truth)
        for how in (Merge.MEAN, Merge.MAX)
    )
    assert mean > 0.97
    assert mean > largest + 0.02


@pytest.mark.parametrize("policy", Policy)
def test_several_clicks_at_once_are_the_same_as_one_after_another(policy):
    bits, green = cap(HEIGHT, 0, 0, 30), cap(HEIGHT, 45, 0, 25)
    clicks = [click(0, 0), click(50, 3, positive=False), click(-20, 10), click(60, -5, positive=False)]
    options = replace(PLAIN, policy=policy)
    at_once = session(Leaker(), painted(bits, green), options).segment(clicks)
    one_by_one = session(Leaker(), painted(bits, green), options)
    for count in range(1, len(clicks) + 1):
        last = one_by_one.segment(clicks[:count])
    assert last.mask.same_as(at_once.mask)
    assert at_once.mask.iou(SphereMask.pack(bits)) > 0.97


def test_a_run_that_was_interrupted_at_any_step_ends_the_same():
    bits, green = cap(HEIGHT, 0, 0, 40), cap(HEIGHT, 60, 0, 30)
    clicks = [click(0, 0), click(70, 3, positive=False)]
    expected = session(Leaker(), painted(bits, green)).segment(clicks).mask
    steps = 0

    def count(done, total):
        nonlocal steps
        steps += 1
        assert 0 <= done <= total

    session(Leaker(), painted(bits, green)).segment(clicks, progress=count)
    assert steps > 20
    for stop in range(1, steps, 3):
        broken = session(Leaker(), painted(bits, green))
        left = stop

        def cancel(done, total):
            nonlocal left
            left -= 1
            if left <= 0:
                raise Cancelled

        with pytest.raises(Cancelled):
            broken.segment(clicks, progress=cancel)
        assert broken.segment(clicks).mask.same_as(expected)


def test_cancelling_takes_no_longer_than_one_call_of_the_network():
    bits, first = OBJECTS["all the way round"]
    network = Oracle()
    calls_between = []

    def watch(done, total):
        calls_between.append(len(network.calls))

    session(network, painted(bits)).segment([first], progress=watch)
    # Encoding; or what is remembered of the views that the next one reads, attending, deciding.
    assert np.diff([0, *calls_between]).max() <= 4


def test_an_iteration_that_is_given_up_leaves_nothing_behind():
    bits, first = OBJECTS["all the way round"]
    given_up = session(Oracle(), painted(bits))
    for update in given_up.updates([first]):
        if update.done == 5:
            break
    assert given_up.segment([first]).mask.same_as(session(Oracle(), painted(bits)).segment([first]).mask)


def test_a_correction_looks_again_only_at_what_it_changes():
    bits = band(HEIGHT, -20, 10)
    green = cap(HEIGHT, 90, 20, 14)
    network = Leaker()
    one = session(network, painted(bits, green))
    first = one.segment([click(-90, 0)])
    assert first.mask.contains(math.radians(90), math.radians(25))
    looked = network.count("decode")
    second = one.segment([click(-90, 0), click(90, 28, positive=False)])
    assert second.mask.iou(SphereMask.pack(bits)) > 0.97
    again = network.count("decode") - looked
    assert looked >= 8
    assert 1 <= again <= 6
    assert network.count("encode") <= 24


@pytest.mark.parametrize("policy", Policy)
def test_a_correction_that_changes_nothing_is_told_to_one_view(policy):
    bits, first = OBJECTS["all the way round"]
    network = Oracle()
    one = session(network, painted(bits), replace(PLAIN, policy=policy))
    one.segment([first])
    before = network.count("decode")
    one.segment([first, click(-60, 0)])
    assert network.count("decode") - before == 1


def test_a_correction_is_told_to_every_view_that_it_refutes():
    bits, green = band(HEIGHT, -20, 10), cap(HEIGHT, 90, 20, 14)
    network = Leaker()
    one = session(network, painted(bits, green), replace(PLAIN, policy=Policy.P1))
    first = list(one.updates([click(-90, 0)]))[-1]
    wrong = [frame for frame in first.frames if frame.logits is not None and _says_yes(frame, 90, 25)]
    assert len(wrong) >= 2
    looked = len(network.calls)
    one.segment([click(-90, 0), click(90, 25, positive=False)])
    told = [prompt for name, prompt in network.calls[looked:] if name == "decode" and not prompt.positive.all()]
    assert len(told) == len(wrong)


def _says_yes(frame, lon, lat):
    u, v = project_click(frame.camera, math.radians(lon), math.radians(lat))
    edge = PLAIN.margin * frame.camera.width
    well = edge <= u <= frame.camera.width - edge and edge <= v <= frame.camera.width - edge
    scale = len(frame.logits) / frame.camera.width
    return well and bool(frame.logits[int(v * scale), int(u * scale)] > 0)


def test_going_back_one_click_asks_the_network_nothing():
    bits, first = OBJECTS["half the sphere"]
    network = Oracle()
    one = session(network, painted(bits))
    before = one.segment([first])
    one.segment([first, click(0, 0)])
    calls = len(network.calls)
    assert one.segment([first]).mask.same_as(before.mask)
    assert len(network.calls) == calls


def test_a_changed_view_makes_its_neighbours_follow():
    bits, green = cap(HEIGHT, 0, 0, 30), cap(HEIGHT, 75, 0, 50)
    one = session(Leaker(), painted(bits, green), replace(PLAIN, policy=Policy.P3, keep=Keep.ALL))
    leaked = one.segment([click(0, 0)]).mask
    assert leaked.iou(SphereMask.pack(bits | green)) > 0.95
    assert one.segment([click(0, 0), click(45, 0, positive=False)]).mask.iou(SphereMask.pack(bits)) > 0.95


def test_negative_clicks_before_the_first_positive_one_wait_for_it():
    bits, green = cap(HEIGHT, 0, 0, 20), cap(HEIGHT, 30, 0, 12)
    one = session(Leaker(), painted(bits, green))
    away = click(32, 0, positive=False)
    assert one.segment([away]).mask.is_empty
    assert one.segment([]).mask.is_empty
    found = one.segment([away, click(0, 0)])
    assert found.mask.iou(SphereMask.pack(bits)) > 0.95


def test_a_box_around_the_object_is_enough():
    bits = cap(HEIGHT, 170, -10, 20)
    other = cap(HEIGHT, 110, -10, 20)
    for policy in Policy:
        box = Box(math.radians(148), math.radians(-33), math.radians(-168), math.radians(13))
        found = session(Oracle(), painted(bits | other), replace(PLAIN, policy=policy)).segment([], box=box)
        assert found.mask.iou(SphereMask.pack(bits)) > 0.97
        assert found.box == box


def test_a_box_holds_the_object_back():
    bits = band(HEIGHT, -15, 15)
    box = Box(math.radians(-60), math.radians(-20), math.radians(60), math.radians(20))
    network = Oracle()
    mask = session(network, painted(bits)).segment([], box=box).mask
    assert network.count("encode") < 18
    assert mask.cols < 2 * HEIGHT * (120 * 1.2 + 4) / 360


def test_a_click_corrects_a_box():
    bits, green = cap(HEIGHT, 0, 0, 15), cap(HEIGHT, 15, 0, 12)
    box = Box(math.radians(-20), math.radians(-20), math.radians(30), math.radians(20))
    one = session(Leaker(), painted(bits, green))
    assert one.segment([], box=box).mask.iou(SphereMask.pack(bits | green)) > 0.95
    assert one.segment([click(22, 0, positive=False)], box=box).mask.iou(SphereMask.pack(bits)) > 0.95


@pytest.mark.parametrize("options", [SegmentOptions(), SegmentOptions(order=Order.ERP), SegmentOptions(keep=Keep.ALL)])
def test_nothing_is_cut_out_of_what_a_partial_panorama_did_not_see(options):
    bits = cap(HEIGHT, 175, 0, 30)
    valid = band(HEIGHT, -10, 90)
    session = SegmentSession(Oracle(), replace(painted(bits), valid=valid), options)
    masks = [update.mask.unpack() for update in session.updates([click(175, 10)])]
    assert all(not (mask & ~valid).any() for mask in masks)
    assert SphereMask.pack(masks[-1]).iou(SphereMask.pack(bits & valid)) > 0.9


def test_the_whole_panorama_as_one_picture_is_there_for_comparison():
    bits = cap(HEIGHT, 20, 10, 30)
    network = Oracle(256, 256)
    one = session(network, painted(bits), replace(PLAIN, order=Order.ERP))
    stages = [update.stage for update in one.updates([click(20, 10)])]
    assert stages == [Stage.FIRST, Stage.FINAL]
    assert one.segment([click(20, 10)]).mask.iou(SphereMask.pack(bits)) > 0.95
    assert network.count("encode") == 2
    box = Box(math.radians(-15), math.radians(-25), math.radians(55), math.radians(45))
    assert one.segment([], box=box).mask.iou(SphereMask.pack(bits)) > 0.95
    assert not one.encode_next()


def test_updates_grow_and_say_what_has_changed():
    bits, first = OBJECTS["half the sphere"]
    updates = list(session(Oracle(needs_hint=True), painted(bits)).updates([first]))
    assert [updates[0].stage, updates[-1].stage] == [Stage.FIRST, Stage.FINAL]
    assert {update.stage for update in updates[1:-1]} == {Stage.VIEW}
    known = set()
    for update in updates[:-1]:
        known |= set(update.changed)
        assert {frame.number for frame in update.frames if frame.verdict is not None} == known
        assert len(update.frames) == 24
    areas = [update.mask.solid_angle() for update in updates]
    assert areas[0] < 0.7 * areas[-1]
    assert updates[3].preview(64).size == (64, 128)
    assert updates[0].frames[0].prompted
    assert updates[0].frames[0].score == pytest.approx(0.9)


def test_the_best_view_of_the_click_comes_first():
    bits = cap(HEIGHT, 130, -40, 20)
    network = Oracle()
    one = session(network, painted(bits))
    first = next(iter(one.updates([click(130, -40)])))
    camera = one.cameras[first.changed[0]]
    assert (round(math.degrees(camera.yaw)), round(math.degrees(camera.pitch))) == (135, -45)
    assert first.frames[0].number == first.changed[0]


def test_the_policies_differ_in_who_gets_clicks_and_memories():
    bits = cap(HEIGHT, 10, 5, 40)
    seen = {}
    for policy in Policy:
        network = Oracle()
        session(network, painted(bits), replace(PLAIN, policy=policy)).segment([click(10, 5)])
        memories = [len(found) for name, found in network.calls if name == "attend"]
        clicks = [len(prompt.points) for name, prompt in network.calls if name == "decode"]
        seen[policy] = list(zip(clicks, memories, strict=True))
    clicked = [pair for pair in seen[Policy.P1] if pair[0]]
    assert len(clicked) >= 3
    assert all(memories == 0 for _, memories in clicked)
    clicked = [pair for pair in seen[Policy.P2] if pair[0]]
    assert [memories == 0 for _, memories in clicked] == [True] + [False] * (len(clicked) - 1)
    assert [clicks for clicks, _ in seen[Policy.P3]] == [1] + [0] * (len(seen[Policy.P3]) - 1)
    assert all(memories > 0 for _, memories in seen[Policy.P3][1:])


def test_priors_are_what_earlier_views_accepted():
    bits, first = OBJECTS["half the sphere"]
    network = Oracle()
    session(network, painted(bits)).segment([first])
    priors = [prompt.prior for name, prompt in network.calls if name == "decode"]
    assert priors[0] is None
    for prior in priors[1:]:
        assert prior.shape == (96, 96)
        assert prior.dtype == np.float32
        assert (prior[~np.isnan(prior)] > 0).any()
    network = Oracle()
    session(network, painted(bits), replace(PLAIN, prior=False)).segment([first])
    assert all(prompt.prior is None for name, prompt in network.calls if name == "decode")


def test_a_reading_can_be_asked_for():
    bits, first = OBJECTS["ahead"]
    part, group = (
        session(Oracle(), painted(bits)).segment([first], reading=reading).mask.solid_angle() for reading in (0, 2)
    )
    assert part < group


class Guesser:
    """A first mask from the truth, in one view around the click."""

    def __init__(self, bits, fov=60):
        self._panorama = painted(bits)
        self._fov = math.radians(fov)
        self.calls = []

    def guess(self, panorama_rgb, clicks, box, previous, *, progress=None):
        from core.geometry.warp import erp_to_camera

        self.calls.append((tuple(clicks), previous))
        camera = Camera(clicks[0].lon, clicks[0].lat, 0.0, self._fov, 128, 128)
        red = erp_to_camera(self._panorama.rgb, camera)[..., 0].astype(np.float32)
        logits = np.stack([red - 128] * 3) / 16
        return GuessResult((camera,), (logits,), np.array([0.3, 0.8, 0.2], np.float32), 1)


def test_an_object_within_the_first_guess_needs_no_sweep():
    bits, first = OBJECTS["ahead"]
    network = Oracle()
    one = session(network, painted(bits), guess=Guesser(bits))
    updates = list(one.updates([first]))
    assert [update.stage for update in updates] == [Stage.FIRST, Stage.FINAL]
    assert not network.calls
    assert updates[-1].mask.iou(SphereMask.pack(bits)) > 0.98
    assert updates[-1].score == pytest.approx(0.8)


class Glimpser(Guesser):
    """Shows half of it first."""

    def glimpse(self, panorama_rgb, clicks, box, *, progress=None):
        found = self.guess(panorama_rgb, clicks, box, None)
        half = found.logits[0].copy()
        half[..., half.shape[-1] // 2 :] = -4
        return replace(found, logits=(half,))


def test_a_glimpse_is_shown_before_the_first_mask_and_changes_nothing():
    bits, first = OBJECTS["ahead"]
    plain = list(session(Oracle(), painted(bits), guess=Guesser(bits)).updates([first]))
    one = session(Oracle(), painted(bits), guess=Glimpser(bits))
    shown = list(one.updates([first]))
    assert [update.stage for update in shown] == [Stage.FIRST, Stage.REFINED, Stage.FINAL]
    assert 0 < shown[0].mask.solid_angle() < 0.8 * plain[0].mask.solid_angle()
    for mine, theirs in zip(shown[1:], plain, strict=True):
        np.testing.assert_array_equal(mine.mask.unpack(), theirs.mask.unpack())
    again = [update.stage for update in one.updates([first])]
    assert again == [Stage.FIRST, Stage.FINAL]
    corrected = [update.stage for update in one.updates([first, replace(first, lat=first.lat + 0.05)])]
    assert corrected[0] is Stage.FIRST
    assert Stage.REFINED not in corrected


class Doubter(Guesser):
    """Finds a patch around the click, and is as sure of it as it is told to be."""

    def __init__(self, bits, quality):
        super().__init__(bits)
        self._quality = quality

    def guess(self, *args, **kwargs):
        found = super().guess(*args, **kwargs)
        patch = np.full((3, 128, 128), -8, np.float32)
        patch[:, 60:68, 60:68] = 8
        return replace(found, logits=(patch,), quality=np.full(3, self._quality, np.float32))


@pytest.mark.parametrize(("quality", "whole"), [(0.3, True), (0.4, False)])
def test_a_first_mask_that_doubts_itself_does_not_end_an_object(quality, whole):
    bits, first = OBJECTS["half the sphere"]
    found = session(Oracle(needs_hint=True), painted(bits), guess=Doubter(bits, quality)).segment([first])
    assert (found.mask.iou(SphereMask.pack(bits)) > 0.98) == whole


@pytest.mark.parametrize("name", ["half the sphere", "all the way round", "over the upper pole"])
def test_the_sweep_goes_on_where_the_first_guess_is_cut_off(name):
    bits, first = OBJECTS[name]
    network = Oracle(needs_hint=True)
    updates = list(session(network, painted(bits), guess=Guesser(bits)).updates([first]))
    assert updates[0].stage is Stage.FIRST
    assert updates[0].mask.solid_angle() < 0.9 * updates[-1].mask.solid_angle()
    assert updates[-1].mask.iou(SphereMask.pack(bits)) > 0.98


def test_a_first_guess_rules_where_it_sees_well_or_has_one_voice_among_others():
    bits, first = cap(HEIGHT, 0, 0, 60), click(0, 0)
    mistaken = bits & ~cap(HEIGHT, 10, 0, 8)
    ruled, voiced = (
        session(Oracle(), painted(bits), replace(PLAIN, guess_rules=rules), guess=Guesser(mistaken))
        .segment([first])
        .mask
        for rules in (True, False)
    )
    wrong = SphereMask.pack(cap(HEIGHT, 10, 0, 7))
    assert (ruled & wrong).is_empty
    assert (voiced & wrong).solid_angle() > 0.2 * wrong.solid_angle()


def test_guesses_are_made_one_click_after_another():
    bits, first = OBJECTS["ahead"]
    guesser = Guesser(bits)
    one = session(Oracle(), painted(bits), guess=guesser)
    one.segment([first, click(12, 8)])
    one.segment([first, click(12, 8), click(30, 30, positive=False)])
    assert [len(clicks) for clicks, _ in guesser.calls] == [1, 2, 3]
    assert guesser.calls[0][1] is None
    assert guesser.calls[1][1].iou(SphereMask.pack(bits)) > 0.95


def test_the_final_border_follows_the_photograph():
    bits = cap(HEIGHT, 10, 5, 25)
    coarse = Oracle(32, 32)
    merged = session(coarse, painted(bits)).segment([click(10, 5)]).mask
    refined = session(coarse, painted(bits), SegmentOptions()).segment([click(10, 5)]).mask
    truth = SphereMask.pack(bits)
    assert refined.iou(truth) > merged.iou(truth)
    assert refined.iou(truth) > 0.99


def test_encoding_ahead_spares_the_click_its_views():
    bits, first = OBJECTS["all the way round"]
    network = Oracle()
    one = session(network, painted(bits))
    one.look_at(math.radians(90), 0.0)
    rounds = 0
    while one.encode_next():
        rounds += 1
    assert rounds == network.count("encode") == 24
    one.segment([first])
    assert network.count("encode") == 24
    assert one.timings.encoded == 0
    assert one.timings.looked == len([name for name, _ in network.calls if name == "decode"])


def test_an_empty_photograph_gives_an_empty_mask():
    panorama = Panorama(np.zeros((64, 128, 3), np.uint8))
    found = session(Oracle(), panorama, SegmentOptions()).segment([click(0, 0)])
    assert found.mask.is_empty
    assert found.score == 0


def seen_view(fov_deg, side):
    camera = Camera(0.2, 0.1, 0.0, math.radians(fov_deg), side, side)
    return SeenView(camera, np.zeros((side, side), np.float32))


@pytest.mark.parametrize(("radius", "finest"), [(3, "first"), (8, "first"), (14, "sweep"), (60, "sweep")])
def test_an_edge_is_as_doubtful_as_the_logits_that_drew_most_of_it(radius, finest):
    # The first mask sees 20 degrees across; a view of the sweep that confirms it makes nothing coarser.
    first, swept = seen_view(20, 256), seen_view(90, 80)
    bits = cap(HEIGHT, math.degrees(0.2), math.degrees(0.1), radius)
    expected = {"first": first, "sweep": swept}[finest].answer_camera.focal_px
    assert edge_doubt(bits, [first], [swept]) == pytest.approx(1 / expected)
    assert edge_doubt(bits, [first], []) == pytest.approx(1 / first.answer_camera.focal_px)
    assert edge_doubt(bits, [], [swept]) == pytest.approx(1 / swept.answer_camera.focal_px)
