"""A box room written to disk in the layouts of the public data sets, by this file alone."""

import json

import numpy as np
from PIL import Image

STANFORD_NAMES = ["<UNK>_0_<UNK>_0_0", *(f"{name}_1_office_7_5" for name in ("wall", "floor", "ceiling", "chair"))]
CLASSES_BY_NUMBER = {"nyu40": (1, 2, 22), "mpcat40": (1, 2, 17), "stanford": (12, 9, 4)}
"""Numbers of wall, floor, ceiling in the sets' own lists, written down from these."""
ANY_TURN = np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))[0]
N_FRAME = np.array([[0, 0, 1], [0, -1, 0], [-1, 0, 0]], np.float64)
"""From our normals towards the camera to those of the multi-task benchmark; ours are (-c, -b, a) of its (a, b, c)."""


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def depth_png(sample, per_metre, missing=0):
    depth = np.rint(np.nan_to_num(sample.depth) * per_metre).astype(np.uint16)
    depth[0, :4] = missing
    return depth


def normals_png(sample, turn):
    normals = sample.normals @ np.asarray(turn).T
    stored = np.rint((normals + 1) / 2 * 255).astype(np.uint8)
    stored[0, :4] = 128
    return stored


def classes_png(sample, key):
    numbers = np.array(CLASSES_BY_NUMBER[key], np.uint8)[sample.classes]
    numbers[0, :4] = 0
    return numbers


def stanford2d3d(root, sample):
    pano, stem = root / "area_5a" / "pano", "camera_0a_office_7_frame_equirectangular_domain_"
    save(pano / "rgb" / f"{stem}rgb.png", sample.rgb)
    save(pano / "depth" / f"{stem}depth.png", depth_png(sample, 512, missing=65535))
    save(pano / "normal" / f"{stem}normals.png", normals_png(sample, ANY_TURN))
    numbers = sample.classes.astype(np.int64) + 1
    numbers[4:6, 4:8] = 4
    numbers[0, :4] = 0x0D0D0D
    save(
        pano / "semantic" / f"{stem}semantic.png",
        np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=-1).astype(np.uint8),
    )
    (root / "assets").mkdir()
    (root / "assets" / "semantic_labels.json").write_text(json.dumps(STANFORD_NAMES))


def stanford2d3d_processed(root, sample):
    pano, stem = root / "area_5b" / "pano", "camera_0b_office_7_frame_equirectangular_domain_"
    save(pano / "rgb_processed" / f"{stem}rgb.png", sample.rgb)
    save(pano / "depth_processed" / f"{stem}depth.png", depth_png(sample, 512))
    save(pano / "normal_processed" / f"{stem}normals.png", normals_png(sample, N_FRAME))
    save(pano / "semantic_processed" / f"{stem}semantic.png", classes_png(sample, "stanford"))


def matterport3d(root, sample):
    labels = root / "mp3d_aligned_labels" / "17DRP5sb8fy"
    save(root / "mp3d_results_panoramas" / "17DRP5sb8fy" / "0f_panorama.jpg", sample.rgb)
    save(labels / "depth" / "0f_depth.png", depth_png(sample, 1000))
    save(labels / "normal" / "0f_normal.png", normals_png(sample, N_FRAME))
    save(labels / "semantic" / "0f_semantic.png", classes_png(sample, "mpcat40"))


def matterport3d_stitched(root, sample):
    save(root / "17DRP5sb8fy" / "pano_skybox_color" / "0f.jpg", sample.rgb)
    save(root / "17DRP5sb8fy" / "pano_depth" / "0f.png", depth_png(sample, 4000))


def structured3d(root, sample):
    full = root / "scene_03000" / "2D_rendering" / "171" / "panorama" / "full"
    save(full / "rgb_rawlight.png", sample.rgb)
    save(full / "depth.png", depth_png(sample, 1000))
    save(full / "normal.png", normals_png(sample, [[-1, 0, 0], [0, 0, -1], [0, -1, 0]]))
    save(full / "semantic.png", classes_png(sample, "nyu40"))


def deep360(root, sample):
    """In Cassini projection; what is known at the centres of its pixels is looked up in the room itself."""
    where = root / "ep1_500frames" / "testing"
    height, width = sample.depth.shape
    turn = ((np.arange(width) + 0.5) / width - 0.5) * 2 * np.pi
    side = ((np.arange(height) + 0.5) / height - 0.5) * np.pi
    x = np.broadcast_to(np.sin(side), (width, height))
    y, z = np.cos(side) * np.sin(turn)[:, None], np.cos(side) * np.cos(turn)[:, None]
    rows = ((0.5 + np.arctan2(y, np.hypot(x, z)) / np.pi) * height).astype(int)
    columns = ((np.arctan2(x, z) / (2 * np.pi) + 0.5) * width).astype(int) % width
    depth = sample.depth[rows, columns].astype(np.float64)
    depth[:, 0] = 1000
    save(where / "rgb" / "004008_12_rgb1.png", sample.rgb[rows, columns])
    (where / "depth").mkdir()
    np.savez(where / "depth" / "004008_depth.npz", depth)


def deep360_png(root, sample):
    where = root / "ep2_500frames" / "validation"
    depth = depth_png(sample, 650)
    depth[0, 4:8] = 65535
    save(where / "rgb" / "000001_12_rgb1.png", sample.rgb)
    save(where / "rgb" / "000001_12_rgb2.png", sample.rgb)
    save(where / "depth" / "000001_depth.png", depth)


def instances(root, sample):
    colours = np.zeros((*sample.depth.shape, 3), np.uint8)
    colours[5:9, 3:9] = (255, 0, 0)
    colours[5:9, [0, 1, -2, -1]] = (0, 0, 255)
    save(root / "test" / "brothers" / "frames" / "0001.jpg", sample.rgb)
    save(root / "test" / "brothers" / "frames" / "0002.jpg", sample.rgb)
    save(root / "test" / "brothers" / "instances" / "0001.png", colours)
