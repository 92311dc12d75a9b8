"""16-bit PNG and TIFF, Radiance HDR and OpenEXR: exact light, a stated development, headers first, sentences."""

import io
import sys

import cv2
import numpy as np
import OpenEXR
import pytest
from deep_files import COMPRESSIONS, LOSSLESS, box, icc_chunk, levels, light, png16, tiff, write_exr
from icc_profiles import encode_srgb, grey_profile, rgb_profile
from picture_files import SHARED, crop_tags, xmp_elements
from PIL import Image, ImageOps

from core.errors import NotAFullSphere, UnsupportedImage
from core.geometry.warp import resize_erp
from core.io.images import FIRST_WIDTH, read_header, read_panorama, read_preview
from core.io.radiance_hdr import write_hdr
from core.progress import Cancelled
from core.tone import KEY, KNEE, LUMINANCE, ToneMap, exposure_of, linear_from_srgb


def put(folder, data, name):
    path = folder / name
    path.write_bytes(data)
    return path


def hdr(radiance):
    stream = io.BytesIO()
    write_hdr(radiance, stream)
    return stream.getvalue()


# --- whole numbers of 16 bits ----------------------------------------------------------------------------------------


def stored(kind, pixels, tmp_path):
    if kind == "PNG":
        return put(tmp_path, png16(pixels), "deep.png")
    flat = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    extra = {"extrasamples": ["unassalpha"]} if pixels.shape[2] == 4 else {}
    return put(tmp_path, tiff(flat, **extra), "deep.tif")


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_rounded_to_eight_and_kept_as_light(tmp_path, kind, channels):
    pixels = levels(40, 80, channels)
    panorama = read_panorama(stored(kind, pixels, tmp_path))
    share = pixels[..., :3] / 65535
    if channels == 4:
        share = np.rint(share * pixels[..., 3:]) / 65535
    share = np.broadcast_to(share, (40, 80, 3))
    off = np.abs(panorama.rgb - share * 255)
    assert off.max() <= 0.5 + 1e-4
    np.testing.assert_allclose(panorama.radiance, linear_from_srgb(share), rtol=2e-6, atol=1e-9)
    assert panorama.tone == ToneMap()


@pytest.mark.parametrize(
    "options",
    [
        {"byteorder": ">"},
        {"bigtiff": True},
        {"tile": (16, 16)},
        {"compression": "adobe_deflate", "predictor": True},
        {"rowsperstrip": 7},
    ],
)
def test_a_deep_tiff_may_be_stored_in_many_ways(tmp_path, options):
    pixels = levels(40, 80)
    path = put(tmp_path, tiff(pixels, **options), "deep.tif")
    header = read_header(path)
    assert (header.format, header.mode, header.height, header.width, header.is_deep) == ("TIFF", "RGB 16", 40, 80, True)
    np.testing.assert_allclose(read_panorama(path).radiance, linear_from_srgb(pixels / 65535), rtol=2e-6)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [np.uint16, np.float32])
@pytest.mark.parametrize("strips", [{}, {"rowsperstrip": 7}])
def test_pixels_that_lie_in_a_tiff_as_in_memory_need_no_decoder(tmp_path, monkeypatch, channels, kind, strips):
    pixels = levels(40, 80, channels) if kind == np.uint16 else np.tile(light(40, 80), 2)[..., :channels]
    options = strips | ({"extrasamples": ["unassalpha"]} if channels == 4 else {})
    data = tiff(pixels[..., 0] if channels == 1 else pixels, **options)
    decoded = read_panorama(
        put(tmp_path, tiff(pixels[..., 0] if channels == 1 else pixels, byteorder=">", **options), "b.tif")
    )
    monkeypatch.delattr("core.io.deep.decode")
    panorama = read_panorama(put(tmp_path, data, "a.tif"))
    np.testing.assert_array_equal(panorama.radiance, decoded.radiance)
    np.testing.assert_array_equal(panorama.rgb, decoded.rgb)
    with pytest.raises(UnsupportedImage, match="damaged or incomplete"):
        read_panorama(put(tmp_path, data[: data.index(pixels.tobytes()[:64]) + pixels.nbytes - 1], "a.tif"))


