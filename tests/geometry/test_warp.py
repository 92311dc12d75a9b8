import math
from dataclasses import replace

import numpy as np
import py360convert
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.geometry.camera import Camera, rotation_from_angles
from core.geometry.sphere import erp_rays, lonlat_to_directions, solid_angle
from core.geometry.warp import camera_to_erp, erp_to_camera, resize_erp, sample_erp, turn_erp

SIZES = [(64, 128), (65, 131), (64, 129), (33, 65)]
angles = st.floats(-3.1, 3.1)
rotations = st.builds(rotation_from_angles, angles, st.floats(-1.5, 1.5), angles)


def smooth(directions):
    """A smooth function on the sphere, of slope below 1.5 and second derivative below 4."""
    directions = np.asarray(directions, np.float64)
    return directions @ (0.3, 0.5, 0.2) + (directions @ (0.5, -0.3, 0.7)) ** 2


def grey(values):
    """The same as grey levels, 100 per unit."""
    return np.floor(np.clip(values * 100 + 100, 0, 255) + 0.5).astype(np.uint8)


def camera(*, yaw=0.0, pitch=0.0, roll=0.0, fov_x=math.pi / 2, height=60, width=60):
    return Camera(yaw=yaw, pitch=pitch, roll=roll, fov_x=fov_x, height=height, width=width)


def noise(kind, shape):
    values = np.random.default_rng(0).integers(0, 256, shape)
    return values % 2 == 0 if kind == np.bool_ else values.astype(kind)


# Sampling


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.bool_, np.int16])
def test_a_ray_sees_its_own_pixel(size, kind):
    image = noise(kind, size)
    for nearest in (False, True):
        seen = sample_erp(image, erp_rays(*size).astype(np.float64), nearest=nearest)
        assert seen.dtype == kind
        # Rays are known to 1e-7 rad, here below 1e-5 pixels, of steps up to 255.
        np.testing.assert_allclose(seen.astype(float), image.astype(float), atol=0.01)


@pytest.mark.parametrize("size", SIZES)
def test_sampling_is_linear_across_the_seam_and_the_poles(size):
    image = smooth(erp_rays(*size))
    directions = np.random.default_rng(1).normal(size=(5000, 3))
    directions[:100, 0] *= 1e-3
    directions[:100, 2] = -1  # along the seam
    directions[100:200, [0, 2]] *= 1e-3  # around the poles
    exact = smooth(directions / np.linalg.norm(directions, axis=1, keepdims=True))
    np.testing.assert_allclose(sample_erp(image, directions), exact, atol=(math.pi / size[0]) ** 2)


def test_values_keep_the_shape_of_the_directions():
    image = np.zeros((4, 8, 3), np.float32)
    assert sample_erp(image, np.ones((5, 2, 3))).shape == (5, 2, 3)
    assert sample_erp(image[..., 0], [0.0, 0.0, 1.0]).shape == ()


def test_the_poles_are_means_of_what_surrounds_them():
    image = np.zeros((4, 8))
    image[0, :4], image[0, 4:] = 1.0, 3.0
    assert sample_erp(image, [0.0, -1.0, 0.0]) == pytest.approx(2.0)


def test_an_unknown_half_is_unknown_and_an_unknown_corner_is_not():
    image = np.full((4, 8), 5.0, np.float32)
    image[1, 4] = np.nan
    known, unknown = lonlat_to_directions([0.0, math.pi / 8], [0.0, math.pi / 8])
    assert sample_erp(image, known) == 5
    assert np.isnan(sample_erp(image, unknown))


# Turning


@given(st.integers(-40, 40), st.sampled_from(SIZES), st.sampled_from([np.uint8, np.float32, np.bool_, np.int16]))
def test_a_turn_by_whole_columns_is_exact(columns, size, kind):
    image = noise(kind, size)
    turned = turn_erp(image, rotation_from_angles(2 * math.pi * columns / size[1], 0.0, 0.0))
    np.testing.assert_array_equal(turned, np.roll(image, columns, axis=1))


@settings(max_examples=40)
@given(rotations, st.sampled_from(SIZES))
def test_what_lies_in_a_direction_comes_to_lie_in_the_turned_one(rotation, size):
    rays = erp_rays(*size).astype(np.float64)
    expected = smooth(rays @ rotation)  # at ray r: what lay in rotation.T @ r
    error = (math.pi / size[0]) ** 2
    image = smooth(rays)
    np.testing.assert_allclose(turn_erp(image, rotation), expected, atol=error)
    np.testing.assert_allclose(turn_erp(image.astype(np.float32), rotation), expected, atol=error)
    # Half a level each for the two roundings, and 1/64 pixel for cv2's table.
    np.testing.assert_allclose(turn_erp(grey(image), rotation), 100 * expected + 100, atol=100 * error + 1.2)


