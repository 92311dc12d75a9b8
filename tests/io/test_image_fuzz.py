"""Mutated files of every format: the outcome is always a panorama or a sentence, in bounded memory and time."""

import io
import random
import struct
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from deep_files import COMPRESSIONS, icc_chunk, levels, light, png16, tiff, write_exr
from icc_profiles import rgb_profile
from own_time import own_seconds
from picture_files import FORMATS, SUFFIX, crop_tags, encode, noise, smooth, xmp_attributes, xmp_elements
from PIL import Image

from core.errors import PanoError
from core.io import images
from core.io.gpano import parse_gpano
from core.io.images import read_header, read_panorama, read_preview
from core.io.radiance_hdr import write_hdr
from core.panorama import Panorama

BUDGET = 30_000_000
MAX_GROWTH = 300_000_000
MAX_SECONDS = 5.0
FIRST_PX = 16


@pytest.fixture(autouse=True)
def everything_is_told_first(monkeypatch):
    """The pictures are small, and all are to be seen smaller first."""
    monkeypatch.setattr(images, "FIRST_WIDTH", FIRST_PX)
    monkeypatch.setattr(images, "SLOW_PIXELS", 0)


DEEP = {"PNG 16": ".png", "TIFF 16": ".tif", "HDR": ".hdr", "EXR": ".exr"}
OTHERS = {"AVIF": ".avif"} | ({"HEIC": ".heic"} if find_spec("pillow_heif") else {})
IN_A_PROCESS = ("EXR",)
"""Formats of which each picture starts a process, which takes a fifth of a second."""
KINDS = (*FORMATS, *DEEP, *OTHERS)


