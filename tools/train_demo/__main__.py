"""Trains the demo model, measures it, and writes it with the page's sample images."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# Before TensorFlow is imported: no log, and sums that do not depend on the order of threads.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy
import PIL
import sklearn
from tqdm import tqdm

from tools.train_demo.augment import training_images
from tools.train_demo.card import model_card
from tools.train_demo.data import LABELS, SPLIT_SEED, Digit, split_digits
from tools.train_demo.evaluate import VARIANTS, FrozenGraph, Score, score
from tools.train_demo.freeze import freeze
from tools.train_demo.network import Weights, train
from tools.train_demo.samples import write_samples

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "models" / "digits" / "1"
SAMPLES = ROOT / "frontend" / "samples"
GOAL = 0.98  # accuracy on the held-out digits, drawn plainly
EPOCHS = 70
_DESCRIPTION = (
    "Trains the demo model on scikit-learn's handwritten digits, measures it on digits that were "
    "held out, and writes the model, its card and the page's sample images."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 if the model is not good enough to be kept."""
    options = _parse(arguments)
    train_on, held_out = split_digits()
    train_on, tested = train_on[: options.limit], held_out[: options.limit]
    print(
        f"Training on {len(train_on)} digits for {options.epochs} epochs; "
        f"{len(tested)} are held out. This takes a few minutes."
        if options.limit is None
        else f"Trial: {len(train_on)} digits, {len(tested)} held out, epochs: {options.epochs}.",
        flush=True,
    )
    weights = _train(train_on, options.epochs, options.seed)
    graph_def = freeze(weights)
    print("Held-out digits, drawn, saved as a file, decoded, preprocessed, classified:")
    with FrozenGraph(graph_def) as graph:
        scores = [_report(score(graph, tested, VARIANTS[0]))]
        if scores[0].accuracy < GOAL and not options.force:
            print(
                f"Not good enough: the goal is {GOAL:.0%}, and nothing in {options.out} was "
                "changed. Train for more epochs, or keep this model all the same with --force.",
                file=sys.stderr,
            )
            return 1
        scores += [_report(score(graph, tested, variant)) for variant in VARIANTS[1:]]
    card = model_card(
        graph_def,
        scores,
        goal=GOAL,
        tags=", ".join(f"`{label}`" for label in LABELS),
        weights=f"{sum(array.size for array in weights.values()):,}",
        total=f"{len(train_on) + len(tested):,}",
        train=f"{len(train_on):,}",
        held_out=len(tested),
        split_seed=SPLIT_SEED,
        epochs=options.epochs,
        seed=options.seed,
        tensorflow=_tensorflow_version(),
        sklearn=sklearn.__version__,
        numpy=numpy.__version__,
        pillow=PIL.__version__,
    )
    _write_model(options.out, graph_def, card)
    write_samples(options.samples, held_out)
    print(f"Wrote {options.out} ({len(graph_def) / 1000:.0f} kB) and {options.samples}.")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.train_demo", description=_DESCRIPTION)
    parser.add_argument(
        "--out",
        type=Path,
        default=OUT,
        help="folder for model.pb, labels.txt and README.md (default: models/digits/1)",
    )
    parser.add_argument(
        "--samples",
        type=Path,
        default=SAMPLES,
        help="folder for the page's sample images (default: frontend/samples)",
    )
    parser.add_argument(
        "--epochs",
        type=_positive,
        default=EPOCHS,
        help=f"times that every digit is drawn and learnt (default: {EPOCHS})",
    )
    parser.add_argument("--seed", type=int, default=0, help="of weights and drawings (default: 0)")
    parser.add_argument(
        "--limit",
        type=_positive,
        metavar="N",
        help="for a quick trial: train on N digits only, and test on N of the held-out ones",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help=f"keep a model that names fewer than {100 * GOAL:g} of 100 held-out digits",
    )
    options = parser.parse_args(arguments)
    if options.limit and (options.out == OUT or options.samples == SAMPLES):
        parser.error("--limit is for trials: name other folders with --out and --samples")
    return options


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 1 or more")
    return value


def _train(digits: Sequence[Digit], epochs: int, seed: int) -> Weights:
    """Trains behind a progress bar; elsewhere than on a terminal it prints some lines."""
    terminal = sys.stderr.isatty()
    with tqdm(total=epochs, unit="epoch", disable=not terminal) as bar:

        def progress(epoch: int, loss: float, accuracy: float) -> None:
            bar.set_postfix(loss=f"{loss:.3f}", accuracy=f"{accuracy:.1%}")
            bar.update()
            if not terminal and (epoch % 10 == 0 or epoch in (1, epochs)):
                print(
                    f"  epoch {epoch:3d} of {epochs}: loss {loss:.3f}, "
                    f"accuracy on the training drawings {accuracy:.1%}",
                    flush=True,
                )

        return train(digits, training_images, epochs=epochs, seed=seed, progress=progress)


def _report(result: Score) -> Score:
    print(
        f"  {result.variant:52s} {result.right:4d} of {result.total:3d}  {result.accuracy:6.1%}",
        flush=True,
    )
    return result


def _tensorflow_version() -> str:
    import tensorflow as tf

    return str(tf.__version__)


def _write_model(folder: Path, graph_def: bytes, card: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.pb").write_bytes(graph_def)
    # An ONNX file of an older model.pb would take precedence.
    (folder / "model.onnx").unlink(missing_ok=True)
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS), newline="\n")
    (folder / "README.md").write_text(card, "utf-8", newline="\n")


if __name__ == "__main__":
    sys.exit(main())
