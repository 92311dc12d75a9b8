"""Who may import whom: read from the sources, and tried in fresh processes."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
QT = {"PySide6", "shiboken6", "pyqtgraph", "vispy", "OpenGL"}
SOURCES = sorted(path for package in ("core", "panoviewer", "training") for path in (ROOT / package).rglob("*.py"))
LAYERS = {
    "core.errors": 0,
    "core.progress": 0,
    "core.geometry": 1,
    "core.tone": 2,
    "core.panorama": 2,
    "core.pyramid": 2,
    "core.mask": 2,
    "core.turning": 3,
    "core.prediction": 3,
    "core.colors": 3,
    "core.scene": 3,
    "core.labels": 3,
    "core.edits": 3,
    "core.history": 3,
    "core.outlines": 3,
    "core.cloud": 4,
    "core.comparison": 4,
    "core.known_scale": 4,
    "core.measure": 4,
    "core.object_clouds": 4,
    "core.mesh": 4,
    "core.models": 5,
    "core.io": 5,
    "core.segment": 5,
    "core.export": 6,
}
"""A module of core imports only from its own layer and from those with a smaller number."""
LAZY = {"torch", "open3d", "onnxruntime", "numba", "onnx", "laspy", "OpenEXR", "pillow_heif"}
MAY_IMPORT_TORCH = ("core.models.networks",)


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path, *, eager_only=False):
    """Full names of the modules that a file imports; with `eager_only` those that importing the file imports."""
    found = set()

    def visit(node):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if eager_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def tops(names):
    return {name.partition(".")[0] for name in names}


def layer(module):
    """The layer of a module of core; None for packages that hold nothing themselves."""
    names = [name for name in LAYERS if module == name or module.startswith(f"{name}.")]
    return LAYERS[max(names, key=len)] if names else None


def test_there_is_something_to_check():
    assert len(SOURCES) > 30
    assert imports(ROOT / "tests" / "test_imports.py") >= {"ast", "pathlib", "pathlib.Path"}


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_packages_know_only_what_they_may(path):
    package, imported = module_name(path).partition(".")[0], tops(imports(path))
    if package == "core":
        assert not imported & ({"panoviewer", "training", "tests"} | QT)
    elif package == "panoviewer":
        assert not imported & {"training", "tests"}
    else:
        assert not imported & ({"panoviewer", "tests"} | QT)


@pytest.mark.parametrize("path", [path for path in SOURCES if "core" in path.parts], ids=module_name)
def test_core_imports_downwards_only(path):
    own = layer(module_name(path))
    if own is None:
        assert not [name for name in imports(path) if name.startswith("core.")]
        return
    upwards = {name for name in imports(path) if name.startswith("core.") and (layer(name) or 0) > own}
    assert not upwards


@pytest.mark.parametrize("path", [path for path in SOURCES if "core" in path.parts], ids=module_name)
def test_heavy_packages_are_imported_on_first_use(path):
    if module_name(path).startswith(MAY_IMPORT_TORCH):
        return
    assert not tops(imports(path, eager_only=True)) & LAZY


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.parts[-2] == "views" and path.name != "__init__.py"], ids=module_name
)
def test_views_know_neither_the_window_nor_the_document(path):
    forbidden = ("panoviewer.main_window", "panoviewer.document", "panoviewer.session", "panoviewer.panels")
    assert not [name for name in imports(path) if name.startswith(forbidden)]


def test_only_the_cloud_views_know_vispy():
    users = {module_name(path) for path in SOURCES if "vispy" in tops(imports(path))}
    assert all(name.startswith("panoviewer.views.cloud") for name in users), users


@pytest.mark.parametrize("name", ["cli", "__main__", "interrupts", "arguments", "batch", "console", "diagnostics"])
def test_the_command_line_imports_no_qt_at_all(name):
    imported = imports(ROOT / "panoviewer" / f"{name}.py")
    assert not tops(imported) & QT
    eager = imports(ROOT / "panoviewer" / f"{name}.py", eager_only=True)
    assert "panoviewer.window" not in eager


@pytest.mark.parametrize("args", [["info"], ["info", "--json"], ["predict", "missing.jpg", "-o", "{out}"]])
def test_the_command_line_loads_neither_qt_nor_torch_until_they_are_needed(args, tmp_path):
    program = (
        "import sys; from panoviewer.cli import main; code = main(sys.argv[1:]);"
        f"heavy = {sorted(QT | {'torch', 'open3d', 'numba', 'onnxruntime'})};"
        "sys.stderr.write('LOADED ' + ' '.join(name for name in heavy if name in sys.modules)); sys.exit(code)"
    )
    given = [arg.format(out=tmp_path) for arg in args]
    done = subprocess.run(
        [sys.executable, "-c", program, *given], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.stderr.rpartition("LOADED ")[2].split() == [], done.stderr
    assert done.returncode == (2 if args[0] == "predict" else 0)
