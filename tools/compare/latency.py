"""Measures the response times of an endpoint."""

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
        times: of requests over a connection that was open already; sorted.
        first: of requests that opened a connection, which meet a cold start too; sorted.
        retries: how many requests were sent again.
    """

    times: tuple[float, ...]
    first: tuple[float, ...]
    retries: int

    def percentile(self, percent: float) -> float | None:
        """The time that so many per cent of ``times`` do not exceed; None without any."""
        return percentile(self.times, percent) if self.times else None


def latency_of(answers: Sequence[Answer]) -> Latency:
    """Sorts the times of all answers that have one."""

    def times(*, opened_connection: bool) -> tuple[float, ...]:
        return tuple(
            sorted(
                each.milliseconds
                for each in answers
                if each.milliseconds is not None and each.opened_connection is opened_connection
            )
        )

    return Latency(
        times=times(opened_connection=False),
        first=times(opened_connection=True),
        retries=sum(each.retries for each in answers),
    )
