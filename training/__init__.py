"""Worlds with exact labels, and the training of the bundled networks. No Qt."""
