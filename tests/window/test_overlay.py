"""Layers as one picture: no Qt."""

import numpy as np
import pytest
from fake_model import CLASS_NAMES, room

from core.colors import FAR, class_palette, depth_colors, depth_limits, normal_colors
from core.panorama import Panorama
from core.prediction import Prediction
from panoviewer.probe import probe_direction
from panoviewer.summary import summarize
from panoviewer.views.overlay import MAX_OVERLAY_WIDTH, Composer, Layer, OverlayStyle


@pytest.fixture
def prediction():
    depth, normals, axis = room(64, 128)
    far = np.zeros((64, 128), bool)
    far[:8] = True
    depth[far], normals[far], axis[far] = np.nan, np.nan, -1
    return Prediction(depth, normals, axis, CLASS_NAMES, far, 1.6, True, "fake", "cpu", 1.0)


def composer_of(prediction):
    return Composer(prediction, summarize(prediction).limits)


def shown(layer, opacity=1.0, **changes):
    return OverlayStyle(color_map="viridis", **changes).only(layer).with_layer(layer, opacity=opacity)


def test_nothing_is_laid_over_the_photo_at_first(prediction):
    assert composer_of(prediction).compose(OverlayStyle()) is None


def test_depth_has_the_colours_of_core(prediction):
    picture = composer_of(prediction).compose(shown(Layer.DEPTH))
    known = ~prediction.far
    wanted = depth_colors(prediction.depth, limits=depth_limits(prediction.depth), name="viridis")
    np.testing.assert_array_equal(picture[known][:, :3], wanted[known])
    assert (picture[known][:, 3] == 255).all()
    assert (picture[~known] == 0).all()


def test_the_limits_can_be_chosen(prediction):
    picture = composer_of(prediction).compose(shown(Layer.DEPTH, limits=(1.0, 2.0)))
    wanted = depth_colors(prediction.depth, limits=(1.0, 2.0), name="viridis")
    np.testing.assert_array_equal(picture[~prediction.far][:, :3], wanted[~prediction.far])


def test_normals_and_classes_have_the_colours_of_core(prediction):
    composer, known = composer_of(prediction), ~prediction.far
    picture = composer.compose(shown(Layer.NORMALS))
    np.testing.assert_array_equal(picture[known][:, :3], normal_colors(prediction.normals)[known])
    picture = composer.compose(shown(Layer.CLASSES))
    np.testing.assert_array_equal(
        picture[known][:, :3], class_palette(3, prediction.class_names)[prediction.classes[known]]
    )


def test_far_is_a_layer_of_its_own(prediction):
    picture = composer_of(prediction).compose(shown(Layer.FAR))
    assert (picture[prediction.far] == (*FAR, 255)).all()
    assert (picture[~prediction.far] == 0).all()


@pytest.mark.parametrize("opacity", [0.25, 0.5, 0.8])
def test_opacity_is_the_alpha_of_premultiplied_colours(prediction, opacity):
    composer, known = composer_of(prediction), ~prediction.far
    full = composer.compose(shown(Layer.DEPTH))[known].astype(float)
    picture = composer.compose(shown(Layer.DEPTH, opacity))[known].astype(float)
    np.testing.assert_allclose(picture, full * round(opacity * 255) / 255, atol=0.51)


def test_an_upper_layer_covers_a_lower_one(prediction):
    composer, known = composer_of(prediction), ~prediction.far
    both = OverlayStyle(color_map="viridis").with_layer(Layer.DEPTH, visible=True, opacity=1.0)
    both = both.with_layer(Layer.CLASSES, visible=True, opacity=0.5)
    picture = composer.compose(both)[known].astype(float)
    depth = composer.compose(shown(Layer.DEPTH))[known].astype(float)
    classes = composer.compose(shown(Layer.CLASSES))[known].astype(float)
    np.testing.assert_allclose(picture, classes * 128 / 255 + depth * 127 / 255, atol=1.1)


def test_one_class_can_be_isolated(prediction):
    picture = composer_of(prediction).compose(shown(Layer.CLASSES, isolated_class=1))
    np.testing.assert_array_equal(picture[..., 3] == 255, prediction.classes == 1)


def test_a_change_of_opacity_does_not_paint_again(prediction, monkeypatch):
    composer = composer_of(prediction)
    composer.compose(shown(Layer.DEPTH))
    painted = []
    monkeypatch.setattr(composer, "_paint", lambda *args: painted.append(args))
    composer.compose(shown(Layer.DEPTH, 0.3))
    assert painted == []


def test_a_wide_prediction_gets_an_overlay_of_bounded_size():
    depth = np.ones((3000, 6000), np.float32)
    picture = composer_of(Prediction(depth=depth)).compose(shown(Layer.DEPTH))
    assert picture.shape == (1500, 3000, 4)
    assert picture.shape[1] <= MAX_OVERLAY_WIDTH


def test_a_missing_map_shows_nothing():
    assert composer_of(Prediction(depth=np.ones((4, 8), np.float32))).compose(shown(Layer.NORMALS)) is None


def test_a_layer_shown_alone_hides_the_others():
    style = OverlayStyle().only(Layer.DEPTH).only(Layer.CLASSES)
    assert style.visible() == [Layer.CLASSES]
    assert style.only(None).visible() == []


def test_the_probe_says_everything_that_is_known(prediction):
    rgb = np.zeros((128, 256, 3), np.uint8)
    rgb[64:, 128:] = (10, 20, 30)
    found = probe_direction(Panorama(rgb), prediction, (0.0, 1.0, 0.001))
    assert found.lat == pytest.approx(-90, abs=0.1)
    assert found.rgb == (10, 20, 30)
    assert found.depth == pytest.approx(1.6, abs=0.01)
    assert found.normal == pytest.approx((0, -1, 0))
    assert found.class_name == "floor"
    text = found.text()
    for part in ("lat -89.9", "RGB 10 20 30", "1.60 m", "floor"):
        assert part in text


def test_the_probe_knows_what_is_far_and_what_was_not_photographed(prediction):
    valid = np.ones((128, 256), bool)
    valid[:64] = False
    found = probe_direction(Panorama(np.zeros((128, 256, 3), np.uint8), valid=valid), prediction, (0.0, -1.0, 0.001))
    assert found.rgb is None
    assert found.is_far
    assert found.depth is None
    assert "not photographed" in found.text()
    assert "far" in found.text()
