"""Measures the app over HTTP against other servers: the entry ``peers``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from benchmarks.data.synthetic_images import encoded, photo
from benchmarks.data.workload import FIXTURES, REAL_MODEL, Workload, open_workload
from benchmarks.harness.case import MILLISECONDS, RATE, Verdict, WrongAnswer
from benchmarks.harness.records import Part, Record, rows_record
from benchmarks.harness.statistics import Samples
from benchmarks.peers.environments import PEERS, NotInstalled
from benchmarks.peers.goals import verdicts
from benchmarks.peers.measure import Asked, Measured, measure
from benchmarks.peers.schedule import CLIENTS, QUICK, SHARES, Plan
from benchmarks.peers.servers import (
    THREADS,
    Server,
    own_servers,
    peer_servers,
    twin_server,
    versions,
)

PHOTO = FIXTURES / "images" / "catdog" / "Test_0CirmiuszRex.jpg"
SIZE = (640, 480)


@dataclass(frozen=True)
class Subject:
    """The model and the image of a run."""

    workload: Workload
    asked: Asked
    description: str


def parts(quick: bool) -> Iterator[Part]:
    """Measures all servers; a part for each load.

    Raises:
        WrongAnswer: a server does not come up, or its first answers are not right.
    """
    if sys.platform == "win32":
        raise WrongAnswer("The peers do not run on Windows. Use Linux, macOS or WSL.")
    with open_workload() as workload:
        servers, notes = _servers(workload)
        yield from measured_parts(subject(workload), servers, QUICK if quick else Plan(), notes)


def measured_parts(
    subject: Subject, servers: Sequence[Server], plan: Plan, notes: Sequence[str] = ()
) -> Iterator[Part]:
    """Measures some servers; a part for each load.

    Args:
        subject: the model, which all servers have, and the image.
        servers: among them the app and both references.
        plan: how often and how long.
        notes: for the first load.

    Raises:
        WrongAnswer: a server does not come up, or its first answers are not right.
    """
    measured = measure(servers, subject.asked, plan)
    yield from as_parts(measured, verdicts(measured, servers), subject.description, notes)


def as_parts(
    measured: Measured, goals: Sequence[Verdict], description: str, notes: Sequence[str]
) -> Iterator[Part]:
    """Makes a part of each load.

    Args:
        measured: all outcomes.
        goals: shown with the first load.
        description: model, image and threads.
        notes: for the first load.
    """
    errors = measured.errors()
    for load in (*CLIENTS, *SHARES):
        case = load_record(measured, load, description)
        if load == next(iter(CLIENTS)):
            case["notes"] = list(notes)
            yield Part(case, goals, errors)
        else:
            yield Part(case)


def load_record(measured: Measured, load: str, description: str) -> Record:
    """Makes the record of one load; the server with the highest rate is on top."""
    outcomes = {server: turns for (server, its), turns in measured.outcomes.items() if its == load}
    samples = Samples()
    for server in sorted(outcomes, key=lambda server: -measured.rate(server, load)):
        for _, outcome in outcomes[server]:
            if outcome.latencies:
                samples.add(server, load, MILLISECONDS, outcome.latencies)
                samples.add(server, load, RATE, outcome.per_second)
    return rows_record(load, description, samples)


def _servers(workload: Workload) -> tuple[list[Server], list[str]]:
    """Lists the servers that can be installed here, and notes on them."""
    servers, notes = own_servers(workload.models_dir, workload.model), [f"Peers: {versions()}."]
    for name in PEERS:
        try:
            servers += peer_servers(name, workload.folder)
        except NotInstalled as exc:
            notes.append(f"{name} was left out: {exc}.")
            print(f"{name} is left out: {exc}", file=sys.stderr)
    return [*servers, twin_server(workload.folder)], notes


def subject(workload: Workload) -> Subject:
    """Adds an image to a workload, and its right answer, which the app gives in this process."""
    image, name = photo(*SIZE), "a generated image"
    model = "the demo model digits"
    if FIXTURES.is_dir():
        image = Image.open(PHOTO).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
        name, model = f"a photograph ({PHOTO.name})", f"the real export {REAL_MODEL}"
    file = workload.models_dir / "image.jpg"
    file.write_bytes(encoded(image, "JPEG", quality=90))
    classifier = workload.classifier(ENGINE_THREADS=str(THREADS))
    top = max(classifier.classify_bytes(file.read_bytes()).tags, key=lambda t: t.probability)
    return Subject(
        workload,
        Asked(file=file, tag=top.tag_name, probability=top.probability),
        f"{model} as ONNX with {THREADS} thread for each inference; {name}, JPEG of "
        f"{SIZE[0]} x {SIZE[1]}, {file.stat().st_size / 1000:.0f} kB",
    )
