"""Reads the command line and the app's settings, and runs the host."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_host.bindings.targets import BindingTargets
from local_host.configuration.host_json import HostFile
from local_host.configuration.local_settings import LocalSettings
from local_host.console import Console, use_colour, write_to_stdout
from local_host.errors import HostError
from local_host.functions.function_table import FunctionTable
from local_host.host_config import HostConfig, address_url
from local_host.processes.cpu_affinity import can_pin
from local_host.processes.supervisor import run_host
from local_host.signalr.hubs import Hubs, listen_for_emulator
from local_host.sockets import listen
from local_host.startup_messages import show_functions, show_start

DEFAULT_PORT = 7071
DEFAULT_ADDRESS = "127.0.0.1"
DEFAULT_BODY_LIMIT = 104_857_600


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the host until it is stopped; returns the exit status."""
    arguments = _parse(argv)
    try:
        return _run(arguments)
    except HostError as exc:
        print(exc, file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    root: Path = arguments.root.resolve()
    host_file = HostFile.read(root)
    if (root / "function_app.py").exists():
        raise HostError(
            f"{root / 'function_app.py'} exists: Azure would treat this as an app of the v2 "
            "model and ignore every function folder. Remove or rename it."
        )
    images: Path | None = arguments.images and arguments.images.resolve()
    if images is not None and not images.is_dir():
        raise HostError(f"--images {arguments.images}: the folder does not exist.")
    settings = LocalSettings.read(root, arguments.settings)
    skipped = settings.apply(os.environ)
    os.environ["AZURE_FUNCTIONS_ENVIRONMENT"] = arguments.environment
    address = arguments.address or settings.address or DEFAULT_ADDRESS
    port = arguments.port if arguments.port is not None else settings.port or DEFAULT_PORT
    table = FunctionTable.read(root, os.environ)
    targets = BindingTargets.resolve(table, os.environ)
    with contextlib.ExitStack() as sockets:
        sock = sockets.enter_context(listen(address, port))
        real_port = sock.getsockname()[1]
        emulator = listen_for_emulator(targets.hub_settings, os.environ, address, real_port + 1)
        emulator_url = None
        if emulator is not None:
            sockets.enter_context(emulator)
            emulator_url = address_url(address, emulator.getsockname()[1])
        config = HostConfig(
            root=root,
            address=address,
            port=real_port,
            workers=arguments.workers,
            body_limit=_number(os.environ, "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT")
            or DEFAULT_BODY_LIMIT,
            threads=_number(os.environ, "PYTHON_THREADPOOL_THREAD_COUNT"),
            colour=use_colour(),
            host_file=host_file,
            cors=settings.cors,
            table=table,
            targets=targets,
            environment=arguments.environment,
            images=images,
            pin_workers=arguments.pin_workers,
            hubs=Hubs.find(targets.hub_settings, os.environ, emulator_url),
        )
        console = Console(write_to_stdout, colour=config.colour)
        try:
            show_start(console, config, settings, skipped, arguments.environment)
            return run_host(
                config,
                sock,
                emulator,
                console,
                lambda errors: show_functions(console, config, errors),
            )
        finally:
            console.close()


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local_host",
        description="Run this function app without Azure and without Azure Functions Core Tools.",
        epilog="Reads host.json, local.settings.json (or else local.settings.json.example) and "
        "every */function.json of the app. Environment variables win over "
        "local.settings.json. Stop with Ctrl+C.",
    )
    parser.add_argument(
        "-p",
        "--port",
        type=int,
        help=f"default: Host.LocalHttpPort in local.settings.json, else {DEFAULT_PORT}; 0: any "
        "free port",
    )
    parser.add_argument(
        "--address",
        help="default: Host.LocalHttpAddress in local.settings.json, else "
        f"{DEFAULT_ADDRESS}, which only this machine can reach",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="processes that run functions; each loads its own model and applies host.json's "
        "HTTP limits separately (default: 1)",
    )
    parser.add_argument(
        "--pin-workers",
        action="store_true",
        help="bind each worker process to its own core (Linux; needs at least N cores)",
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(__file__).resolve().parents[1],
        metavar="DIR",
        help="the function app: the folder with host.json (default: this project)",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="read this file instead of local.settings.json",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="serve the images of this folder at /images/, for URLs to put into the queue; "
        "everyone who can reach the host can read them",
    )
    parser.add_argument(
        "--environment",
        default="Development",
        metavar="NAME",
        help="AZURE_FUNCTIONS_ENVIRONMENT for the functions (default: Development, as with func "
        "start); any other name makes them behave as in Azure",
    )
    arguments = parser.parse_args(argv)
    if arguments.port is not None and not 0 <= arguments.port < 65536:
        parser.error("--port must be a number from 0 to 65535")
    if not 1 <= arguments.workers <= 64:
        parser.error("--workers must be a number from 1 to 64")
    if arguments.pin_workers and not can_pin(arguments.workers):
        parser.error("--pin-workers needs Linux and a core for each worker")
    return arguments


def _number(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise HostError(f"{name}={text!r}: it must be a whole number of 1 or more.")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
