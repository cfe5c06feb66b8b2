"""Breaks things while a queue is drained: kills a worker, freezes the storage.

    python -m benchmarks.stress.fault_injection                  3,000 messages
    python -m benchmarks.stress.fault_injection --messages 300   a short form, which the tests run

Every message must end as a result on the page, in `images-failed` or in `images-poison`. None may
be lost; those that came twice are counted. Exit 1 if one is missing or has the wrong end.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from benchmarks import ROOT
from benchmarks.servers.app_host import free_ports
from benchmarks.servers.queue_pipeline import (
    FAILED,
    IMAGES,
    POISON,
    QueueHost,
    copy_app,
    images,
    queue_host,
)
from benchmarks.servers.signalr_viewer import Viewer
from tools.azurite import Azurite

SAMPLES = ROOT / "frontend" / "samples"
FROZEN_SECONDS = 4.0
# The time limit of each phase.
PATIENCE_SECONDS = 240.0

RESULT = "result"


@dataclass
class Ends:
    """The ends of all messages.

    Attributes:
        expected: id -> where it must end.
        ends: id -> number of ends by place.
        killed: worker processes that were killed.
        frozen_seconds: how long the storage was frozen.
        seconds: from the first message to the last end.
    """

    expected: Mapping[str, str]
    ends: dict[str, Counter[str]] = field(default_factory=dict)
    killed: list[int] = field(default_factory=list)
    frozen_seconds: float = 0.0
    seconds: float = 0.0

    def note(self, name: str, end: str) -> None:
        """Counts one end of a message."""
        self.ends.setdefault(name, Counter())[end] += 1

    @property
    def lost(self) -> list[str]:
        """Messages without an end."""
        return [name for name in self.expected if name not in self.ends]

    @property
    def wrong(self) -> list[str]:
        """Messages that ended elsewhere than they must."""
        return [
            f"{name}: {dict(self.ends[name])}, it must be {end}"
            for name, end in self.expected.items()
            if name in self.ends and end not in self.ends[name]
        ]

    @property
    def repeats(self) -> int:
        """Ends beyond the first of each message."""
        return sum(sum(counts.values()) - 1 for counts in self.ends.values())

    def report(self) -> str:
        """The account as lines of text."""
        kinds = Counter(self.expected.values())
        lines = [
            f"messages           {len(self.expected):>6}",
            *(f"  to end as {end:<14} {count:>4}" for end, count in kinds.items()),
            f"workers killed     {len(self.killed):>6}",
            f"storage stood still {self.frozen_seconds:>5.1f} s",
            f"all ended after    {self.seconds:>6.1f} s",
            f"lost               {len(self.lost):>6}",
            f"with a wrong end   {len(self.wrong):>6}",
            f"repeats            {self.repeats:>6}",
        ]
        return "\n".join(lines + self.wrong[:10] + self.lost[:10])


def messages(count: int, images: str) -> tuple[list[str], dict[str, str]]:
    """Makes texts for the queue, and where each must end.

    Three in a hundred name an image that is not there, two in a hundred have no URL at all, and a
    few come from a server that is always down, so that they are tried five times.
    """
    names = [sample["file"] for sample in json.loads((SAMPLES / "samples.json").read_text("utf-8"))]
    texts, expected = [], {}
    for number in range(count):
        name, url = f"m-{number}", f"{images}/{names[number % len(names)]}"
        end = RESULT
        if number % 33 == 7:
            url, end = f"{images}/not-there.png", FAILED
        elif number % 50 == 11:
            url, end = "not a url", FAILED
        elif number % 300 == 99:
            # Nothing listens on a port that was free a moment ago.
            url, end = f"http://127.0.0.1:{free_ports(1)[0]}/down.png", POISON
        expected[name] = end
        texts.append(json.dumps({"id": name, "url": url}))
    return texts, expected


def run(count: int, *, workers: int = 2, frozen_seconds: float = FROZEN_SECONDS) -> Ends:
    """Runs all, from an empty emulator to the last message's end."""
    with ExitStack() as stack:
        azurite = stack.enter_context(Azurite())
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        # A failed message is shown again after half a second.
        copy_app(root, {"visibilityTimeout": "00:00:00.500"})
        address = stack.enter_context(images(SAMPLES, delay_ms=20))
        host = stack.enter_context(queue_host(root, azurite, workers=workers))
        viewer = stack.enter_context(Viewer(host.url))
        texts, expected = messages(count, address)
        ends = Ends(expected)
        began = time.monotonic()
        host.put(tqdm(texts, "queueing", leave=False, disable=None))
        _break_things(viewer, host, ends, frozen_seconds)
        _wait(viewer, host, ends)
        ends.seconds = time.monotonic() - began
        for heard in list(viewer.heard):
            if heard.target == "newResult":
                ends.note(heard.content["id"], RESULT)
        for name in (FAILED, POISON):
            for content in host.take_all(name):
                ends.note(content["id"], name)
        if not host.program.is_running():
            raise host.program.failure("ended on its own")
        return ends


def _break_things(viewer: Viewer, host: QueueHost, ends: Ends, frozen_seconds: float) -> None:
    count = len(ends.expected)
    _until(viewer, count // 5)
    victim = host.worker_processes()[0]
    victim.send_signal(signal.SIGKILL)
    ends.killed.append(victim.pid)
    _until(viewer, count // 2)
    os.kill(host.azurite.process.pid, signal.SIGSTOP)
    try:
        time.sleep(frozen_seconds)
    finally:
        os.kill(host.azurite.process.pid, signal.SIGCONT)
    ends.frozen_seconds = frozen_seconds


def _until(viewer: Viewer, count: int) -> None:
    if not viewer.wait_for(lambda heard: len(heard) >= count, PATIENCE_SECONDS):
        raise TimeoutError(f"{len(viewer.heard)} messages ended, not {count}")


def _wait(viewer: Viewer, host: QueueHost, ends: Ends) -> None:
    """Waits until every message has an end or the time is over."""
    on_page = {name for name, end in ends.expected.items() if end != POISON}
    poisoned = len(ends.expected) - len(on_page)
    give_up = time.monotonic() + PATIENCE_SECONDS
    with tqdm(total=len(ends.expected), desc="ended", leave=False, disable=None) as bar:
        while time.monotonic() < give_up:
            shown = {heard.content["id"] for heard in list(viewer.heard)}
            in_poison = host.depth(POISON)
            bar.update(len(shown & on_page) + in_poison - bar.n)
            ended = on_page <= shown and in_poison >= poisoned
            # While the queue holds one, a repeat may still be on its way.
            if ended and host.depth(IMAGES) == 0:
                return
            time.sleep(0.1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the account; returns 1 unless every message came to its right end."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.stress.fault_injection",
        description=(__doc__ or "").split("\n\n")[0],
    )
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    ends = run(options.messages, workers=options.workers)
    print(ends.report())
    return 1 if ends.lost or ends.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
