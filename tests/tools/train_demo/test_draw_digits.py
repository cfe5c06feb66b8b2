"""Digits are drawn in the style that was asked for, and the same each time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tools.train_demo.draw_digits import Shape, Style, draw, shape_of

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
PLAIN = Style(size=(200, 200), ink=BLACK, scale=0.8)


@pytest.fixture(scope="module")
def ring() -> Shape:
    pixels = np.zeros((8, 8))
    pixels[1:7, 1:7] = 16
    pixels[3:5, 3:5] = 0
    return shape_of(pixels)


@pytest.fixture(scope="module")
def stroke() -> Shape:
    pixels = np.zeros((8, 8))
    pixels[:, 3:5] = 16
    return shape_of(pixels)


def _ink(shape: Shape, style: Style) -> NDArray[np.float64]:
    """1 where there is ink, 0 where there is paper."""
    return 1 - np.asarray(draw(shape, style).convert("L")) / 255


def test_holes_are_counted(ring: Shape, stroke: Shape) -> None:
    assert (ring.holes, stroke.holes) == (1, 0)


def test_pen_keeps_the_loop_of_a_ring(ring: Shape) -> None:
    ink = _ink(ring, replace(PLAIN, pen=0.06))
    assert ink[100, 100] == 0
    assert ink[100, :100].max() == ink[100, 100:].max() == ink[:100, 100].max() == 1


@pytest.mark.parametrize("pen", [0.05, 0.1, 0.2])
def test_pen_is_as_wide_as_asked(stroke: Shape, pen: float) -> None:
    width = _ink(stroke, replace(PLAIN, pen=pen))[100].sum()
    assert width == pytest.approx(pen * 0.8 * 200, abs=2)


def test_size_is_width_then_height(ring: Shape) -> None:
    assert draw(ring, replace(PLAIN, size=(320, 180))).size == (320, 180)


def test_colours_are_the_ones_asked_for(ring: Shape) -> None:
    image = draw(ring, replace(PLAIN, ink=(200, 10, 30), paper=(250, 240, 90)))
    colours = {colour for _, colour in image.getcolors(1 << 16) or []}
    assert {(200, 10, 30), (250, 240, 90)} <= colours
    assert image.getpixel((0, 0)) == (250, 240, 90)


def test_white_on_black_is_black_on_white_inverted(ring: Shape) -> None:
    dark = np.asarray(draw(ring, PLAIN), np.int64)
    light = np.asarray(draw(ring, replace(PLAIN, ink=WHITE, paper=BLACK)), np.int64)
    assert np.abs(dark + light - 255).max() <= 1


def test_shift_moves_right_and_down(stroke: Shape) -> None:
    columns = np.arange(200) + 0.5
    centred = _ink(stroke, PLAIN).sum(axis=0)
    moved = _ink(stroke, replace(PLAIN, shift=(0.1, 0.0))).sum(axis=0)
    assert np.average(columns, weights=centred) == pytest.approx(100, abs=0.5)
    assert np.average(columns, weights=moved) == pytest.approx(120, abs=0.5)


def test_angle_turns_clockwise(stroke: Shape) -> None:
    ink = _ink(stroke, replace(PLAIN, angle=20))
    columns = np.arange(200) + 0.5
    top = np.average(columns, weights=ink[40:60].sum(axis=0))
    bottom = np.average(columns, weights=ink[140:160].sum(axis=0))
    assert top > 110 > 90 > bottom


def test_lower_level_makes_thicker_strokes(ring: Shape) -> None:
    assert _ink(ring, replace(PLAIN, level=0.3)).sum() > _ink(ring, PLAIN).sum() * 1.05


def test_same_seed_draws_the_same_grain(ring: Shape) -> None:
    style = replace(PLAIN, shade=0.3, noise=10)
    first, again, other = (np.asarray(draw(ring, style, seed=seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
