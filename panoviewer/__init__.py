"""The window and the command line: holds the current scene, turns gestures into calls of core, paints."""

__version__ = "0.1.0"
