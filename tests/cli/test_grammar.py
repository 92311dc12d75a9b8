"""The command line's grammar and last resorts."""

import pytest
from commands import is_one_sentence, photo
from hypothesis import given
from hypothesis import strategies as st

from panoviewer import arguments, cli
from panoviewer.arguments import UsageError, join_negative_numbers


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["--x", "-94.6,-18.8"], ["--x=-94.6,-18.8"]),
        (["--x=-94.6,-18.8"], ["--x=-94.6,-18.8"]),
        (["--min-range", "-1"], ["--min-range=-1"]),
        (["--at", "-1e-3,2.5,-.5"], ["--at=-1e-3,2.5,-.5"]),
        (["-o", "out", "-5.jpg"], ["-o", "out", "-5.jpg"]),
        (["--x", "-o"], ["--x", "-o"]),
        (["--", "--x", "-5"], ["--", "--x", "-5"]),
        (["5", "-5"], ["5", "-5"]),
    ],
)
def test_negative_numbers_are_joined_to_the_option_before_them(given, read):
    assert join_negative_numbers(given) == read


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4))
def test_any_list_of_numbers_is_a_value_of_the_option_before_it(numbers):
    parser = arguments.Parser("test")
    parser.add_argument("--x")
    parser.add_argument("--flag", action="store_true")
    text = ",".join(map(repr, numbers))
    assert parser.parse_args(["--x", text, "--flag"]).x == text
    assert parser.parse_args([f"--x={text}"]).x == text


def test_abbreviations_and_unknown_options_are_refused():
    for wrong in (["a.jpg", "--screen", "b.png"], ["a.jpg", "--nonsense"], ["a.jpg", "--run", "flight"]):
        with pytest.raises(UsageError, match="Try 'panoviewer --help'"):
            arguments.window_parser("1").parse_args(wrong)


@pytest.mark.parametrize("command", [[], ["info"], ["predict"], ["cloud"]])
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--help"])
    assert ended.value.code == 0
    assert "panoviewer" in capsys.readouterr().out


def test_an_unforeseen_error_is_one_sentence_and_debug_shows_where(tmp_path, in_process, capsys, monkeypatch):
    photo(tmp_path / "a.jpg")
    monkeypatch.setattr("fake_model.room", lambda height, width: 1 / 0)
    for command in (["predict", "-o", tmp_path / "out"], ["cloud", "-o", tmp_path / "a.ply"]):
        assert in_process(*command, tmp_path / "a.jpg") == 1
        told = capsys.readouterr().err
        assert "ZeroDivisionError" in told
        assert "--debug" in told
        assert "Traceback" not in told
        assert in_process(*command, tmp_path / "a.jpg", "--debug") == 1
        assert "Traceback" in capsys.readouterr().err


def test_without_the_packages_of_the_window_a_sentence_says_how_to_install_them(monkeypatch, capsys):
    monkeypatch.setattr(cli, "missing_window_packages", lambda: ["PySide6-Essentials"])
    assert cli.main([]) == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told)
    assert "PySide6-Essentials" in told
    assert "pip install" in told


@pytest.mark.parametrize("words", [["frobnicate"], ["predcit", "a.jpg", "-o", "out"], ["Info"]])
def test_a_word_that_is_neither_command_nor_file_is_said_to_be_neither(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told)
    assert "info, predict, cloud, convert, segment, export, import, models, bench" in told
    assert told.endswith(f": {words[0]}\n")


def test_a_file_that_is_named_like_a_word_is_opened(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "missing_window_packages", lambda: ["PySide6-Essentials"])
    (tmp_path / "photograph").touch()
    assert cli.main(["photograph"]) == 2
    assert "The window needs" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["predict", "-o", "out"], ["cloud", "-o", "a.ply"], ["info"], []])
def test_a_file_that_begins_with_a_dash_gets_a_hint(tmp_path, in_process, capsys, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "-dash.jpg")
    assert in_process(*command, "-dash.jpg") == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told)
    assert "./-dash.jpg" in told
    if command:
        assert in_process(*command, "./-dash.jpg") == 0
        assert in_process(*command, "-other.jpg") == 2
        assert "./" not in capsys.readouterr().err.splitlines()[-1]
