import numpy as np
import pytest

from core.geometry.sphere import erp_rays, lonlat_to_directions
from core.panorama import Panorama
from core.scene import Click
from training.click_baselines import color_flood, grab_cut
from training.metrics import mask_iou

BASELINES = [grab_cut, color_flood]


def _disk(lon, lat, degrees, height=96):
    return erp_rays(height, 2 * height) @ lonlat_to_directions(lon, lat) > np.cos(np.radians(degrees))


def _painted(*disks):
    rng = np.random.default_rng(0)
    rgb = np.full((96, 192, 3), (60, 90, 60), np.float64)
    for disk in disks:
        rgb[disk] = (200, 60, 40)
    return Panorama(np.clip(rgb + rng.normal(0, 2, rgb.shape), 0, 255).astype(np.uint8))


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize(("lon", "lat"), [(0.0, 0.0), (np.pi - 0.05, -0.3), (1.0, 1.45)])
def test_a_disk_of_one_colour_is_cut_out_anywhere(baseline, lon, lat):
    disk = _disk(lon, lat, 18)
    said = baseline(_painted(disk))([Click(lon, lat)])
    assert said.shape == disk.shape
    assert mask_iou(said, disk) > 0.85


@pytest.mark.parametrize("baseline", BASELINES)
def test_later_clicks_add_and_take_away(baseline):
    left, right = _disk(-0.35, 0, 10), _disk(0.35, 0, 10)
    answer = baseline(_painted(left, right))
    first = Click(-0.35, 0.0)
    both = answer([first, Click(0.35, 0.0)])
    assert mask_iou(both, left | right) > 0.8
    one = answer([first, Click(0.35, 0.0, positive=False)])
    assert not one[48, int((0.35 / (2 * np.pi) + 0.5) * 192)]
    assert one[48, int((-0.35 / (2 * np.pi) + 0.5) * 192)]


@pytest.mark.parametrize("baseline", BASELINES)
def test_clicks_behind_the_view_are_passed_over(baseline):
    disk = _disk(0, 0, 15)
    answer = baseline(_painted(disk))
    np.testing.assert_array_equal(answer([Click(0, 0), Click(np.pi, 0, positive=False)]), answer([Click(0, 0)]))


@pytest.mark.parametrize("baseline", BASELINES)
def test_the_answer_is_the_same_each_time(baseline):
    answer = baseline(_painted(_disk(0.5, 0.2, 20)))
    np.testing.assert_array_equal(answer([Click(0.5, 0.2)]), answer([Click(0.5, 0.2)]))


@pytest.mark.parametrize("baseline", BASELINES)
def test_no_click_is_a_mistake_of_the_caller(baseline):
    with pytest.raises(ValueError, match="at least one click"):
        baseline(_painted())([])
