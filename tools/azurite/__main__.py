"""Runs the storage emulator until Ctrl+C."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.bootstrap.azurite_emulator import DEFAULT_PORT, DEFAULT_PORTS, Azurite, connection_string
from tools.bootstrap.environments import EnvironmentSetupError


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 after Ctrl+C or SIGTERM, 1 if the emulator does not start."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.azurite",
        description="Runs Azurite, Microsoft's storage emulator, on this machine: its queues, and "
        "with --blobs its blobs too. "
        "The first time it is installed beside this module, which needs Node.js 20 or newer.",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help=f"default: {DEFAULT_PORT}, the port of UseDevelopmentStorage=true",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="keep the stored data there between runs (default: in memory)",
    )
    parser.add_argument(
        "--blobs",
        nargs="?",
        type=int,
        const=DEFAULT_PORTS["blob"],
        metavar="PORT",
        help=f"the blob service too (default port: {DEFAULT_PORTS['blob']})",
    )
    arguments = parser.parse_args(argv)
    for port in (arguments.port, arguments.blobs or 0):
        if not 0 <= port < 65536:
            parser.error("a port must be a number from 0 to 65535; 0 takes any free one")
    folder = arguments.folder
    emulators = [Azurite(arguments.port, folder)]
    if arguments.blobs is not None:
        emulators.append(Azurite(arguments.blobs, folder, service="blob"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
            for emulator in emulators:
                stack.enter_context(emulator)
                kept = f"kept in {folder}" if folder else "kept in memory only"
                print(f"Azurite's {emulator.service}s: {emulator.endpoint} ({kept})")
            print(f"AzureWebJobsStorage={connection_string(*emulators)}")
            print("Stop with Ctrl+C.", flush=True)
            return emulators[0].process.wait()
    except EnvironmentSetupError as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
