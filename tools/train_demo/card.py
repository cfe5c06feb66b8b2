"""Writes the model card with the figures that the trainer measured."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tools.train_demo.evaluate import Score

__all__ = ["model_card"]

_CARD = """\
# digits, version 1

Names the one handwritten digit in an image. It is the demo model of this project: small, trained
in minutes on open data, and shaped like a Custom Vision export (General, compact), so that
everything can be tried without downloading or exporting anything. This page is written by the
trainer; its figures are measured, not typed.

| | |
| --- | --- |
| Tags | {tags} |
| Input | `Placeholder:0`, float32 [?, 224, 224, 3], BGR 0..255; mean subtracted in the graph |
| Output | `model_outputs:0` (= `loss:0`, Softmax), one probability a tag |
| Size | {size} bytes, {weights} weights |
| SHA-256 | `{sha256}` |

## Intended use

To try the app, to test it and to show what it does. An image with one digit on a plain ground, in
any two colours that differ, drawn with anything from a fine pen to a thick brush, upright, not too
small. It is no product for reading forms, cheques or meters.

## Data

scikit-learn's `load_digits`: {total} digits of 8 x 8 pixels, 17 shades of grey. They are the test
part of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak (1998) of the UCI
Machine Learning Repository, doi 10.24432/C50P49, licence CC BY 4.0; scikit-learn, which packs
them, is under the BSD 3-clause licence.

Split: {train} to train on and {held_out} held out, stratified by digit, seed {split_seed}
(`tools/train_demo/data.py`), whatever seed the training has. Held-out digits are never trained on,
in no form. `tools/train_demo/draw_digits.py` turns the 64 numbers of a digit into an image: the
outline of a marker, or the centre line with a pen. Each training digit is drawn anew in every
epoch: other colours (dark on light as often as light on dark), stroke, place, size, angle, slant,
blur, light and grain.

## Accuracy on the held-out digits

Measured through what answers a request: the digit drawn, written as a PNG or JPEG file, decoded by
`image_classifier.images.decode`, preprocessed by `image_classifier.images.preprocess`, run in
TensorFlow. The first line is the goal (at least {goal} %). Where no size is given, it is 300 x 300.

| Drawn as | right | of | accuracy |
| --- | ---: | ---: | ---: |
{rows}

A pen needs a centre line that can be read, and at 8 x 8 some loops are filled in: such digits are
left out of the pen's lines (they are in all others). Large images are slow to draw, so fewer are.

## Limits

- The figures flatter a little: people who wrote held-out digits wrote training digits too, the same
  program drew both, and the size of the network was chosen with the held-out figures in view.
- It has no answer "no digit": a cat gets a digit too, sometimes a confident one.
- One digit an image. Of several, or of ruled paper, a busy background or a dark table around the
  paper, expect nothing. The colour of the outermost pixels is taken for the paper's.
- Some ways of writing are rare in the data or lost at 8 x 8 pixels, and printed digits were not
  trained on.
- A digit under about 40 % of the image's height, or turned by more than 15 degrees, fails more:
  the table's last two lines show how much.

## How to rebuild

    python -m tools.train_demo --epochs {epochs} --seed {seed}
    python -m tools.convert models/digits/1

The second makes `model.onnx` of `model.pb`, which answers alike to within 0.001 and is what the app
runs; its bytes differ from run to run, its answers do not. The first needs `requirements-dev.txt`
and about 4 minutes on two cores. It refuses to replace this model by one below {goal} %. On the
same machine and versions a second run gives the same bytes; on another processor sums may be
rounded differently, so expect the same accuracy to within a digit or two.
Made with TensorFlow {tensorflow}, scikit-learn {sklearn}, NumPy {numpy}, Pillow {pillow}.
"""


def model_card(graph_def: bytes, scores: Sequence[Score], *, goal: float, **facts: object) -> str:
    """Fills in the card.

    Args:
        graph_def: the model's bytes.
        scores: one for each variant.
        goal: least accuracy, 0 to 1.
        facts: the other values of the text.
    """
    rows = "\n".join(
        f"| {score.variant} | {score.right} | {score.total} | {100 * score.accuracy:.1f} % |"
        for score in scores
    )
    return _CARD.format(
        rows=rows,
        goal=f"{100 * goal:g}",
        size=f"{len(graph_def):,}",
        sha256=hashlib.sha256(graph_def).hexdigest(),
        **facts,
    )
