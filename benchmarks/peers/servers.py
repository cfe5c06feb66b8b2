"""Lists the servers to compare, each with its command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers.environments import PEERS, peer_python
from benchmarks.servers.app_host import ADDRESS

OURS, REFERENCE, BARE, TWIN = "ours", "reference", "bare reference", "tutorial's twin"
APPS = "benchmarks.peers.apps"
WORKER_COUNTS = (1, 2)
THREADS = 1  # for one inference, everywhere
CORES = 2  # threads in the pool of each of the reference's processes: more gain nothing


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server with one number of workers.

    Attributes:
        who: the product, as in the report.
        workers: processes that work.
        command: makes the command line for a port.
        path: where images are posted.
        health: the path that answers 200 to a GET when the server is ready.
        environ: added to this process's own.
    """

    who: str
    workers: int
    command: Callable[[int], list[str]]
    path: str
    health: str
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Product and number of workers, as in the report."""
        return f"{self.who}, {self.workers} worker{'s' if self.workers > 1 else ''}"


def own_servers(
    models_dir: Path, model: str, *, worker_counts: Sequence[int] = WORKER_COUNTS
) -> list[Server]:
    """Lists the local host and the references, one of each for each number of workers."""
    return [
        make
        for workers in worker_counts
        for make in (
            _ours(models_dir, model, workers),
            _reference(REFERENCE, models_dir / model / "1", workers, decoder="checked"),
            _reference(BARE, models_dir / model / "1", workers, decoder="bare"),
        )
    ]


def peer_servers(
    name: str, folder: Path, *, worker_counts: Sequence[int] = WORKER_COUNTS
) -> list[Server]:
    """Lists a peer's servers, one for each number of workers.

    Raises:
        NotInstalled: it cannot be installed here.
    """
    python = peer_python(name)
    make = {"azureml": _azureml, "litserve": _litserve, "bentoml": _bentoml}[name]
    return [make(python, folder, workers) for workers in worker_counts]


def twin_server(folder: Path) -> Server:
    """The tutorial's way behind a server with one worker."""
    return Server(
        who=TWIN,
        workers=1,
        command=lambda port: _uvicorn("twin", port, 1),
        path="/classify",
        health="/health",
        environ=_environ(folder),
    )


def versions() -> str:
    """The requirements of all peers."""
    return ", ".join(PEERS.values())


def _ours(models_dir: Path, model: str, workers: int) -> Server:
    """The local host as people start it; its log goes to a file, as the others' do."""
    return Server(
        who=OURS,
        workers=workers,
        command=lambda port: [
            *(sys.executable, "-m", "local_host", "--address", ADDRESS),
            *("--port", str(port), "--workers", str(workers)),
        ],
        path="/api/classify",
        health="/admin/host/status",
        environ={
            "MODELS_DIR": str(models_dir),
            "DEFAULT_MODEL": model,
            "ENGINE": "onnx",
            "ENGINE_THREADS": str(THREADS),
            "DECODE": "exact",
            "API_KEYS": "",
        },
    )


def _reference(who: str, folder: Path, workers: int, *, decoder: str) -> Server:
    return Server(
        who=who,
        workers=workers,
        command=lambda port: _uvicorn("reference", port, workers),
        path="/classify",
        health="/health",
        environ=_environ(folder) | {"PEER_POOL": str(CORES), "PEER_DECODER": decoder},
    )


def _azureml(python: Path, folder: Path, workers: int) -> Server:
    script = str(Path(__file__).parent / "apps" / "azureml_score.py")
    return Server(
        who="Azure ML inference server",
        workers=workers,
        command=lambda port: [
            *(str(python), "-m", f"{APPS}.azureml_server", "--entry_script", script),
            *("--port", str(port), "--worker_count", str(workers)),
        ],
        path="/score",
        health="/",
        environ=_environ(folder),
    )


def _litserve(python: Path, folder: Path, workers: int) -> Server:
    return Server(
        who="LitServe",
        workers=workers,
        command=lambda port: [
            *(str(python), "-m", f"{APPS}.litserve_server", str(port), str(workers))
        ],
        path="/predict",
        health="/health",
        environ=_environ(folder),
    )


def _bentoml(python: Path, folder: Path, workers: int) -> Server:
    return Server(
        who="BentoML",
        workers=workers,
        command=lambda port: [
            *(str(python), "-m", "bentoml", "serve", f"{APPS}.bentoml_service:Classify"),
            *("--host", ADDRESS, "--port", str(port)),
        ],
        path="/classify",
        health="/readyz",
        environ=_environ(folder)
        | {"PEER_WORKERS": str(workers), "BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": "bentoml"},
    )


def _uvicorn(app: str, port: int, workers: int) -> list[str]:
    return [sys.executable, "-m", f"{APPS}.reference_server", app, str(port), str(workers)]


def _environ(folder: Path) -> dict[str, str]:
    return {"PEER_MODEL": str(folder), "PEER_THREADS": str(THREADS)}
