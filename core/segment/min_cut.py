"""The cheapest border between inside and outside, on pixels that each have up to eight neighbours.

The smallest cut of a graph is found by growing two search trees from both terminals and mending them after each path.
Source: Y. Boykov, V. Kolmogorov, An Experimental Comparison of Min-Cut/Max-Flow Algorithms for Energy Minimization in
Vision, PAMI 2004, sections 3.2 and, for the order of adoption, the remarks on distances and time stamps in 3.2.3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled, frozen

OFFSETS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
"""Rows and columns to the eight neighbours; the way back from the k-th is the (7 - k)-th."""
STEPS = 1 << 12
"""Costs are counted in so many parts of one: whole numbers end where rounding would not."""
MOST = 1 << 18
"""No cost counts for more, in the same parts."""

Bits = NDArray[np.bool_]

_FREE, _INSIDE, _OUTSIDE = 0, 1, 2
_NONE, _TERMINAL, _ORPHAN = -1, -2, -3


def smallest_cut(favour: NDArray[np.float32], neighbours: NDArray[np.int32], costs: NDArray[np.float32]) -> Bits:
    """Which pixels lie inside when favour and the costs of separated neighbours are weighed best.

    Minimises the sum of `costs` over separated pairs minus the sum of `favour` over the pixels inside.

    Args:
        favour: (n,) what it is worth that a pixel lies inside, negative for outside; at most 64 counts.
        neighbours: (n, 8) index of each neighbour in the order of `OFFSETS`, -1 where there is none; if the k-th of i
            is j, then the (7 - k)-th of j is i.
        costs: (n, 8) of separating a pixel from each neighbour, the same both ways, not negative; at most 64 counts.

    Returns:
        (n,) bool; a pixel that does not matter lies outside.
    """
    count = len(favour)
    if neighbours.shape != (count, 8) or costs.shape != (count, 8):
        raise ValueError(f"expected (n, 8) neighbours and costs for {count} pixels, got {neighbours.shape}")
    terminal = np.rint(np.clip(favour * np.float32(STEPS), -MOST, MOST)).astype(np.int32)
    capacity = np.rint(np.clip(costs * np.float32(STEPS), 0, MOST)).astype(np.int32)
    return _cut(terminal, frozen(neighbours.astype(np.int32, copy=False)), capacity)


@compiled
def _cut(terminal: NDArray[np.int32], neighbours: NDArray[np.int32], capacity: NDArray[np.int32]) -> Bits:
    """The loop behind `smallest_cut`; uses up `terminal` and `capacity`."""
    count = terminal.shape[0]
    # Most of what flows goes from a pixel to its neighbour; that needs no trees.
    for i in range(count):
        for k in range(8):
            j = neighbours[i, k]
            if j >= 0 and terminal[i] > 0 > terminal[j]:
                flow = min(terminal[i], -terminal[j], capacity[i, k])
                terminal[i] -= flow
                terminal[j] += flow
                capacity[i, k] -= flow
                capacity[j, 7 - k] += flow
    tree = np.zeros(count, np.int8)
    parent = np.full(count, _NONE, np.int8)
    stamp = np.zeros(count, np.int32)
    distance = np.zeros(count, np.int32)
    queue = np.empty(count + 1, np.int32)
    queued = np.zeros(count, np.bool_)
    head = tail = 0
    orphans = np.empty(count + 1, np.int32)
    time = 0
    for i in range(count):
        if terminal[i] != 0:
            tree[i] = _INSIDE if terminal[i] > 0 else _OUTSIDE
            parent[i] = _TERMINAL
            distance[i] = 1
            queue[tail] = i
            tail += 1
            queued[i] = True
    current = -1
    while True:
        if current < 0 or parent[current] == _NONE:
            current = -1
            while head != tail:
                i = queue[head]
                head = head + 1 if head < count else 0
                queued[i] = False
                if parent[i] != _NONE:
                    current = i
                    break
            if current < 0:
                break
        # Grow the tree of the current pixel until it meets the other one.
        i = current
        from_inside, link = -1, -1
        for k in range(8):
            j = neighbours[i, k]
            if j < 0:
                continue
            room = capacity[i, k] if tree[i] == _INSIDE else capacity[j, 7 - k]
            if room <= 0:
                continue
            if parent[j] == _NONE:
                tree[j] = tree[i]
                parent[j] = 7 - k
                stamp[j] = stamp[i]
                distance[j] = distance[i] + 1
                if not queued[j]:
                    queue[tail] = j
                    tail = tail + 1 if tail < count else 0
                    queued[j] = True
            elif tree[j] != tree[i]:
                if tree[i] == _INSIDE:
                    from_inside, link = i, k
                else:
                    from_inside, link = j, 7 - k
                break
            elif stamp[j] <= stamp[i] and distance[j] > distance[i]:
                parent[j] = 7 - k
                stamp[j] = stamp[i]
                distance[j] = distance[i] + 1
        time += 1
        if from_inside < 0:
            current = -1
            continue
        # The narrowest place of the path decides how much flows.
        to_outside = neighbours[from_inside, link]
        flow = capacity[from_inside, link]
        i = from_inside
        while parent[i] != _TERMINAL:
            k = parent[i]
            j = neighbours[i, k]
            flow = min(flow, capacity[j, 7 - k])
            i = j
        flow = min(flow, terminal[i])
        i = to_outside
        while parent[i] != _TERMINAL:
            k = parent[i]
            flow = min(flow, capacity[i, k])
            i = neighbours[i, k]
        flow = min(flow, -terminal[i])
        waiting = 0
        capacity[from_inside, link] -= flow
        capacity[to_outside, 7 - link] += flow
        i = from_inside
        while parent[i] != _TERMINAL:
            k = parent[i]
            j = neighbours[i, k]
            capacity[i, k] += flow
            capacity[j, 7 - k] -= flow
            if capacity[j, 7 - k] == 0:
                parent[i] = _ORPHAN
                orphans[waiting] = i
                waiting += 1
            i = j
        terminal[i] -= flow
        if terminal[i] == 0:
            parent[i] = _ORPHAN
            orphans[waiting] = i
            waiting += 1
        i = to_outside
        while parent[i] != _TERMINAL:
            k = parent[i]
            j = neighbours[i, k]
            capacity[i, k] -= flow
            capacity[j, 7 - k] += flow
            if capacity[i, k] == 0:
                parent[i] = _ORPHAN
                orphans[waiting] = i
                waiting += 1
            i = j
        terminal[i] += flow
        if terminal[i] == 0:
            parent[i] = _ORPHAN
            orphans[waiting] = i
            waiting += 1
        # Pixels that hang in the air look for another way to their terminal, or become free.
        while waiting > 0:
            waiting -= 1
            i = orphans[waiting]
            best, best_distance = _NONE, 1 << 30
            for k in range(8):
                j = neighbours[i, k]
                if j < 0 or tree[j] != tree[i] or parent[j] == _NONE:
                    continue
                room = capacity[j, 7 - k] if tree[i] == _INSIDE else capacity[i, k]
                if room <= 0:
                    continue
                far = 0
                at = j
                while True:
                    if stamp[at] == time:
                        far += distance[at]
                        break
                    step = parent[at]
                    far += 1
                    if step == _TERMINAL:
                        stamp[at] = time
                        distance[at] = 1
                        break
                    if step in (_ORPHAN, _NONE):
                        far = 1 << 30
                        break
                    at = neighbours[at, step]
                if far >= 1 << 30:
                    continue
                if far < best_distance:
                    best, best_distance = k, far
                at = j
                while stamp[at] != time:
                    stamp[at] = time
                    distance[at] = far
                    far -= 1
                    at = neighbours[at, parent[at]]
            if best != _NONE:
                parent[i] = best
                stamp[i] = time
                distance[i] = best_distance + 1
                continue
            for k in range(8):
                j = neighbours[i, k]
                if j < 0 or tree[j] != tree[i] or parent[j] == _NONE:
                    continue
                room = capacity[j, 7 - k] if tree[i] == _INSIDE else capacity[i, k]
                if room > 0 and not queued[j]:
                    queue[tail] = j
                    tail = tail + 1 if tail < count else 0
                    queued[j] = True
                if parent[j] >= 0 and neighbours[j, parent[j]] == i:
                    parent[j] = _ORPHAN
                    orphans[waiting] = j
                    waiting += 1
            parent[i] = _NONE
            tree[i] = _FREE
    inside = np.zeros(count, np.bool_)
    for i in range(count):
        inside[i] = parent[i] != _NONE and tree[i] == _INSIDE
    return inside
