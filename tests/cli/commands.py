"""Running the command line in tests: as processes with a fake model, and the pictures that they work on."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from core.geometry.sphere import erp_rays

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, str(ROOT / "tests" / "fake_model.py")]
SUFFIXES = (".classes.png", ".depth.npy", ".far.png", ".json", ".normals.npy")
XMP = (
    b"http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF "
    b"xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "
    b"xmlns:GPano='http://ns.google.com/photos/1.0/panorama/' %s/></rdf:RDF></x:xmpmeta>"
)


def environment(**extra):
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", **extra}


def start(*args, **extra):
    command = [*PROGRAM, *(arg if isinstance(arg, bytes) else str(arg) for arg in args)]
    return subprocess.Popen(
        command, env=environment(**extra), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def run(*args, **extra):
    process = start(*args, **extra)
    process.out, process.err = process.communicate(timeout=280)
    return process


def photo(path, height=48, width=96, tags=None):
    """A picture of a smooth sphere; `tags` are GPano attributes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = ((erp_rays(height, width) + 1) * 127).astype(np.uint8)[:, :width]
    ok, data = cv2.imencode(path.suffix, rgb)
    assert ok
    data = data.tobytes()
    if tags is not None:
        packet = XMP % " ".join(f"GPano:{name}='{value}'" for name, value in tags.items()).encode()
        data = data[:2] + b"\xff\xe1" + (len(packet) + 2).to_bytes(2, "big") + packet + data[2:]
    path.write_bytes(data)
    return path


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def is_one_sentence(text):
    return len(text.strip().splitlines()) == 1 and text.startswith("panoviewer: ") and "Traceback" not in text
