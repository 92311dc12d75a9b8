"""The kinds of interiors."""

from __future__ import annotations

from training.worlds.home_styles import HOME_STYLES
from training.worlds.public_styles import PUBLIC_STYLES
from training.worlds.style import Style

STYLES: dict[str, Style] = {**HOME_STYLES, **PUBLIC_STYLES}
