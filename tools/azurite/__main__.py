"""``python -m tools.azurite``: the storage emulator, until Ctrl+C."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.azurite.emulator import DEFAULT_PORT, Azurite
from tools.environments import Failed


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.azurite",
        description="Runs Azurite's queue service, Microsoft's storage emulator, on this machine. "
        "The first time it is installed beside this module, which needs Node.js 20 or newer.",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help=f"default: {DEFAULT_PORT}, where UseDevelopmentStorage=true looks",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="keep the queues there between runs (default: in memory)",
    )
    arguments = parser.parse_args(argv)
    if not 0 <= arguments.port < 65536:
        parser.error("--port must be a number from 0 to 65535; 0 takes any free one")
    port, folder = arguments.port, arguments.folder
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt), Azurite(port, folder) as azurite:
            kept = f"kept in {folder}" if folder else "kept in memory only"
            print(f"Azurite's queues: {azurite.endpoint} ({kept})")
            print(f"AzureWebJobsStorage={azurite.connection_string}")
            print("Stop with Ctrl+C.", flush=True)
            return azurite.process.wait()
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
