"""What a run draws its samples from: things with names, of which there may come more while it goes on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


class Pool(Generic[Item]):
    """Things to draw from, with the step from which on each was known.

    A step sees what was known when it began, also when it is computed again after an interruption, and in every
    process.

    Args:
        listing: Gives what there is now; what it gave once it goes on giving.
        place: Where that is, for a run that goes on in another place and forgets what it knew of this one.
    """

    def __init__(self, listing: Callable[[], Sequence[Item]], place: object = "") -> None:
        self._listing, self._place = listing, str(place)
        items = list(listing())
        self._steps: list[int] = [0]
        self._known: list[tuple[Item, ...]] = [tuple(items)]

    def refresh(self, step: int) -> None:
        """Take in what has come since; steps from this one on see it. A step that was refreshed before stays."""
        if step <= self._steps[-1]:
            return
        old = {str(item) for item in self._known[-1]}
        new = tuple(item for item in self._listing() if str(item) not in old)
        self._steps.append(step)
        self._known.append(self._known[-1] + new)

    def at(self, step: int) -> tuple[Item, ...]:
        """What a step draws from."""
        return self._known[max(0, bisect_right(self._steps, step) - 1)]

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        counts = [len(known) for known in self._known]
        return {
            "place": self._place,
            "steps": list(self._steps),
            "counts": counts,
            "names": [str(item) for item in self._known[-1]],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Know again what was known when `state` was taken; without effect where that was another place.

        What is gone since is left out.
        """
        if state["place"] != self._place:
            return
        now = {str(item): item for item in self._listing()}
        self._steps = list(state["steps"])
        names = state["names"]
        self._known = [tuple(now[name] for name in names[:count] if name in now) for count in state["counts"]]
