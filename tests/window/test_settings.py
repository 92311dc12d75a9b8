"""What is remembered."""

from pathlib import Path

from panoviewer.settings import DEVICE, HINTS, MAX_RECENT, POINTS_SHOWN, SETTINGS, Settings


def test_a_value_survives_the_session(tmp_path, qapp):
    path = tmp_path / "settings.ini"
    first = Settings(path)
    first[HINTS] = False
    first[POINTS_SHOWN] = 123_456
    first.remember(Path("/photos/a, b.jpg"))
    first._store.sync()
    second = Settings(path)
    assert second[HINTS] is False
    assert second[POINTS_SHOWN] == 123_456
    assert second.recent() == [Path("/photos/a, b.jpg")]


def test_nonsense_in_the_file_gives_the_default(tmp_path, qapp):
    path = tmp_path / "settings.ini"
    path.write_text("[run]\ndevice=toaster\n[cloud]\npoints_shown=many\n")
    settings = Settings(path)
    assert settings[DEVICE] == DEVICE.default
    assert settings[POINTS_SHOWN] == POINTS_SHOWN.default


def test_the_newest_file_is_first_and_the_list_is_short(settings):
    for number in range(20):
        settings.remember(Path(f"/photos/{number}.jpg"))
    settings.remember(Path("/photos/12.jpg"))
    assert settings.recent()[:2] == [Path("/photos/12.jpg"), Path("/photos/19.jpg")]
    assert len(settings.recent()) == MAX_RECENT


def test_a_change_is_announced_once(settings, qtbot):
    with qtbot.waitSignal(settings.changed) as heard:
        settings[HINTS] = False
    assert heard.args == [HINTS]
    with qtbot.assertNotEmitted(settings.changed):
        settings[HINTS] = False


def test_a_device_chosen_in_the_settings_is_shown_beside_the_model(make_main_window):
    window = make_main_window()
    window.settings[DEVICE] = "cpu"
    assert window.inference._device.currentData() == "cpu"
    window.inference._device.setCurrentIndex(window.inference._device.findData("auto"))
    assert window.settings[DEVICE] == "auto"


def test_the_users_configuration_folder_decides(tmp_path, qapp, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    settings = Settings()
    settings[HINTS] = False
    settings._store.sync()
    assert (tmp_path / "panoviewer" / "settings.ini").is_file()


def test_no_two_settings_share_a_key():
    keys = [setting.key for setting in SETTINGS]
    assert len(keys) == len(set(keys))