def test_where_white_is_zero_the_picture_is_turned_over(tmp_path):
    pixels = levels(40, 80)[..., 0]
    panorama = read_panorama(put(tmp_path, tiff(pixels, photometric="miniswhite"), "deep.tif"))
    assert np.abs(panorama.rgb - (255 - pixels / 257)[..., None]).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("gamma", [1.0, 1.8])
def test_a_profile_is_applied_in_sixteen_bits(tmp_path, kind, gamma):
    pixels = levels(40, 80)
    profile = rgb_profile(gamma, "bgr")
    data = png16(pixels, icc_chunk(profile)) if kind == "PNG" else tiff(pixels, iccprofile=profile)
    path = put(tmp_path, data, "deep" + {"PNG": ".png", "TIFF": ".tif"}[kind])
    assert read_header(path).icc_profile == profile
    expected = (pixels[..., ::-1] / 65535.0) ** gamma
    panorama = read_panorama(path)
    assert np.abs(panorama.radiance - expected).max() < 2e-3  # the profile's primaries are rounded to 4 digits
    assert np.abs(panorama.rgb - encode_srgb(np.clip(expected, 0, 1))).max() < 3


def test_a_grey_profile_is_applied_in_sixteen_bits(tmp_path):
    pixels = levels(40, 80, 1)
    panorama = read_panorama(put(tmp_path, png16(pixels, icc_chunk(grey_profile(1.8))), "deep.png"))
    np.testing.assert_allclose(panorama.radiance, np.repeat((pixels / 65535) ** 1.80078125, 3, -1), atol=1e-6)


