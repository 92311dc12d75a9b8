"""The papers' protocols, against sums written out here for small maps, quirks included."""

import io

import cv2
import layout_makers as makers
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from core.errors import PanoError
from core.geometry.sphere import erp_rays, solid_angle
from core.prediction import Prediction
from training import evaluate as judging
from training.evaluate import evaluate, report_table
from training.instance_evaluate import (
    InstanceRow,
    evaluate_instances,
    instance_means,
    instance_table,
    objects_of,
    pixel_iou,
    size_of,
)
from training.judges import DepthJudge, NormalJudge, regions, seam_step
from training.protocols import DapDepth, MtpanoClasses, MtpanoDepth, MtpanoNormals, judge_of
from training.published import PUBLISHED, published_table
from training.truths import Truth

SHAPE = (16, 32)
NAMES = ("wall", "floor", "ceiling")


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def truth_of(**maps):
    return Truth("a", np.zeros((*SHAPE, 3), np.uint8), is_metric=True, class_names=NAMES, **maps)


def depths(rng, high):
    true = rng.uniform(0.5, high, SHAPE).astype(np.float32)
    return true, (true * rng.uniform(0.7, 1.4, SHAPE)).astype(np.float32)


def test_dap_judges_metres_without_alignment_by_pixels(rng):
    true, said = depths(rng, 90)
    true[0, :5] = np.nan
    scores = DapDepth("stanford2d3d").add(Prediction(depth=said), truth_of(depth=true))
    known = np.isfinite(true)
    t, s = true[known].astype(float), said[known].astype(float)
    assert scores["AbsRel"] == pytest.approx(np.mean(abs(t - s) / t), rel=1e-6)
    assert scores["delta1"] == pytest.approx(np.mean(np.maximum(t / s, s / t) < 1.25), rel=1e-9)
    # The quirk: what the script prints as rms is the mean absolute error, of depth over 100.
    assert scores["rms (MAE / 100)"] == pytest.approx(np.mean(abs(t - s)) / 100, rel=1e-6)
    assert scores["RMSE m"] == pytest.approx(np.sqrt(np.mean((t - s) ** 2)), rel=1e-6)


def test_dap_drops_what_is_far_of_indoor_sets_and_keeps_it_clamped_of_others(rng):
    true, said = depths(rng, 90)
    far = np.zeros(SHAPE, bool)
    far[:8] = True
    true[:8] = np.nan
    prediction = Prediction(depth=np.where(far, np.float32(np.nan), said), far=far)
    indoor = DapDepth("matterport3d").add(prediction, truth_of(depth=true, far=far))
    outdoor = DapDepth("deep360").add(prediction, truth_of(depth=true, far=far))
    assert outdoor["AbsRel"] == pytest.approx(indoor["AbsRel"] / 2, rel=1e-6)
    wrong = DapDepth("deep360").add(Prediction(depth=said), truth_of(depth=true, far=far))
    assert wrong["AbsRel"] > outdoor["AbsRel"]


def test_dap_averages_pictures_and_mtpano_pools_pixels(rng):
    few, many = np.full(SHAPE, np.nan, np.float32), np.full(SHAPE, 2.0, np.float32)
    few[0, 0] = 2.0
    dap, mtpano = DapDepth("matterport3d"), MtpanoDepth("matterport3d")
    for judge in (dap, mtpano):
        judge.add(Prediction(depth=np.full(SHAPE, 4.0, np.float32)), truth_of(depth=few))
        judge.add(Prediction(depth=many), truth_of(depth=many))
    assert dap.means()["AbsRel"] == pytest.approx(0.5)
    assert mtpano.means()["AbsRel"] == pytest.approx(1 / (many.size + 1))


