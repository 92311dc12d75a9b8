"""Pictures of every kind become the same panorama: colours, orientation, partial spheres, headers, memory."""

import math
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icc_profiles import cmyk_profile, encode_srgb, grey_profile, rgb_profile
from picture_files import FORMATS, LOSSLESS, ROOT, SHARED, crop_tags, noise, save, smooth, xmp_attributes
from PIL import Image, ImageCms, ImageOps

from core.errors import NotAFullSphere, UnsupportedImage
from core.geometry.sphere import erp_rays
from core.geometry.warp import resize_erp
from core.io import images
from core.io.images import FIRST_WIDTH, read_header, read_panorama, read_preview
from core.io.memory import available_memory, default_memory_budget
from core.panorama import DEFAULT_VIEW
from core.progress import Cancelled

EVERY_FORMAT = pytest.mark.parametrize("kind", FORMATS)
EVERY_LOSSLESS_FORMAT = pytest.mark.parametrize("kind", LOSSLESS)


# --- colours ---------------------------------------------------------------------------------------------------------


@EVERY_LOSSLESS_FORMAT
def test_a_lossless_picture_keeps_every_pixel(tmp_path, kind):
    pixels = noise(300, 600)
    panorama = read_panorama(save(tmp_path, Image.fromarray(pixels), kind))
    np.testing.assert_array_equal(panorama.rgb, pixels)
    assert panorama.valid is None
    assert panorama.heading is None
    assert panorama.is_level
    assert panorama.path == tmp_path / ("photo" + {"PNG": ".png", "TIFF": ".tif", "WebP": ".webp"}[kind])


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_has_the_pixels_that_pillow_decodes(tmp_path, mode, options):
    path = save(tmp_path, Image.fromarray(noise(101, 202)).convert(mode), "JPEG", **options)
    expected = np.asarray(Image.open(path).convert("RGB"))
    np.testing.assert_array_equal(read_panorama(path).rgb, expected)


def test_a_jpeg_too_large_for_opencv_is_decoded_nevertheless(tmp_path, monkeypatch):
    path = save(tmp_path, Image.fromarray(smooth(64, 128)), "JPEG")
    expected = read_panorama(path).rgb
    monkeypatch.setattr(images, "MOST_CV2_PIXELS", 64 * 128 - 1)
    monkeypatch.setattr(images.cv2, "imdecode", None)
    np.testing.assert_array_equal(read_panorama(path).rgb, expected)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_compressed_tiffs_open(tmp_path, compression):
    path = save(tmp_path, Image.fromarray(smooth(100, 200)), "TIFF", compression=compression)
    difference = read_panorama(path).rgb.astype(int) - smooth(100, 200)
    assert np.abs(difference).max() <= (12 if compression == "jpeg" else 0)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_every_kind_of_pixel_becomes_rgb(tmp_path, kind, mode):
    if kind == "PNG" and mode == "CMYK":
        pytest.skip("PNG has no CMYK")
    image = Image.fromarray(smooth(50, 100)).convert(mode)
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(read_panorama(save(tmp_path, image, kind)).rgb, expected)


def test_a_cmyk_jpeg_has_the_colours_that_pillow_decodes(tmp_path):
    path = save(tmp_path, Image.fromarray(smooth(50, 100)).convert("CMYK"), "JPEG")
    assert read_header(path).mode == "CMYK"
    difference = read_panorama(path).rgb.astype(int) - smooth(50, 100)
    assert np.abs(difference).max() < 10


@EVERY_LOSSLESS_FORMAT
def test_transparency_is_laid_over_black(tmp_path, kind):
    colours = noise(20, 40, 4)
    colours[:5, :, 3] = 0
    colours[5:10, :, 3] = 255
    rgb = read_panorama(save(tmp_path, Image.fromarray(colours), kind)).rgb
    expected = colours[..., :3].astype(float) * colours[..., 3:] / 255
    assert np.abs(rgb - expected).max() <= 0.51
    assert rgb[:5].max() == 0
    np.testing.assert_array_equal(rgb[5:10], colours[5:10, :, :3])


