"""Photographs that intake takes, for the tests of this folder."""

import numpy as np

from core.geometry.sphere import erp_rays


def colonnade(height=256, seed=0):
    """A room of striped walls between a plain floor and ceiling: all edges are verticals, or level."""
    rays = erp_rays(height, 2 * height)
    lon = np.arctan2(rays[..., 0], rays[..., 2])
    wall = np.abs(rays[..., 1]) < 0.5
    grey = np.where(wall, 120 + 80 * np.sign(np.sin(lon * 12 + seed)), np.where(rays[..., 1] > 0, 70, 220))
    return np.repeat(grey[..., None], 3, axis=-1).astype(np.uint8)
