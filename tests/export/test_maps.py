import io
import json

import cv2
import numpy as np
import OpenEXR
import pytest
import tifffile
from export_samples import small_prediction
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.colors import class_colors
from core.errors import ExportError
from core.export import EXPORTERS, depth, export, find_exporter
from core.export.normals import AXES
from core.prediction import Prediction


def read_png(path):
    """Pixels as OpenCV reads them, and the text that Pillow finds."""
    with Image.open(path) as image:
        text = dict(image.text)
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return (pixels if pixels.ndim == 2 else pixels[..., ::-1]), text


def test_numpy_files_hold_the_maps_bit_for_bit(tmp_path):
    prediction = small_prediction()
    read_depth = np.load(export(prediction, tmp_path / "a.depth.npy"), allow_pickle=False)
    read_normals = np.load(export(prediction, tmp_path / "a.normals.npy"), allow_pickle=False)
    assert read_depth.dtype == read_normals.dtype == np.float32
    np.testing.assert_array_equal(read_depth, prediction.depth)
    np.testing.assert_array_equal(read_normals, prediction.normals)


def test_a_16_bit_depth_states_its_scale_and_is_right_to_half_a_step(tmp_path):
    prediction = small_prediction()
    pixels, text = read_png(export(prediction, tmp_path / "a.depth.png"))
    assert pixels.dtype == np.uint16
    assert text["Unit"] == "m"
    scale = float(text["Scale"])
    assert scale == 0.001
    known = np.isfinite(prediction.depth)
    assert (pixels[~known] == 0).all()
    np.testing.assert_allclose(pixels[known] * scale, prediction.depth[known], atol=scale / 2 + 1e-6)


@pytest.mark.parametrize(("largest", "scale"), [(65.5, 0.001), (65.6, 1 / 256), (300, 0.01), (6000, 0.1), (60000, 1.0)])
def test_a_far_depth_takes_the_next_coarser_scale_and_is_never_clipped(tmp_path, largest, scale):
    prediction = small_prediction(depth=np.full((6, 12), largest, np.float32))
    pixels, text = read_png(export(prediction, tmp_path / "a.depth.png"))
    assert float(text["Scale"]) == scale == depth.png_scale(prediction)
    np.testing.assert_allclose(pixels * scale, largest, atol=scale / 2 + 1e-3)


def test_a_scale_that_would_clip_is_refused(tmp_path):
    prediction = small_prediction(depth=np.full((6, 12), 70, np.float32))
    with pytest.raises(ExportError, match=r"holds depths up to 65\.535, got 70"):
        export(prediction, tmp_path / "a.depth.png", scale=0.001)
    with pytest.raises(ExportError, match="choose NPY"):
        export(small_prediction(depth=np.full((6, 12), 1e6, np.float32)), tmp_path / "a.depth.png")
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=50, deadline=None)
@given(value=st.floats(2**-13, 65000, width=32), scale=st.sampled_from(depth.PNG_SCALES))
def test_a_known_depth_is_never_written_as_unknown(value, scale):
    prediction = Prediction(depth=np.full((1, 2), value, np.float32))
    stream = io.BytesIO()
    if value > depth.LARGEST * scale:
        with pytest.raises(ExportError):
            depth.write_png16(prediction, stream, scale=scale / 2)
        return
    depth.write_png16(prediction, stream, scale=scale)
    pixels = np.asarray(Image.open(io.BytesIO(stream.getvalue())))
    assert pixels.min() > 0


def test_far_is_white(tmp_path):
    prediction = small_prediction()
    pixels, _ = read_png(export(prediction, tmp_path / "a.far.png"))
    np.testing.assert_array_equal(pixels, np.where(prediction.far, 255, 0))
    assert pixels.dtype == np.uint8