@pytest.mark.parametrize(
    ("layout", "limit", "log"), [("stanford2d3d", 10, np.log), ("matterport3d", 10, np.log10), ("deep360", 99, np.log)]
)
def test_mtpano_judges_ranges_up_to_its_limit_with_its_logarithm(layout, limit, log, rng):
    true, said = depths(rng, 20)
    scores = MtpanoDepth(layout).add(Prediction(depth=said), truth_of(depth=true))
    known = true < limit
    t, s = true[known].astype(float), said[known].astype(float)
    if limit == 10:
        s = np.clip(s, 1e-3, 10)
    assert scores["RMSE m"] == pytest.approx(np.sqrt(np.mean((t - s) ** 2)), rel=1e-6)
    assert scores["log RMSE"] == pytest.approx(np.sqrt(np.mean((log(t) - log(s)) ** 2)), rel=1e-5)


def test_mtpano_pools_angles_and_counts_unknown_normals_of_matterport_as_right(rng):
    true = rng.normal(size=(*SHAPE, 3)).astype(np.float32)
    true /= np.linalg.norm(true, axis=-1, keepdims=True)
    said = true + rng.normal(scale=0.3, size=true.shape).astype(np.float32)
    true[:4] = np.nan
    known = np.isfinite(true).all(axis=-1)
    cosine = (said * np.nan_to_num(true)).sum(-1)[known] / np.linalg.norm(said, axis=-1)[known]
    angles = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    scores = MtpanoNormals("stanford2d3d").add(Prediction(normals=said), truth_of(normals=true))
    assert scores["mean deg"] == pytest.approx(angles.mean(), abs=0.01)
    assert scores["median deg"] == pytest.approx(np.median(angles), abs=0.05)
    assert scores["RMSE deg"] == pytest.approx(np.sqrt((angles**2).mean()), abs=0.01)
    assert scores["< 11.25 deg"] == pytest.approx((angles < 11.25).mean())
    flattered = MtpanoNormals("matterport3d").add(Prediction(normals=said), truth_of(normals=true))
    assert flattered["mean deg"] == pytest.approx(angles.sum() / known.size, abs=0.01)


def test_mtpano_averages_over_classes_that_occur_nowhere_except_on_structured3d():
    true = np.zeros(SHAPE, np.int16)
    true[8:] = 1
    true[0, :4] = -1
    said = np.zeros(SHAPE, np.int16)
    prediction = Prediction(classes=said, class_names=("wall",))
    expected = (8 * 32 - 4) / (16 * 32 - 4)
    for layout, classes in (("stanford2d3d", 3), ("structured3d", 2)):
        judge = MtpanoClasses(layout)
        judge.add(prediction, truth_of(classes=true))
        assert judge.means()["mIoU"] == pytest.approx(expected / classes)


def test_pictures_are_brought_to_size_as_the_scripts_do(rng):
    rgb = rng.integers(0, 255, (700, 1400, 3), np.uint8)
    depth = rng.uniform(1, 9, (700, 1400)).astype(np.float32)
    truth = Truth("a", rgb, depth=depth, is_metric=True)
    dap = DapDepth("deep360").prepare(truth)
    np.testing.assert_array_equal(dap.rgb, cv2.resize(rgb, (1024, 512), interpolation=cv2.INTER_CUBIC))
    np.testing.assert_array_equal(dap.depth, cv2.resize(depth, (1024, 512), interpolation=cv2.INTER_NEAREST))
    mtpano = MtpanoDepth("deep360").prepare(truth)
    np.testing.assert_array_equal(mtpano.rgb, np.asarray(Image.fromarray(rgb).resize((1024, 512), Image.BILINEAR)))
    np.testing.assert_array_equal(mtpano.depth, np.asarray(Image.fromarray(depth).resize((1024, 512), Image.NEAREST)))


def test_ranges_of_no_unit_are_refused_by_protocols_in_metres(rng):
    true, said = depths(rng, 9)
    truth = Truth("a", np.zeros((*SHAPE, 3), np.uint8), depth=true)
    for judge in (DapDepth("pictures"), MtpanoDepth("pictures")):
        with pytest.raises(PanoError, match="metres"):
            judge.add(Prediction(depth=said), truth)


