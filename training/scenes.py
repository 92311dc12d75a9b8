"""Does it look right on photographs without labels? Figures for a table, and a sheet of pictures for the eye."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.colors import class_colors, depth_colors, normal_colors
from core.errors import PanoError
from core.geometry.sphere import erp_angles, solid_angle
from core.geometry.warp import resize_erp
from core.io.images import read_preview
from core.models.pano_s import PanoS, maps_of_reading
from core.prediction import Prediction
from core.progress import Progress, silent
from training.manifest import FILE_NAME, read_scenes, same_scene_as
from training.pictures import write_picture

GROUND = ("floor", "road", "sidewalk", "grass", "earth", "water", "stairs", "mountain")
"""What one can stand on or look down on; rock and sand are labelled mountain and earth."""
BELOW_DEG = -30.0
ABOVE_DEG = 30.0
MOST_FAR_INDOORS = 0.02
MOST_FAR_BELOW = 0.01
LEAST_FAR_OUTDOORS = 0.05
LEAST_GROUND = 0.5
_READ_WIDTH = 2048
_BLACK = 3


@dataclass(frozen=True)
class SceneRow:
    """What a model says about a photograph of which only the kind of scene is known. Shares are of solid angle.

    Attributes:
        picture: File name.
        scene: 'indoor' or 'outdoor', as the manifest says.
        indoor_probability: As predicted.
        far_above: Share of far above `ABOVE_DEG`.
        far_below: Share of far below the horizon.
        ground_below: Share of `GROUND` classes below `BELOW_DEG`, where the photograph is not black.
        camera_height: Metres.
        wrong: What is not as it must be; empty when all looks right.
    """

    picture: str
    scene: str
    indoor_probability: float
    far_above: float
    far_below: float
    ground_below: float
    camera_height: float
    wrong: str

    @property
    def right(self) -> bool:
        """True when the scene's kind, sky and ground look right."""
        return not self.wrong


RULE = (
    f"the scene's kind is told; indoors at most {MOST_FAR_INDOORS:.0%} far above {ABOVE_DEG:.0f} degrees, outdoors at "
    f"least {LEAST_FAR_OUTDOORS:.0%}; at most {MOST_FAR_BELOW:.0%} far below the horizon; at least {LEAST_GROUND:.0%} "
    f"ground below {BELOW_DEG:.0f} degrees."
)


def scene_table(folder: Path, model: PanoS, *, progress: Progress = silent) -> list[SceneRow]:
    """Judge a model on every photograph of a folder whose manifest.tsv tells the kind of scene.

    Args:
        folder: Holds manifest.tsv with the columns file, scene and notes.
        model: The network.
        progress: Called after each photograph.

    Raises:
        PanoError: There is no such manifest, or a photograph cannot be read.
    """
    listed = list_scenes(folder)
    rows = []
    for done, (path, scene) in enumerate(listed, start=1):
        rgb = read_preview(path, _READ_WIDTH).rgb
        rows.append(scene_row(path.name, scene, rgb, model))
        progress(done, len(listed))
    return rows


def scene_row(picture: str, scene: str, rgb: NDArray[np.uint8], model: PanoS) -> SceneRow:
    """Judge one photograph; see `SceneRow`."""
    reading = model.read(rgb)
    indoor = reading.indoor_probability
    maps = maps_of_reading(reading, model.config)
    classes, far = maps.classes, maps.far
    height, width = far.shape
    weights = np.broadcast_to(solid_angle(height, width), far.shape)
    lat = np.broadcast_to(np.degrees(erp_angles(height, width)[1])[:, None], far.shape)
    seen = resize_erp(rgb, height, width).max(axis=-1) > _BLACK
    ground = np.isin(classes, [index for index, name in enumerate(model.config.class_names) if name in GROUND])
    far_above = _share(far, lat > ABOVE_DEG, weights)
    far_below = _share(far, lat < 0, weights)
    ground_below = _share(ground, (lat < BELOW_DEG) & seen, weights)
    inside = scene == "indoor"
    wrong = [
        text
        for is_wrong, text in (
            (inside != (indoor > 0.5), f"taken for {'out' if inside else 'in'}door"),
            (inside and far_above > MOST_FAR_INDOORS, "sky inside"),
            (not inside and far_above < LEAST_FAR_OUTDOORS, "no sky"),
            (far_below > MOST_FAR_BELOW, "sky below the horizon"),
            (ground_below < LEAST_GROUND, "too little ground"),
        )
        if is_wrong
    ]
    height_m = reading.camera_height
    return SceneRow(picture, scene, indoor, far_above, far_below, ground_below, height_m, ", ".join(wrong))


def scene_facts(rows: Sequence[SceneRow]) -> dict[str, Any]:
    """The table as plain values, for the model card."""
    return {"rule": RULE, "rows": [_rounded(asdict(row)) | {"right": row.right} for row in rows]}


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in values.items()}


def list_scenes(folder: Path) -> list[tuple[Path, str]]:
    """JPEG photographs and their kind of scene, each scene once, from a folder's manifest.tsv.

    Raises:
        PanoError: There is no manifest with these columns, or it lists no photograph.
    """
    rows = read_scenes(folder)
    names = {row["file"] for row in rows}
    listed = [
        (folder / row["file"], row["scene"])
        for row in rows
        if row["file"].endswith(".jpg") and same_scene_as(row) not in names
    ]
    if not listed:
        raise PanoError(f"Expected photographs (*.jpg) in the table, got none; add them: {folder / FILE_NAME}")
    return sorted(listed)


def result_sheet(
    pictures: Sequence[tuple[Path, str]], model: PanoS, out: Path, *, height: int = 160, progress: Progress = silent
) -> None:
    """A picture to look at: each photograph in a row with its depth, normals and classes, its name and camera height.

    Args:
        pictures: Files and a remark for each.
        model: The network.
        out: The file, PNG or JPEG.
        height: Rows of each small picture.
        progress: Called after each photograph.

    Raises:
        PanoError: A photograph cannot be read.
        ExportError: The sheet cannot be written.
    """
    rows = []
    for done, (path, remark) in enumerate(pictures, start=1):
        rgb = read_preview(path, _READ_WIDTH).rgb
        prediction = model.predict(rgb)
        text = f"{path.stem}  {remark}  camera {prediction.camera_height:.2f} m"
        rows.append(_sheet_row(rgb, prediction, text, height))
        progress(done, len(pictures))
    write_picture(np.concatenate(rows), out)


def _sheet_row(rgb: NDArray[np.uint8], prediction: Prediction, text: str, height: int) -> NDArray[np.uint8]:
    cells = [resize_erp(cell, height, 2 * height) for cell in (rgb, *_pictures_of(prediction))]
    row = np.ascontiguousarray(np.concatenate(cells, axis=1))
    for thickness, colour in ((3, (0, 0, 0)), (1, (255, 255, 255))):
        cv2.putText(row, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, thickness, cv2.LINE_AA)
    return row


def _pictures_of(prediction: Prediction) -> Iterator[NDArray[np.uint8]]:
    if prediction.depth is not None:
        yield depth_colors(prediction.depth, prediction.far)
    if prediction.normals is not None:
        yield normal_colors(prediction.normals)
    if prediction.classes is not None:
        yield class_colors(prediction.classes, prediction.class_names)


def _share(mask: NDArray[np.bool_], where: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    total = weights[where].sum()
    return float(weights[where & mask].sum() / total) if total > 0 else 0.0