@pytest.mark.parametrize("size", SIZES)
def test_two_half_turns_upside_down_come_back(size):
    over = rotation_from_angles(0.0, 0.0, math.pi)
    image = noise(np.float32, size)
    np.testing.assert_allclose(turn_erp(turn_erp(image, over), over)[1:-1], image[1:-1], atol=0.01)
    if size[1] % 2 == 0:
        np.testing.assert_allclose(turn_erp(image, over), image[::-1, ::-1], atol=0.01)


@settings(max_examples=40)
@given(rotations)
def test_labels_and_masks_keep_their_kind_and_share(rotation):
    labels = np.where(smooth(erp_rays(64, 128)) > 0.2, 7, -1).astype(np.int16)
    turned = turn_erp(labels, rotation)
    assert turned.dtype == np.int16
    assert set(np.unique(turned)) <= {-1, 7}
    mask = turn_erp(labels == 7, rotation)
    assert mask.dtype == np.bool_
    truth = smooth(erp_rays(64, 128).astype(np.float64) @ rotation) > 0.2
    assert (mask != truth).mean() < 0.01
    assert ((turned == 7) != truth).mean() < 0.015


def test_a_hole_in_a_map_keeps_its_size_when_turned():
    depth = np.ones((64, 128), np.float32)
    depth[20:40, 30:60] = np.nan
    turned = turn_erp(turn_erp(depth, rotation_from_angles(0.3, 0.5, 0.7)), rotation_from_angles(0.3, 0.5, 0.7).T)
    assert (np.isnan(turned) != np.isnan(depth)).mean() < 0.01


def test_what_is_no_rotation_is_refused():
    with pytest.raises(ValueError, match="rotation"):
        turn_erp(np.zeros((4, 8)), np.full((3, 3), 0.5))


# ERP -> camera


@settings(max_examples=60)
@given(
    st.builds(
        camera,
        yaw=st.floats(-7, 7),
        pitch=st.one_of(st.floats(-1.57, 1.57), st.sampled_from([-math.pi / 2, math.pi / 2])),
        roll=angles,
        fov_x=st.floats(0.2, 2.3),
        height=st.integers(40, 90),
        width=st.integers(40, 90),
    ),
    st.sampled_from(SIZES),
)
def test_a_view_shows_what_lies_along_its_rays(view, size):
    image = smooth(erp_rays(*size))
    expected = smooth(view.rays())
    # Where the view is coarser than the panorama, its pixels are means.
    error = (math.pi / size[0]) ** 2 + 1 / view.focal_px**2
    np.testing.assert_allclose(erp_to_camera(image, view), expected, atol=error)
    np.testing.assert_allclose(erp_to_camera(grey(image), view), 100 * expected + 100, atol=100 * error + 1.7)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pitch", [0.0, 1.0, math.pi / 2])
def test_there_is_no_column_of_another_colour_at_the_seam(size, pitch):
    image = np.full((*size, 3), 200, np.uint8)
    for width in (20, 61, 200):
        view = camera(yaw=math.pi, pitch=pitch, height=width, width=width)
        assert (erp_to_camera(image, view) == 200).all()
        assert (erp_to_camera(image.astype(np.float32), view) == 200).all()


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.bool_, np.int16])
@pytest.mark.parametrize("size", SIZES)
def test_the_nearest_pixel_of_each_ray(kind, size):
    image = noise(kind, size)
    view = camera(yaw=3.0, pitch=1.2, roll=0.4, height=50, width=70)
    picked = erp_to_camera(image, view, nearest=True)
    reference = sample_erp(image, view.rays(), nearest=True)
    assert picked.dtype == kind
    assert (picked != reference).mean() < 0.001  # a ray on the border of two pixels


def test_looking_straight_down_the_nearest_pixel_is_one_of_the_lowest_row():
    image = np.zeros((9, 17), np.uint8)
    image[-1] = 5
    view = camera(pitch=-math.pi / 2, fov_x=0.01, height=3, width=3)
    assert (erp_to_camera(image, view, nearest=True) == 5).all()