def test_a_transparent_colour_of_a_palette_is_black(tmp_path):
    indices = Image.fromarray(np.tile(np.arange(4, dtype=np.uint8), (8, 4)))
    indices.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 200, 210, 220])
    rgb = read_panorama(save(tmp_path, indices, "PNG", transparency=2)).rgb
    np.testing.assert_array_equal(rgb[0, :4], [[10, 20, 30], [40, 50, 60], [0, 0, 0], [200, 210, 220]])


@EVERY_FORMAT
@pytest.mark.parametrize(("gamma", "order"), [(1.0, "rgb"), (1.8, "rgb"), (1.0, "bgr")])
def test_an_embedded_profile_is_applied(tmp_path, kind, gamma, order):
    pixels = smooth(64, 128)
    path = save(tmp_path, Image.fromarray(pixels), kind, icc_profile=rgb_profile(gamma, order))
    assert read_header(path).icc_profile is not None
    expected = encode_srgb((pixels / 255.0) ** gamma)[..., ["rgb".index(channel) for channel in order]]
    tolerance = 25 if kind == "JPEG" else 2  # linear light is steep in the dark, where JPEG errs by a level
    assert np.abs(read_panorama(path).rgb - expected).max() < tolerance


def test_a_grey_profile_is_applied(tmp_path):
    grey = smooth(64, 128)[..., 0]
    path = save(tmp_path, Image.fromarray(grey), "PNG", icc_profile=grey_profile(1.8))
    expected = encode_srgb((grey / 255.0) ** 1.8)[..., None]
    assert np.abs(read_panorama(path).rgb - expected).max() < 2


def test_a_printers_profile_is_applied(tmp_path):
    ink = np.zeros((64, 128, 4), np.uint8)
    ink[:32, :, :3] = noise(32, 128)  # this printer's coloured inks leave no trace
    ink[32:, :, 3] = 255
    path = save(tmp_path, Image.fromarray(ink, "CMYK"), "TIFF", icc_profile=cmyk_profile())
    rgb = read_panorama(path).rgb
    assert rgb[:32].min() > 245
    assert rgb[32:].max() < 10


@EVERY_FORMAT
@pytest.mark.parametrize(
    "profile", [ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"nonsense" * 40, grey_profile(1.0)]
)
def test_an_srgb_a_broken_and_a_foreign_profile_change_nothing(tmp_path, kind, profile):
    image = Image.fromarray(smooth(40, 80))
    plain = read_panorama(save(tmp_path, image, kind, name="plain"))
    path = save(tmp_path, image, kind, name="with", icc_profile=profile)
    assert read_header(path).icc_profile is None
    np.testing.assert_array_equal(read_panorama(path).rgb, plain.rgb)


# --- orientation -----------------------------------------------------------------------------------------------------


@EVERY_FORMAT
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_once(tmp_path, kind, orientation):
    upright = smooth(32, 64)
    upright[:8, :8] = 255  # one corner differs from the others
    # The stored picture is the one that this orientation turns into the upright one.
    stored = Image.fromarray(upright)
    inverse = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
    if orientation > 1:
        exif = stored.getexif()
        exif[0x0112] = inverse[orientation]
        stored = ImageOps.exif_transpose(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path, stored, kind, exif=exif)
    header = read_header(path)
    assert (header.height, header.width) == (32, 64)
    panorama = read_panorama(path)
    difference = np.abs(panorama.rgb.astype(int) - upright)
    assert difference.max() <= (60 if kind == "JPEG" else 0)
    assert difference.mean() < 2
    assert read_preview(path, 32).rgb.shape == (16, 32, 3)


@EVERY_FORMAT
def test_a_damaged_exif_block_is_ignored(tmp_path, kind):
    path = save(
        tmp_path, Image.fromarray(smooth(32, 64)), kind, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff" + b"\xff" * 40
    )
    assert read_panorama(path).rgb.shape == (32, 64, 3)


# --- the header ------------------------------------------------------------------------------------------------------


@EVERY_FORMAT
def test_the_header_is_known_without_decoding(tmp_path, kind):
    path = save(tmp_path, Image.fromarray(noise(200, 400)), kind)
    data = path.read_bytes()
    path.write_bytes(data if kind in ("TIFF", "WebP") else data[:1000])  # those two keep their directory at the end
    header = read_header(path)
    assert (header.format, header.mode, header.height, header.width) == (kind, "RGB", 200, 400)
    assert header.needed_bytes >= 200 * 400 * 6


