"""Clicks on a mask that is there already: what they are about changes, what a hand has made of it stays."""

from fake_network import Oracle, cap, click, painted

from core.mask import SphereMask
from core.segment.mending import Mending
from core.segment.options import SegmentOptions
from core.segment.session import SegmentSession

HEIGHT = 192
THING, OTHER = cap(HEIGHT, 0, 0, 15), cap(HEIGHT, 70, 0, 10)
DRAWN, GAP = SphereMask.pack(cap(HEIGHT, -60, 0, 8)), SphereMask.pack(cap(HEIGHT, 0, 8, 4))
"""What a hand adds where nothing is to be found, and takes out of the thing."""


def session():
    return SegmentSession(Oracle(), painted(THING | OTHER), SegmentOptions(refine=False))


def mended(mending, *clicks):
    work = session()
    become = mending.over(work, clicks)
    return become(work.segment(clicks).mask)


def of_a_hand():
    """The thing as its click finds it, with what was drawn and without the gap."""
    return (session().segment([click(0, 0)]).mask | DRAWN) - GAP


def test_without_another_click_the_mask_is_what_it_was():
    assert mended(Mending(of_a_hand(), (click(0, 0),)), click(0, 0)).same_as(of_a_hand())


def test_what_a_hand_has_added_and_left_out_stays_when_a_click_adds_a_thing():
    found = mended(Mending(of_a_hand(), (click(0, 0),)), click(0, 0), click(70, 0))
    assert found.iou(of_a_hand() | SphereMask.pack(OTHER)) > 0.98
    assert (found & DRAWN).same_as(DRAWN)
    assert (found & GAP).is_empty


def test_a_mask_that_no_click_has_made_gets_what_a_click_finds():
    assert mended(Mending(DRAWN), click(70, 0)).iou(DRAWN | SphereMask.pack(OTHER)) > 0.98


def test_a_negative_click_on_what_was_added_takes_the_thing_there_away():
    both = SphereMask.pack(THING | OTHER).dilated(0.01) | DRAWN
    found = mended(Mending(both), click(70, 0, positive=False))
    assert not found.contains(click(70, 0).lon, 0)
    assert (
        found.shared_solid_angle(SphereMask.pack(THING) | DRAWN) > 0.99 * (SphereMask.pack(THING) | DRAWN).solid_angle()
    )


def test_a_positive_click_on_what_was_left_out_brings_it_back():
    found = mended(Mending(of_a_hand(), (click(0, 0),)), click(0, 0), click(0, 8))
    assert found.iou(SphereMask.pack(THING) | DRAWN) > 0.98


def test_the_mask_of_its_own_clicks_is_found_once():
    work, mending = session(), Mending(of_a_hand(), (click(0, 0),))
    mending.over(work, [click(0, 0)])
    asked = len(work._network.calls)
    mending.over(work, [click(0, 0)])
    assert len(work._network.calls) == asked