@pytest.mark.parametrize("profile", [b"nonsense" * 40, grey_profile(1.8), rgb_profile(1.8)[:200]])
def test_a_broken_or_foreign_profile_changes_nothing_in_sixteen_bits(tmp_path, profile):
    pixels = levels(20, 40)
    path = put(tmp_path, png16(pixels, icc_chunk(profile)), "deep.png")
    assert read_header(path).icc_profile is None
    np.testing.assert_allclose(read_panorama(path).radiance, linear_from_srgb(pixels / 65535), rtol=2e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
def test_the_orientation_of_a_deep_picture_is_applied_once(tmp_path, orientation, kind):
    upright = np.kron(np.arange(8, dtype=np.uint8).reshape(2, 4), np.ones((16, 16), np.uint8)) * 30
    as_stored = Image.fromarray(upright)
    exif = as_stored.getexif()
    exif[0x0112] = {6: 8, 8: 6}.get(orientation, orientation)
    turned = np.asarray(ImageOps.exif_transpose(as_stored)) if orientation > 1 else upright
    turned = turned.astype(np.uint16) * 257
    data = tiff(turned, extratags=[(274, 3, 1, orientation, True)])
    if kind == "PNG":
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = png16(turned[..., None], (b"eXIf", exif.tobytes().removeprefix(b"Exif\x00\x00")))
    path = put(tmp_path, data, f"deep.{kind.lower()}")
    assert (read_header(path).height, read_header(path).width) == (32, 64)
    np.testing.assert_array_equal(read_panorama(path).rgb[..., 0], upright)


def test_a_tiff_of_floats_is_light(tmp_path):
    radiance = light(40, 80)
    panorama = read_panorama(put(tmp_path, tiff(radiance), "deep.tif"))
    np.testing.assert_array_equal(panorama.radiance, radiance)
    assert panorama.tone == exposure_of(radiance)
    assert any("18 % grey" in note for note in panorama.notes)


def test_colours_in_separate_planes_are_refused_and_not_garbled(tmp_path):
    data = tiff(np.moveaxis(levels(40, 80), -1, 0), planarconfig="separate")
    with pytest.raises(UnsupportedImage, match="separate planes; save it as plain RGB: "):
        read_panorama(put(tmp_path, data, "deep.tif"))


# --- Radiance --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [6, 40, 300])
def test_a_radiance_picture_comes_back_within_its_eight_bits_and_as_opencv_reads_it(tmp_path, width):
    radiance = light(width // 2, width)
    radiance[0, 0] = 0
    path = put(tmp_path, hdr(radiance), "light.hdr")
    read = read_panorama(path).radiance
    np.testing.assert_array_equal(read, cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1])
    assert np.abs(read - radiance).max(axis=-1).max() <= (radiance.max(axis=-1) / 255).max()
    assert (np.abs(read - radiance) <= radiance.max(axis=-1, keepdims=True) / 255).all()


def test_run_lengths_written_by_opencv_are_read(tmp_path):
    radiance = np.repeat(light(32, 4), 16, axis=1)
    path = tmp_path / "light.hdr"
    assert cv2.imwrite(str(path), radiance[..., ::-1])
    np.testing.assert_array_equal(read_panorama(path).radiance, cv2.imread(str(path), -1)[..., ::-1])


def test_old_run_lengths_are_read(tmp_path):
    pixel, other = bytes([10, 20, 30, 128]), bytes([1, 2, 3, 130])
    # 300 = 1 + 43 + 1 * 256: the digits of a long run follow each other, the smallest first.
    line = pixel + bytes([1, 1, 1, 43, 1, 1, 1, 1]) + other * 300
    data = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 300 +X 600\n" + line * 300
    radiance = read_panorama(put(tmp_path, data, "light.hdr")).radiance
    np.testing.assert_array_equal(radiance[7, :300], np.tile(np.float32([10, 20, 30]) / 256, (300, 1)))
    np.testing.assert_array_equal(radiance[7, 300:], np.tile(np.float32([1, 2, 3]) / 64, (300, 1)))


@pytest.mark.parametrize("first", ["-Y", "+Y", "-X", "+X"])
@pytest.mark.parametrize("second", ["+", "-"])
def test_scan_lines_may_run_in_eight_ways(tmp_path, first, second):
    pixels = np.random.default_rng(0).integers(3, 256, (6, 12, 4), dtype=np.uint8)
    pixels[..., 3] = 128
    is_turned = first[1] == "X"
    second += "Y" if is_turned else "X"
    rows, cols = (second, first) if is_turned else (first, second)
    data = pixels[::-1] if rows == "+Y" else pixels
    data = data[:, ::-1] if cols == "-X" else data
    data = data.swapaxes(0, 1) if is_turned else data
    sizes = (12, 6) if is_turned else (6, 12)
    header = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n{first} {sizes[0]} {second} {sizes[1]}\n".encode()
    radiance = read_panorama(put(tmp_path, header + data.tobytes(), "light.hdr")).radiance
    np.testing.assert_array_equal(radiance, pixels[..., :3] / np.float32(256))


def test_the_exposure_in_a_header_is_taken_back(tmp_path):
    data = hdr(light(20, 40)).replace(b"\n\n", b"\nEXPOSURE=2\nEXPOSURE= 4\n\n", 1)
    read = read_panorama(put(tmp_path, data, "light.hdr")).radiance
    np.testing.assert_array_equal(read * 8, read_panorama(put(tmp_path, hdr(light(20, 40)), "plain.hdr")).radiance)


@pytest.mark.skipif(not (SHARED / "data/panoramas").is_dir(), reason="needs the shared photographs")
def test_real_radiance_pictures_are_what_opencv_reads_and_look_like_their_jpegs():
    for path in sorted((SHARED / "data/panoramas").glob("*.hdr"))[:3]:
        panorama = read_panorama(path)
        np.testing.assert_array_equal(panorama.radiance, cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1])
        jpeg = path.with_suffix(".jpg")
        if jpeg.exists():
            reference = read_panorama(jpeg).rgb.reshape(-1, 3).mean(axis=-1)
            assert np.corrcoef(panorama.rgb.reshape(-1, 3).mean(axis=-1), reference)[0, 1] > 0.9


# --- OpenEXR ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_compression_of_openexr_is_read(tmp_path, compression):
    radiance = np.repeat(np.repeat(light(5, 10), 8, axis=0), 8, axis=1)
    path = write_exr(tmp_path / "light.exr", {"RGB": radiance.astype(np.float16)}, compression=compression)
    panorama = read_panorama(path)
    expected = OpenEXR.File(str(path)).channels()["RGB"].pixels.astype(np.float32)
    np.testing.assert_array_equal(panorama.radiance, expected)
    if compression in LOSSLESS:
        np.testing.assert_array_equal(panorama.radiance, radiance)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("tiles", [0, 16])