@pytest.mark.parametrize(("protocol", "task"), [("dap", "normals"), ("sap", "depth"), ("dap", "classes")])
def test_a_protocol_that_does_not_judge_a_task_is_told(protocol, task):
    with pytest.raises(PanoError, match="mtpano"):
        judge_of(protocol, task, "worlds")


def test_seam_and_poles_are_apart_and_errors_there_show_only_there(rng):
    where = regions(32, 64)
    assert where["seam"][16, [0, 63]].all()
    assert not where["seam"][16, 2:62].any()
    assert where["poles"][[0, 31]].all()
    assert not (where["poles"] & where["seam"]).any()
    true = np.full((32, 64), 3.0, np.float32)
    said = true.copy()
    said[where["seam"]] *= 2
    judge = DepthJudge()
    judge.add(Prediction(depth=said), Truth("a", np.zeros((32, 64, 3), np.uint8), depth=true, is_metric=True))
    means = judge.means()
    assert means["seam: AbsRel"] == pytest.approx(1)
    assert means["poles: AbsRel"] == pytest.approx(0)
    assert 0 < means["AbsRel"] < 0.1
    normals = np.broadcast_to(np.float32([0, 1, 0]), (32, 64, 3))
    turned = np.where(where["poles"][..., None], np.float32([0, 0, 1]), normals)
    judge = NormalJudge()
    judge.add(Prediction(normals=turned), Truth("a", np.zeros((32, 64, 3), np.uint8), normals=normals))
    assert judge.means()["poles: mean deg"] == pytest.approx(90)
    assert judge.means()["seam: mean deg"] == pytest.approx(0)


def test_a_step_at_the_seam_is_measured_beside_the_true_one(rng):
    true = rng.uniform(1, 5, SHAPE).astype(np.float32)
    assert seam_step(true, true) == pytest.approx(0, abs=1e-7)
    said = true * np.linspace(1, 2, SHAPE[1], dtype=np.float32)
    assert seam_step(said, true) == pytest.approx(np.log(2), rel=1e-5)
    assert np.isnan(seam_step(np.full(SHAPE, np.nan), true))


def test_a_public_set_is_judged_by_every_protocol_and_published_rows_are_marked(box_room, tmp_path, monkeypatch):
    makers.matterport3d(tmp_path, box_room(3, 64))

    class Guesses:
        def predict(self, rgb, *, progress=None):
            return judging.round_room(rgb.shape[0])

    monkeypatch.setattr(judging, "open_model", lambda _: Guesses())
    for protocol, task in (("corrected", "depth"), ("dap", "depth"), ("mtpano", "depth"), ("mtpano", "normals")):
        report = evaluate(task, tmp_path, model="guesses", protocol=protocol)
        assert report.layout == "matterport3d"
        assert report.means == pytest.approx(report.baseline)  # the model is the baseline
        console = Console(width=100, record=True, file=io.StringIO())
        console.print(report_table(report))
        text = " ".join(console.export_text().split())
        assert ("quirk" in text) == (protocol != "corrected")
    console.print(published_table("depth", "matterport3d"))
    text = console.export_text()
    assert "not measured here" in text
    assert all(name in text for name in ("DAP", "DAC", "UniK3D", "MTPano"))
    assert "Deep360" not in text


def test_published_figures_are_those_of_the_specification():
    cells = {(row.task, row.benchmark, row.method): row.scores for row in PUBLISHED}
    assert cells["depth", "Deep360", "DAP"] == {"AbsRel": 0.0659, "RMSE": 5.224, "delta1": 0.9525}
    assert cells["depth", "Stanford2D3D", "DAC"] == {"AbsRel": 0.1366, "delta1": 0.8393}
    assert cells["classes", "Matterport3D", "MTPano"] == {"mIoU": pytest.approx(0.3911)}
    assert cells["clicks", "PAV-SOD", "SAP-large"]["1 click all"] == pytest.approx(0.773)
    assert cells["clicks", "PAV-SOD", "SAM2-tiny + scan, no training"].keys() == {
        "1 click all",
        "1 click small",
        "1 click large",
        "3 clicks all",
    }


