"""Torch modules, shared by inference and training."""