@pytest.mark.parametrize("names", ["RGB", "RGBA", "Y", "View.Combined.", "ViewLayer."])
def test_scan_lines_and_tiles_of_halves_and_floats_are_read(tmp_path, kind, tiles, names):
    radiance = light(20, 40)
    others = {"Z": np.zeros((20, 40), np.float32), "id": np.zeros((20, 40), np.uint32)}
    if names in ("RGB", "RGBA"):
        colours = np.dstack([radiance, radiance[..., :1]])[..., : len(names)]
        channels = {letter: np.ascontiguousarray(colours[..., c], kind) for c, letter in enumerate(names)}
    elif names == "Y":
        radiance = np.repeat(radiance[..., :1], 3, axis=-1)
        channels = {"Y": np.ascontiguousarray(radiance[..., 0], kind)}
    else:
        channels = {f"{names}{letter}": np.ascontiguousarray(radiance[..., c], kind) for c, letter in enumerate("RGB")}
        others |= {f"Another.{letter}": np.zeros((20, 40), np.float16) for letter in "RGB"}
        if names == "ViewLayer.":
            others = {"ViewLayer.Depth.Z": others["Z"]}
    path = write_exr(tmp_path / "light.exr", channels | others, tiles=tiles)
    header = read_header(path)
    assert (header.format, header.height, header.width, header.is_deep, header.is_measured) == (
        "EXR",
        20,
        40,
        True,
        True,
    )
    assert header.mode.startswith("half" if kind == np.float16 else "float")
    np.testing.assert_array_equal(read_panorama(path).radiance, radiance)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ((10, 5, 20, 10), (10, 5, 20, 10)),  # a region of interest
        ((-8, -4, 56, 28), (0, 0, 40, 20)),  # more than is shown
        ((30, 10, 40, 30), (30, 10, 10, 10)),  # across the border
    ],
)
@pytest.mark.parametrize("origin", [(0, 0), (100, -50)])
def test_data_beside_the_display_window_lie_where_they_belong(tmp_path, data, part, origin):
    left, top, width, height = data
    x, y = origin
    radiance = light(height, width)
    path = write_exr(
        tmp_path / "light.exr",
        {"RGB": radiance},
        dataWindow=box(left + x, top + y, width, height),
        displayWindow=box(x, y, 40, 20),
    )
    panorama = read_panorama(path)
    assert (panorama.height, panorama.width) == (20, 40)
    expected = np.zeros((20, 40, 3), np.float32)
    rows, cols = slice(part[1], part[1] + part[3]), slice(part[0], part[0] + part[2])
    expected[rows, cols] = radiance[part[1] - top :, part[0] - left :][: part[3], : part[2]]
    np.testing.assert_array_equal(panorama.radiance, expected)
    valid = np.zeros((20, 40), bool)
    valid[rows, cols] = True
    if valid.all():
        assert panorama.valid is None
    else:
        np.testing.assert_array_equal(panorama.valid, valid)


def test_a_part_of_the_sphere_may_be_named_by_metadata_too(tmp_path):
    xmp = xmp_elements(**crop_tags(size=(40, 10), full=(40, 20), at=(0, 5)), PosePitchDegrees=7).decode()
    panorama = read_panorama(write_exr(tmp_path / "light.exr", {"RGB": light(10, 40)}, xmp=xmp))
    assert (panorama.height, panorama.width) == (20, 40)
    assert panorama.valid[5:15].all()
    assert not panorama.valid[:5].any()
    assert not panorama.is_level


def test_other_primaries_become_those_of_srgb_and_white_stays_white(tmp_path):
    aces = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
    radiance = np.ones((20, 40, 3), np.float32)
    radiance[0, 0] = (0.44, 0.09, 0.02)  # nearly the red of sRGB in ACES2065-1
    path = write_exr(tmp_path / "light.exr", {"RGB": radiance}, chromaticities=aces)
    read = read_panorama(path).radiance
    np.testing.assert_allclose(read[1:], 1, atol=2e-3)
    assert read[0, 0, 0] > 0.9
    assert np.abs(read[0, 0, 1:]).max() < 0.02


