"""The command that measures how fast everything is on this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from panoviewer.arguments import DONE, UsageError, bench_parser
from panoviewer.benches.groups import GROUPS, NETWORK_GROUP
from panoviewer.benches.machine import busy_note, load, machine_facts
from panoviewer.benches.report import table
from panoviewer.benches.rows import REFERENCE_WIDTH, Plan
from panoviewer.console import Console


def bench(argv: Sequence[str]) -> int:
    """``panoviewer bench``; returns the exit code."""
    args = bench_parser().parse_args(argv)
    plan = Plan(args.width, args.repeats, tuple(args.networks))
    names = args.groups or ([NETWORK_GROUP] if args.networks else [])
    if args.networks and NETWORK_GROUP not in names:
        raise UsageError(
            f"Only the group {NETWORK_GROUP} measures networks one by one; name it, or leave --network out."
        )
    chosen = [group for group in GROUPS if (group.name in names if names else not group.on_request)]
    facts = machine_facts()
    if not args.json:
        sys.stdout.write(_head(facts, plan))
    groups = []
    with Console() as console:
        console.expect(len(chosen))
        for group in chosen:
            rows = list(group.load()(plan, lambda what: console.say(f"measuring {what}")))
            groups.append({"name": group.name, "title": group.title, "rows": [row.facts() for row in rows]})
            console.finished(group.title)
            if not args.json:
                sys.stdout.write(f"\n{group.title}\n\n{table(rows)}\n")
                sys.stdout.flush()
    note = busy_note(facts["load"], load(), facts["cores"])
    if args.json:
        told = {"machine": facts, "width": plan.width, "repeats": plan.repeats, "busy": note, "groups": groups}
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
    else:
        sys.stdout.write(f"\n{note}\n")
    sys.stdout.flush()
    return DONE


def _head(facts: dict[str, Any], plan: Plan) -> str:
    """Where, when and how it is measured."""
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    gpus = "; ".join(facts["gpus"]) or "none"
    lines = [
        f"{facts['date']}, PanoViewer {facts['panoviewer']}, Python {facts['python']}, {facts['system']}",
        f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_free']} free, GPU: {gpus} (used for networks alone)",
        packages,
        f"Medians of {plan.repeats} after one for warming up, on a panorama {plan.size} unless said.",
    ]
    if plan.width != REFERENCE_WIDTH:
        lines.append(f"Goals are about panoramas {REFERENCE_WIDTH} wide and are left out.")
    return "\n".join(lines) + "\n"
