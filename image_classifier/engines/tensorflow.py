"""Runs TensorFlow models: frozen graphs (``model.pb``) here, SavedModels in ``saved_model.py``.

A graph is read once, into one session that all threads share. This is the only module that imports
TensorFlow; it is imported when a model first needs it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.engines.base import EngineOptions, first_line
from image_classifier.engines.frozen_graph import read_frozen_graph, recognise
from image_classifier.engines.importing import importing
from image_classifier.engines.saved_model import SavedModel
from image_classifier.errors import ModelError
from image_classifier.model_files.input_spec import InputSpec

# Hides TensorFlow's messages at start (CPU features, no GPU); errors still show.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

with importing("tensorflow"):
    import tensorflow as tf  # reads the variable above when it is imported
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.protobuf.config_pb2 import CallableOptions
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel as SavedModelProto

# It also warns of deprecated calls, such as loading a SavedModel as TensorFlow Serving does.
tf.get_logger().setLevel("ERROR")

__all__ = ["FrozenGraphEngine", "load", "load_saved_model"]


def load(weights: Path, input_spec: InputSpec | None, options: EngineOptions) -> FrozenGraphEngine:
    """Loads a frozen graph.

    Args:
        weights: the ``model.pb``.
        input_spec: from ``model.json``; without it the graph must be a Custom Vision export.
        options: threads.

    Raises:
        ModelError: the file is not such a graph; the message names it and the reason.
    """
    graph_def = read_frozen_graph(weights, GraphDef, SavedModelProto)
    input_spec = input_spec or recognise(weights, graph_def)
    return FrozenGraphEngine(weights, graph_def, input_spec, options)


def load_saved_model(weights: Path, options: EngineOptions) -> SavedModel:
    """Loads a SavedModel with the signatures that it was exported with.

    Args:
        weights: the ``saved_model.pb``.
        options: threads.

    Raises:
        ModelError: the file is no SavedModel, or cannot be loaded; the message gives the cause.
    """
    return SavedModel(weights, options, tf, CallableOptions)


class FrozenGraphEngine:
    """One imported graph and the one session that all threads share."""

    def __init__(
        self, weights: Path, graph_def: Any, input_spec: InputSpec, options: EngineOptions
    ) -> None:
        self.input_spec = input_spec
        graph = tf.Graph()
        with graph.as_default():
            try:
                tf.import_graph_def(graph_def, name="")
            except (ValueError, tf.errors.OpError) as exc:
                raise ModelError(
                    f"{weights} is damaged or cut short: {first_line(exc)}. Export it again."
                ) from exc
        inputs = _tensor(graph, input_spec.input_name, weights)
        outputs = _tensor(graph, input_spec.output_name, weights)
        if outputs.shape.rank not in (None, 2):
            raise ModelError(
                f"{weights} is not a classifier: its output {input_spec.output_name} has rank "
                f"{outputs.shape.rank}, as object detection exports have. Export a "
                "classification project."
            )
        config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=options.threads)
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        # A callable spares each request the parsing of names that Session.run does.
        self._run = self._session.make_callable(outputs, feed_list=[inputs])

    def close(self) -> None:
        """Frees the session's memory; nothing may run any more."""
        self._session.close()

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``Engine.predict``; ModelError if the graph cannot take the batch."""
        try:
            scores: NDArray[np.float32] = self._run(batch)
        except (ValueError, TypeError, tf.errors.OpError) as exc:
            raise ModelError(
                f"The graph cannot run on an input of shape {list(batch.shape)}: {first_line(exc)}."
            ) from exc
        return scores


def _tensor(graph: Any, name: str, weights: Path) -> Any:
    try:
        return graph.get_tensor_by_name(name)
    except (KeyError, ValueError) as exc:
        raise ModelError(
            f"{weights} has no tensor {name!r}, which model.json or its kind calls for."
        ) from exc
