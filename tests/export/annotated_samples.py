"""A small project with every kind of mask that formats find hard."""

from dataclasses import replace

import numpy as np
from PIL import Image

from core.geometry.sphere import erp_rays, lonlat_to_directions
from core.io.annotation import Annotation
from core.io.images import read_panorama
from core.io.photo_reference import photo_of
from core.io.project import read_project
from core.io.project_file import ProjectFile, write_project_file
from core.io.scene_file import annotation_path, write_annotation
from core.mask import SphereMask
from core.scene import Box, Click, Label, Review, Segment

HEIGHT, WIDTH = 64, 128
LABELS = (Label("door", (130, 60, 30)), Label("Окно & <b>", (10, 200, 250)))


def disc(lon, lat, radius, height=HEIGHT):
    """A disc on the sphere; degrees."""
    axis = lonlat_to_directions(np.radians(lon), np.radians(lat))
    return erp_rays(height, 2 * height).astype(float) @ axis > np.cos(np.radians(radius))


def all_masks(height=HEIGHT):
    """Masks by what is special about them."""
    two = disc(-60, 30, 12, height) | disc(-20, 35, 9, height)
    dots = (np.indices((height, 2 * height)) % 3 == 1).all(axis=0)
    return {
        "plain": disc(10, 10, 15, height),
        "seam": disc(178, -5, 20, height),
        "hole": disc(90, 20, 25, height) & ~disc(92, 22, 10, height),
        "parts": two,
        "north": disc(0, 88, 25, height),
        "south": disc(120, -90, 20, height),
        "band": np.abs(np.arange(height) - height * 0.6)[:, None] < np.full((1, 2 * height), 3),
        "covered": disc(14, 12, 6, height),
        "dotted": disc(60, -30, 25, height) & ~dots,
    }


def segments_of(masks):
    """A segment with every field for each mask."""
    segments = []
    for number, bits in enumerate(masks.values(), 1):
        segments.append(
            Segment(
                number=number,
                mask=SphereMask.pack(bits),
                label=("door", LABELS[1].name, "")[number % 3],
                color=(1, 2, 3) if number == 2 else None,
                group=number // 4,
                locked=number == 3,
                review=Review.ACCEPTED if number == 1 else Review.OPEN,
                clicks=(Click(0.1, 0.2), Click(0.3, 0.1, positive=False)) if number < 3 else (),
                box=Box(0.0, 0.0, 1.0, 0.5) if number == 3 else None,
                score=0.875 if number < 5 else float("nan"),
                model="click-s" if number < 5 else "",
            )
        )
    return tuple(segments)


def write_picture(path, height=HEIGHT, width=WIDTH):
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = ((erp_rays(height, width)[:height, :width] + 1) * 127).astype(np.uint8)
    Image.fromarray(rgb).save(path)
    return path


def annotate(path, segments, *, assume=None, **changes):
    """Write an annotation file beside a photograph."""
    panorama = read_panorama(path, assume=assume)
    annotation = Annotation(photo_of(path, panorama.height, panorama.width), segments)
    write_annotation(annotation_path(path), replace(annotation, **changes))


def sample_project(folder):
    """Two annotated photographs, one of them in a folder of its own, and one that nobody has annotated."""
    annotate(write_picture(folder / "hall.png"), segments_of(all_masks()))
    annotate(write_picture(folder / "deep" / "attic.jpg"), segments_of({"seam": all_masks()["seam"]}))
    write_picture(folder / "bare.png")
    write_project_file(folder, ProjectFile(LABELS))
    return read_project(folder)
