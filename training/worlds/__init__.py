"""Procedural indoor and outdoor worlds, rendered as panoramas with exact labels."""
