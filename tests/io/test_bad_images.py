"""Whatever the file is, the outcome is a panorama or one sentence that ends with its path."""

import os
import socket
import struct
import zlib

import numpy as np
import pytest
import tifffile
from picture_files import FORMATS, SUFFIX, crop_tags, encode, noise, save, smooth, xmp_attributes, xmp_elements
from PIL import Image

from core.errors import UnsupportedImage
from core.io.images import read_header, read_panorama, read_preview

EVERY_FORMAT = pytest.mark.parametrize("kind", FORMATS)
OPENERS = (read_header, read_panorama, lambda path: read_preview(path, 64))


def sentence(path, *, opener=read_panorama):
    """The message, checked for its form: one line, a capital letter first, the path last."""
    with pytest.raises(UnsupportedImage) as caught:
        opener(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message[0].isupper()
    assert message.endswith(f": {path}")
    return message


@pytest.mark.parametrize("opener", OPENERS)
def test_a_missing_file_a_folder_and_an_empty_file_are_told_apart(tmp_path, opener):
    assert "no such file" in sentence(tmp_path / "none.jpg", opener=opener)
    assert "no such file" in sentence(tmp_path / "none" / "none.jpg", opener=opener)
    assert "got a folder" in sentence(tmp_path, opener=opener)
    (tmp_path / "empty.jpg").touch()
    assert "empty file" in sentence(tmp_path / "empty.jpg", opener=opener)
    assert "no such file" in sentence(tmp_path / "empty.jpg" / "x.jpg", opener=opener)
    assert "too long" in sentence(tmp_path / ("x" * 400), opener=opener)


@pytest.mark.parametrize("opener", OPENERS)
def test_pipes_and_devices_are_not_waited_for(tmp_path, opener, monkeypatch):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "device or pipe" in sentence(tmp_path / "pipe.jpg", opener=opener)
    with socket.socket(socket.AF_UNIX) as server:
        # The address of a socket is short, and the folder for temporary files may have a long name.
        monkeypatch.chdir(tmp_path)
        server.bind("s.jpg")
        assert "device or pipe" in sentence(tmp_path / "s.jpg", opener=opener)
    assert "device or pipe" in sentence("/dev/zero", opener=opener)


def test_a_link_into_nothing_and_a_link_to_itself_are_sentences(tmp_path):
    (tmp_path / "a.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "b.jpg").symlink_to("b.jpg")
    assert "no such file" in sentence(tmp_path / "a.jpg")
    sentence(tmp_path / "b.jpg")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_sentence(tmp_path):
    path = save(tmp_path, Image.fromarray(smooth(20, 40)), "JPEG")
    path.chmod(0)
    assert "may not be read" in sentence(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello, this is text", "something else"),
        (b"\x00" * 1000, "something else"),
        (b"GIF89a" + b"\x00" * 50, "GIF"),
        (b"BM" + b"\x00" * 50, "BMP"),
        (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n", "it does not say its size"),
        (b"v/1\x01\x02\x00\x00\x00", "its header does not end"),
        (b"%PDF-1.7", "PDF"),
        (b"\x00\x00\x00\x18ftypavif\x00\x00", "damaged"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00", "damaged"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00", "video"),
        (b"PK\x03\x04", "ZIP"),
        (b"\xff", "something else"),
        (b"RIFF\x00\x00\x00\x00WAVE", "something else"),
    ],
)
def test_another_kind_of_file_is_named(tmp_path, content, words):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    assert words in sentence(path)
    assert words in sentence(path, opener=read_header)


@EVERY_FORMAT
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.9, 0.99])
def test_a_file_that_is_cut_short_is_refused(tmp_path, kind, share):
    data = encode(Image.fromarray(noise(200, 400)), kind)
    path = tmp_path / ("cut" + SUFFIX[kind])
    path.write_bytes(data[: max(int(len(data) * share), 16)])
    sentence(path)
    sentence(path, opener=lambda p: read_preview(p, 64))


