"""The Models window: what there is, adding, comparing and removing weights, and what is asked before the first use."""

import re
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import tiny_published
from fake_hub import hub
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox
from tiny_dap import published, tiny
from window_samples import press

from core.models import MODELS, SEGMENTERS, find_model, models_folder, weights_file
from core.models.places import read_places
from core.panorama import Panorama
from core.pyramid import Pyramid
from panoviewer.settings import LICENCES, MODEL

__all__ = ["hub", "published", "tiny"]


def opened(window, settle):
    """The Models window, opened by its key."""
    press(window, Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier)
    settle(window)
    assert window.weights.dialog.isVisible()
    return window.weights.dialog


def row_of(dialog, name):
    titles = [dialog.table.item(row, 0).text() for row in range(dialog.table.rowCount())]
    row = titles.index(find_model(name).title if name != "click-s" else SEGMENTERS[0].title)
    return [dialog.table.item(row, column).text() for column in range(dialog.table.columnCount())]


def answer(window, name, text):
    question = window.findChild(QMessageBox, name)
    next(button for button in question.buttons() if button.text().replace("&", "") == text).click()


def add(dialog, path, settle, window):
    dialog.add.click()
    dialog.findChild(QFileDialog, "weights_file").fileSelected.emit(str(path))
    settle(window)


def test_every_model_is_a_line(window, settle, published):
    dialog = opened(window, settle)
    assert dialog.table.rowCount() == len(MODELS) + len(SEGMENTERS)
    assert "bundled" in row_of(dialog, "pano-s")
    assert "clicks" in row_of(dialog, "click-s")
    assert "missing" in row_of(dialog, "dap")
    assert any("non-commercial" in text for text in row_of(dialog, "dap"))
    assert str(models_folder()) in dialog._folder.text()
    dialog.choose("dap")
    assert str(weights_file(find_model("dap"))) in dialog.details.text()
    assert "arXiv:2512.16913" in dialog.details.text()
    assert not dialog.verify.isEnabled()
    assert not dialog.remove.isEnabled()


def test_keys_alone_choose_a_model(window, settle, published):
    dialog = opened(window, settle)
    assert dialog.focusWidget() is dialog.table
    assert dialog.chosen_name == "pano-s"
    QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Down)
    assert dialog.chosen_name == "dap"
    assert "arXiv:2512.16913" in dialog.details.text()
    dialog.activateWindow()
    for button in (dialog.add, dialog.download, dialog.by_name, dialog.convert):
        QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Tab)
        assert dialog.focusWidget() is button


def test_weights_are_added_compared_and_removed(window, settle, published):
    dialog = opened(window, settle)
    chooser = window.inference._model
    place = chooser.findData("dap")
    assert chooser.itemText(place).endswith("(no weights)")
    add(dialog, published, settle, window)
    assert "added" in dialog.messages.text
    assert "added" in row_of(dialog, "dap")
    assert chooser.itemText(place) == find_model("dap").title
    assert dialog.chosen_name == "dap"

    dialog.verify.click()
    settle(window)
    assert "as it was added" in dialog.messages.text
    with weights_file(find_model("dap")).open("ab") as stream:
        stream.write(b"x")
    dialog.verify.click()
    settle(window)
    assert "has changed since" in dialog.messages.text

    dialog.remove.click()
    assert weights_file(find_model("dap")).is_file(), "it is asked first"
    answer(dialog, "remove_weights", "Delete")
    settle(window)
    assert not weights_file(find_model("dap")).exists()
    assert "missing" in row_of(dialog, "dap")
    assert "free again" in dialog.messages.text


