"""Plans the loads: how many, how long, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.peers.servers import BARE, OURS, REFERENCE, TWIN, Server

ONE_CLIENT, EIGHT_CLIENTS = "1 client", "8 clients"
CLIENTS = {EIGHT_CLIENTS: 8, ONE_CLIENT: 1}
# Open loop: shares of what the same server managed with eight clients.
SHARES = {"open loop, 50 %": 0.5, "open loop, 80 %": 0.8}
# The promises compare these: they get more rounds than the others.
CLOSE = (OURS, REFERENCE, BARE)


@dataclass(frozen=True)
class Plan:
    """The number and the length of the loads.

    Attributes:
        warm_up_seconds: of eight clients, for each server that was just started.
        blocks: the servers whose difference is small are started anew for each of them: some
            processes are a little quicker than others of their kind for as long as they live.
        rounds: closed loops of these servers, in each block.
            The others take turns with them in the first round of each block.
        seconds: of one closed loop with eight clients.
        one_client_rounds: in each block.
        one_client_seconds: of one of them.
        open_rounds: of each open loop, of the servers with most workers.
        open_seconds: of one open loop.
        twin_seconds: of its two loops; it has no rounds, being many times slower.
    """

    warm_up_seconds: float = 0.8
    blocks: int = 6
    rounds: int = 2
    seconds: float = 1.6
    one_client_rounds: int = 4
    one_client_seconds: float = 0.9
    open_rounds: int = 2
    open_seconds: float = 2.5
    twin_seconds: float = 5.0


QUICK = Plan(0.2, 2, 1, 0.4, 1, 0.4, 1, 0.5, 2.0)


@dataclass(frozen=True)
class Turn:
    """One server, one load, once.

    Attributes:
        block: since the closest servers were last started.
        round: in this block.
    """

    server: Server
    load: str
    block: int
    round: int


def closed_turns(servers: Sequence[Server], load: str, block: int, plan: Plan) -> Iterator[Turn]:
    """Lists the turns of one block; in each round one server follows another.

    The first server changes from round to round. With one client, a second worker has
    nothing to do.
    """
    taking = [
        server
        for server in servers
        if server.who != TWIN and (load != ONE_CLIENT or server.workers == 1)
    ]
    rounds = plan.one_client_rounds if load == ONE_CLIENT else plan.rounds
    for number in range(rounds):
        now = [server for server in taking if server.who in CLOSE or number == 0]
        first = (block * rounds + number) % len(now)
        yield from (Turn(server, load, block, number) for server in now[first:] + now[:first])


def open_turns(servers: Sequence[Server], plan: Plan) -> Iterator[Turn]:
    """The open loops of the servers with most workers, round after round."""
    taking = [server for server in servers if server.workers > 1 and server.who != BARE]
    for number in range(plan.open_rounds):
        for load in SHARES:
            yield from (Turn(server, load, plan.blocks, number) for server in taking)