def deep_seeds(kind):
    """Small pictures of more than 8 bits."""
    if kind == "PNG 16":
        return [png16(levels(16, 32, channels), icc_chunk(rgb_profile(1.8))) for channels in (1, 2, 3, 4)]
    if kind == "TIFF 16":
        options = [{}, {"compression": "adobe_deflate", "predictor": True}, {"bigtiff": True}, {"tile": (16, 16)}]
        files = [tiff(levels(16, 32), iccprofile=rgb_profile(1.8), **option) for option in options]
        return [*files, tiff(light(16, 32)), tiff(levels(16, 32)[..., 0], photometric="miniswhite")]
    if kind == "HDR":
        files = []
        for width in (6, 40):
            stream = io.BytesIO()
            write_hdr(light(width // 2, width), stream)
            files.append(stream.getvalue())
        line = bytes([10, 20, 30, 128, 1, 1, 1, 29])
        return [*files, b"#?RGBE\nFORMAT=32-bit_rle_xyze\nEXPOSURE=2\n\n+X 30 -Y 30\n" + line * 30]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "light.exr")
        xmp = xmp_elements(PosePitchDegrees=5).decode()
        channels = {"RGB": light(16, 32).astype(np.float16)}
        files = [write_exr(path, channels, compression=name, xmp=xmp).read_bytes() for name in COMPRESSIONS]
        return [*files, write_exr(path, channels, tiles=16).read_bytes()]


def other_seeds(kind):
    """Small AVIF and HEIC pictures."""
    if kind == "HEIC":
        import pillow_heif

        pillow_heif.register_heif_opener()
    files = []
    for options in ({}, {"xmp": xmp_attributes(PosePitchDegrees=12)}, {"icc_profile": rgb_profile(1.8)}):
        stream = io.BytesIO()
        Image.fromarray(smooth(32, 64)).save(stream, "HEIF" if kind == "HEIC" else kind, **options)
        files.append(stream.getvalue())
    return files


def seeds(kind):
    """Small pictures that reach every branch of the reader."""
    if kind in DEEP:
        return deep_seeds(kind)
    if kind in OTHERS:
        return other_seeds(kind)
    tags = crop_tags(size=(64, 32), full=(200, 100), at=(180, 40)) | {"PosePitchDegrees": 12, "PoseRollDegrees": -7}
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = Image.fromarray(smooth(32, 64))
    options = [{}, {"xmp": xmp_attributes(**tags)}, {"xmp": xmp_elements(**tags), "icc_profile": rgb_profile(1.8)}]
    files = [encode(plain, kind, **option) for option in options]
    files += [encode(Image.fromarray(noise(64, 32)), kind, exif=exif), encode(plain.convert("L"), kind)]
    if kind == "JPEG":
        files += [encode(plain, kind, progressive=True), encode(plain.convert("CMYK"), kind)]
    if kind in ("PNG", "WebP"):
        files += [encode(Image.fromarray(noise(32, 64, 4)), kind)]
    if kind == "PNG":
        files += [encode(plain.convert("P"), kind), encode(plain, kind, xmp=xmp_elements(**tags), zip_xmp=True)]
    if kind == "TIFF":
        files += [encode(plain, kind, compression=name) for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg")]
    return files


def mutated(data, dice):
    """The file with one to four changes, most of them near its beginning."""
    data = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = min(int(dice.expovariate(1 / 150)) if dice.random() < 0.7 else dice.randrange(len(data)), len(data) - 1)
        kind = dice.randrange(7)
        if kind == 0:
            data[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            data[at] = dice.choice([0, 1, 0x7F, 0x80, 0xFE, 0xFF])
        elif kind == 2:
            number = dice.choice([0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, dice.getrandbits(32)])
            data[at : at + 4] = struct.pack(dice.choice("<>") + "I", number)
        elif kind == 3:
            del data[at : at + dice.randint(1, 40)]
        elif kind == 4:
            data[at:at] = dice.randbytes(dice.randint(1, 40))
        elif kind == 5:
            source = dice.randrange(len(data))
            data[at:at] = data[source : source + dice.randint(1, 200)]
        else:
            del data[max(at, 1) :]
        if not data:
            return b"\x00"
    return bytes(data)


def resident():
    """Bytes of memory that the process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def told(small):
    assert small.width <= FIRST_PX


def attempt(path, dice):
    """Open a file in one of the three ways; anything but a panorama, a header or a sentence escapes as it is."""
    assume = dice.choice([None, "full", "crop"])
    way = dice.randrange(4)
    try:
        if way == 0:
            read_header(path)
        elif way == 1:
            assert isinstance(read_preview(path, 16, assume=assume, memory_budget=BUDGET), Panorama)
        else:
            first = None if way == 2 else told
            assert isinstance(read_panorama(path, assume=assume, memory_budget=BUDGET, first=first), Panorama)
    except PanoError as error:
        message = str(error)
        assert message.endswith(f": {path}")
        assert "\n" not in message
        return False
    return True


def fuzz(folder, kind, count, seed):
    """Try `count` mutations; both outcomes must have been seen."""
    dice = random.Random(seed)
    files = seeds(kind)
    path = folder / ("photo" + (SUFFIX | DEEP | OTHERS)[kind])
    before, opened = resident(), 0
    for number in range(count):
        path.write_bytes(mutated(dice.choice(files), dice))
        started, _ = own_seconds()
        opened += attempt(path, dice)
        assert own_seconds()[0] - started < MAX_SECONDS, f"mutation {number} of seed {seed}"
    assert resident() - before < MAX_GROWTH
    assert 0 < opened < count


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("kind", KINDS)
def test_a_mutated_file_is_a_panorama_or_a_sentence(tmp_path, kind):
    fuzz(tmp_path, kind, 60 if kind in IN_A_PROCESS else 300, seed=1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(2, 8))
def test_many_mutated_files_are_panoramas_or_sentences(tmp_path, kind, seed):
    fuzz(tmp_path, kind, 2_000 if kind in IN_A_PROCESS else 10_000, seed)


@pytest.mark.parametrize("seed", range(4))
def test_a_mutated_packet_gives_finite_angles_and_a_crop_that_fits(seed):
    dice = random.Random(seed)
    tags = crop_tags(size=(64, 32), full=(200, 100), at=(180, 40)) | {"PosePitchDegrees": 12, "PoseHeadingDegrees": 7}
    packets = [xmp_attributes(**tags), xmp_elements(**tags)]
    for _ in range(2600):
        data = bytearray(dice.choice(packets))
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(data))
            choice = dice.randrange(3)
            if choice == 0:
                data[at] = dice.choice(b"0123456789.-+eENanif\"'<>&;/ ")
            elif choice == 1:
                del data[at : at + dice.randint(1, 20)]
            else:
                data[at:at] = dice.choice([b"1e999", b"NaN", b"-", b"<!DOCTYPE a>", b"&amp;", b"99999999999"])
        gpano = parse_gpano(bytes(data))
        assert np.isfinite(gpano.level_from_world).all()
        assert 0 < gpano.first_view().fov_x < np.pi
        if gpano.crop is not None:
            assert 0 < gpano.crop.width <= gpano.crop.full_width
            assert gpano.crop.top + gpano.crop.height <= gpano.crop.full_height
