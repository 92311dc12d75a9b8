"""What a thread has computed, whatever else the machine does."""

import time


def own_seconds():
    """What this thread has computed since it began, and what the system has computed for it.

    The second is nearly all for handing out memory. The same request takes 2 ms or 150 ms, as the memory of a virtual
    machine happens to be there or not, so that it says nothing about a program.
    """
    try:
        import resource

        usage = resource.getrusage(resource.RUSAGE_THREAD)
    except (ImportError, AttributeError):
        return time.thread_time(), 0.0
    return usage.ru_utime, usage.ru_stime
