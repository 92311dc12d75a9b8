"""Run a command, and say on one line of JSON how it ended: its exit code, seconds, seconds on cores, bytes at its peak.

A script of its own: Linux takes what a program's caller held for the program's own peak, so the caller must hold next
to nothing.
"""

import json
import os
import subprocess
import sys
import time

if __name__ == "__main__":
    started = time.perf_counter()
    core = peak = None
    with subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL) as process:
        if hasattr(os, "wait4"):
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            core = usage.ru_utime + usage.ru_stime
            # Linux counts in kilobytes, macOS in bytes.
            peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        code = process.wait()
    told = {"code": code, "wall": time.perf_counter() - started, "core": core, "peak": peak}
    sys.stdout.write(json.dumps(told) + "\n")
