"""What is measured, how often and for how long; who takes turns with whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.peers.servers import BARE, OURS, REFERENCE, TWIN, Server

ONE_CLIENT, EIGHT_CLIENTS = "1 client", "8 clients"
CLIENTS = {ONE_CLIENT: 1, EIGHT_CLIENTS: 8}
# Open loop: shares of what the same server managed with eight clients.
SHARES = {"open loop, 50 %": 0.5, "open loop, 80 %": 0.8}
# The promises compare these: they get more rounds than the others.
CLOSE = (OURS, REFERENCE, BARE)


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        warm_up_seconds: of eight clients, for each server, before anything counts.
        rounds: closed loops of the servers whose difference is small.
        peer_rounds: of the others; spread over the rounds.
        seconds: of one closed loop.
        open_rounds: of each open loop, of the servers with most workers.
        open_seconds: of one open loop.
        twin_seconds: of its two loops; it has no rounds, being many times slower.
    """

    warm_up_seconds: float = 1.0
    rounds: int = 10
    peer_rounds: int = 3
    seconds: float = 1.8
    open_rounds: int = 2
    open_seconds: float = 2.5
    twin_seconds: float = 5.0


QUICK = Plan(0.3, 2, 1, 0.5, 1, 0.5, 2.0)


@dataclass(frozen=True)
class Turn:
    """One server, one load, once."""

    server: Server
    load: str
    round: int


def closed_turns(servers: Sequence[Server], load: str, plan: Plan) -> Iterator[Turn]:
    """Round after round; in each the servers come one right after the other.

    Who begins changes from round to round. With one client, a second worker has nothing to do.
    """
    every = max(1, plan.rounds // plan.peer_rounds)
    taking = [
        server
        for server in servers
        if server.who != TWIN and (load != ONE_CLIENT or server.workers == 1)
    ]
    for number in range(plan.rounds):
        now = [s for s in taking if s.who in CLOSE or number % every == 0]
        first = number % len(now)
        yield from (Turn(server, load, number) for server in now[first:] + now[:first])


def open_turns(servers: Sequence[Server], plan: Plan) -> Iterator[Turn]:
    taking = [server for server in servers if server.workers > 1 and server.who != BARE]
    for number in range(plan.open_rounds):
        for load in SHARES:
            yield from (Turn(server, load, number) for server in taking)