def test_what_is_no_number_is_black_and_what_is_infinite_is_bright(tmp_path):
    radiance = light(20, 40)
    radiance[0, 0], radiance[0, 1], radiance[0, 2] = np.nan, np.inf, -np.inf
    panorama = read_panorama(write_exr(tmp_path / "light.exr", {"RGB": radiance}))
    np.testing.assert_array_equal(panorama.radiance[0, :3], [[0] * 3, [65504] * 3, [0] * 3])
    np.testing.assert_array_equal(panorama.rgb[0, :3], [[0] * 3, [255] * 3, [0] * 3])


def test_an_openexr_file_without_colours_says_what_it_has(tmp_path):
    path = write_exr(tmp_path / "light.exr", {"Z": np.zeros((20, 40), np.float32)})
    with pytest.raises(UnsupportedImage, match=r"no channels R, G, B or Y of floats, but Z; write those: "):
        read_header(path)


def test_damaged_pixels_of_an_openexr_file_are_a_sentence_and_nothing_else(tmp_path, capfd):
    data = bytearray(write_exr(tmp_path / "light.exr", {"RGB": light(32, 64)}).read_bytes())
    data[-2000:-1000] = bytes(1000)
    with pytest.raises(UnsupportedImage, match=r"damaged or incomplete.*light.exr$"):
        read_panorama(put(tmp_path, bytes(data), "light.exr"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux")
def test_an_openexr_file_cannot_take_more_memory_than_its_header_says(tmp_path, monkeypatch):
    path = write_exr(tmp_path / "light.exr", {"RGB": light(400, 800)})
    monkeypatch.setattr("core.io.exr.BASE_BYTES", -(10 << 20))
    with pytest.raises(UnsupportedImage, match=r"memory|damaged"):
        read_panorama(path)


# --- all of them -----------------------------------------------------------------------------------------------------


def samples(folder):
    """One file of each kind, 40 x 20."""
    return (
        put(folder, png16(levels(20, 40)), "a.png"),
        put(folder, tiff(levels(20, 40)), "b.tif"),
        put(folder, tiff(light(20, 40)), "c.tif"),
        put(folder, hdr(light(20, 40)), "d.hdr"),
        write_exr(folder / "e.exr", {"RGB": light(20, 40)}),
    )


def test_memory_is_known_before_and_suffices(tmp_path):
    for path in samples(tmp_path):
        header = read_header(path)
        assert header.needed_bytes >= 20 * 40 * 15
        assert read_panorama(path, memory_budget=header.needed_bytes).radiance is not None
        with pytest.raises(UnsupportedImage, match="of memory"):
            read_panorama(path, memory_budget=20 * 40 * 14)


def test_the_end_may_not_be_missing(tmp_path):
    for path in samples(tmp_path):
        data = path.read_bytes()
        for share in (0.3, 0.7, 0.95):
            path.write_bytes(data[: int(len(data) * share)])
            with pytest.raises(UnsupportedImage):
                read_panorama(path)


def test_a_preview_is_as_wide_as_asked_and_nearly_as_bright(tmp_path):
    for path in samples(tmp_path):
        whole, preview = read_panorama(path), read_preview(path, 20)
        assert preview.rgb.shape == (10, 20, 3)
        assert abs(np.log2(preview.tone.gain / whole.tone.gain)) < 1.5
        assert read_preview(path, 4000).rgb.shape == (20, 40, 3)


def test_reading_can_be_stopped(tmp_path):
    def stop(_done, _total):
        raise Cancelled

    for path in samples(tmp_path):
        with pytest.raises(Cancelled):
            read_panorama(path, progress=stop)


def test_a_picture_of_another_shape_asks_as_every_other_does(tmp_path):
    path = put(tmp_path, hdr(light(20, 60)), "d.hdr")
    with pytest.raises(NotAFullSphere, match="got 60 x 20"):
        read_panorama(path)
    assert read_panorama(path, assume="full").radiance.shape == (30, 60, 3)
    part = read_panorama(path, assume="crop")
    np.testing.assert_array_equal(part.radiance[part.valid], read_panorama(path, assume="crop").radiance[part.valid])
    assert part.rgb[~part.valid].max() == 0


# --- the tone map ----------------------------------------------------------------------------------------------------


def test_the_median_becomes_a_grey_card_whatever_the_scale_and_the_turn():
    radiance = light(64, 128)
    tone = exposure_of(radiance)
    for factor in (1e-3, 1.0, 64.0):
        np.testing.assert_allclose(exposure_of(radiance * np.float32(factor)).gain * factor, tone.gain, rtol=1e-5)
    assert exposure_of(np.roll(radiance, 37, axis=1)).gain == pytest.approx(tone.gain, rel=1e-5)
    even = np.full((64, 128, 3), 3.0, np.float32)
    even[:4] = 1e4  # a lamp overhead: 12 % of the rows, 1 % of the sphere
    even[60:] = 0
    assert exposure_of(even).gain * 3.0 * sum(LUMINANCE) == pytest.approx(KEY, rel=1e-5)
    assert exposure_of(np.zeros((4, 8, 3), np.float32)) == ToneMap(knee=KNEE)


def test_values_below_the_knee_are_srgb_and_brighter_ones_bend_smoothly_to_white():
    values = np.linspace(0, 20, 200_001, dtype=np.float32)
    ramp = np.repeat(values[None, :, None], 3, axis=2)
    developed = ToneMap(gain=1.0, knee=KNEE).develop(ramp)[0, :, 0].astype(int)
    below = values <= KNEE
    assert np.abs(developed[below] - encode_srgb(values[below])).max() <= 0.5 + 1e-3
    assert (np.diff(developed) >= 0).all()
    assert np.diff(developed).max() <= 1
    assert developed[-1] == 255
    assert developed[np.searchsorted(values, 1.0)] < 250


def test_a_step_of_exposure_doubles_the_light_and_the_way_back_is_exact():
    radiance = light(16, 32)
    tone = ToneMap(gain=0.3, knee=KNEE)
    np.testing.assert_array_equal(tone.develop(radiance, 1.0), tone.develop(radiance * 2))
    np.testing.assert_array_equal(tone.develop(radiance, -3.0), tone.develop(radiance / 8))


@pytest.mark.parametrize("value", range(0, 65536, 257))
def test_every_eight_bit_level_comes_back(value):
    light_of = np.full((1, 1, 3), linear_from_srgb(value / 65535), np.float32)
    assert (ToneMap().develop(light_of) == value // 257).all()


@pytest.mark.parametrize("kind", ["png", "tif", "float.tif", "hdr", "exr"])
def test_a_deep_picture_is_told_of_before_all_of_it_is_light(tmp_path, kind):
    """Wider than what is seen first; the same colours at the same places, and nothing that is no number."""
    height, width = 1100, 2200
    rows, cols = np.indices((height, width)) / height
    smooth = np.stack([0.2 + 0.3 * rows, 0.1 + 0.2 * np.sin(np.pi * cols) ** 2, 0.3 + 0 * rows], axis=-1)
    path = tmp_path / f"wide.{kind}"
    if kind == "hdr":
        cv2.imwrite(str(path), smooth[..., ::-1].astype(np.float32))
    elif kind == "exr":
        write_exr(path, {"RGB": smooth.astype(np.float16)})
    else:
        pixels = smooth.astype(np.float32) if "float" in kind else (65535 * smooth).astype(np.uint16)
        path.write_bytes(png16(pixels) if kind == "png" else tiff(pixels))
    told = []
    whole = read_panorama(path, first=told.append)
    (small,) = told
    assert (small.width, small.height) == (FIRST_WIDTH, FIRST_WIDTH // 2)
    expected = resize_erp(whole.rgb, FIRST_WIDTH // 2, FIRST_WIDTH).astype(int)
    assert np.abs(small.rgb - expected)[2:-2, 2:-2].max() <= 4


def test_a_turned_picture_is_told_of_upright(tmp_path):
    pixels = np.repeat(np.linspace(1000, 60000, 2200).astype(np.uint16)[:, None, None], 1100, axis=1)
    path = tmp_path / "turned.tif"
    path.write_bytes(tiff(np.repeat(pixels, 3, axis=2), extratags=[(274, 3, 1, 6, True)]))
    told = []
    whole = read_panorama(path, first=told.append)
    (small,) = told
    assert np.abs(small.rgb[500].astype(int) - resize_erp(whole.rgb, 1024, 2048)[500])[2:-2].max() <= 3
