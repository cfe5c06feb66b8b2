"""Starts all servers, sends them the loads in turns, and collects the outcomes."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from benchmarks.harness.statistics import Summary
from benchmarks.load.plan import Load, Outcome
from benchmarks.load.process import Sender, sender
from benchmarks.peers import schedule as plans
from benchmarks.peers.confidence import Blocks
from benchmarks.peers.process_groups import Group, running
from benchmarks.peers.schedule import CLIENTS, CLOSE, EIGHT_CLIENTS, ONE_CLIENT, SHARES, Plan, Turn
from benchmarks.peers.servers import TWIN, Server
from benchmarks.servers.app_host import free_ports


@dataclass
class Measured:
    """All outcomes, by server and load, each with its turn."""

    outcomes: dict[tuple[str, str], list[tuple[Turn, Outcome]]] = field(default_factory=dict)

    def add(self, turn: Turn, outcome: Outcome) -> None:
        """Adds the outcome of one turn."""
        key = (turn.server.name, turn.load)
        self.outcomes.setdefault(key, []).append((turn, outcome))

    def rates(self, server: str, load: str) -> Blocks:
        """Answers a second, round by round in each block."""
        return self._in_blocks(server, load, lambda outcome: outcome.per_second)

    def rate(self, server: str, load: str) -> float:
        """Answers a second at the median of all rounds."""
        return statistics.median(o.per_second for _, o in self.outcomes[server, load])

    def medians(self, server: str, load: str) -> Blocks:
        """Median latency, ms, round by round in each block."""
        return self._in_blocks(server, load, lambda outcome: statistics.median(outcome.latencies))

    def latency(self, server: str, load: str) -> Summary:
        """Sums up the latencies of all rounds together, ms."""
        turns = self.outcomes[server, load]
        return Summary.of([value for _, outcome in turns for value in outcome.latencies])

    def _in_blocks(
        self, server: str, load: str, value: Callable[[Outcome], float]
    ) -> dict[int, list[float]]:
        blocks: dict[int, list[float]] = {}
        for turn, outcome in self.outcomes[server, load]:
            # Without a right answer there is nothing to compare; the errors are reported.
            blocks.setdefault(turn.block, []).append(
                value(outcome) if outcome.latencies else math.nan
            )
        return blocks

    def errors(self) -> list[str]:
        """One line for each error, with its server and load."""
        return [
            f"{server}, {load}: {error}"
            for (server, load), turns in self.outcomes.items()
            for _, outcome in turns
            for error in outcome.errors
        ]

    def answers(self) -> int:
        """The number of right answers."""
        return sum(len(o.latencies) for turns in self.outcomes.values() for _, o in turns)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The request of a run and its right answer."""

    file: Path
    tag: str
    probability: float


def measure(servers: Sequence[Server], asked: Asked, plan: Plan) -> Measured:
    """Carries out the whole plan.

    Raises:
        WrongAnswer: a server does not come up, or its first answers are not right.
    """
    close = [server for server in servers if server.who in CLOSE]
    others = [server for server in servers if server.who not in CLOSE]
    with ExitStack() as stack:
        run = _Run(stack.enter_context(sender()), asked, plan)
        stack.enter_context(run.up(others))
        for block in range(plan.blocks):
            with run.up(close):
                for load in (EIGHT_CLIENTS, ONE_CLIENT):
                    turns = list(plans.closed_turns(servers, load, block, plan))
                    run.take(turns, f"{load}, block {block + 1} of {plan.blocks}")
                if block == plan.blocks - 1:
                    run.take(list(plans.open_turns(servers, plan)), "open loop")
        twins = [server for server in others if server.who == TWIN]
        run.take([Turn(twin, load, 0, 0) for twin in twins for load in CLIENTS], TWIN)
        return run.measured


class _Run:
    def __init__(self, source: Sender, asked: Asked, plan: Plan) -> None:
        self._source = source
        self._asked = asked
        self._plan = plan
        self._groups: dict[str, Group] = {}
        self.measured = Measured()

    @contextmanager
    def up(self, servers: Sequence[Server]) -> Iterator[None]:
        """Starts servers, warms them up, and ends them with the ``with`` block."""
        with ExitStack() as stack:
            groups = [
                stack.enter_context(running(server, port))
                for server, port in zip(servers, free_ports(len(servers)), strict=True)
            ]
            for group in groups:
                group.wait_until_healthy()
                self._groups[group.server.name] = group
            for group in groups:
                outcome = self._send(group.server, clients=8, seconds=self._plan.warm_up_seconds)
                if outcome.errors:
                    raise group.program.failure(f"answered wrongly: {outcome.errors[0]}")
            yield

    def take(self, turns: Sequence[Turn], what: str) -> None:
        # disable=None: a bar on terminals only
        for turn in tqdm(turns, desc=what, leave=False, disable=None):
            self.measured.add(turn, self._one(turn))

    def _one(self, turn: Turn) -> Outcome:
        server, plan = turn.server, self._plan
        if turn.load in SHARES:
            rate = self.measured.rate(server.name, EIGHT_CLIENTS) * SHARES[turn.load]
            return self._send(server, rate=rate, seconds=plan.open_seconds)
        seconds = plan.one_client_seconds if turn.load == ONE_CLIENT else plan.seconds
        if server.who == TWIN:
            seconds = plan.twin_seconds
        return self._send(server, clients=CLIENTS[turn.load], seconds=seconds)

    def _send(
        self, server: Server, *, seconds: float, clients: int = 1, rate: float | None = None
    ) -> Outcome:
        return self._source.send(
            Load(
                port=self._groups[server.name].port,
                path=server.path,
                file=str(self._asked.file),
                tag=self._asked.tag,
                probability=self._asked.probability,
                seconds=seconds,
                clients=clients,
                rate=rate,
            )
        )