def test_the_suffix_does_not_matter(tmp_path):
    path = save(tmp_path, Image.fromarray(noise(20, 40)), "PNG").rename(tmp_path / "photo.jpg")
    assert read_header(path).format == "PNG"
    np.testing.assert_array_equal(read_panorama(path).rgb, noise(20, 40))


def test_a_path_may_be_a_string_with_any_letters(tmp_path):
    path = save(tmp_path, Image.fromarray(smooth(20, 40)), "JPEG", name="Größe 全景 — 360°")
    assert read_panorama(str(path)).path == path


@EVERY_FORMAT
def test_the_estimate_covers_the_memory_that_is_really_used(tmp_path, kind):
    height, width = 1500, 3000
    tags = crop_tags(size=(width, height), full=(2 * width, 2 * height), at=(0, 0))
    for name, options in (("whole", {}), ("part", {"xmp": xmp_attributes(**tags)})):
        if kind == "JPEG" and name == "part":
            options["progressive"] = True
        path = save(tmp_path, Image.fromarray(smooth(height, width)), kind, name=name, **options)
        used, needed = _peak_growth(path)
        assert used <= needed * 1.1 + 8e6, name
        assert name == "part" or used >= needed * 0.4  # the empty part of a sphere is promised, not touched


def _peak_growth(path):
    """Bytes by which opening a picture raises the memory of a fresh process at its peak, and the estimate."""
    program = f"""
        from pathlib import Path
        from core.io.images import read_header, read_panorama
        from core.io.placement import place

        def memory(name):
            lines = Path("/proc/self/status").read_text().splitlines()
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

        header = read_header({str(path)!r})
        placement = place(header)
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
        before = memory("VmRSS")
        panorama = read_panorama({str(path)!r})
        sphere = 0 if placement.is_whole else placement.full_height * placement.full_width * 4
        print(memory("VmHWM") - before, header.needed_bytes + sphere)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    used, needed = output.split()
    return int(used), int(needed)


def test_a_picture_over_the_budget_is_refused_before_decoding(tmp_path):
    path = save(tmp_path, Image.fromarray(noise(200, 400)), "PNG")
    with pytest.raises(UnsupportedImage, match=r"needs 1 MB of memory, 1 MB may be used; .*photo.png"):
        read_panorama(path, memory_budget=200 * 400 * 3)
    with pytest.raises(UnsupportedImage, match="of memory"):
        read_preview(path, 100, memory_budget=200 * 400 * 3)
    assert read_panorama(path, memory_budget=read_header(path).needed_bytes).width == 400


def test_the_sphere_around_a_small_part_counts_towards_the_budget(tmp_path):
    tags = crop_tags(size=(40, 20), full=(400_000, 200_000), at=(0, 0))
    path = save(tmp_path, Image.fromarray(noise(20, 40)), "PNG", xmp=xmp_attributes(**tags))
    with pytest.raises(UnsupportedImage, match=r"sphere of 400000 x 200000 needs 320\.0 GB"):
        read_panorama(path, memory_budget=10**10)
    assert read_preview(path, 1000, memory_budget=10**8).width == 1000


def test_the_default_budget_is_a_share_of_what_is_free():
    assert 0 < default_memory_budget() < available_memory()
    assert available_memory() > 50e6


def test_pillows_global_limit_neither_applies_nor_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
    for kind in ("JPEG", "PNG", "TIFF"):  # no 2:1 picture in the fourth format, WebP, can reach the limit
        path = save(tmp_path, Image.fromarray(smooth(600, 1200)), kind)
        with pytest.raises(Image.DecompressionBombError):
            Image.open(path)
        assert read_panorama(path).width == 1200
        assert read_preview(path, 300).width == 300
    assert Image.MAX_IMAGE_PIXELS == 100_000


@EVERY_FORMAT
def test_reading_reports_progress_and_can_be_cancelled(tmp_path, kind):
    path = save(tmp_path, Image.fromarray(smooth(600, 1200)), kind)
    steps = []
    read_panorama(path, progress=lambda done, total: steps.append(done / total))
    assert steps[0] == 0
    assert steps[-1] == 1
    assert steps == sorted(steps)

    def cancel(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        read_panorama(path, progress=cancel)


def test_decoding_itself_reports_progress_and_can_be_cancelled(tmp_path):
    path = tmp_path / "large.png"
    Image.fromarray(noise(600, 1200)).save(path)
    steps = []
    read_panorama(path, progress=lambda done, total: steps.append(done / total))
    decoding = [step for step in steps if 0 < step < 0.8]
    assert len(decoding) > 5

    def cancel(done, total):
        if done / total > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        read_panorama(path, progress=cancel)


def test_a_large_jpeg_is_told_of_before_it_is_whole(tmp_path):
    path = tmp_path / "large.jpg"
    Image.fromarray(smooth(2500, 5000)).save(path, quality=95)
    told = []
    whole = read_panorama(path, first=told.append)
    (small,) = told
    assert small.width == FIRST_WIDTH
    expected = resize_erp(whole.rgb, FIRST_WIDTH // 2, FIRST_WIDTH).astype(int)
    assert np.abs(small.rgb - expected).max() <= 4


@pytest.mark.parametrize(
    ("suffix", "mode", "options"),
    [
        ("png", "RGB", {}),
        ("tif", "L", {"compression": "tiff_lzw"}),
        ("tif", "CMYK", {}),
        ("jpg", "RGB", {"icc_profile": rgb_profile(1.8)}),
    ],
)
@pytest.mark.parametrize("orientation", [1, 3])
def test_other_large_pictures_are_told_of_before_they_are_whole(
    tmp_path, monkeypatch, suffix, mode, options, orientation
):
    width = 128
    monkeypatch.setattr(images, "FIRST_WIDTH", width)
    path = tmp_path / f"large.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(smooth(200, 400)).convert(mode).save(path, exif=exif, **options)
    told = []
    whole = read_panorama(path, first=told.append)
    (small,) = told
    assert (small.height, small.width) == (width // 2, width)
    expected = resize_erp(whole.rgb, width // 2, width).astype(int)
    assert np.abs(small.rgb - expected)[2:-2, 2:-2].max() <= 4


@pytest.mark.parametrize(("size", "suffix"), [((1000, 2000), "jpg"), ((1100, 2200), "png")])
def test_what_is_soon_there_is_told_of_once(tmp_path, size, suffix):
    path = tmp_path / f"small.{suffix}"
    Image.fromarray(smooth(*size)).save(path)
    told = []
    read_panorama(path, first=told.append)
    assert told == []


def test_pictures_can_be_read_by_several_threads(tmp_path):
    paths = [save(tmp_path, Image.fromarray(noise(100, 200, seed=i)), "PNG", name=str(i)) for i in range(4)]
    read = {}
    threads = [threading.Thread(target=lambda i=i: read.update({i: read_panorama(paths[i]).rgb})) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        np.testing.assert_array_equal(read[i], noise(100, 200, seed=i))


# --- partial spheres -------------------------------------------------------------------------------------------------


@EVERY_LOSSLESS_FORMAT
@pytest.mark.parametrize(
    ("size", "full", "at"),
    [
        ((30, 10), (100, 50), (20, 15)),
        ((31, 11), (101, 51), (7, 3)),
        ((31, 11), (101, 50), (70, 39)),
        ((100, 20), (100, 50), (0, 30)),
        ((1, 1), (100, 50), (99, 49)),
        ((30, 50), (100, 50), (35, 0)),
    ],
)
def test_a_part_lies_exactly_where_its_metadata_says(tmp_path, kind, size, full, at):
    pixels = np.maximum(noise(size[1], size[0]), 1)
    tags = crop_tags(size=size, full=full, at=at)
    panorama = read_panorama(save(tmp_path, Image.fromarray(pixels), kind, xmp=xmp_attributes(**tags)))
    assert (panorama.width, panorama.height) == full
    expected = np.zeros((full[1], full[0], 3), np.uint8)
    expected[at[1] : at[1] + size[1], at[0] : at[0] + size[0]] = pixels
    np.testing.assert_array_equal(panorama.rgb, expected)
    np.testing.assert_array_equal(panorama.valid, expected.any(axis=-1))


def test_a_part_may_run_over_the_seam(tmp_path):
    pixels = np.maximum(noise(10, 30), 1)
    tags = crop_tags(size=(30, 10), full=(100, 50), at=(90, 20))
    panorama = read_panorama(save(tmp_path, Image.fromarray(pixels), "PNG", xmp=xmp_attributes(**tags)))
    np.testing.assert_array_equal(np.roll(panorama.rgb, 10, axis=1)[20:30, :30], pixels)
    assert panorama.valid.sum() == 300
    # The first view looks at the middle of what is there: 5 columns right of the seam.
    assert np.rad2deg(panorama.initial_view.yaw) == pytest.approx(-180 + 5 * 3.6)


def test_a_whole_sphere_that_begins_elsewhere_is_rolled_and_fully_valid(tmp_path):
    pixels = noise(50, 100)
    tags = crop_tags(size=(100, 50), full=(100, 50), at=(30, 0))
    panorama = read_panorama(save(tmp_path, Image.fromarray(pixels), "PNG", xmp=xmp_attributes(**tags)))
    np.testing.assert_array_equal(panorama.rgb, np.roll(pixels, 30, axis=1))
    assert panorama.valid is None


@settings(max_examples=60, deadline=None)
@given(
    full_height=st.integers(20, 300),
    odd=st.sampled_from([-1, 0, 1]),
    scale=st.floats(0.1, 4),
    part=st.tuples(st.floats(0.1, 1), st.floats(0.1, 1), st.floats(0, 0.99), st.floats(0, 1)),
)
def test_a_part_that_was_resized_after_capture_keeps_its_place(tmp_path_factory, full_height, odd, scale, part):
    full_width = 2 * full_height + odd
    width, height = max(round(part[0] * full_width), 1), max(round(part[1] * full_height), 1)
    left, top = int(part[2] * full_width), int(part[3] * (full_height - height))
    stored_width, stored_height = max(round(width * scale), 1), max(round(height * scale), 1)
    tags = crop_tags(size=(width, height), full=(full_width, full_height), at=(left, top))
    folder = tmp_path_factory.mktemp("resized")
    image = Image.fromarray(np.full((stored_height, stored_width, 3), 200, np.uint8))
    path = save(folder, image, "PNG", xmp=xmp_attributes(**tags))
    panorama = read_panorama(path)
    # The sphere is scaled by what the picture was scaled by, each side rounded on its own.
    across, down = stored_width / width, stored_height / height
    assert abs(panorama.width - full_width * across) <= 2.5
    valid = np.ones((panorama.height, panorama.width), bool) if panorama.valid is None else panorama.valid
    assert valid.sum() == stored_width * stored_height
    rows = np.nonzero(valid.any(axis=1))[0]
    assert abs(rows[0] - top * down) <= max(2.5, 0.02 * panorama.height)
    columns = valid[rows[0]]
    start = (round(left * across)) % panorama.width
    assert columns[start]
    assert columns[(start + stored_width - 1) % panorama.width]


@EVERY_FORMAT
def test_a_part_without_a_first_view_opens_on_its_middle(tmp_path, kind):
    tags = crop_tags(size=(40, 20), full=(160, 80), at=(100, 30)) | {"PoseHeadingDegrees": 10}
    view = read_panorama(save(tmp_path, Image.fromarray(smooth(20, 40)), kind, xmp=xmp_attributes(**tags))).initial_view
    assert np.rad2deg(view.yaw) == pytest.approx((120 / 160 - 0.5) * 360)
    assert (view.pitch, view.roll, view.fov_x) == pytest.approx((0, 0, DEFAULT_VIEW.fov_x), abs=1e-12)


def test_metadata_that_no_longer_fits_a_full_picture_is_passed_over(tmp_path):
    tags = crop_tags(size=(100, 30), full=(100, 50), at=(0, 10))  # a crop that was completed later
    panorama = read_panorama(save(tmp_path, Image.fromarray(noise(50, 100)), "PNG", xmp=xmp_attributes(**tags)))
    np.testing.assert_array_equal(panorama.rgb, noise(50, 100))
    assert panorama.valid is None


# --- pictures that do not say ----------------------------------------------------------------------------------------


@EVERY_FORMAT
@pytest.mark.parametrize(("width", "height"), [(400, 100), (300, 200), (200, 200), (100, 400), (203, 100), (197, 100)])
def test_a_picture_that_is_not_a_full_sphere_asks(tmp_path, kind, width, height):
    path = save(tmp_path, Image.fromarray(noise(height, width)), kind)
    with pytest.raises(NotAFullSphere, match=rf"got {width} x {height} .*--assume full .*--assume crop .*: .*photo"):
        read_panorama(path)
    with pytest.raises(NotAFullSphere):
        read_preview(path, 100)


@pytest.mark.parametrize(("width", "height"), [(201, 100), (199, 100), (200, 100), (5, 2), (3, 2)])
def test_rounding_by_one_pixel_is_still_a_full_sphere(tmp_path, width, height):
    panorama = read_panorama(save(tmp_path, Image.fromarray(noise(height, width)), "PNG"))
    np.testing.assert_array_equal(panorama.rgb, noise(height, width))


STITCHED = [(1022, 512), (1024, 511), (1030, 512), (1014, 512), (198, 100), (202, 100), (4060, 2048)]
"""Sizes of full spheres by stitchers that round to blocks of pixels, less than one per cent off 2:1."""


@pytest.mark.parametrize(("width", "height"), STITCHED)
def test_a_sphere_that_is_nearly_2_to_1_is_taken_as_it_is_and_told(tmp_path, width, height):
    pixels = noise(height, width)
    for name, tags in (("plain", {}), ("tagged", crop_tags(size=(width, height), full=(width, height), at=(0, 0)))):
        path = save(tmp_path, Image.fromarray(pixels), "PNG", name=name, xmp=xmp_attributes(**tags))
        panorama = read_panorama(path)
        np.testing.assert_array_equal(panorama.rgb, pixels)
        assert panorama.valid is None
        (note,) = panorama.notes
        assert f"{width} x {height}" in note
        assert "2:1" in note


def test_rows_and_columns_of_such_a_sphere_each_cover_it_exactly(tmp_path):
    for width, height in STITCHED[:4]:
        painted = np.rint((erp_rays(height, width) + 1) * 127.5).astype(np.uint8)
        rgb = read_panorama(save(tmp_path, Image.fromarray(painted), "PNG")).rgb
        expected = (erp_rays(256, 512) + 1) * 127.5
        assert np.abs(resize_erp(rgb, 256, 512) - expected).max() < 1.5
        preview = read_preview(tmp_path / "photo.png", 512)
        assert np.abs(preview.rgb - (erp_rays(*preview.rgb.shape[:2]) + 1) * 127.5).max() < 1.5


@pytest.mark.parametrize(
    ("width", "height", "full", "at"),
    [
        (400, 100, (400, 200), (0, 50)),
        (300, 200, (400, 200), (50, 0)),
        (100, 400, (800, 400), (350, 0)),
        (401, 101, (401, 201), (0, 50)),
        (301, 201, (402, 201), (51, 0)),
    ],
)
def test_assuming_a_crop_centres_it_on_the_smallest_sphere(tmp_path, width, height, full, at):
    pixels = noise(height, width)
    panorama = read_panorama(save(tmp_path, Image.fromarray(pixels), "PNG"), assume="crop")
    assert (panorama.width, panorama.height) == full
    left, top = at
    np.testing.assert_array_equal(panorama.rgb[top : top + height, left : left + width], pixels)
    assert panorama.valid.sum() == width * height
    assert panorama.valid[top : top + height, left : left + width].all()


@pytest.mark.parametrize(("width", "height"), [(400, 100), (300, 200), (401, 101), (100, 300)])
def test_assuming_a_full_sphere_stretches_the_picture_to_two_to_one(tmp_path, width, height):
    panorama = read_panorama(save(tmp_path, Image.fromarray(smooth(height, width)), "PNG"), assume="full")
    full_height = math.ceil(max(width, 2 * height) / 2)
    assert panorama.rgb.shape == (full_height, 2 * full_height, 3)
    assert panorama.valid is None
    u, v = (np.arange(2 * full_height) + 0.5) / (2 * full_height), (np.arange(full_height) + 0.5) / full_height
    inner = slice(8, -8)  # beyond the seam and the poles the gradient goes on with the other side of the sphere
    difference = panorama.rgb[inner, inner, :2] - 255.0 * np.stack(np.meshgrid(u, v), axis=-1)[inner, inner]
    assert np.abs(difference[..., 0]).max() < 255 / width + 1.1
    assert np.abs(difference[..., 1]).max() < 255 / height + 1.1


def test_a_picture_stretched_over_the_sphere_is_continuous_at_the_seam(tmp_path):
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[:, 50:] = 200
    rgb = read_panorama(save(tmp_path, Image.fromarray(pixels), "PNG"), assume="full").rgb
    # The new columns lie a quarter of an old one on either side of the seam between 200 and 0.
    assert np.abs(rgb[:, [199, 0], 0] - np.array([150.0, 50.0])).max() <= 1
    assert np.abs(rgb[:, [99, 100], 0] - np.array([50.0, 150.0])).max() <= 1


@pytest.mark.parametrize("assume", ["full", "crop"])
def test_an_assumption_does_not_overrule_the_metadata_or_a_full_sphere(tmp_path, assume):
    tags = crop_tags(size=(30, 10), full=(100, 50), at=(20, 15))
    part = save(tmp_path, Image.fromarray(noise(10, 30)), "PNG", name="part", xmp=xmp_attributes(**tags))
    assert read_panorama(part, assume=assume).valid.sum() == 300
    whole = save(tmp_path, Image.fromarray(noise(50, 100)), "PNG", name="whole")
    np.testing.assert_array_equal(read_panorama(whole, assume=assume).rgb, noise(50, 100))


def test_a_cylinder_asks_and_names_its_projection(tmp_path):
    path = save(tmp_path, Image.fromarray(noise(50, 100)), "PNG", xmp=xmp_attributes(ProjectionType="cylindrical"))
    with pytest.raises(NotAFullSphere, match="equirectangular, got a cylindrical one"):
        read_panorama(path)
    assert read_panorama(path, assume="full").width == 100


# --- previews --------------------------------------------------------------------------------------------------------


@EVERY_FORMAT
@pytest.mark.parametrize("max_width", [4, 50, 100, 333, 600])
def test_a_preview_is_the_panorama_made_small(tmp_path, kind, max_width):
    path = save(tmp_path, Image.fromarray(smooth(300, 600)), kind, xmp=xmp_attributes(PosePitchDegrees=7))
    preview, whole = read_preview(path, max_width), read_panorama(path)
    assert preview.width == max_width - max_width % 2
    assert preview.width == 2 * preview.height
    np.testing.assert_array_equal(preview.level_from_world, whole.level_from_world)
    assert preview.initial_view == whole.initial_view
    u = (np.arange(preview.width) + 0.5) / preview.width
    assert np.abs(preview.rgb[:, :, 0] - 255 * u).max() < 4


def test_a_preview_is_never_larger_than_the_picture(tmp_path):
    path = save(tmp_path, Image.fromarray(noise(50, 100)), "PNG")
    np.testing.assert_array_equal(read_preview(path, 4000).rgb, noise(50, 100))


@EVERY_FORMAT
def test_a_preview_of_a_part_covers_the_same_directions(tmp_path, kind):
    tags = crop_tags(size=(400, 200), full=(1600, 800), at=(1000, 300))
    path = save(tmp_path, Image.fromarray(smooth(200, 400)), kind, xmp=xmp_attributes(**tags))
    preview, whole = read_preview(path, 400), read_panorama(path)
    assert preview.rgb.shape == (200, 400, 3)
    np.testing.assert_array_equal(preview.valid, whole.valid[2::4, 2::4])
    assert preview.initial_view.yaw == pytest.approx(whole.initial_view.yaw)


@pytest.mark.skipif(not (SHARED / "data/panoramas").is_dir(), reason="the real panoramas are not here")
def test_the_preview_of_an_8k_photo_agrees_with_the_photo(tmp_path):
    path = SHARED / "data/panoramas/04_library_8k.jpg"
    preview, whole = read_preview(path, 2048), read_panorama(path)
    averaged = whole.rgb.reshape(1024, 4, 2048, 4, 3).mean((1, 3))
    assert np.abs(preview.rgb - averaged).mean() < 1.5
