"""The click network at work: which one, when it is warm, and what it lets go of."""

import numpy as np
import pytest
from fake_clicks import RedNetwork

from core.cloud import CloudOptions
from core.errors import ModelUnavailable
from core.geometry.camera import Camera
from core.models import DEFAULT_SEGMENTER
from core.panorama import Panorama
from core.scene import Click
from core.segment.features import FeatureStore
from core.segment.guess import GuessResult
from panoviewer.clicking import Clicking, Prompts
from panoviewer.document import Document
from panoviewer.jobs import Jobs, Lane
from panoviewer.settings import SEGMENTER, Settings


class Remembering(RedNetwork):
    """Counts how often it was told to let go."""

    forgotten = 0

    def forget(self):
        self.forgotten += 1


class Glimpsing(RedNetwork):
    """Notes what it was asked for."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def glimpse(self, panorama_rgb, clicks, box, *, progress):
        self.asked.append("glimpse")
        camera = Camera(clicks[0].lon, clicks[0].lat, 0.0, 1.0, 64, 64)
        return GuessResult((camera,), (np.full((1, 64, 64), -1, np.float32),), np.full(1, 0.9, np.float32), 0)

    def guess(self, panorama_rgb, clicks, box, previous, *, progress):
        found = self.glimpse(panorama_rgb, clicks, box, progress=progress)
        self.asked[-1] = "guess"
        return found


@pytest.fixture
def make(qapp, tmp_path):
    """Makes it on a dark panorama, with a loader."""
    made = []

    def begin(loader):
        document = Document()
        jobs = Jobs(lambda: document.generation)
        made.append(jobs)
        settings = Settings(tmp_path / "settings.ini")
        clicking = Clicking(
            document, jobs, settings, loader=loader, store=FeatureStore(), prepare_mask=lambda _mask: None
        )
        document.open(Panorama(np.zeros((32, 64, 3), np.uint8)), CloudOptions())
        return clicking, document, jobs, settings

    yield begin
    for jobs in made:
        jobs.close()


def test_a_panorama_is_let_go_of_when_another_one_is_opened(make):
    network = Remembering()
    clicking, document, jobs, _ = make(lambda _name, _device: network)
    clicking.prepare()
    jobs.drain(Lane.MODEL)
    assert clicking._session.panorama is document.panorama
    document.open(Panorama(np.zeros((32, 64, 3), np.uint8)), CloudOptions())
    jobs.drain(Lane.MODEL)
    assert clicking._session is None
    assert network.forgotten == 1


def test_what_is_prepared_is_a_whole_answer_and_not_a_glimpse(make):
    network = Glimpsing()
    clicking, _, jobs, _ = make(lambda _name, _device: network)
    clicking.prepare()
    jobs.drain(Lane.MODEL)
    assert network.asked[:2] == ["glimpse", "guess"]


def test_another_network_can_be_chosen_and_answers_the_next_click(make, qtbot):
    loaded = []
    clicking, _, jobs, settings = make(lambda name, _device: loaded.append(name) or RedNetwork())
    for name in (DEFAULT_SEGMENTER, "sam2.1-tiny"):
        settings[SEGMENTER] = name
        assert clicking.model == name
        with qtbot.waitSignal(clicking.found):
            clicking.ask(1, Prompts((Click(0.1, 0.1),)))
        jobs.drain(Lane.MODEL)
    assert loaded == [DEFAULT_SEGMENTER, "sam2.1-tiny"]


def test_a_network_without_weights_says_so(make, qtbot):
    def loader(name, _device):
        raise ModelUnavailable(f"Weights for {name} are missing.")

    clicking, _, _, settings = make(loader)
    settings[SEGMENTER] = "sam2.1-tiny"
    with qtbot.waitSignal(clicking.failed) as told:
        clicking.ask(1, Prompts((Click(0.1, 0.1),)))
    assert told.args == [1, "Weights for sam2.1-tiny are missing."]