def test_a_jpeg_that_lacks_only_its_last_bytes_is_refused_although_its_thumbnail_is_complete(tmp_path):
    thumbnail = encode(Image.fromarray(smooth(20, 40)), "JPEG")
    data = encode(Image.fromarray(noise(200, 400)), "JPEG", exif=b"Exif\x00\x00" + thumbnail)
    assert data.count(b"\xff\xd9") == 2
    path = tmp_path / "cut.jpg"
    path.write_bytes(data[:-2])
    assert "cut short" in sentence(path)


def test_what_cameras_append_to_a_jpeg_does_no_harm(tmp_path):
    data = encode(Image.fromarray(smooth(50, 100)), "JPEG")
    path = tmp_path / "tail.jpg"
    for tail in (b"\x00" * 1000, b"SEFHtrailer", data):
        path.write_bytes(data + tail)
        assert read_panorama(path).rgb.shape == (50, 100, 3)


@EVERY_FORMAT
def test_a_single_pixel_is_too_small(tmp_path, kind):
    for assume in (None, "full", "crop"):
        path = save(tmp_path, Image.fromarray(noise(1, 1)), kind)
        message = sentence(path, opener=lambda p, assume=assume: read_panorama(p, assume=assume))
        assert "at least 4 x 2 pixels, got 1 x 1" in message


@pytest.mark.parametrize("size", [(1, 2), (2, 1), (4, 1), (1, 4), (3, 3), (2000, 1), (1, 2000)])
def test_extreme_shapes_become_a_panorama_when_something_is_assumed(tmp_path, size):
    path = save(tmp_path, Image.fromarray(noise(size[1], size[0])), "PNG")
    message = sentence(path)
    assert f"got {size[0]} x {size[1]}" in message
    for assume in ("full", "crop"):
        if max(size[0], 2 * size[1]) <= 2:
            assert "at least 4 x 2" in sentence(path, opener=lambda p, assume=assume: read_panorama(p, assume=assume))
        else:
            panorama = read_panorama(path, assume=assume)
            assert abs(panorama.width - 2 * panorama.height) <= 1


@pytest.mark.parametrize("assume", ["full", "crop"])
def test_a_thread_of_pixels_does_not_unroll_into_a_sphere_beyond_the_memory(tmp_path, assume):
    path = save(tmp_path, Image.fromarray(noise(65_535, 1)), "PNG")
    message = sentence(path, opener=lambda p: read_panorama(p, assume=assume, memory_budget=10**9))
    assert "of memory, 1.0 GB may be used" in message


def png_header(width, height, *, depth=8, colour=2, rows=b"\x00" * 1000):
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    idat = b"IDAT" + zlib.compress(rows)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for chunk in (ihdr, idat, b"IEND"):
        parts += [struct.pack(">I", len(chunk) - 4), chunk, struct.pack(">I", zlib.crc32(chunk))]
    return b"".join(parts)


def huge(kind, width, height):
    """A small file that claims to be a huge picture."""
    data = encode(Image.fromarray(smooth(32, 64)), kind)
    if kind == "PNG":
        return png_header(width, height)
    if kind == "JPEG":
        return data.replace(struct.pack(">HH", 32, 64), struct.pack(">HH", height, width), 1)
    if kind == "TIFF":
        for tag, old, new in ((256, 64, width), (257, 32, height)):
            entry = struct.pack("<HHIHH", tag, 3, 1, old, 0)
            entry = entry if entry in data else struct.pack("<HHII", tag, 4, 1, old)
            data = data.replace(entry, struct.pack("<HHII", tag, 4, 1, new), 1)
        return data
    raise ValueError(kind)


@pytest.mark.parametrize(
    ("kind", "width", "height"),
    [("PNG", 60_000, 30_000), ("JPEG", 65_000, 32_500), ("TIFF", 60_000, 30_000)],
)
def test_a_huge_header_names_needed_and_allowed_memory(tmp_path, kind, width, height):
    path = tmp_path / ("huge" + SUFFIX[kind])
    path.write_bytes(huge(kind, width, height))
    header = read_header(path)
    assert (header.width, header.height) == (width, height)
    assert header.needed_bytes >= width * height * 7
    message = sentence(path, opener=lambda p: read_panorama(p, memory_budget=10**9))
    assert f"{width} x {height}" in message
    assert "1.0 GB may be used" in message


