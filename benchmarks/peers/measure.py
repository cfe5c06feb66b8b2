"""Starts all servers, sends them the loads in turns, and gathers what came of it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tqdm import tqdm

from benchmarks.cases import WrongAnswer
from benchmarks.material import ROOT
from benchmarks.peers import plan as plans
from benchmarks.peers.groups import Group, free_ports, running
from benchmarks.peers.load import Load, Outcome
from benchmarks.peers.plan import CLIENTS, EIGHT_CLIENTS, ONE_CLIENT, SHARES, Plan, Turn
from benchmarks.peers.servers import TWIN, Server
from benchmarks.statistics import Summary


@dataclass
class Measured:
    """All outcomes, by server and load, each with its round."""

    outcomes: dict[tuple[str, str], list[tuple[int, Outcome]]] = field(default_factory=dict)

    def add(self, turn: Turn, outcome: Outcome) -> None:
        key = (turn.server.name, turn.load)
        self.outcomes.setdefault(key, []).append((turn.round, outcome))

    def rates(self, server: str, load: str) -> list[float]:
        """Answers a second, round by round."""
        return [outcome.per_second for _, outcome in self.outcomes[server, load]]

    def rate(self, server: str, load: str) -> float:
        return statistics.median(self.rates(server, load))

    def medians(self, server: str, load: str) -> list[float]:
        """Median latency, ms, round by round."""
        found = self.outcomes[server, load]
        return [statistics.median(outcome.latencies) for _, outcome in found]

    def latency(self, server: str, load: str) -> Summary:
        """Of all rounds together, ms."""
        found = self.outcomes[server, load]
        return Summary.of([value for _, outcome in found for value in outcome.latencies])

    def errors(self) -> list[str]:
        return [
            f"{server}, {load}: {error}"
            for (server, load), found in self.outcomes.items()
            for _, outcome in found
            for error in outcome.errors
        ]

    def answers(self) -> int:
        return sum(len(o.latencies) for found in self.outcomes.values() for _, o in found)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What every request of a run is, and what its answer must say."""

    file: Path
    tag: str
    probability: float


class Sender:
    """The load generator, a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def send(self, load: Load) -> Outcome:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(load)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise WrongAnswer("the load generator ended; its error is above")
        return Outcome(**json.loads(line))


@contextmanager
def sender() -> Iterator[Sender]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.peers.load"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        yield Sender(process)  # the end of its input, which comes with the exit, ends it


def measure(servers: Sequence[Server], asked: Asked, plan: Plan) -> Measured:
    """The whole plan.

    Raises:
        WrongAnswer: a server does not come up, or its first answers are not right.
    """
    with ExitStack() as stack:
        source = stack.enter_context(sender())
        ports = free_ports(len(servers))
        groups = {
            server.name: stack.enter_context(running(server, port))
            for server, port in zip(servers, ports, strict=True)
        }
        for group in groups.values():
            group.wait_until_healthy()
        return _Run(groups, source, asked, plan).run()


class _Run:
    def __init__(
        self, groups: Mapping[str, Group], source: Sender, asked: Asked, plan: Plan
    ) -> None:
        self._groups = groups
        self._source = source
        self._asked = asked
        self._plan = plan
        self._measured = Measured()

    def run(self) -> Measured:
        plan, servers = self._plan, [group.server for group in self._groups.values()]
        for server in servers:
            outcome = self._send(server, clients=8, seconds=plan.warm_up_seconds)
            if outcome.errors:
                words = self._groups[server.name].last_words()
                raise WrongAnswer(f"{server.name}: {outcome.errors[0]}. {words}")
        for load in (EIGHT_CLIENTS, ONE_CLIENT):
            self._take(list(plans.closed_turns(servers, load, plan)), load)
        self._take(list(plans.open_turns(servers, plan)), "open loop")
        twins = [server for server in servers if server.who == TWIN]
        self._take([Turn(server, load, 0) for server in twins for load in CLIENTS], TWIN)
        return self._measured

    def _take(self, turns: Sequence[Turn], what: str) -> None:
        # disable=None: a bar on terminals only
        for turn in tqdm(turns, desc=what, leave=False, disable=None):
            self._measured.add(turn, self._one(turn))

    def _one(self, turn: Turn) -> Outcome:
        server, plan = turn.server, self._plan
        if turn.load in SHARES:
            rate = self._measured.rate(server.name, EIGHT_CLIENTS) * SHARES[turn.load]
            return self._send(server, rate=rate, seconds=plan.open_seconds)
        seconds = plan.twin_seconds if server.who == TWIN else plan.seconds
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
