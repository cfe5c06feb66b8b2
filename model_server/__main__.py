"""Runs the model server: ``python -m model_server``."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence

from image_classifier import Settings
from image_classifier.errors import SettingsError
from model_server import VERSION
from model_server.flags import FlagError, parse_flags
from model_server.server import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 2 if a flag or a setting cannot be used."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    for name in ("image_classifier", "model_server"):
        logging.getLogger(name).setLevel(logging.INFO)
    # Until the endpoints are open, SIGTERM is handled as Ctrl+C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        flags, remarks = parse_flags(sys.argv[1:] if arguments is None else arguments)
        if flags.version:
            print(f"model_server {VERSION}: TensorFlow Serving's API")
            return 0
        for remark in remarks:
            print(remark, file=sys.stderr)
        return run(flags, Settings.from_environ(os.environ))
    except (FlagError, SettingsError) as exc:
        print(f"model_server: {exc}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
