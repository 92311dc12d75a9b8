import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.geometry.compiled import compiled, frozen

ROOT = Path(__file__).resolve().parents[2]
USE = (
    "import numpy as np; from core.geometry.points import points_from_depth; "
    "print(float(points_from_depth(np.ones((2, 4), np.float32)).sum(dtype=np.float64)))"
)


def test_a_compiled_loop_computes_what_it_says():
    @compiled
    def total(values):
        result = 0.0
        for value in values:
            result += value
        return result

    assert total(np.arange(5.0)) == 10.0


def test_numba_is_not_imported_before_it_is_needed():
    code = "import sys, core.geometry.warp, core.geometry.normals, core.geometry.points; print('numba' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_a_read_only_installation_without_a_home_still_works(tmp_path):
    shutil.copytree(ROOT / "core", tmp_path / "core", ignore=shutil.ignore_patterns("__pycache__"))
    # Root may write anywhere, so a file stands where numba would make its folder.
    (tmp_path / "core" / "geometry" / "__pycache__").write_text("")
    (tmp_path / "home").write_text("")
    environment = os.environ | {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home" / "cache")}
    environment.pop("NUMBA_CACHE_DIR", None)
    result = subprocess.run(
        [sys.executable, "-c", USE], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert float(result.stdout) == pytest.approx(0, abs=1e-6)


def test_frozen_makes_one_read_only_contiguous_type_of_all_callers():
    original = np.zeros((4, 6), np.float32)
    view = frozen(original[:, ::2])
    assert view.flags.c_contiguous
    assert not view.flags.writeable
    assert original.flags.writeable
