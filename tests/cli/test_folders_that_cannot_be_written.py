"""Places where nothing can be written: one kind sentence, before the work where that can be known."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from commands import PROGRAM, ROOT, environment, is_one_sentence, names, photo

from panoviewer import batch, clouding


def in_a_world_of_its_own(script, folder):
    """Run a shell script with mounts of its own; the test is skipped where that is not allowed."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    mount = f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"
    if subprocess.run([*own, "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("mounts of its own are not allowed here")
    return subprocess.run(
        [*own, "sh", "-c", f"{mount} && exec {script}"],
        capture_output=True, text=True, env=environment(), cwd=ROOT, timeout=280, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "command",
    [
        "predict {tmp}/a.jpg -o {tmp}/out",
        "predict {tmp}/a.jpg -o {tmp}/out/new",
        "predict {tmp}/a.jpg -o {tmp}/out --resume",
        "cloud {tmp}/a.jpg -o {tmp}/out/a.ply",
        "cloud {tmp}/a.jpg -o {tmp}/out/b.npz",
    ],
)
def test_a_folder_that_is_mounted_read_only_is_one_sentence_before_the_work(tmp_path, command):
    photo(tmp_path / "a.jpg")
    out = tmp_path / "out"
    out.mkdir()
    for name in ("a.json", "a.depth.npy", "a.ply"):
        (out / name).write_text("before")
    script = " ".join([*PROGRAM, command.format(tmp=tmp_path)])
    done = in_a_world_of_its_own(script, out)
    assert done.returncode == 2, done.stderr
    (complaint,) = [line for line in done.stderr.splitlines() if line.startswith("panoviewer: ")]
    assert "read-only" in complaint
    assert complaint.count(str(tmp_path)) == 1
    assert "inside the program" not in done.stderr
    assert all((out / name).read_text() == "before" for name in names(out))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("command", [["predict", "-o", "out"], ["cloud", "-o", "out/a.ply"]])
def test_a_folder_of_somebody_else_is_one_sentence(tmp_path, in_process, capsys, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "a.jpg")
    Path("out").mkdir(mode=0o500)
    assert in_process(*command, "a.jpg") == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told)
    assert "not permitted" in told


@pytest.mark.parametrize(
    "target", ["/dev/full/a.ply", "/proc/a.ply", "/dev/null/out/a.ply", "/proc/no/a.ply", "{tmp}/{long}.ply"]
)
def test_places_where_nothing_can_be_written_are_one_sentence(tmp_path, in_process, capsys, target):
    photo(tmp_path / "a.jpg")
    assert in_process("cloud", tmp_path / "a.jpg", "-o", target.format(tmp=tmp_path, long="x" * 300)) == 2
    complaints = [line for line in capsys.readouterr().err.splitlines() if line.startswith("panoviewer: ")]
    assert len(complaints) == 1
    assert complaints[0].endswith(".ply")
    assert "inside the program" not in complaints[0]


@pytest.mark.parametrize("folder", ["/dev/null/out", "/proc/out", "{tmp}/{long}", "{tmp}/a.jpg"])
def test_folders_that_cannot_be_are_one_sentence(tmp_path, in_process, capsys, folder):
    photo(tmp_path / "a.jpg")
    assert in_process("predict", tmp_path / "a.jpg", "-o", folder.format(tmp=tmp_path, long="x" * 300)) == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told)
    assert "inside the program" not in told


@pytest.mark.parametrize("name", ["x" * 300, "a\x00b", "x/" * 3000, "a.jpg/b.jpg"])
@pytest.mark.parametrize("command", ["info", "predict", "cloud"])
def test_names_that_no_file_can_have_are_one_sentence(tmp_path, in_process, capsys, command, name):
    photo(tmp_path / "a.jpg")
    output = {"info": [], "predict": ["-o", tmp_path / "out"], "cloud": ["-o", tmp_path / "a.ply"]}[command]
    assert in_process(command, f"{tmp_path}/{name}", *output) == 2
    complaints = [line for line in capsys.readouterr().err.splitlines() if line.startswith("panoviewer: ")]
    assert len(complaints) == 1
    assert "inside the program" not in complaints[0]


def test_a_result_that_is_a_folder_is_one_sentence(tmp_path, in_process, capsys):
    photo(tmp_path / "a.jpg")
    for name in ("a.json", "a.depth.npy"):
        folder = tmp_path / name.split(".")[1] / name
        folder.mkdir(parents=True)
        assert in_process("predict", tmp_path / "a.jpg", "-o", folder.parent, "--tasks", "depth") != 0
        told = capsys.readouterr().err
        assert "inside the program" not in told
        assert name in told


@pytest.mark.parametrize("command", [["predict", "-o", "new/deep"], ["cloud", "-o", "new/deep/a.ply"]])
def test_folders_that_are_missing_are_made(tmp_path, in_process, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "a.jpg")
    assert in_process(*command, "a.jpg") == 0
    assert names(tmp_path / "new/deep")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no such folder here")
@pytest.mark.parametrize(
    "command",
    [["predict", "-o", "/proc/out"], ["cloud", "-o", "/proc/a.ply"], ["cloud", "-o", "/proc/no/deep/a.ply"]],
)
def test_of_a_folder_that_is_there_nobody_says_that_it_is_missing(tmp_path, in_process, capsys, command):
    photo(tmp_path / "a.jpg")
    assert in_process(*command, tmp_path / "a.jpg") == 2
    (complaint,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("panoviewer: ")]
    assert "does not exist" not in complaint
    assert "/proc" in complaint


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no such folder here")
@pytest.mark.parametrize("place", ["/proc", "/dev", "/sys", "/dev/fd", "/proc/self", "/dev/new/deep"])
@pytest.mark.parametrize(
    "command",
    ["predict -o {}", "cloud -o {}/a.ply", "cloud -o {} --format obj", "convert -o {}/a.jpg",
     "convert --to cube --layout six -o {}/a.jpg"],
)  # fmt: skip
def test_where_the_system_shows_itself_nothing_is_made_and_no_work_is_done(
    tmp_path, in_process, capsys, monkeypatch, place, command
):
    def predict(*args, **options):
        pytest.fail("the work was done")

    for module in (batch, clouding):
        monkeypatch.setattr(module, "predict_panorama", predict)
    name, *rest = command.format(place).split()
    assert in_process(name, photo(tmp_path / "a.jpg"), *rest) == 2
    told = capsys.readouterr().err
    complaints = [line for line in told.splitlines() if line.startswith("panoviewer: ")]
    assert len(complaints) == 1, told
    assert "lets nothing be made" in complaints[0]
    assert not Path("/dev/new").exists()


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no such folder here")
def test_shared_memory_takes_files(tmp_path, in_process):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert in_process("convert", photo(tmp_path / "a.jpg"), "-o", f"{folder}/new/a.png") == 0
        assert names(Path(folder)) == ["new/a.png"]
