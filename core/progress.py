"""How long work reports itself and how it is stopped."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called as ``progress(done, total)``; it may raise `Cancelled` to stop the work."""


class Cancelled(Exception):
    """Raised by a progress callback when the user has asked to stop; never shown as an error."""


def silent(done: int, total: int) -> None:
    """The progress callback of work that nobody watches."""


def stage(progress: Progress, begin: float, end: float) -> Progress:
    """The progress callback of a part of some work.

    Args:
        progress: Of the whole; hears thousandths.
        begin: Share of the whole at which the part begins.
        end: Share of the whole at which it ends.
    """

    def report(done: int, total: int) -> None:
        share = done / total if total else 0.0
        progress(round(1000 * (begin + (end - begin) * share)), 1000)

    return report
