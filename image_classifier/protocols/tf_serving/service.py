"""Implements TensorFlow Serving's protocol on NumPy arrays, for gRPC and REST alike.

The messages of errors are TensorFlow Serving's own: clients compare them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from image_classifier.classifier import Classifier
from image_classifier.errors import (
    ClassifierError,
    ImageTooLarge,
    InvalidRequest,
    ModelError,
    TooManyRequests,
    Unauthorized,
    UnknownModel,
    UnsupportedImage,
)
from image_classifier.model_files.signatures import DEFAULT_SIGNATURE, Array, Signature
from image_classifier.models.image_signatures import run_image_signature
from image_classifier.models.loaded_model import LoadedModel
from image_classifier.models.model import ModelState
from image_classifier.models.served_model import ServedModel
from image_classifier.observability import telemetry
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.tensor_names import Names, check_dtypes
from image_classifier.protocols.tf_serving.types import ModelSpec, PredictResult, VersionStatus
from image_classifier.settings import Settings

__all__ = [
    "CODE_OF_ERROR",
    "ModelSpec",
    "PredictResult",
    "TensorFlowServing",
    "VersionStatus",
    "as_serving_error",
    "used_spec",
]

logger = logging.getLogger(__name__)

CODE_OF_ERROR: Mapping[type[ClassifierError], Code] = MappingProxyType(
    {
        InvalidRequest: Code.INVALID_ARGUMENT,
        UnsupportedImage: Code.INVALID_ARGUMENT,
        ImageTooLarge: Code.INVALID_ARGUMENT,
        Unauthorized: Code.UNAUTHENTICATED,
        UnknownModel: Code.NOT_FOUND,
        TooManyRequests: Code.RESOURCE_EXHAUSTED,
        ModelError: Code.INTERNAL,
    }
)
_STATES = {
    ModelState.NOT_LOADED: "START",
    ModelState.LOADING: "LOADING",
    ModelState.LOADED: "AVAILABLE",
    ModelState.FAILED: "END",
    ModelState.UNLOADING: "UNLOADING",
    ModelState.UNLOADED: "END",
}

# In a compressed request; the host bounds those that are not.
_IMAGES_IN_A_BODY = 4


class TensorFlowServing:
    """Answers TensorFlow Serving's requests with the models of one classifier.

    Args:
        classifier: the models.
        allow_unavailable_labels: a label may stand for a version that is not loaded.
    """

    def __init__(self, classifier: Classifier, *, allow_unavailable_labels: bool = False) -> None:
        self._classifier = classifier
        self._allow_unavailable_labels = allow_unavailable_labels

    @property
    def settings(self) -> Settings:
        """The app's settings, with the keys."""
        return self._classifier.settings

    @property
    def largest_body(self) -> int:
        """The most bytes of a request after decompression: several images in base64."""
        return _IMAGES_IN_A_BODY * self.settings.max_image_bytes

    def serves(self, name: str) -> bool:
        """Whether there is a model of that name."""
        return self._served(name) is not None

    def find(self, spec: ModelSpec) -> LoadedModel:
        """Finds and loads the model of a request; it stays loaded while the caller holds it.

        Raises:
            ServingError: no such model or version is served.
        """
        served = self._served(spec.name)
        version = self._version(served, spec)
        requested = f"Latest({spec.name})"
        if version is not None:
            requested = f"Specific({spec.name}, {version})"
        loaded = None
        try:
            if version is not None:
                loaded = served.load_version(version, any_version=False) if served else None
            elif served:
                loaded = served.load()
        except ModelError as exc:
            # The status of the model has the reason; this request gets TensorFlow Serving's words.
            logger.warning("%s: %s", requested, exc.message)
        if loaded is None:
            if served:  # the record of a failure names the model
                telemetry.set_model(served.name, _known(served, version))
            raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {requested}")
        telemetry.set_model(loaded.name, loaded.version, loaded.engine_name)
        return loaded

    def predict(
        self,
        spec: ModelSpec,
        inputs: Mapping[str, Array],
        output_filter: Sequence[str] = (),
        *,
        loaded: LoadedModel | None = None,
        by_tensor_names: bool = False,
    ) -> PredictResult:
        """Runs one signature.

        Args:
            spec: the model and the signature.
            inputs: an array for each input, by its key in the signature or by its tensor's name.
            output_filter: names of the requested outputs, likewise; empty means all.
            loaded: the result of ``find``, if the caller has it.
            by_tensor_names: the caller used tensor names although ``inputs`` has keys.

        Raises:
            ServingError: the request cannot be answered.
        """
        loaded = loaded or self.find(spec)
        key = spec.signature_name or DEFAULT_SIGNATURE
        signature = loaded.signatures.get(key)
        if signature is None:
            raise ServingError(
                Code.FAILED_PRECONDITION, f'Serving signature key "{key}" not found.'
            )
        names = Names(signature, by_tensor_names)
        fed = names.inputs(inputs)
        check_dtypes(signature, fed)
        requested = names.outputs(output_filter)
        arrays = self.run_signature(loaded, key, fed, tuple(requested.values()))
        return PredictResult(
            used_spec(loaded, key), {shown: arrays[output] for shown, output in requested.items()}
        )

    def run_signature(
        self,
        loaded: LoadedModel,
        signature_name: str,
        inputs: Mapping[str, Array],
        outputs: Sequence[str],
    ) -> dict[str, Array]:
        """Runs a signature of the model on inputs that fit it.

        Args:
            loaded: the model.
            signature_name: one of its ``signatures``.
            inputs: an array for each input, by key, of the signature's dtypes.
            outputs: keys of the outputs to compute.

        Raises:
            ServingError: an input cannot be used, or the model fails.
        """
        pipeline = self._classifier.pipeline
        try:
            saved = loaded.saved_model
            if saved is not None and signature_name in saved.signatures:
                return pipeline.infer(saved.run_signature, signature_name, inputs, outputs)
            return run_image_signature(
                signature_name, inputs, outputs, pipeline=pipeline, loaded=loaded
            )
        except ClassifierError as exc:
            raise as_serving_error(exc) from exc

    def metadata(self, spec: ModelSpec) -> tuple[ModelSpec, Mapping[str, Signature]]:
        """Lists the signatures of a model and names its version; raises ServingError."""
        telemetry.mark_probe()
        loaded = self.find(spec)
        return used_spec(loaded, ""), loaded.signatures

    def status(self, spec: ModelSpec) -> list[VersionStatus]:
        """Lists the states of a model's versions, the highest first.

        In the Functions app this loads the versions that would answer, unless they are loaded.

        Raises:
            ServingError: there is no such model or version.
        """
        telemetry.mark_probe()
        served = self._served(spec.name)
        version = self._version(served, spec)
        known = []
        if served:
            served.ensure_loaded()
            known = served.known()
        if version is not None:
            known = [model for model in known if model.version == version]
        if not known:
            what = "any versions" if version is None else f"version {version}"
            raise ServingError(Code.NOT_FOUND, f"Could not find {what} of model {spec.name}")
        return [
            VersionStatus(
                model.version,
                _STATES[model.state],
                Code.INVALID_ARGUMENT if model.failure else Code.OK,
                model.failure or "",
            )
            for model in known
        ]

    def _served(self, name: str) -> ServedModel | None:
        try:
            return self._classifier.repository.served(name or None)
        except ClassifierError:
            return None

    def _version(self, served: ServedModel | None, spec: ModelSpec) -> int | None:
        """The version requested by number or by label; None if any is accepted."""
        if not spec.version_label:
            return spec.version
        version = served.labels.get(spec.version_label) if served else None
        is_there = served is not None and version is not None and served.can_serve(version)
        if version is None or not (is_there or self._allow_unavailable_labels):
            raise ServingError(
                Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {spec.version_label}"
            )
        return version


def _known(served: ServedModel, version: int | None) -> int | None:
    """The version that would answer, if there is one; never a number that a caller made up."""
    if version is not None:
        return version if version in served.versions() else None
    picked = served.pick()
    return picked.version if picked else None


def used_spec(loaded: LoadedModel, signature_name: str) -> ModelSpec:
    """Names the model and the signature in an answer."""
    return ModelSpec(loaded.name, loaded.version, "", signature_name)


def as_serving_error(error: Exception) -> ServingError:
    """Translates any error into TensorFlow Serving's terms; a bug's own message is left out."""
    if isinstance(error, ServingError):
        return error
    if not isinstance(error, ClassifierError):
        return ServingError(Code.INTERNAL, "Something went wrong inside the app. See its log.")
    kinds = (kind for kind in type(error).__mro__ if kind in CODE_OF_ERROR)
    code = next((CODE_OF_ERROR[kind] for kind in kinds), Code.INTERNAL)
    return ServingError(code, error.message)