@pytest.mark.parametrize("eighths", [1, 2, 4, 7])
@pytest.mark.parametrize("fov", [10.0, 47.0, 70.0, 90.0, 100.0])
def test_a_coarse_view_of_a_panorama_that_is_turned_by_eighths_is_the_same_to_the_last_bit(fov, eighths):
    image = np.random.default_rng(0).integers(0, 256, (512, 1024, 3)).astype(np.uint8)
    view = camera(yaw=math.radians(178.0), pitch=0.3, fov_x=math.radians(fov), height=32, width=32)
    turned = replace(view, yaw=math.remainder(view.yaw + eighths * math.pi / 4, 2 * math.pi))
    rolled = np.roll(image, eighths * 128, axis=1)
    np.testing.assert_array_equal(erp_to_camera(rolled, turned), erp_to_camera(image, view))


@given(angles, st.integers(-300, 300))
def test_rolling_the_panorama_and_turning_the_camera_changes_nothing(yaw, columns):
    image = noise(np.uint8, (64, 129, 3))
    view = camera(yaw=yaw, pitch=0.7, height=90, width=80)
    turned = replace(view, yaw=yaw + 2 * math.pi * columns / 129)
    straight = erp_to_camera(image, view).astype(int)
    rolled = erp_to_camera(np.roll(image, columns, axis=1), turned).astype(int)
    # The fraction of a column is known to 1e-9, which may tip a position into the next 32nd of a pixel.
    assert (np.abs(straight - rolled) > 0).mean() < 0.001


@pytest.mark.parametrize("pitch", [0.0, 0.8, math.pi / 2, -math.pi / 2])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_noise_seen_from_afar_is_averaged_and_not_picked(kind, pitch):
    image = noise(kind, (512, 1024))
    view = camera(yaw=2.9, pitch=pitch, height=24, width=24)
    seen = erp_to_camera(image, view).astype(float)
    # A pixel of the view covers more than 40 of the panorama, at the border of the view 10.
    assert seen.std() < image.astype(float).std() / 3
    assert seen[8:16, 8:16].std() < image.astype(float).std() / 5
    assert seen.mean() == pytest.approx(127, abs=4)


def test_stripes_too_fine_for_a_view_become_grey():
    image = np.zeros((512, 1024), np.uint8)
    image[:, ::2] = 255
    seen = erp_to_camera(image, camera(yaw=0.3, pitch=0.9, height=32, width=32))
    assert np.abs(seen.astype(float) - 127.5).max() < 16


def test_views_of_a_mask_and_of_unknown_depth():
    mask = np.zeros((64, 128), bool)
    mask[:, 64:] = True
    view = camera(yaw=0.0, height=64, width=64)
    seen = erp_to_camera(mask, view)
    assert seen.dtype == np.bool_
    np.testing.assert_array_equal(seen, np.arange(64)[None].repeat(64, axis=0) >= 32)
    depth = np.where(mask, np.float32(np.nan), np.float32(2))
    seen = erp_to_camera(depth, view)
    np.testing.assert_array_equal(np.isnan(seen), np.arange(64)[None].repeat(64, axis=0) >= 32)
    assert (seen[:, :32] == 2).all()


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("pitch", [0.0, math.pi / 2])
def test_panoramas_wider_than_cv2_can_count_are_seen(kind, pitch):
    image = np.zeros((64, 40_000), kind)
    image[:, 35_000:] = 200  # from lon 135 degrees on
    view = camera(yaw=math.pi, pitch=pitch, fov_x=1.0, height=64, width=64)
    seen = erp_to_camera(image, view)
    expected = sample_erp(image, view.rays(), nearest=True)
    assert (np.abs(seen.astype(float) - expected) > 1).mean() < 0.1  # the edge and the pole are smooth
    assert (seen == 200).any()
    turned = turn_erp(image, rotation_from_angles(0.2, 0.4, 0.1))
    assert turned.shape == image.shape
    assert (solid_angle(64, 40_000) * (turned > 100)).sum() / (4 * math.pi) == pytest.approx(0.125, abs=0.002)
    close = camera(yaw=math.pi * 0.75, fov_x=1e-3, height=5, width=64)
    np.testing.assert_array_equal(np.diff((erp_to_camera(image, close)[2] > 100).astype(int)).sum(), 1)


def test_a_picture_wider_than_cv2_can_count_is_filled():
    image = grey(smooth(erp_rays(64, 128)))
    view = camera(fov_x=1.0, height=2, width=33_000)
    np.testing.assert_allclose(erp_to_camera(image, view), 100 * smooth(view.rays()) + 100, atol=1.5)


# Camera -> ERP


