"""Collects samples of figures and sums them up."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Summary:
    """Median and tails of some samples."""

    count: int
    median: float
    p95: float
    p99: float
    smallest: float
    largest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary:
        """Sums up at least one value."""
        ordered = sorted(values)
        return cls(
            count=len(ordered),
            median=statistics.median(ordered),
            p95=_percentile(ordered, 95),
            p99=_percentile(ordered, 99),
            smallest=ordered[0],
            largest=ordered[-1],
        )

    def as_dict(self) -> dict[str, float]:
        """The same as plain data."""
        return asdict(self)


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """Nearest rank: always a value that was measured; the largest when there are few."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


class Samples:
    """The samples of one case, by implementation, input and figure."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str, str], list[float]] = defaultdict(list)

    def add(
        self, implementation: str, input_name: str, figure: str, value: float | Sequence[float]
    ) -> None:
        """Adds one value, or those of many requests."""
        values = value if isinstance(value, Sequence) else [value]
        self._values[implementation, input_name, figure].extend(values)

    def series(self) -> list[tuple[str, str, str]]:
        """Lists implementation, input and figure of all samples."""
        return list(self._values)

    def implementations(self) -> list[str]:
        """The names of the implementations, in the order of their first samples."""
        return list(dict.fromkeys(name for name, _, _ in self._values))

    def inputs(self) -> list[str]:
        """The names of the inputs, in the order of their first samples."""
        return list(dict.fromkeys(name for _, name, _ in self._values))

    def values(self, implementation: str, input_name: str | None, figure: str) -> list[float]:
        """Lists the samples of one input, or with None of all inputs together."""
        return [
            value
            for (its, name, what), values in self._values.items()
            if its == implementation and what == figure and input_name in (None, name)
            for value in values
        ]

    def median(self, implementation: str, input_name: str, figure: str) -> float:
        """The median of one input's samples."""
        return statistics.median(self.values(implementation, input_name, figure))

    def summary(self, implementation: str, input_name: str | None, figure: str) -> Summary:
        """Sums up the samples of one input, or with None those of all inputs together."""
        return Summary.of(self.values(implementation, input_name, figure))