def test_a_header_beyond_every_machine_is_a_sentence(tmp_path):
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(2**31 - 2, 2**30 - 1))
    sentence(path)


def test_a_bomb_that_unpacks_a_thousandfold_is_refused_before_it_does(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(12_000, 6000, colour=0, rows=bytes(12_001 * 6000)))
    assert path.stat().st_size < 100_000
    assert "needs 288 MB" in sentence(path, opener=lambda p: read_panorama(p, memory_budget=10**8))
    assert read_panorama(path, memory_budget=10**9).width == 12_000


@pytest.mark.parametrize(("dtype", "bits"), [(np.int32, 32), (np.int16, 16)])
def test_whole_numbers_that_are_no_colours_are_refused(tmp_path, dtype, bits):
    path = save(tmp_path, Image.fromarray(np.zeros((20, 40), np.int32)), "TIFF")
    tifffile.imwrite(path, np.zeros((20, 40), dtype))
    assert f"it has {bits} bits per channel" in sentence(path, opener=read_header)


def test_other_colour_spaces_are_named(tmp_path):
    path = save(tmp_path, Image.fromarray(noise(20, 40)).convert("LAB"), "TIFF")
    assert "got LAB" in sentence(path)


BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><x>&c;&c;&c;&c;</x>'
)


@EVERY_FORMAT
def test_an_xmp_bomb_leaves_the_picture_as_it_is(tmp_path, kind):
    pixels = smooth(20, 40)
    plain = read_panorama(save(tmp_path, Image.fromarray(pixels), kind, name="plain"))
    path = save(tmp_path, Image.fromarray(pixels), kind, name="bomb", xmp=BOMB)
    np.testing.assert_array_equal(read_panorama(path).rgb, plain.rgb)
    assert "document type" in read_header(path).gpano.notes[0]


def test_an_xmp_packet_that_unpacks_to_megabytes_is_a_sentence_or_ignored(tmp_path):
    packet = xmp_elements(PosePitchDegrees=5, CaptureSoftware="x" * 50_000_000)
    path = save(tmp_path, Image.fromarray(smooth(20, 40)), "PNG", xmp=packet, zip_xmp=True)
    sentence(path)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WebP"])
def test_a_huge_plain_xmp_packet_is_ignored_with_a_reason(tmp_path, kind):
    packet = xmp_elements(PosePitchDegrees=5, CaptureSoftware="x" * 5_000_000)
    path = save(tmp_path, Image.fromarray(smooth(20, 40)), kind, xmp=packet)
    panorama = read_panorama(path)
    assert panorama.is_level
    assert "limit" in read_header(path).gpano.notes[0]


@EVERY_FORMAT
@pytest.mark.parametrize(
    "tags",
    [
        crop_tags(size=(40, 20), full=(10**9, 5 * 10**8), at=(0, 0)),
        crop_tags(size=(40, 20), full=(-80, -40), at=(0, 0)),
        crop_tags(size=(40, 20), full=("NaN", "inf"), at=(0, 0)),
        crop_tags(size=(0, 0), full=(0, 0), at=(0, 0)),
        crop_tags(size=(40, 20), full=(40, 20), at=("left", 10**20)),
        {"ProjectionType": "equirectangular", "FullPanoWidthPixels": 80},
    ],
)
def test_nonsense_in_the_metadata_leaves_a_full_sphere_as_it_is(tmp_path, kind, tags):
    path = save(tmp_path, Image.fromarray(smooth(20, 40)), kind, xmp=xmp_attributes(**tags))
    assert read_panorama(path).rgb.shape == (20, 40, 3)
    assert read_header(path).gpano.notes
