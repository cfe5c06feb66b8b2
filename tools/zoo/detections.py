"""Turns predictions of SSD into boxes, by decoding and non-maximum suppression."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tools.zoo.anchors import (
    LEAST_SCORE,
    LEVELS,
    MOST_DETECTIONS,
    MOST_OVERLAP,
    VARIANCES,
    anchor_boxes,
)

__all__ = ["corners", "detections", "flat"]


def flat(predictions: dict[str, Any]) -> tuple[Any, Any]:
    """Joins the predictions of the six levels, in the order of ``anchor_boxes``.

    Args:
        predictions: the outputs of the network, see ``ssd300``.

    Returns:
        Encoded boxes [N, 8432, 4] and logits [N, 8432, classes].
    """
    pairs = [predictions[level.block] for level in LEVELS]
    boxes, classes = (
        tf.concat(
            [tf.reshape(each, [tf.shape(each)[0], -1, each.shape[-1]]) for each in kind], axis=1
        )
        for kind in zip(*pairs, strict=True)
    )
    return boxes, classes


def corners(boxes: Any) -> Any:
    """Decodes boxes to corners.

    Args:
        boxes: [N, 8432, 4]: centre x and y relative to the prior box's in units of its size, and
            logarithms of width and height relative to its own, all by the variances.

    Returns:
        float32 [N, 8432, 4]: top, left, bottom, right as parts of the image; may exceed it.
    """
    prior_y, prior_x, prior_height, prior_width = tf.unstack(tf.constant(anchor_boxes()), axis=-1)
    x, y, width, height = (
        each * variance
        for each, variance in zip(tf.unstack(boxes, axis=-1), VARIANCES, strict=True)
    )
    y, x = prior_y + y * prior_height, prior_x + x * prior_width
    height, width = prior_height * tf.exp(height), prior_width * tf.exp(width)
    return tf.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], axis=-1)


def detections(
    boxes: Any,
    scores: Any,
    *,
    least_score: float = LEAST_SCORE,
    most_overlap: float = MOST_OVERLAP,
    most: int = MOST_DETECTIONS,
) -> Any:
    """Selects the best boxes of each class that do not overlap much.

    Args:
        boxes: corners, [N, M, 4].
        scores: [N, M, classes], class 0 being the background, which is left out.
        least_score: of a box that is kept.
        most_overlap: of two boxes of a class; the one with the lower score is dropped.
        most: boxes in an image.

    Returns:
        float32 [N, most, 6]: class (from 1), score, top, left, bottom, right, within 0..1; the
        highest scores first, and rows of zeros where there are fewer.
    """
    boxes = tf.image.combined_non_max_suppression(
        boxes[:, :, None],
        scores[..., 1:],
        max_output_size_per_class=most,
        max_total_size=most,
        iou_threshold=most_overlap,
        score_threshold=least_score,
        clip_boxes=True,
    )
    is_there = tf.sequence_mask(boxes.valid_detections, most, tf.float32)
    named = (boxes.nmsed_classes + 1) * is_there  # it counts without the background
    return tf.concat([tf.stack([named, boxes.nmsed_scores], -1), boxes.nmsed_boxes], -1)
