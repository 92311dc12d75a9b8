"""Cutting objects out by click: a click travels around the sphere, view by view."""
