import cv2
import numpy as np
import pytest

from core.colors import class_colors, depth_colors, normal_colors
from core.errors import PanoError
from core.models.pano_s import PanoSConfig, Reading
from training.scenes import list_scenes, result_sheet, scene_facts, scene_row, scene_table
from training.worlds.classes import CLASS_NAMES


class Says:
    """A model with a fixed opinion: sky above a latitude in degrees, one class below the horizon, in- or outdoors."""

    config = PanoSConfig(CLASS_NAMES, height=64)

    def __init__(self, *, sky_above, ground, indoor):
        self.sky_above, self.ground, self.indoor = sky_above, ground, indoor

    def read(self, rgb, *, progress=None):
        shape = (32, 64)
        lat = 90 - (np.arange(32) + 0.5) / 32 * 180
        far = np.broadcast_to(np.where(lat > self.sky_above, 5, -5).astype(np.float32)[:, None], shape)
        chances = np.zeros((*shape, len(CLASS_NAMES)), np.float32)
        chances[..., CLASS_NAMES.index("wall")] = 0.5
        chances[lat < 0, :, CLASS_NAMES.index(self.ground)] = 1
        return Reading(
            turn=0.0,
            log_ratio=np.zeros(shape, np.float32),
            local_normals=np.broadcast_to(np.array([0, 0, -1], np.float32), (*shape, 3)),
            class_probabilities=chances,
            far_logit=far,
            camera_height=1.6,
            ceiling_ratio=1.0,
            indoor_probability=self.indoor,
        )


PHOTO = np.full((64, 128, 3), 100, np.uint8)


@pytest.mark.parametrize(
    ("scene", "model", "wrong"),
    [
        ("outdoor", Says(sky_above=0, ground="grass", indoor=0.1), ""),
        ("indoor", Says(sky_above=91, ground="floor", indoor=0.9), ""),
        ("indoor", Says(sky_above=91, ground="floor", indoor=0.4), "taken for outdoor"),
        ("outdoor", Says(sky_above=0, ground="road", indoor=0.6), "taken for indoor"),
        ("indoor", Says(sky_above=60, ground="floor", indoor=0.9), "sky inside"),
        ("outdoor", Says(sky_above=91, ground="road", indoor=0.1), "no sky"),
        ("outdoor", Says(sky_above=-20, ground="earth", indoor=0.1), "sky below the horizon"),
        ("outdoor", Says(sky_above=0, ground="building", indoor=0.1), "too little ground"),
        ("indoor", Says(sky_above=0, ground="sofa", indoor=0.1), "taken for outdoor, sky inside, too little ground"),
    ],
)
def test_a_scene_is_right_when_its_kind_sky_and_ground_are(scene, model, wrong):
    row = scene_row("a.jpg", scene, PHOTO, model)
    assert row.wrong == wrong
    assert row.right == (not wrong)


def test_shares_are_of_solid_angle():
    row = scene_row("a.jpg", "outdoor", PHOTO, Says(sky_above=45, ground="road", indoor=0.0))
    assert row.far_above == pytest.approx((1 - np.sin(np.pi / 4)) / (1 - np.sin(np.pi / 6)), abs=0.03)
    assert row.far_below == 0
    assert row.ground_below == 1
    assert row.camera_height == 1.6


def test_black_parts_of_a_photo_are_not_judged():
    class Half(Says):
        def read(self, rgb, *, progress=None):
            reading = super().read(rgb)
            reading.class_probabilities[:, 32:, CLASS_NAMES.index("building")] = 2
            return reading

    model = Half(sky_above=0, ground="road", indoor=0.0)
    photo = PHOTO.copy()
    assert scene_row("a.jpg", "outdoor", photo, model).ground_below == pytest.approx(0.5, abs=0.01)
    photo[:, 64:] = 0
    assert scene_row("a.jpg", "outdoor", photo, model).ground_below == 1


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "manifest.tsv").write_text(
        "file\tscene\tnotes\n"
        "b.jpg\tindoor\t\n"
        "a_8k.jpg\toutdoor\t\n"
        "a.jpg\toutdoor\tresampled; same scene as a_8k.jpg\n"
        "b.hdr\tindoor\t\n"
        "b.labels.png\tindoor\t\n"
        "c.jpg\t-\t\n"
        "d.jpg\tindoor\tsame scene as elsewhere.jpg\n"
        "e.jpg\tindoor\tperhaps the same scene as \n"
    )
    for name in ("a", "a_8k", "b", "c", "d", "e"):
        cv2.imwrite(str(tmp_path / f"{name}.jpg"), PHOTO)
    return tmp_path


def test_every_scene_of_the_table_is_listed_once(folder):
    assert [(path.name, scene) for path, scene in list_scenes(folder)] == [
        ("a_8k.jpg", "outdoor"),
        ("b.jpg", "indoor"),
        ("d.jpg", "indoor"),
        ("e.jpg", "indoor"),
    ]


def test_the_table_has_a_row_for_every_scene(folder):
    told = []
    model = Says(sky_above=0, ground="road", indoor=0.1)
    rows = scene_table(folder, model, progress=lambda done, total: told.append((done, total)))
    assert [row.right for row in rows] == [True, False, False, False]
    assert told == [(done, 4) for done in range(1, 5)]
    facts = scene_facts(rows)
    assert [row["right"] for row in facts["rows"]] == [True, False, False, False]
    assert "50% ground" in facts["rule"]


@pytest.mark.parametrize("text", [None, "a\tb\n1\t2\n", "file\tscene\n"])
def test_a_folder_without_a_table_is_told(tmp_path, text):
    if text is not None:
        (tmp_path / "manifest.tsv").write_text(text)
    with pytest.raises(PanoError, match="table"):
        list_scenes(tmp_path)


def test_the_sheet_shows_photo_depth_normals_and_classes_in_rows(folder, painted_model):
    out = folder / "sheet.png"
    result_sheet(list_scenes(folder), painted_model, out, height=40)
    sheet = cv2.imread(str(out))[..., ::-1]
    assert sheet.shape == (4 * 40, 4 * 80, 3)
    np.testing.assert_allclose(sheet[30:39, 10:70].astype(int), 100, atol=2)
    said = painted_model.predict(PHOTO)
    below = np.s_[30:39, 10:70]
    assert (sheet[:, 80:160][below] == depth_colors(said.depth, said.far)[-1, 0]).all()
    assert (sheet[:, 240:][below] == class_colors(said.classes, CLASS_NAMES)[-1, 0]).all()
    normals = cv2.resize(normal_colors(said.normals), (80, 40), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(sheet[:, 160:240][below].astype(int), normals[below], atol=2)


@pytest.fixture
def painted_model():
    """A whole model of the fixed opinion."""
    from core.models.pano_s import maps_of_reading
    from core.prediction import Prediction

    class Whole(Says):
        def predict(self, rgb, *, progress=None):
            maps = maps_of_reading(self.read(rgb), self.config)
            return Prediction(maps.depth, maps.normals, maps.classes, CLASS_NAMES, maps.far, camera_height=1.6)

    return Whole(sky_above=0, ground="road", indoor=0.1)
