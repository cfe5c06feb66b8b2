"""Holds the options of all examples, and prints the commands at their end."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from tools.shared.arguments import local_folder

# Silences TensorFlow's start-up messages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__all__ = ["ROOT", "parser", "seeded", "show_how_to_serve"]

ROOT = Path(__file__).resolve().parents[1]


def parser(
    name: str, description: str, *, epochs: int | None, quick: str
) -> argparse.ArgumentParser:
    """Makes the parser with the options of every example.

    Args:
        name: of the example, and of its model if no other is given.
        description: for ``--help``.
        epochs: how often it sees its data; None if it trains nothing.
        quick: the effect of ``--quick``.
    """
    made = argparse.ArgumentParser(prog=f"python -m examples.{name}", description=description)
    made.add_argument(
        "--models-dir",
        type=local_folder,
        default=Path("models"),
        help="where to export to (default: models)",
    )
    made.add_argument("--name", default=name, help=f"of the model (default: {name})")
    if epochs is not None:
        made.add_argument("--epochs", type=int, default=epochs, help=f"default: {epochs}")
    made.add_argument("--quick", action="store_true", help=quick)
    made.add_argument("--seed", type=int, default=1, help="default: 1")
    return made


def seeded(seed: int) -> None:
    """Sets the seeds, so that the same run gives the same model."""
    import keras

    keras.utils.set_random_seed(seed)


def show_how_to_serve(folder: Path, ask: Sequence[str]) -> None:
    """Prints the commands that come next."""
    serve = ["python", "-m", "model_server", "--rest_api_port", "8501"]
    serve += ["--model_name", folder.parent.name, "--model_base_path", str(folder.parent)]
    client = ["python", "-m", "examples.client", "-f", "GRPC", "--model", folder.parent.name, *ask]
    print(f"\nExported to {folder}. Serve it:\n  {shlex.join(serve)}")
    print(f"and ask (-f REST asks the other way):\n  {shlex.join(client)}")
