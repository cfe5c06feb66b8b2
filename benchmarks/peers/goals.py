"""Judges the promises about HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.harness.case import Verdict
from benchmarks.peers.confidence import Interval, difference_interval, ratio_interval
from benchmarks.peers.measure import Measured
from benchmarks.peers.schedule import EIGHT_CLIENTS, ONE_CLIENT
from benchmarks.peers.servers import BARE, OURS, REFERENCE, Server

LEAST_OF_REFERENCE = 0.95
MOST_TAIL = 2.0
MOST_MILLISECONDS = 0.3
# The bare reference decodes without the checks, the other with them.
IN_WORDS = {REFERENCE: "reference", BARE: "reference without any check"}


def verdicts(measured: Measured, servers: Sequence[Server]) -> list[Verdict]:
    """Judges all of them, in the order of the report."""
    by_who: dict[str, list[Server]] = {}
    for server in servers:
        by_who.setdefault(server.who, []).append(server)
    return [
        *_more_than_peers(measured, by_who),
        *_as_much_as_reference(measured, by_who),
        *_short_tail(measured, by_who),
        _no_errors(measured),
        *_one_client(measured, by_who),
    ]


def _more_than_peers(measured: Measured, by_who: dict[str, list[Server]]) -> Iterator[Verdict]:
    """Compares each at its best number of workers, in the rounds in which both had turns."""

    def best(who: str) -> tuple[str, float]:
        rates = {server.name: measured.rate(server.name, EIGHT_CLIENTS) for server in by_who[who]}
        name = max(rates, key=rates.__getitem__)
        return name, rates[name]

    ours, rate = best(OURS)
    all_rounds = measured.rates(ours, EIGHT_CLIENTS)
    for who in by_who:
        if who in (OURS, REFERENCE, BARE):
            continue
        theirs, their_rate = best(who)
        rounds = measured.rates(theirs, EIGHT_CLIENTS)
        # The peers have the first rounds of a block.
        beside = {block: all_rounds[block][: len(values)] for block, values in rounds.items()}
        ratio = ratio_interval(beside, rounds)
        yield Verdict(
            f"answers a second, 8 clients: ours / {who}, each at its best",
            "> 1",
            f"{_with_interval(ratio, '')}; {rate:.1f} / {their_rate:.1f}",
            ratio.value > 1,
        )


def _as_much_as_reference(measured: Measured, by_who: dict[str, list[Server]]) -> Iterator[Verdict]:
    for ours in by_who[OURS]:
        for who in (REFERENCE, BARE):
            theirs = _of(by_who[who], ours.workers)
            ratio = ratio_interval(
                measured.rates(ours.name, EIGHT_CLIENTS), measured.rates(theirs, EIGHT_CLIENTS)
            )
            yield Verdict(
                f"answers a second, 8 clients, {_workers(ours)}: ours / {IN_WORDS[who]}",
                f">= {LEAST_OF_REFERENCE}",
                _with_interval(ratio, ""),
                ratio.value >= LEAST_OF_REFERENCE,
            )


def _short_tail(measured: Measured, by_who: dict[str, list[Server]]) -> Iterator[Verdict]:
    for ours in by_who[OURS]:
        latency = measured.latency(ours.name, EIGHT_CLIENTS)
        tail = latency.p99 / latency.median
        yield Verdict(
            f"p99 / median of the latency, 8 clients, {_workers(ours)}",
            f"<= {MOST_TAIL:g}",
            f"{tail:.2f} ({latency.p99:.1f} / {latency.median:.1f} ms)",
            tail <= MOST_TAIL,
        )


def _no_errors(measured: Measured) -> Verdict:
    errors, answers = len(measured.errors()), measured.answers()
    return Verdict("errors and wrong answers", "0", f"{errors} of {answers + errors}", not errors)


def _one_client(measured: Measured, by_who: dict[str, list[Server]]) -> Iterator[Verdict]:
    ours = _of(by_who[OURS], 1)
    for who in (REFERENCE, BARE):
        theirs = _of(by_who[who], 1)
        more = difference_interval(
            measured.medians(ours, ONE_CLIENT), measured.medians(theirs, ONE_CLIENT)
        )
        yield Verdict(
            f"median latency, 1 client: ours less {IN_WORDS[who]}",
            f"<= {MOST_MILLISECONDS} ms",
            _with_interval(more, " ms"),
            more.value <= MOST_MILLISECONDS,
        )


def _of(servers: Sequence[Server], workers: int) -> str:
    return next(server.name for server in servers if server.workers == workers)


def _workers(server: Server) -> str:
    return f"{server.workers} worker{'s' if server.workers > 1 else ''}"


def _with_interval(interval: Interval, unit: str) -> str:
    return f"{interval.value:.3f}{unit} (95 %: {interval.low:.3f} to {interval.high:.3f})"
