"""How long an endpoint took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.compare.agreement import percentile
from tools.compare.answer_log import Answer

__all__ = ["Latency", "latency_of"]


@dataclass(frozen=True)
class Latency:
    """Milliseconds of the answers of one endpoint.

    Attributes:
        times: of those that came over a connection that was there; sorted.
        first: of those that had to connect, which meet a cold start too; sorted.
        retries: how often it was asked again.
    """

    times: tuple[float, ...]
    first: tuple[float, ...]
    retries: int

    def percentile(self, percent: float) -> float | None:
        return percentile(self.times, percent) if self.times else None


def latency_of(answers: Sequence[Answer]) -> Latency:
    def times(*, connected: bool) -> tuple[float, ...]:
        return tuple(
            sorted(
                each.milliseconds
                for each in answers
                if each.milliseconds is not None and each.connected is connected
            )
        )

    return Latency(
        times(connected=False), times(connected=True), sum(each.retries for each in answers)
    )
