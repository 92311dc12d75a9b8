"""The click network lets go of a panorama when another one is opened."""

import numpy as np
from fake_clicks import RedNetwork

from core.cloud import CloudOptions
from core.panorama import Panorama
from core.segment.features import FeatureStore
from panoviewer.clicking import Clicking
from panoviewer.document import Document
from panoviewer.jobs import Jobs, Lane
from panoviewer.settings import Settings


class Remembering(RedNetwork):
    """Counts how often it was told to let go."""

    forgotten = 0

    def forget(self):
        self.forgotten += 1


def test_a_panorama_is_let_go_of_when_another_one_is_opened(qapp, tmp_path):
    document, network = Document(), Remembering()
    jobs = Jobs(lambda: document.generation)
    settings = Settings(tmp_path / "settings.ini")
    clicking = Clicking(
        document,
        jobs,
        settings,
        loader=lambda _name, _device: network,
        store=FeatureStore(),
        prepare_mask=lambda _mask: None,
    )
    try:
        document.open(panorama := Panorama(np.zeros((32, 64, 3), np.uint8)), CloudOptions())
        clicking.prepare()
        jobs.drain(Lane.MODEL)
        assert clicking._session.panorama is panorama
        document.open(Panorama(np.zeros((32, 64, 3), np.uint8)), CloudOptions())
        jobs.drain(Lane.MODEL)
        assert clicking._session is None
        assert network.forgotten == 1
    finally:
        jobs.close()
