"""What was measured as plain data: written as JSON, and all that the page is made of."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.peers.goals import Verdict
from benchmarks.peers.measure import Measured
from benchmarks.peers.servers import Server


def as_data(
    machine: Mapping[str, str],
    skipped: Mapping[str, str],
    servers: Sequence[Server],
    measured: Measured,
    goals: Sequence[Verdict],
) -> dict[str, Any]:
    """Everything but the single latencies."""
    known = {server.name: server for server in servers}
    figures = []
    for (name, load), found in measured.outcomes.items():
        latency = measured.latency(name, load)
        late = [value for _, outcome in found for value in outcome.late]
        figures.append(
            {
                "server": known[name].who,
                "workers": known[name].workers,
                "load": load,
                "answers": latency.count,
                "per_second": measured.rate(name, load),
                "median_ms": latency.median,
                "p95_ms": latency.p95,
                "p99_ms": latency.p99,
                "errors": sum(len(outcome.errors) for _, outcome in found),
                **({"sent_late_ms": statistics.median(late)} if late else {}),
                "rounds": [
                    {
                        "round": number,
                        "per_second": outcome.per_second,
                        "median_ms": statistics.median(outcome.latencies),
                    }
                    for number, outcome in found
                ],
            }
        )
    return {
        "machine": dict(machine),
        "skipped": dict(skipped),
        "figures": figures,
        "goals": [asdict(goal) for goal in goals],
    }