@settings(max_examples=60)
@given(
    st.builds(
        camera,
        yaw=st.floats(-7, 7),
        pitch=st.one_of(st.floats(-1.57, 1.57), st.sampled_from([-math.pi / 2, math.pi / 2]), st.floats(-7, 7)),
        roll=angles,
        fov_x=st.floats(0.1, 2.6),
        height=st.integers(30, 60),
        width=st.integers(30, 60),
    ),
    st.sampled_from(SIZES),
)
def test_a_picture_comes_to_lie_exactly_where_its_camera_sees(view, size):
    values, weights = camera_to_erp(smooth(view.rays()), view, *size)
    rays = erp_rays(*size).astype(np.float64)
    u, v = view.project(rays)
    margin = 1e-4  # the rays are float32
    inside = (u > margin) & (u < view.width - margin) & (v > margin) & (v < view.height - margin)
    near = (u > -margin) & (u < view.width + margin) & (v > -margin) & (v < view.height + margin)
    assert (weights[inside] == 1).all()
    assert (weights[~near] == 0).all()
    assert np.isnan(values[~near]).all()
    # Beyond the outermost pixel centres the picture, made as coarse as the panorama, is continued as it is: half a
    # pixel of the slope, below 1.5.
    pixel = max(math.tan(view.fov_x / 2) * 2 / view.width, math.pi / size[0])
    error = 0.8 * pixel + (math.pi / size[0]) ** 2
    np.testing.assert_allclose(values[inside], smooth(rays)[inside], atol=error)


@pytest.mark.parametrize("kind", [np.uint8, np.bool_, np.int16, np.float32])
def test_the_kind_of_a_picture_stays(kind):
    view = camera(yaw=math.pi, pitch=-1.0, height=40, width=30)
    values, weights = camera_to_erp(noise(kind, (40, 30, 2)), view, 65, 131)
    assert values.shape == (65, 131, 2)
    assert values.dtype == kind
    assert weights.shape == (65, 131)
    assert weights.dtype == np.float32
    if kind != np.float32:
        assert not values[weights == 0].any()
    if kind == np.int16:
        assert set(np.unique(values[weights > 0])) <= set(range(256))


def test_a_fine_picture_is_averaged_on_a_coarse_panorama():
    view = camera(height=512, width=512)
    values, weights = camera_to_erp(noise(np.float32, (512, 512)), view, 32, 64)
    assert values[weights > 0].std() < noise(np.float32, (512, 512)).std() / 4


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"\(60, 60\), got \(60, 59\)"):
        camera_to_erp(np.zeros((60, 59)), camera(), 32, 64)


# A second opinion


@pytest.mark.parametrize(("yaw_deg", "pitch_deg", "roll_deg"), [(0, 0, 0), (90, 30, 0), (-170, -60, 20), (30, 80, -40)])
def test_py360convert_sees_the_same_view_to_half_a_pixel(yaw_deg, pitch_deg, roll_deg):
    image = smooth(erp_rays(512, 1024)).astype(np.float32)
    view = camera(
        yaw=math.radians(yaw_deg), pitch=math.radians(pitch_deg), roll=math.radians(roll_deg), height=256, width=256
    )
    theirs = py360convert.e2p(image[..., None], 90.0, yaw_deg, pitch_deg, (256, 256), in_rot_deg=roll_deg)
    # It samples at image edges instead of pixel centres: up to half a pixel of the view, of 1/128 rad, and of the
    # panorama, of 1/163 rad, in both directions, with a slope below 1.5. A turn mistaken by a degree would cost more.
    np.testing.assert_allclose(
        erp_to_camera(image, view), np.squeeze(theirs), atol=1.5 * math.hypot(0.5 / 128, 0.5 / 128) * 2
    )


def test_py360convert_cuts_the_same_cube():
    image = smooth(erp_rays(512, 1024)).astype(np.float32)
    faces = py360convert.e2c(image[..., None], face_w=128, cube_format="dict")
    for name, yaw, pitch in [("F", 0, 0), ("R", 90, 0), ("B", 180, 0), ("L", -90, 0), ("U", 0, 90), ("D", 0, -90)]:
        ours = erp_to_camera(image, camera(yaw=math.radians(yaw), pitch=math.radians(pitch), height=128, width=128))
        # Its face centres are half a pixel of the face, 1/64 rad, from ours at the border.
        np.testing.assert_allclose(ours, np.squeeze(faces[name]), atol=1.5 / 64)


def test_a_view_of_a_resized_panorama_is_the_same_view():
    image = smooth(erp_rays(400, 800))
    view = camera(yaw=1.0, pitch=0.5)
    np.testing.assert_allclose(erp_to_camera(resize_erp(image, 131, 263), view), erp_to_camera(image, view), atol=0.003)
