"""One answer out of two of a network that does not know that a panorama closes.

The network reads the picture once as it is and once turned by half, and each answer counts less the nearer it is to its
own seam, where it counts nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.geometry.sphere import erp_angles

F32 = NDArray[np.float32]


def shares_as_it_is(width: int) -> F32:
    """(width,) how much each column of the answer for the picture as it is counts, from 0 at its sides to 1.

    Those of two columns half a turn apart sum to exactly 1, so that nothing depends on which answer came first.
    """
    lon, _ = erp_angles(1, width)
    here = ((1 + np.cos(lon)) / 2).astype(np.float32)
    shares: F32 = np.where(np.abs(lon) < np.pi / 2, here, 1 - np.roll(here, width // 2))
    return shares


def turned_back(of_turned: F32) -> F32:
    """A map (..., h, w) of the picture turned by half, as one of the picture itself."""
    return np.roll(of_turned, -(of_turned.shape[-1] // 2), axis=-1)


def without_seam(here: F32, of_turned: F32) -> F32:
    """One map (..., h, w) of two, the second of which was made from the picture turned by half and still lies so."""
    share = shares_as_it_is(here.shape[-1])
    blended: F32 = share * here + (1 - share) * turned_back(of_turned)
    return blended
