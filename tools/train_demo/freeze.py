"""Freezes weights as a graph like a Custom Vision export (General, compact, 224 pixels)."""

from __future__ import annotations

from typing import Any

import numpy as np

from image_classifier.model_files.input_spec import CAFFE_MEAN_BGR, InputSpec
from tools.train_demo.network import GRID, Weights, ink_map

__all__ = ["INPUT_SPEC", "freeze"]

SIDE = 224
INPUT_SPEC = InputSpec(
    input_name="Placeholder:0", output_name="model_outputs:0", height=SIDE, width=SIDE
)


def freeze(weights: Weights) -> bytes:
    """Builds the graph from plain operations, so that the names of nodes are exact.

    Returns:
        A serialized GraphDef: weights are constants; no variables, no functions, no training nodes.
    """
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        pixels = tf.compat.v1.placeholder(tf.float32, [None, SIDE, SIDE, 3], name="Placeholder")
        # Real exports subtract the mean in nodes of this name, by which servers recognise them.
        with tf.name_scope("data_bn/"):
            mean = tf.constant(np.array(CAFFE_MEAN_BGR, np.float32), name="mean")
            centred = tf.subtract(pixels, mean, name="sub")
        side = SIDE // GRID
        pooled = tf.nn.avg_pool2d(centred, side, side, "VALID", name="pool")
        with tf.name_scope("ink/"):
            cells = ink_map(tf, pooled)
        cells = _convolve(tf, "conv1", cells, weights, pool=True)
        cells = _convolve(tf, "conv2", cells, weights)
        cells = _convolve(tf, "conv3", cells, weights, pool=True)
        cells = _convolve(tf, "conv4", cells, weights, pool=True)
        with tf.name_scope("fc/"):
            matrix = tf.constant(weights["fc/weights"], name="weights")
            flat = tf.reshape(cells, [-1, matrix.shape[0]], name="flatten")
            bias = tf.constant(weights["fc/biases"], name="biases")
            logits = tf.nn.bias_add(tf.matmul(flat, matrix, name="MatMul"), bias, name="fc")
        loss = tf.nn.softmax(logits, name="loss")
        tf.identity(loss, name="model_outputs")
    frozen: bytes = graph.as_graph_def().SerializeToString(deterministic=True)
    return frozen


def _convolve(tf: Any, name: str, cells: Any, weights: Weights, *, pool: bool = False) -> Any:
    """Builds the layer that network.build_network() trains, from constants."""
    with tf.name_scope(f"{name}/"):
        kernel = tf.constant(weights[f"{name}/weights"], name="weights")
        bias = tf.constant(weights[f"{name}/biases"], name="biases")
        cells = tf.nn.conv2d(cells, kernel, strides=1, padding="SAME", name="Conv2D")
        cells = tf.nn.relu(tf.nn.bias_add(cells, bias, name="BiasAdd"), name="Relu")
        return tf.nn.max_pool2d(cells, 2, 2, "VALID", name="MaxPool") if pool else cells
