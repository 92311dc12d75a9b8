"""Photo Sphere metadata: found in every container, in both spellings, turned into our frame with the right signs."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from picture_files import FORMATS, crop_tags, encode, noise, save, xmp_attributes, xmp_elements
from PIL import Image

from core.geometry.camera import rotation_from_angles
from core.geometry.sphere import angle_between, directions_to_erp, erp_rays
from core.io.gpano import Crop, parse_gpano, read_gpano
from core.io.images import read_panorama
from core.io.xmp import MAX_PACKET_BYTES, read_xmp

PICTURE = Image.fromarray(noise(8, 16))
FULL = crop_tags(size=(600, 200), full=(2000, 1000), at=(700, 400))
SPELLINGS = pytest.mark.parametrize("spelling", [xmp_attributes, xmp_elements])


@SPELLINGS
@pytest.mark.parametrize("kind", FORMATS)
def test_both_spellings_are_found_in_every_container(tmp_path, kind, spelling):
    path = save(tmp_path, PICTURE, kind, xmp=spelling(**FULL, PoseHeadingDegrees=350.5, InitialHorizontalFOVDegrees=75))
    gpano = read_gpano(path)
    assert gpano.crop == Crop(height=200, width=600, full_height=1000, full_width=2000, top=400, left=700)
    assert np.rad2deg(gpano.pose_heading) == pytest.approx(350.5)
    assert np.rad2deg(gpano.view_fov_x) == pytest.approx(75)
    assert gpano.notes == ()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_without_metadata_says_nothing(tmp_path, kind):
    gpano = read_gpano(save(tmp_path, PICTURE, kind))
    assert gpano.crop is None
    assert gpano.pose_heading is None
    assert gpano.notes == ()
    np.testing.assert_array_equal(gpano.level_from_world, np.eye(3))


def test_compressed_and_late_packets_of_a_png_are_found():
    packet = xmp_elements(PosePitchDegrees=7)
    assert read_xmp(io.BytesIO(encode(PICTURE, "PNG", xmp=packet, zip_xmp=True))) == packet
    plain = encode(PICTURE, "PNG")
    body = b"iTXtXML:com.adobe.xmp\x00\x00\x00\x00\x00" + packet
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    assert read_xmp(io.BytesIO(plain[:-12] + chunk + plain[-12:])) == packet


def test_the_packet_of_a_big_endian_and_of_a_big_tiff_is_found():
    packet = xmp_elements(PosePitchDegrees=7)
    directory = struct.pack(">HHHIII", 1, 700, 1, len(packet), 26, 0)
    assert read_xmp(io.BytesIO(b"MM\x00*" + struct.pack(">I", 8) + directory + packet)) == packet
    big = struct.pack("<QHHQQQ", 1, 700, 1, len(packet), 52, 0)
    assert read_xmp(io.BytesIO(b"II+\x00\x08\x00\x00\x00" + struct.pack("<Q", 16) + big + packet)) == packet


def test_a_packet_behind_fill_bytes_and_other_segments_is_found():
    packet = xmp_elements(PosePitchDegrees=7)
    jpeg = encode(PICTURE, "JPEG", xmp=packet, exif=b"Exif\x00\x00" + b"\x00" * 60_000)
    assert read_xmp(io.BytesIO(jpeg[:2] + b"\xff" * 5 + jpeg[2:])) == packet


class _Counting(io.BytesIO):
    """A file that knows how much of it was read."""

    taken = 0

    def read(self, size=-1):
        data = super().read(size)
        self.taken += len(data)
        return data


@pytest.mark.parametrize("kind", FORMATS)
def test_only_the_structure_of_a_large_file_is_read(kind):
    data = encode(Image.fromarray(noise(512, 1024)), kind)
    stream = _Counting(data + b"\x00" * 1_000_000)
    assert read_xmp(stream) is None
    assert len(data) > 300_000
    assert stream.taken < 5_000


# --- hostile packets -------------------------------------------------------------------------------------------------

LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
    b'<x xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" GPano:PosePitchDegrees="5">&c;</x>'
)
OUTSIDE = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'


@pytest.mark.parametrize("packet", [LAUGHS, OUTSIDE])
def test_a_document_type_is_refused_before_anything_is_expanded(packet):
    gpano = parse_gpano(packet)
    assert "document type" in gpano.notes[0]
    assert gpano.pose_pitch == 0


@pytest.mark.parametrize("packet", [b"", b"\x00" * 50, b"<x>", b"<a></b>", b"\xff\xfe\x00", b"<GPano:x/>", b"not xml"])
def test_a_broken_packet_is_ignored_with_a_reason(packet):
    assert "not well-formed" in parse_gpano(packet).notes[0]


def test_what_follows_the_packet_does_not_matter():
    packet = xmp_attributes(PosePitchDegrees=5)
    for tail in (b"\x00" * 20, b"\n\n", b"<x/>", b"garbage"):
        assert np.rad2deg(parse_gpano(packet + tail).pose_pitch) == pytest.approx(5)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WebP"])
def test_a_packet_that_is_too_large_is_ignored_with_a_reason(tmp_path, kind):
    packet = xmp_elements(PosePitchDegrees=5, CaptureSoftware="x" * MAX_PACKET_BYTES)
    gpano = read_gpano(save(tmp_path, PICTURE, kind, xmp=packet))
    assert "limit" in gpano.notes[0]
    assert gpano.pose_pitch == 0


def test_a_packet_that_unpacks_to_too_much_is_ignored_with_a_reason(tmp_path):
    packet = xmp_elements(PosePitchDegrees=5, CaptureSoftware="x" * (4 * MAX_PACKET_BYTES))
    data = encode(PICTURE, "PNG", xmp=packet, zip_xmp=True)
    assert len(data) < 100_000
    assert "unpacks" in read_gpano(io.BytesIO(data)).notes[0]


def test_deep_nesting_is_harmless():
    depth = 100_000
    packet = b"<a>" * depth + b"</a>" * depth
    assert parse_gpano(packet).crop is None


@pytest.mark.parametrize("value", ["NaN", "inf", "-inf", "1e400", "91", "-90.1", "north", "", "5,0", "0x10", "5" * 500])
def test_a_nonsense_angle_is_left_out_and_noted(value):
    gpano = parse_gpano(xmp_attributes(PosePitchDegrees=value, PoseRollDegrees=3))
    assert gpano.pose_pitch == 0
    assert np.rad2deg(gpano.pose_roll) == pytest.approx(3)
    assert (len(gpano.notes) == 1 and "PosePitchDegrees" in gpano.notes[0]) or value == ""


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("FullPanoWidthPixels", "NaN"),
        ("FullPanoWidthPixels", -2000),
        ("FullPanoWidthPixels", 0),
        ("FullPanoWidthPixels", 10**12),
        ("FullPanoWidthPixels", 2500),
        ("FullPanoHeightPixels", 400),
        ("CroppedAreaImageWidthPixels", 2001),
        ("CroppedAreaImageWidthPixels", 0),
        ("CroppedAreaImageHeightPixels", "tall"),
        ("CroppedAreaLeftPixels", 2000),
        ("CroppedAreaLeftPixels", -2000),
        ("CroppedAreaTopPixels", -1),
        ("CroppedAreaTopPixels", 801),
    ],
)
def test_an_impossible_crop_is_ignored_and_noted(tag, value):
    gpano = parse_gpano(xmp_elements(**(FULL | {tag: value})))
    assert gpano.crop is None
    assert any("crop" in note for note in gpano.notes)


@pytest.mark.parametrize("tag", [tag for tag in FULL if tag != "ProjectionType"])
def test_half_a_crop_is_ignored_and_noted(tag):
    gpano = parse_gpano(xmp_elements(**{key: value for key, value in FULL.items() if key != tag}))
    assert gpano.crop is None
    assert tag in gpano.notes[0]


def test_pixels_may_be_written_with_a_decimal_point():
    assert parse_gpano(xmp_elements(**{k: f"{v}.0" if k != "ProjectionType" else v for k, v in FULL.items()})).crop


def test_the_first_of_two_values_counts():
    twice = xmp_attributes(PosePitchDegrees=5).replace(b"/></rdf:RDF>", b"/><rdf:Description rdf:about='' /></rdf:RDF>")
    assert np.rad2deg(parse_gpano(twice).pose_pitch) == pytest.approx(5)


# --- the frame -------------------------------------------------------------------------------------------------------


def north_from_photo(heading, pitch, roll):
    """The pose, straight from the words of the tags; north frame: x east, y down, z north.

    The centre has compass bearing `heading` and lies `pitch` above the horizon; what is level to the right appears in
    the picture turned clockwise by `roll`.
    """
    forward = np.array([np.sin(heading) * np.cos(pitch), -np.sin(pitch), np.cos(heading) * np.cos(pitch)])
    right = np.array([np.cos(heading), 0, -np.sin(heading)])
    down = np.cross(forward, right)
    return (
        np.outer(right, [np.cos(roll), np.sin(roll), 0])
        + np.outer(down, [-np.sin(roll), np.cos(roll), 0])
        + np.outer(forward, [0, 0, 1])
    )


def camera_in_north(heading, pitch, roll):
    """The first view, straight from the words of its tags: right, up, clockwise."""
    forward = np.array([np.sin(heading) * np.cos(pitch), -np.sin(pitch), np.cos(heading) * np.cos(pitch)])
    level_right = np.array([np.cos(heading), 0, -np.sin(heading)])
    level_down = np.cross(forward, level_right)
    right = np.cos(roll) * level_right + np.sin(roll) * level_down
    return np.stack([right, np.cross(forward, right), forward], axis=1)


headings = st.floats(0, 359.9)
pitches = st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, 90.0]))
rolls = st.floats(-179.9, 180)


def tags_of(pose, view):
    names = ("Heading", "Pitch", "Roll")
    tags = {f"Pose{name}Degrees": value for name, value in zip(names, pose, strict=True)}
    return tags | {f"InitialView{name}Degrees": value for name, value in zip(names, view, strict=True)}


@given(pose=st.tuples(headings, pitches, rolls), view=st.tuples(headings, pitches, rolls))
@example(pose=(0.0, 90.0, 0.0), view=(0.0, 0.0, 0.0))
@example(pose=(45.0, 5.0, 5.0), view=(0.0, 0.0, 0.0))
@example(pose=(30.0, 90.0, 20.0), view=(10.0, 90.0, 5.0))
@example(pose=(30.0, -90.0, 20.0), view=(10.0, -90.0, 5.0))
def test_pose_and_first_view_follow_the_words_of_the_tags(pose, view):
    gpano = parse_gpano(xmp_attributes(**tags_of(pose, view)))
    north_from_level = rotation_from_angles(gpano.pose_heading, 0, 0)
    expected = north_from_photo(*np.deg2rad(pose))
    np.testing.assert_allclose(north_from_level @ gpano.level_from_world, expected, atol=1e-9)
    seen = expected @ gpano.first_view().world_from_camera
    np.testing.assert_allclose(seen, camera_in_north(*np.deg2rad(view)), atol=1e-7)


@settings(max_examples=40, deadline=None)
@given(pose=st.tuples(headings, pitches, rolls), view=st.tuples(headings, pitches, rolls))
@example(pose=(0.0, 90.0, 0.0), view=(0.0, 0.0, 0.0))
@example(pose=(0.0, 0.0, 5.0), view=(0.0, 0.0, 5.0))
def test_a_photo_of_a_world_painted_with_its_directions_opens_level_and_looking_right(tmp_path_factory, pose, view):
    height, width = 90, 180
    world_directions = erp_rays(height, width) @ north_from_photo(*np.deg2rad(pose)).T
    painted = np.round((world_directions + 1) * 127.5).astype(np.uint8)
    folder = tmp_path_factory.mktemp("posed")
    panorama = read_panorama(save(folder, Image.fromarray(painted), "PNG", xmp=xmp_elements(**tags_of(pose, view))))

    def seen(directions):
        u, v = directions_to_erp(directions, height, width)
        colours = panorama.rgb[np.minimum(v.astype(int), height - 1), np.minimum(u.astype(int), width - 1)]
        return colours / 127.5 - 1

    # Turned by the pose, the picture is level: the painted direction differs by the heading about the vertical only.
    level = erp_rays(31, 62).reshape(-1, 3)
    expected = level @ rotation_from_angles(panorama.heading, 0, 0).T
    assert np.rad2deg(angle_between(seen(level @ panorama.level_from_world), expected)).max() < 3
    # The first view shows what its tags ask for.
    camera = panorama.initial_view
    rays = camera.rays()[::64, ::64].reshape(-1, 3)
    flat = rays @ camera.world_from_camera  # in the camera's own frame
    expected = flat @ camera_in_north(*np.deg2rad(view)).T
    assert np.rad2deg(angle_between(seen(rays), expected)).max() < 3


def test_without_a_heading_the_first_view_is_the_middle_of_the_picture_made_level():
    gpano = parse_gpano(xmp_attributes(PoseHeadingDegrees=225, PosePitchDegrees=20, PoseRollDegrees=-30))
    forward = gpano.level_from_world @ gpano.first_view().world_from_camera
    np.testing.assert_allclose(forward, np.eye(3), atol=1e-12)


@pytest.mark.parametrize(("given_fov", "used"), [(120, 120), (75.5, 75.5), (1, 10), (360, 150), (0, 90), (-5, 90)])
def test_the_field_of_view_is_one_that_can_be_looked_at(given_fov, used):
    gpano = parse_gpano(xmp_attributes(InitialHorizontalFOVDegrees=given_fov))
    assert np.rad2deg(gpano.first_view().fov_x) == pytest.approx(used)


def test_another_projection_has_no_crop_and_keeps_its_name():
    gpano = parse_gpano(xmp_attributes(**(FULL | {"ProjectionType": "cylindrical"})))
    assert gpano.projection == "cylindrical"
    assert gpano.crop is None