def test_models_of_ones_own_are_offered_once_and_networks_for_clicks_are_not(
    make_main_window, settle, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    resources = Path(__file__).resolve().parents[2] / "resources"
    for name, stem in (("my-rooms", "pano_s"), ("my-clicks", "click_s")):
        (models_folder() / name).mkdir(parents=True)
        for suffix in (".safetensors", ".json"):
            shutil.copy(resources / f"{stem}{suffix}", models_folder() / name)
    window = make_main_window()
    opened(window, settle)
    chooser = window.inference._model
    offered = [chooser.itemData(index) for index in range(chooser.count())]
    assert offered.count("my-rooms") == 1
    assert "my-clicks" not in offered


@pytest.fixture
def offered(published, hub):
    """The server has the published file."""
    hub.files["Insta360-Research/DAP-weights/model.pth"] = published.read_bytes()
    return hub


def begin_download(window, dialog, settle):
    dialog.choose("dap")
    dialog.download.click()
    settle(window)
    return dialog.findChild(QMessageBox, "download")


def test_published_weights_are_downloaded_after_a_question(window, settle, offered):
    dialog = opened(window, settle)
    assert not dialog.download.isEnabled(), "what is selected first comes with the program"
    dialog.choose("pano-s")
    assert not dialog.download.isEnabled(), "it comes with the program"
    question = begin_download(window, dialog, settle)
    assert find_model("dap").licence in question.text()
    assert "MB" in question.text()
    assert re.search(r"Estimate for this processor: [\d.,]+ s, 2\.1 GB of memory", question.text())
    answer(dialog, "download", "Cancel")
    settle(window)
    assert offered.gotten() == [], "nothing is fetched without a yes"
    begin_download(window, dialog, settle)
    answer(dialog, "download", "Yes, download")
    settle(window)
    assert "added" in row_of(dialog, "dap")
    assert window.settings[LICENCES] == ("dap",), "it was accepted and is not asked again"
    assert not dialog.download.isEnabled()


def name_network(dialog, name):
    dialog.by_name.click()
    dialog.findChild(QInputDialog, "hub_name").textValueSelected.emit(name)


def test_a_network_of_the_hub_is_fetched_by_its_name_after_a_question(window, settle, published, hub, tmp_path):
    pytest.importorskip("transformers")
    name = "some-lab/tiny-depth"
    tiny_published.write(tmp_path / "theirs", tiny_published.glpn())
    hub.files = {f"{name}/{path.name}": path.read_bytes() for path in (tmp_path / "theirs").iterdir()}
    hub.files[f"{name}/README.md"] = b"---\nlicense: cc-by-nc-4.0\n---\n"
    dialog = opened(window, settle)
    name_network(dialog, "no name")
    assert "owner/name" in dialog.messages.text
    assert hub.requests == []
    name_network(dialog, f" https://huggingface.co/{name} ")
    settle(window)
    text = dialog.findChild(QMessageBox, "download").text()
    assert all(part in text for part in ("cc-by-nc-4.0", "MB", "depth", "Estimate", "Does that licence allow"))
    fetched = {path.rpartition("/")[2] for method, path, _ in hub.requests if method == "GET"}
    assert fetched == {"config.json", "preprocessor_config.json", "README.md"}
    answer(dialog, "download", "Yes, download")
    settle(window)
    assert dialog.chosen_name == name
    assert dialog.chosen.spec.licence == "cc-by-nc-4.0"
    chooser = window.inference._model
    chooser.setCurrentIndex(chooser.findData(name))
    assert window.settings[MODEL] == name
    dialog.verify.click()
    settle(window)
    assert "as it was added" in dialog.messages.text
    dialog.remove.click()
    answer(dialog, "remove_weights", "Delete")
    settle(window)
    assert chooser.findData(name) < 0


def test_a_download_is_cancelled_and_goes_on_where_it_was(window, settle, qtbot, offered):
    dialog = opened(window, settle)
    offered.stalls = 200_000
    begin_download(window, dialog, settle)
    answer(dialog, "download", "Yes, download")
    qtbot.waitUntil(offered.silent.is_set)
    dialog.cancel.click()
    settle(window)
    assert "missing" in row_of(dialog, "dap")
    offered.release()
    question = begin_download(window, dialog, settle)
    assert "are here already" in question.text()
    answer(dialog, "download", "Yes, download")
    settle(window)
    assert "added" in row_of(dialog, "dap")
    assert offered.gotten()[-1] > 0


def test_without_a_server_there_is_a_sentence(window, settle, offered):
    offered.refusal = 404, "EntryNotFound"
    dialog = opened(window, settle)
    dialog.choose("dap")
    dialog.download.click()
    settle(window)
    assert dialog.findChild(QMessageBox, "download") is None
    assert dialog.messages.text.startswith("Expected")


def test_the_folder_can_be_another_one(window, settle, published, tmp_path):
    dialog = opened(window, settle)
    assert not dialog._reset.isVisible()
    (tmp_path / "elsewhere").mkdir()
    dialog._change.click()
    dialog.findChild(QFileDialog, "weights_folder").fileSelected.emit(str(tmp_path / "elsewhere"))
    settle(window)
    assert str(tmp_path / "elsewhere") in dialog._folder.text()
    add(dialog, published, settle, window)
    assert (tmp_path / "elsewhere" / "dap.safetensors").is_file()
    dialog._reset.click()
    settle(window)
    assert not dialog._reset.isVisible()
    assert "missing" in row_of(dialog, "dap")


def test_a_mirror_is_chosen_kept_and_taken_back(window, settle, published, hub, monkeypatch):
    hub.files["Insta360-Research/DAP-weights/model.pth"] = published.read_bytes()
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    dialog = opened(window, settle)
    for typed, kept in ((f" {hub.address}/ ", hub.address), ("nonsense", hub.address)):
        dialog._mirror.click()
        dialog.findChild(QInputDialog, "mirror").textValueSelected.emit(typed)
        settle(window)
        assert read_places().mirror == kept
        assert hub.address in dialog._folder.text()
    assert "address of a mirror" in dialog.messages.text
    begin_download(window, dialog, settle)
    assert hub.requests, "it is asked"
    answer(dialog, "download", "Cancel")
    dialog._mirror.click()
    dialog.findChild(QInputDialog, "mirror").textValueSelected.emit("")
    settle(window)
    assert read_places().mirror == ""
    assert hub.address not in dialog._folder.text()


def test_a_file_is_converted_for_somebody_elses_use(window, settle, published, tmp_path):
    dialog = opened(window, settle)
    for target, told in (("mine.safetensors", "lie in"), ("mine.txt", "Expected a file name that ends in")):
        dialog.convert.click()
        dialog.findChild(QFileDialog, "weights_file").fileSelected.emit(str(published))
        chooser = dialog.findChild(QFileDialog, "weights_target")
        assert chooser.acceptMode() == QFileDialog.AcceptMode.AcceptSave
        chooser.fileSelected.emit(str(tmp_path / target))
        settle(window)
        assert told in dialog.messages.text
        for closed in dialog.findChildren(QFileDialog):
            closed.close()
        settle(window)
    assert find_model(str(tmp_path / "mine.safetensors")).name == "dap"
    assert "missing" in row_of(dialog, "dap")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no such folder here")
def test_a_folder_that_cannot_be_written_is_a_sentence_and_the_one_before_stays(window, settle, published):
    dialog = opened(window, settle)
    before = dialog._folder.text()
    dialog._change.click()
    dialog.findChild(QFileDialog, "weights_folder").fileSelected.emit("/proc/self")
    settle(window)
    assert dialog.messages.text.endswith("/proc/self")
    assert dialog._folder.text() == before
    assert not dialog._reset.isVisible()


def test_a_file_that_is_refused_is_a_sentence(window, settle, published, tmp_path):
    dialog = opened(window, settle)
    (tmp_path / "other.pth").write_bytes(b"no checkpoint")
    add(dialog, tmp_path / "other.pth", settle, window)
    assert dialog.messages.text.startswith("Expected a checkpoint")
    assert "missing" in row_of(dialog, "dap")


def test_adding_shows_its_progress_and_can_be_cancelled(window, settle, qtbot, published, monkeypatch):
    begun, goes_on = threading.Event(), threading.Event()

    def add_slowly(path, *, name, progress):
        progress(1, 2)
        begun.set()
        assert goes_on.wait(600)
        progress(2, 2)
        raise AssertionError("it was cancelled")

    monkeypatch.setattr("panoviewer.weight_keeping.add_model", add_slowly)
    dialog = opened(window, settle)
    dialog.choose("dap")
    dialog.add.click()
    dialog.findChild(QFileDialog, "weights_file").fileSelected.emit(str(published))
    qtbot.waitUntil(begun.is_set)
    qtbot.waitUntil(lambda: dialog._progress.value() == 500)
    assert dialog.cancel.isVisible()
    assert not dialog.add.isEnabled()
    dialog.cancel.click()
    assert not dialog.cancel.isVisible()
    goes_on.set()
    settle(window)
    assert dialog.messages.text == "Cancelled."
    assert "missing" in row_of(dialog, "dap")


def test_a_model_without_weights_offers_the_models_window(window, settle, published, fake_model):
    chooser = window.inference._model
    chooser.setCurrentIndex(chooser.findData("dap"))
    answer(window, "no_weights", "Cancel")
    window.actions_by_name["depth"].trigger()
    settle(window)
    assert fake_model.runs == 0
    assert window.messages.isHidden(), "nothing has failed"
    answer(window, "no_weights", "Models…")
    settle(window)
    assert window.weights.dialog.chosen_name == "dap"


def test_the_licence_is_asked_once_and_before_the_first_use(window, settle, published, fake_model):
    weights_file(find_model("dap")).parent.mkdir(parents=True)
    weights_file(find_model("dap")).write_bytes(b"as good as weights for a fake model")
    window.settings[MODEL] = "dap"
    press(window, Qt.Key.Key_1)
    settle(window)
    question = window.findChild(QMessageBox, "licence")
    assert find_model("dap").licence in question.text()
    assert question.defaultButton().text() == "No", "nobody agrees by habit"
    answer(window, "licence", "No")
    settle(window)
    assert fake_model.runs == 0
    assert window.settings[LICENCES] == ()

    window.actions_by_name["depth"].trigger()
    answer(window, "licence", "Yes")
    settle(window)
    assert fake_model.runs == 1
    assert window.actions_by_name["depth"].isChecked(), "what was wanted is done afterwards"
    assert window.settings[LICENCES] == ("dap",)
    window.actions_by_name["run"].trigger()
    settle(window)
    assert fake_model.runs == 2


def test_a_script_hears_why_nothing_ran(window, settle, published):
    heard = []
    window.weights.held_up.connect(heard.append)
    window.settings[MODEL] = "dap"
    press(window, Qt.Key.Key_1)
    assert len(heard) == 1
    assert "add them in the Models window" in heard[0]
    answer(window, "no_weights", "Cancel")


def test_other_weights_are_loaded_anew(make_main_window, settle, published, fake_model):
    window = make_main_window()
    loaded = []
    window.session._loader = lambda name, device: loaded.append(name) or fake_model
    picture = np.zeros((64, 128, 3), np.uint8)
    window.session.show(Panorama(picture), Pyramid.of(picture))
    window.settings[LICENCES] = ("dap",)
    window.settings[MODEL] = "dap"
    window.weights.add(published, "")
    settle(window)
    for _ in range(2):
        window.session.predict()
        settle(window)
    assert loaded == ["dap"]
    window.weights.add(published, "dap")
    settle(window)
    window.session.predict()
    settle(window)
    assert loaded == ["dap", "dap"]
