"""Defines cases as data; ``measure.py`` runs all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.harness.statistics import Samples

MILLISECONDS = "time, ms"
# Of a load: answers a second, one value for each run of it. Shown beside its times.
RATE = "a second"


class WrongAnswer(Exception):
    """An implementation gave a wrong answer or none, so its speed means nothing."""


@dataclass(frozen=True)
class Measured:
    """An answer with figures that the implementation took itself, instead of the call's time.

    Attributes:
        answer: for the case's check.
        figures: name, with the unit after a comma -> one value, or those of many requests.
    """

    answer: Any
    figures: Mapping[str, float | Sequence[float]]


@dataclass(frozen=True)
class Goal:
    """A promise about a case's figures.

    Attributes:
        text: the promise, for the table of goals.
        sign: ">=", "<=" or "<".
        limit: in ``unit``.
        unit: "x", "ms" …
        value: computes the figure from the samples.
    """

    text: str
    sign: str
    limit: float
    unit: str
    value: Callable[[Samples], float]

    def is_met(self, value: float) -> bool:
        """Whether a figure keeps the promise."""
        match self.sign:
            case ">=":
                return value >= self.limit
            case "<=":
                return value <= self.limit
            case "<":
                return value < self.limit
        raise ValueError(f"sign {self.sign!r}: it must be >=, <= or <")


@dataclass(frozen=True)
class Verdict:
    """One promise, judged: its text, the goal, the measured value, and whether it was kept."""

    text: str
    goal: str
    measured: str
    met: bool


@dataclass(frozen=True, kw_only=True)
class Case:
    """One comparison: implementations side by side on the same inputs.

    Attributes:
        name: of the case, as in "http".
        description: one line: the measurement and its subject.
        implementations: name -> function from an input to an answer. It may return ``Measured``;
            else the call itself is timed.
        inputs: name -> argument of the implementations.
        check: is given an input's name and every implementation's answer to it, and raises
            WrongAnswer. Called after every round, outside of the timing.
        rounds: how often each implementation gets each input.
        warm_up_rounds: rounds before these, checked but not measured.
        each_input: whether the report has a row for each input, or one for all together.
        goals: the promises.
        notes: lines below the table, made from the samples.
    """

    name: str
    description: str
    implementations: Mapping[str, Callable[[Any], Any]]
    inputs: Mapping[str, Any]
    check: Callable[[str, Mapping[str, Any]], None]
    rounds: int
    warm_up_rounds: int = 1
    each_input: bool = True
    goals: tuple[Goal, ...] = ()
    notes: Callable[[Samples], list[str]] = field(default=lambda samples: [])
