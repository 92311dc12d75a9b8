"""When, where and with what a photograph was taken is kept by `panoviewer convert`, at any depth."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from core.io.images import read_panorama
from core.io.kept_exif import kept_exif

TAKEN, PLACE = "2026:11:21 10:20:30", ((47.0, 22.0, 12.5), (8.0, 32.0, 1.0))
KINDS = ("jpg", "png", "16.png", "tif", "16.tif", "webp", "avif")


def levels(channels=3):
    return np.random.default_rng(0).integers(0, 65536, (16, 32, channels), dtype=np.uint16)


def png16(data=b""):
    """A PNG of 16 bits with EXIF data in front of its pixels."""
    plain = cv2.imencode(".png", levels())[1].tobytes()
    chunk = b"eXIf" + data.removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return plain[:33] + (chunk if data else b"") + plain[33:]


def exif():
    data = Image.Exif()
    data[ExifTags.Base.Make], data[ExifTags.Base.Model] = "Maker & Söhne".encode().decode("latin-1"), "R1"
    data[ExifTags.Base.Orientation] = 1
    inner = data.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.DateTimeOriginal], inner[ExifTags.Base.OffsetTimeOriginal] = TAKEN, "+01:00"
    inner[ExifTags.Base.ExifImageWidth], inner[ExifTags.Base.ExposureTime] = 32, 0.004
    inner[ExifTags.Base.MakerNote] = b"a secret of the maker's" * 10
    gps = data.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", PLACE[0]
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "E", PLACE[1]
    gps[ExifTags.GPS.GPSAltitudeRef], gps[ExifTags.GPS.GPSAltitude] = b"\x00", 408.5
    return data


def taken(folder, kind):
    """A photograph of a kind that says all this."""
    path = folder / f"photo.{kind}"
    if kind == "16.png":
        path.write_bytes(png16(exif().tobytes()))
    elif kind == "16.tif":
        Image.fromarray(levels(1)[..., 0]).save(path, exif=exif().tobytes())
    else:
        Image.fromarray((levels() >> 8).astype(np.uint8)).save(path, exif=exif().tobytes())
    return path


def check(data):
    assert data[ExifTags.Base.Model] == "R1"
    assert ExifTags.Base.Orientation not in data
    inner, gps = data.get_ifd(ExifTags.IFD.Exif), data.get_ifd(ExifTags.IFD.GPSInfo)
    assert inner[ExifTags.Base.DateTimeOriginal] == TAKEN
    assert inner[ExifTags.Base.OffsetTimeOriginal] == "+01:00"
    assert float(inner[ExifTags.Base.ExposureTime]) == pytest.approx(0.004)
    assert (inner[ExifTags.Base.ExifImageWidth], inner[ExifTags.Base.ExifImageHeight]) == (40, 20)
    assert ExifTags.Base.MakerNote not in inner
    assert gps[ExifTags.GPS.GPSLatitudeRef] == "N"
    assert tuple(map(float, gps[ExifTags.GPS.GPSLatitude])) == PLACE[0]
    assert tuple(map(float, gps[ExifTags.GPS.GPSLongitude])) == PLACE[1]
    assert float(gps[ExifTags.GPS.GPSAltitude]) == 408.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_what_a_photograph_says_of_its_taking_is_kept(tmp_path, in_process, kind, ending):
    out = tmp_path / f"out.{ending}"
    assert in_process("convert", taken(tmp_path, kind), "--rotate", "9,0,0", "--width", "40", "-o", out) == 0
    assert read_panorama(out).rgb.shape == (20, 40, 3)
    if ending == "tif":
        tags = tifffile.TiffFile(out).pages[0].tags
        assert tags["Model"].value == "R1"
        assert tags["ExifTag"].value["DateTimeOriginal"] == TAKEN
        assert tags["GPSTag"].value["GPSLatitude"][:2] == (47, 1)
        # As the photograph of a further turn, it says the same.
        data = Image.Exif()
        data.load(kept_exif(out, 20, 40))
        check(data)
    else:
        with Image.open(out) as image:
            check(image.getexif())


def test_a_tiff_of_8_or_16_bits_holds_the_same_pixels_as_a_png(tmp_path, in_process):
    for kind in ("png", "16.png"):
        source = taken(tmp_path, kind)
        for ending in ("png", "tif"):
            assert in_process("convert", source, "--rotate", "33,5,0", "-o", tmp_path / f"{kind}.{ending}") == 0
        stored = tifffile.imread(tmp_path / f"{kind}.tif")
        assert stored.dtype == (np.uint16 if kind == "16.png" else np.uint8)
        np.testing.assert_array_equal(
            read_panorama(tmp_path / f"{kind}.tif").rgb, read_panorama(tmp_path / f"{kind}.png").rgb
        )


@pytest.mark.parametrize(("is_big", "order"), [(False, "<"), (False, ">"), (True, "<")])
def test_a_tiff_of_any_kind_tells_its_date(tmp_path, is_big, order):
    path = tmp_path / "photo.tif"
    tifffile.imwrite(path, levels(), photometric="rgb", bigtiff=is_big, byteorder=order, datetime=TAKEN)
    data = Image.Exif()
    data.load(kept_exif(path, 16, 32))
    assert data[ExifTags.Base.DateTime] == TAKEN


@pytest.mark.parametrize("bits", [8, 16])
def test_a_tiff_of_a_kind_that_no_reader_knows_is_told_of(tmp_path, in_process, capsys, bits):
    path = tmp_path / "photo.tif"
    pixels = (levels() >> (16 - bits)).astype(f"u{bits // 8}")
    tifffile.imwrite(path, pixels, photometric="rgb", bigtiff=True, byteorder=">")
    assert in_process("convert", path, "-o", tmp_path / "out.jpg") == 2
    assert "BigTIFF in big-endian order" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["16.tif", "tif", "16.png"])
def test_damaged_exif_data_are_left_out(tmp_path, in_process, kind, recwarn, capsys):
    path = taken(tmp_path, kind)
    data = exif().tobytes() if kind == "16.png" else path.read_bytes()
    damaged = 0
    for tag in (0x8769, 0x8825):
        for order in ("<", ">"):
            entry = struct.pack(f"{order}HHI", tag, 4, 1)
            at = data.find(entry)
            if at >= 0:
                data = data[: at + 8] + b"\xff" * 4 + data[at + 12 :]
                damaged += 1
    assert damaged == 2
    path.write_bytes(png16(data) if kind == "16.png" else data)
    out = tmp_path / "out.jpg"
    assert in_process("convert", path, "-o", out) == 0
    assert capsys.readouterr().err.count("\n") == 1, "what was written, and nothing about metadata"
    assert not [warning for warning in recwarn if "PIL" in warning.filename]
    with Image.open(out) as image:
        said = image.getexif()
        assert not said.get_ifd(ExifTags.IFD.GPSInfo)
        assert ExifTags.Base.DateTimeOriginal not in said.get_ifd(ExifTags.IFD.Exif)


def test_a_photograph_that_says_nothing_gives_a_picture_that_says_nothing(tmp_path, in_process):
    (tmp_path / "photo.png").write_bytes(png16())
    for ending in ("png", "tif", "jpg"):
        assert in_process("convert", tmp_path / "photo.png", "-o", tmp_path / f"out.{ending}") == 0
        assert kept_exif(tmp_path / f"out.{ending}", 16, 32) is None