def test_classes_are_indices_with_their_names(tmp_path):
    prediction = small_prediction()
    indices = np.where(prediction.classes < 0, 255, prediction.classes)
    path = export(prediction, tmp_path / "a.classes.png")
    pixels, text = read_png(path)
    np.testing.assert_array_equal(pixels, indices)
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), indices)
    assert json.loads(text["Classes"]) == ["wall", "floor", "tree; plant"]
    path = export(prediction, tmp_path / "a.classes.preview.png")
    colours, text = read_png(path)
    with Image.open(path) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), indices)
    np.testing.assert_array_equal(colours, class_colors(prediction.classes, prediction.class_names))
    assert json.loads(text["Classes"]) == ["wall", "floor", "tree; plant"]
    too_many = small_prediction(class_names=tuple(map(str, range(256))))
    with pytest.raises(ExportError, match="255 classes, got 256"):
        export(too_many, tmp_path / "b.classes.png")


def test_normals_as_colours_can_be_turned_back(tmp_path):
    prediction = small_prediction()
    pixels, _ = read_png(export(prediction, tmp_path / "a.normals.png"))
    known = np.isfinite(prediction.normals[..., 0])
    np.testing.assert_allclose(pixels[known] / 127.5 - 1, prediction.normals[known], atol=1 / 127.5)


def test_depth_is_read_from_openexr_and_tiff_by_others(tmp_path):
    prediction = small_prediction()
    known = np.isfinite(prediction.depth)
    file = OpenEXR.File(str(export(prediction, tmp_path / "a.depth.exr")), separate_channels=True)
    assert file.header()["unit"] == "m"
    for name in "ZY":
        pixels = file.channels()[name].pixels
        assert pixels.dtype == np.float32
        np.testing.assert_array_equal(pixels, np.where(known, prediction.depth, 0))
    path = export(prediction, tmp_path / "a.depth.tiff")
    np.testing.assert_array_equal(tifffile.imread(path), prediction.depth)
    with tifffile.TiffFile(path) as file:
        assert file.pages[0].tags[42113].value == "nan"
        assert "metres" in file.pages[0].description
    np.testing.assert_array_equal(np.asarray(Image.open(path)), prediction.depth)


@pytest.mark.parametrize(("axes", "signs"), [("opencv", (1, 1, 1)), ("opengl", (1, -1, -1))])
def test_pictures_of_normals_have_the_axes_that_they_name(tmp_path, axes, signs):
    prediction = small_prediction()
    known = np.isfinite(prediction.normals[..., 0])
    expected = prediction.normals * np.array(signs)
    file = OpenEXR.File(str(export(prediction, tmp_path / "a.normals.exr", axes=axes)))
    assert file.header()["axes"] == AXES[axes]
    pixels = file.channels()["RGB"].pixels
    np.testing.assert_allclose(pixels[known], expected[known], atol=2.0**-11)
    assert (pixels[~known] == 0).all()
    pixels, text = read_png(export(prediction, tmp_path / "a.normals.png", axes=axes))
    np.testing.assert_allclose(pixels[known] / 127.5 - 1, expected[known], atol=1 / 127.5)
    assert AXES[axes] in text["Description"]


@pytest.mark.parametrize("suffix", [".depth.preview.png", ".classes.preview.png"])
def test_previews_are_colour_pictures_of_the_same_size(tmp_path, suffix):
    pixels, _ = read_png(export(small_prediction(), tmp_path / f"a{suffix}"))
    assert pixels.shape == (6, 12, 3)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 3


@pytest.mark.parametrize("exporter", [entry for entry in EXPORTERS if entry.kind is Prediction])
def test_what_a_prediction_lacks_is_a_sentence(exporter, tmp_path):
    with pytest.raises(ExportError, match="run a model that estimates"):
        export(Prediction(), tmp_path / f"a{exporter.suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_every_entry_of_the_catalogue_is_found_by_its_suffix(exporter, tmp_path):
    assert find_exporter(exporter.kind, tmp_path / f"a.b{exporter.suffix.upper()}") is exporter
    assert exporter.title


def test_an_unknown_ending_names_the_possible_ones(tmp_path):
    with pytest.raises(ExportError, match=r"\.depth\.npy, \.depth\.exr.*a\.tiff$"):
        export(small_prediction(), tmp_path / "a.tiff")
    with pytest.raises(ValueError, match="nothing writes a dict"):
        export({}, tmp_path / "a.ply")
