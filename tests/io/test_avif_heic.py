"""AVIF through Pillow and HEIC through pillow-heif: pixels, metadata, orientation, sentences."""

import builtins
import io

import numpy as np
import pytest
from icc_profiles import encode_srgb, rgb_profile
from picture_files import crop_tags, smooth, xmp_attributes
from PIL import Image

from core.errors import UnsupportedImage
from core.io.images import read_header, read_panorama

KINDS = {"AVIF": "AVIF", "HEIC": "HEIF"}


def save(folder, kind, pixels, **options):
    if kind == "HEIC":
        pytest.importorskip("pillow_heif").register_heif_opener()
    path = folder / f"photo.{kind.lower()}"
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, KINDS[kind], quality=95, **options)
    path.write_bytes(stream.getvalue())
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_the_pixels_are_those_of_the_library(tmp_path, kind):
    path = save(tmp_path, kind, smooth(64, 128))
    header = read_header(path)
    assert (header.format, header.mode, header.height, header.width) == (kind, "RGB", 64, 128)
    assert header.needed_bytes >= 64 * 128 * 15
    rgb = read_panorama(path, memory_budget=header.needed_bytes).rgb
    with Image.open(path) as image:
        np.testing.assert_array_equal(rgb, np.asarray(image))
    assert np.abs(rgb.astype(int) - smooth(64, 128)).max() < 12


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_place_and_level_the_picture(tmp_path, kind):
    tags = crop_tags(size=(64, 32), full=(128, 64), at=(100, 16)) | {"PosePitchDegrees": 12}
    panorama = read_panorama(save(tmp_path, kind, smooth(32, 64), xmp=xmp_attributes(**tags)))
    assert (panorama.height, panorama.width) == (64, 128)
    assert panorama.part.left == 100
    assert not panorama.is_level


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_orientation_of_an_avif_is_applied_once(tmp_path, orientation):
    upright = smooth(32, 64)
    upright[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.rot90(upright, {1: 0, 3: 2, 6: 1, 8: 3}[orientation])
    panorama = read_panorama(save(tmp_path, "AVIF", np.ascontiguousarray(stored), exif=exif))
    assert np.abs(panorama.rgb.astype(int) - upright).mean() < 3


@pytest.mark.parametrize(
    ("orientation", "turns", "mirrored"), [(3, 2, False), (6, 1, False), (8, 3, False), (2, 0, True)]
)
def test_the_turns_that_a_heic_itself_states_are_applied_once(tmp_path, orientation, turns, mirrored):
    """As phones write them: boxes `irot` and `imir` of ISO/IEC 23008-12, beside the same in EXIF."""
    pillow_heif = pytest.importorskip("pillow_heif")
    upright = smooth(32, 64)
    upright[:8, :8] = 255
    stored = np.ascontiguousarray(np.rot90(upright[:, ::-1] if mirrored else upright, turns))
    file = pillow_heif.from_pillow(Image.fromarray(stored))
    file[0].info["original_orientation"] = orientation
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "phone.heic"
    file.save(path, quality=95, exif=exif.tobytes())
    assert (b"imir" if mirrored else b"irot") in path.read_bytes()
    header, panorama = read_header(path), read_panorama(path)
    assert (header.height, header.width) == (32, 64)
    assert np.abs(panorama.rgb.astype(int) - upright).mean() < 3


def test_the_exif_orientation_of_a_heic_is_ignored_as_its_standard_demands(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    panorama = read_panorama(save(tmp_path, "HEIC", smooth(32, 64), exif=exif))
    assert np.abs(panorama.rgb.astype(int) - smooth(32, 64)).max() < 12


@pytest.mark.parametrize("kind", KINDS)
def test_a_profile_is_applied_and_what_is_transparent_is_black(tmp_path, kind):
    pixels = smooth(64, 128)
    path = save(tmp_path, kind, pixels, icc_profile=rgb_profile(1.8, "bgr"))
    expected = encode_srgb((pixels[..., ::-1] / 255.0) ** 1.8)
    assert np.abs(read_panorama(path).rgb - expected).mean() < 3
    alpha = np.where(np.arange(128) < 64, 0, 255).astype(np.uint8)
    see_through = np.dstack([pixels, np.broadcast_to(alpha, (64, 128))])
    assert read_panorama(save(tmp_path, kind, see_through)).rgb[:, :60].max() < 3


def test_without_its_library_a_heic_picture_says_what_to_install(tmp_path, monkeypatch):
    path = save(tmp_path, "HEIC", smooth(32, 64))
    real = builtins.__import__

    def without(name, *rest):
        if name == "pillow_heif":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnsupportedImage, match="need the package pillow-heif; install it with pip"):
        read_header(path)
