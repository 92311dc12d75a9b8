"""Whether OpenGL can be used, found out in a child process that may crash in our stead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import asdict, dataclass
from functools import cache

from core.errors import PanoError

TIMEOUT_SECONDS = 30
SOFTWARE = ("llvmpipe", "softpipe", "swrast", "software", "microsoft basic")
NO_OPENGL_PLATFORMS = ("offscreen", "minimal", "vnc", "linuxfb")
STARTED = "qt"
"""What the child says once Qt has started."""
SWITCH = "PANOVIEWER_OPENGL"
"""Environment variable; 'off' makes the window do without OpenGL."""


@dataclass(frozen=True)
class OpenGL:
    """What the probe found.

    Attributes:
        reason: Why OpenGL cannot be used; None when it can.
        renderer: Name of the device that draws.
        is_software: True when that is the processor; fewer points can then be drawn.
    """

    reason: str | None
    renderer: str = ""
    is_software: bool = False


class WindowError(PanoError):
    """The window cannot be opened, or cannot do what was asked of it on the command line."""


def forget_foreign_plugins(environment: MutableMapping[str, str]) -> None:
    """Drop paths to Qt plugins that another package's Qt has left in the environment.

    The full OpenCV wheel sets them to its own Qt 5 when it is imported; our Qt would load these plugins and abort.
    """
    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        paths = environment.get(name, "").split(os.pathsep)
        ours = [path for path in paths if path and "cv2" not in path.replace("\\", "/").split("/")]
        if ours:
            environment[name] = os.pathsep.join(ours)
        else:
            environment.pop(name, None)


def check_display(environment: Mapping[str, str], platform: str = sys.platform) -> None:
    """Fail with a sentence where Qt would abort for want of a display.

    Raises:
        WindowError: There is none.
    """
    asked = environment.get("QT_QPA_PLATFORM", "").split(":")[0].split(";")[0]
    needs_none = asked in (*NO_OPENGL_PLATFORMS, "eglfs")
    has_display = bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
    if platform.startswith("linux") and not needs_none and not has_display:
        raise WindowError(
            "A window needs a screen, and neither DISPLAY nor WAYLAND_DISPLAY is set. Log in to a desktop, use "
            "xvfb-run, or use the commands predict and cloud, which need none."
        )


def begin_probe() -> None:
    """Start the child process that `probe` waits for, so that other things can be done meanwhile."""
    _child()


@cache
def probe() -> OpenGL:
    """Try to draw with OpenGL in a child process; the answer is remembered for this process.

    Raises:
        WindowError: Qt itself cannot start here.
    """
    child = _child()
    if isinstance(child, OpenGL):
        return child
    try:
        output, errors = child.communicate(timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return OpenGL(f"The test drawing did not finish within {TIMEOUT_SECONDS} s.")
    return _answer(output, errors)


@cache
def _child() -> subprocess.Popen[str] | OpenGL:
    """The running child process, or the answer where none is needed."""
    if os.environ.get(SWITCH, "").lower() == "off":
        return OpenGL(f"It is switched off by {SWITCH}=off.")
    platform = os.environ.get("QT_QPA_PLATFORM", "").split(":")[0].split(";")[0]
    if platform in NO_OPENGL_PLATFORMS:
        return OpenGL(f"The Qt platform '{platform}' has none.")
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "panoviewer.opengl"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except OSError as error:
        return OpenGL(f"The test drawing could not be started: {error.strerror}.")


def _answer(output: str, errors: str) -> OpenGL:
    """What the child's output means; a child that dies says less than one that succeeds."""
    lines = output.splitlines()
    # Drivers are known to write lines of their own.
    answers = [line for line in lines if line.startswith("{")]
    if STARTED not in lines and not answers:
        cause = next((line for line in errors.splitlines() if line.strip()), "no message")
        raise WindowError(f"A window cannot be opened here. Qt says: {cause}")
    if not answers:
        return OpenGL("The driver crashed during a test drawing; update it, or try LIBGL_ALWAYS_SOFTWARE=1.")
    return OpenGL(**json.loads(answers[-1]))


def _try() -> OpenGL:
    """Compile the real shader and draw one frame of it. Runs in the child."""
    from PySide6.QtWidgets import QApplication

    application = QApplication([])
    sys.stdout.write(f"{STARTED}\n")
    sys.stdout.flush()

    import numpy as np

    from core.panorama import DEFAULT_VIEW
    from core.pyramid import Pyramid
    from panoviewer.views.perspective_gl import GlCanvas

    reasons: list[str] = []
    canvas = GlCanvas(4096)
    canvas.failed.connect(reasons.append)
    canvas.resize(64, 64)
    canvas.set_picture("photo", Pyramid((np.full((256, 512, 3), 200, np.uint8),)))
    canvas.set_camera(DEFAULT_VIEW)
    picture = canvas.grabFramebuffer()
    while canvas.isValid() and not reasons and not canvas.settled:
        application.processEvents()
    picture = canvas.grabFramebuffer()
    if not canvas.isValid():
        return OpenGL("No OpenGL context could be made; a graphics driver may be missing.")
    if reasons:
        return OpenGL(f"The driver cannot compile the shader: {reasons[0].splitlines()[0]}")
    if picture.pixelColor(32, 32).red() != 200:
        return OpenGL("A test drawing came out wrong; update the graphics driver.")
    canvas.makeCurrent()
    renderer = str(canvas.context().functions().glGetString(0x1F01))
    return OpenGL(None, renderer, any(name in renderer.lower() for name in SOFTWARE))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_try())) + "\n")
    sys.stdout.flush()
    # Tearing a broken driver down may crash; the answer is out.
    os._exit(0)