def test_tables_of_clicks_are_readable_in_80_columns():
    console = Console(width=80, record=True, file=io.StringIO())
    rows = [
        InstanceRow("hall.jpg", number, size, method, (0.5, 0.6, 0.7))
        for method in ("SAM 2.1 tiny, first view only", "click-s, zigzag")
        for number, size in enumerate(("small", "large"))
    ]
    console.print(instance_table(rows, "halls", by_pixels=False))
    console.print(published_table("clicks", "halls"))
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "method clicks all small large" in lines
    assert "SAM 2.1 tiny, first view only 1 0.500 0.500 0.500" in lines
    assert "3 0.700 0.700 0.700" in lines
    assert "set method clicks all small medium large paper" in lines
    assert "PAV-SOD SAP-tiny 1 0.758 0.539 0.766 0.797 SAP" in lines
    assert lines[lines.index("PAV-SOD SAP-tiny 1 0.758 0.539 0.766 0.797 SAP") + 1].startswith("3 0.848")


@pytest.fixture
def frames(box_room, tmp_path):
    makers.instances(tmp_path, box_room(3, 64))
    return tmp_path


def test_objects_get_one_and_three_clicks_by_size_and_a_perfect_answer_is_one(frames):
    def knows(panorama):
        colours = makers.Image.open(frames / "test/brothers/instances/0001.png")
        truth = np.asarray(colours).any(axis=-1)
        return lambda clicks: truth & _side(truth, clicks[0])

    def _side(mask, click):
        # Two objects: one across the seam, one in front of it to the left.
        across = np.zeros(mask.shape, bool)
        across[:, [0, 1, -2, -1]] = True
        return across if abs(click.lon) > 2.9 else ~across

    rows = evaluate_instances(frames, {"knows": knows, "nothing": lambda _: lambda _: np.zeros((64, 128), bool)})
    means = instance_means(rows)
    assert means["knows"]["1 click all"] == means["knows"]["3 clicks all"] == 1
    assert means["nothing"]["1 click all"] == 0
    assert {row.size for row in rows} <= {"small", "medium", "large"}
    assert len(rows) == 4


def test_sizes_part_where_squares_of_32_and_96_pixels_would():
    per_pixel = 4 * np.pi / (1024 * 512)
    assert [size_of(side**2 * per_pixel * 1.001) for side in (31, 32, 95, 96)] == ["small", "medium", "medium", "large"]


def test_the_papers_iou_counts_pixels_where_ours_counts_solid_angle(frames):
    truth = np.zeros((64, 128), bool)
    truth[:8] = True
    said = truth.copy()
    said[32] = True
    assert pixel_iou(said, truth) == pytest.approx(8 / 9)
    weights = solid_angle(64, 128)[:, 0]
    (row,) = [row for row in evaluate_instances(frames, {"all": _everything}) if row.number == 1]
    (pixels,) = [row for row in evaluate_instances(frames, {"all": _everything}, by_pixels=True) if row.number == 1]
    mask = np.asarray(makers.Image.open(frames / "test/brothers/instances/0001.png"))[..., 2] > 0
    assert pixels.ious[0] == pytest.approx(mask.mean())
    assert row.ious[0] == pytest.approx((mask * weights[:, None]).sum() / (4 * np.pi))


def _everything(panorama):
    return lambda clicks: np.ones((panorama.height, panorama.width), bool)


def test_scraps_of_masks_are_not_asked_for():
    instances = np.zeros((512, 1024), np.uint16)
    instances[128, 5] = 1
    instances[100:120, 100:120] = 2
    truth = Truth("a", np.zeros((512, 1024, 3), np.uint8), instances=instances)
    (found,) = objects_of(truth)
    assert found[0] == 2
    lon, lat = found[2].click.lon, found[2].click.lat
    ray = np.array([np.cos(lat) * np.sin(lon), -np.sin(lat), np.cos(lat) * np.cos(lon)])
    np.testing.assert_allclose(erp_rays(512, 1024)[109:111, 109:111].mean(axis=(0, 1)), ray, atol=0.02)
