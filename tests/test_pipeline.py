"""The straight path, with a fake model and no Qt: a file in, a cloud and a set of files out."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import plyfile
from fake_model import SPEC, room

import core.models
from core.cloud import CloudOptions, cloud_from_prediction
from core.export import export
from core.export.results import ResultOptions, why_unfinished, write_results
from core.geometry.sphere import erp_rays
from core.io.images import read_panorama
from core.known_scale import rescale
from core.models import load_model
from core.models.levelled import predict_panorama

ROOT = Path(__file__).resolve().parents[1]


def test_from_a_file_to_a_cloud(tmp_path, monkeypatch):
    monkeypatch.setattr(core.models, "MODELS", (SPEC,))
    path = tmp_path / "room.png"
    cv2.imwrite(str(path), (room(96, 192)[2] * 100 + 20).astype(np.uint8))

    panorama = read_panorama(path)
    prediction = predict_panorama(load_model("pano-s"), panorama)
    cloud = cloud_from_prediction(panorama, prediction, CloudOptions(max_range=10))
    export(cloud, tmp_path / "room.ply", frame="z-up")

    vertex = plyfile.PlyData.read(tmp_path / "room.ply")["vertex"]
    points = np.stack([vertex["x"], vertex["y"], vertex["z"]], axis=-1)
    assert len(points) > 0.95 * 96 * 192
    walls = np.abs(np.abs(points) / (3.0, 4.0, 1.6) - 1).min(axis=-1)
    assert np.median(walls) < 0.01, "the points lie on the walls of the room"
    exact = erp_rays(96, 192).reshape(-1, 3) * prediction.depth.reshape(-1, 1)
    np.testing.assert_allclose(cloud.points, exact[cloud.pixels], atol=1e-5)

    options = ResultOptions("pano-s")
    write_results(panorama, prediction, tmp_path / "room", options)
    assert why_unfinished(path, tmp_path / "room", options) is None
    taller = cloud_from_prediction(panorama, rescale(prediction, 3.2), CloudOptions(max_range=20))
    np.testing.assert_allclose(taller.points, 2 * cloud.points, rtol=1e-5)


def test_the_straight_path_needs_no_window():
    assert not {"PySide6", "vispy", "pyqtgraph"} & _modules_of_a_fresh_process()


def _modules_of_a_fresh_process():
    """Top-level modules that the imports of this file load."""
    program = (
        "import sys, core.cloud, core.export.results, core.io.images, core.models.levelled;"
        "print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())
