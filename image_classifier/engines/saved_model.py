"""Runs SavedModels (``saved_model.pb``): the signatures as exported, one session for all threads.

A model is loaded as TensorFlow Serving loads it, into a graph and a session: tensors keep their
names, and only the graph checks shapes. ``engines/tensorflow.py`` passes TensorFlow in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.engines.base import EngineOptions, first_line
from image_classifier.errors import InvalidRequest, ModelError
from image_classifier.model_files.input_spec import InputSpec
from image_classifier.model_files.signatures import DEFAULT_SIGNATURE, Array, Signature, TensorInfo

__all__ = ["SavedModel", "signature_of"]

_SERVE = "serve"  # the tag of every model that is exported for serving
# The signatures in which a model.json's names are looked up before the graph's own tensors.
_IMAGE_SIGNATURES = ("tensors", DEFAULT_SIGNATURE)


class SavedModel:
    """One loaded SavedModel. Safe to share among threads.

    Args:
        weights: the ``saved_model.pb``.
        options: threads.
        tf: the TensorFlow module.
        callable_options: TensorFlow's ``CallableOptions``, which the module does not export.

    Raises:
        ModelError: it cannot be loaded.
    """

    def __init__(
        self, weights: Path, options: EngineOptions, tf: Any, callable_options: type[Any]
    ) -> None:
        self._weights = weights
        self._tf = tf
        self._callable_options = callable_options
        self._lock = threading.Lock()
        self._callables: dict[tuple[tuple[str, ...], tuple[str, ...]], Callable[..., Any]] = {}
        self._graph = tf.Graph()
        config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=options.threads)
        self._session = tf.compat.v1.Session(graph=self._graph, config=config)
        try:
            meta = _load(self._session, weights, tf)
            self.signatures: Mapping[str, Signature] = {
                name: signature_of(definition)
                for name, definition in sorted(meta.signature_def.items())
            }
        except BaseException:
            self._session.close()
            raise

    def run_signature(
        self, signature_name: str, inputs: Mapping[str, Array], outputs: Sequence[str]
    ) -> dict[str, Array]:
        """See ``Servable.run_signature``."""
        signature = self.signatures[signature_name]
        feeds = {signature.inputs[key].name: value for key, value in inputs.items()}
        fetches = tuple(signature.outputs[key].name for key in outputs)
        return dict(zip(outputs, self.run_tensors(feeds, fetches), strict=True))

    def run_tensors(self, feeds: Mapping[str, Array], fetches: tuple[str, ...]) -> list[Array]:
        """Runs the graph on tensors by their names in it.

        Raises:
            InvalidRequest: the graph rejects the tensors.
            ModelError: the graph fails otherwise.
        """
        names = tuple(feeds)
        try:
            call = self._callables.get((names, fetches)) or self._make_callable(names, fetches)
            arrays: list[Array] = call(*feeds.values())
        except (ValueError, TypeError, self._tf.errors.InvalidArgumentError) as exc:
            raise InvalidRequest(f"{first_line(exc)}.") from exc
        except self._tf.errors.OpError as exc:
            raise ModelError(f"The model cannot run: {first_line(exc)}.") from exc
        return arrays

    def classifier(self, input_spec: InputSpec) -> _Classifier:
        """See ``SavedModelEngine.classifier``."""
        return _Classifier(
            self,
            input_spec,
            self._tensor_name(input_spec.input_name, "inputs"),
            self._tensor_name(input_spec.output_name, "outputs"),
        )

    def close(self) -> None:
        """Frees the session's memory; nothing may run any more."""
        self._session.close()
        self._callables.clear()

    def _make_callable(
        self, feeds: tuple[str, ...], fetches: tuple[str, ...]
    ) -> Callable[..., Any]:
        """Makes a call that takes any shape: TensorFlow Serving does not compare shapes."""
        options = self._callable_options(feed=feeds, fetch=fetches)
        with self._lock:
            made: Callable[..., Any] = self._session._make_callable_from_options(options)
            self._callables[feeds, fetches] = made
        return made

    def _tensor_name(self, name: str, side: str) -> str:
        plain = name.removesuffix(":0")
        for signature in filter(None, map(self.signatures.get, _IMAGE_SIGNATURES)):
            infos: Mapping[str, TensorInfo] = getattr(signature, side)
            for key, info in infos.items():
                if key == plain or info.name == name:
                    return info.name
        try:
            return str(self._graph.get_tensor_by_name(name).name)
        except (KeyError, ValueError) as exc:
            raise ModelError(
                f"{self._weights} has no tensor {name!r}, which model.json calls for."
            ) from exc


class _Classifier:
    """A SavedModel as the engine of an image classifier."""

    def __init__(self, model: SavedModel, input_spec: InputSpec, feed: str, fetch: str) -> None:
        self.input_spec = input_spec
        self._model = model
        self._feed, self._fetch = feed, (fetch,)

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``Engine.predict``; ModelError if the graph cannot take the batch."""
        try:
            scores: NDArray[np.float32] = self._model.run_tensors({self._feed: batch}, self._fetch)[
                0
            ]
        except InvalidRequest as exc:
            raise ModelError(
                f"The graph cannot run on an input of shape {list(batch.shape)}: {exc.message}"
            ) from exc
        return scores


def _load(session: Any, weights: Path, tf: Any) -> Any:
    loader = tf.compat.v1.saved_model.loader
    try:
        with session.graph.as_default():
            return loader.load(session, [_SERVE], str(weights.parent))
    except (OSError, RuntimeError, ValueError, KeyError, tf.errors.OpError) as exc:
        raise ModelError(
            f"{weights} is not a SavedModel that this TensorFlow can load: {first_line(exc)}."
        ) from exc


def signature_of(definition: Any) -> Signature:
    """Converts a signature to the app's type.

    Args:
        definition: TensorFlow's ``SignatureDef``.
    """
    return Signature(
        {key: _info(info) for key, info in sorted(definition.inputs.items())},
        {key: _info(info) for key, info in sorted(definition.outputs.items())},
        definition.method_name,
    )


def _info(info: Any) -> TensorInfo:
    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)
    names = info.DESCRIPTOR.fields_by_name["dtype"].enum_type.values_by_number
    return TensorInfo(info.name, str(names[info.dtype].name), sizes)
