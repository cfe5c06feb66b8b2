"""Draws 8 x 8 digits as images that people would send: pen or marker, any ink, paper and size.

A digit of scikit-learn has 64 numbers and is a blur when enlarged; here it becomes an outline (a
thick marker) or a centre line that a pen follows. The trainer, the held-out test and the page's
samples all use this module.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage  # type: ignore[import-untyped]

__all__ = ["Shape", "Style", "draw", "shape_of"]

Floats = NDArray[np.floating]
Colour = tuple[int, int, int]

CELLS = 8  # a digit's side in the data
MARGIN = 2  # empty cells around it, so that a wide pen is not cut off
FINE = 8  # pixels of an enlarged cell, before a style is applied
STEADY = 0.28  # cells over which the line is smoothed
REACH = 3.0  # cells from the centre line beyond which no pen is wide enough


@dataclass(frozen=True)
class Shape:
    """An enlarged digit, to draw in any style.

    Attributes:
        marker: ink from 0 to 1, as the data has it.
        pen: REACH**2 minus the squared distance to the centre line in cells, 0 far away.
        holes: closed loops that are left when the ink is taken at half strength.
    """

    marker: Image.Image
    pen: Image.Image
    holes: int


@dataclass(frozen=True)
class Style:
    """The style of a drawing. Lengths are fractions of the image's shorter side.

    Attributes:
        size: width and height in pixels.
        pen: stroke width as a fraction of the digit's height; None draws with the marker.
        level: ink at which the marker's outline lies: less is thicker.
        blur: the outline's softness, in ink (marker) or cells (pen); 0 is as crisp as pixels allow.
        scale: the digit's height.
        shift: offset from the centre, right and down.
        angle: degrees clockwise.
        slant: offset of the top to the right, as a fraction of the height.
        stretch: width over height; 1 keeps that of the data.
        shade: loss of light from one side to the other, 0 to 1.
        noise: standard deviation of the grain, 0 to 255.
    """

    size: tuple[int, int] = (600, 600)
    ink: Colour = (20, 20, 30)
    paper: Colour = (255, 255, 255)
    pen: float | None = None
    level: float = 0.45
    blur: float = 0.0
    scale: float = 0.7
    shift: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0
    slant: float = 0.0
    stretch: float = 1.0
    shade: float = 0.0
    noise: float = 0.0


def shape_of(pixels: Floats) -> Shape:
    """Prepares one digit of the data: 8 x 8 numbers from 0 to 16."""
    side = (CELLS + 2 * MARGIN) * FINE
    padded = np.pad(pixels / 16, MARGIN).astype(np.float32)
    marker = Image.fromarray(padded).resize((side, side), Image.Resampling.BICUBIC)
    inked = np.asarray(marker) > 0.45
    distance = ndimage.distance_transform_edt(~_centre_line(inked)) / FINE
    # Smoothed, because a centre line of pixels has corners that no hand would draw. Beside a
    # straight line the mean of x**2 is x**2 + STEADY**2, so its width stays as it was.
    squares = ndimage.gaussian_filter(distance.clip(0, REACH) ** 2, STEADY * FINE)
    # Squares are also smooth at the line itself, where distances have an edge that would ripple.
    pen = Image.fromarray((REACH**2 + STEADY**2 - squares).clip(0).astype(np.float32))
    return Shape(marker, pen, holes=ndimage.label(np.pad(~inked, 1, constant_values=True))[1] - 1)


def draw(shape: Shape, style: Style, *, seed: int = 0) -> Image.Image:
    """Draws a digit on a new image, mode RGB.

    Args:
        shape: the digit.
        style: the style.
        seed: of the grain and of the direction of the shade.
    """
    width, height = style.size
    short = min(width, height)
    cell = style.scale * short / CELLS  # pixels
    source = shape.marker if style.pen is None else shape.pen
    # resize() enlarges smoothly; transform()'s own bicubic would leave ripples along the edges.
    finer = min(8, math.ceil(cell / FINE))
    side = source.width * finer
    source = source.resize((side, side), Image.Resampling.BICUBIC)
    to_source = _to_source(style, FINE * finer / cell, side / 2)
    field = np.asarray(
        source.transform(style.size, Image.Transform.AFFINE, to_source, Image.Resampling.BILINEAR)
    )
    # Ink changes by about a third from one cell to the next at an outline.
    if style.pen is None:
        level, one_pixel = style.level, 0.33 / cell
    else:
        field = REACH - np.sqrt((REACH**2 - field).clip(0))
        level, one_pixel = REACH - style.pen * CELLS / 2, 1 / cell
    # A softer edge than twice the level would tint the empty paper.
    edge = min(max(style.blur, one_pixel), 2 * level)
    alpha = ((field - level) / edge + 0.5).clip(0, 1)[:, :, None]
    ink, paper = np.array(style.ink, np.float32), np.array(style.paper, np.float32)
    image = paper + alpha * (ink - paper)
    if style.shade or style.noise:
        image = _photographed(image, style, np.random.default_rng(seed))
    return Image.fromarray((image + 0.5).clip(0, 255).astype(np.uint8))


def _to_source(style: Style, ratio: float, centre: float) -> tuple[float, ...]:
    """Computes the affine map from pixels of the image to those of the enlarged digit."""
    turn = np.deg2rad(style.angle)
    rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    lean = np.array([[style.stretch, -style.slant], [0.0, 1.0]])
    inverse = np.linalg.inv(rotate @ lean) * ratio
    short = min(style.size)
    middle = np.array(style.size) / 2 + np.array(style.shift) * short
    offset = centre - inverse @ middle
    return (*inverse[0], offset[0], *inverse[1], offset[1])


def _photographed(image: Floats, style: Style, rng: np.random.Generator) -> Floats:
    """Adds uneven light and grain, as in a photograph of paper."""
    height, width = image.shape[:2]
    direction = rng.uniform(0, 2 * np.pi)
    across = np.linspace(-0.5, 0.5, width) * np.cos(direction)
    down = np.linspace(-0.5, 0.5, height) * np.sin(direction)
    light = 1 - style.shade * (0.5 + across[None, :] + down[:, None]).clip(0, 1)
    grain = rng.normal(0, style.noise, (height, width, 1)) if style.noise else 0.0
    lit: Floats = image * light[:, :, None] + grain
    return lit


def _centre_line(inked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thins the ink to lines one pixel wide that keep its loops and ends (Zhang and Suen, 1984)."""
    line = inked.copy()
    while True:
        before = int(line.sum())
        # The corners of each half step: north, east, south and west are neighbours 0, 2, 4, 6.
        for first, second in (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6))):
            near = _neighbours(line)
            count = near.sum(axis=0)
            starts = (~near & np.roll(near, -1, axis=0)).sum(axis=0)
            line = line & ~(
                (count >= 2)
                & (count <= 6)
                & (starts == 1)
                & ~near[list(first)].all(axis=0)
                & ~near[list(second)].all(axis=0)
            )
        if int(line.sum()) == before:
            return line


def _neighbours(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns the eight neighbours of every pixel, clockwise from the one above."""
    around = np.pad(mask, 1)
    height, width = mask.shape
    steps = ((0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0))
    return np.stack([around[y : y + height, x : x + width] for y, x in steps])
