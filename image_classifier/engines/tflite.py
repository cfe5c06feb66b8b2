"""Runs TensorFlow Lite models (``model.tflite``) with LiteRT, the runtime that phones use.

Custom Vision's own exports are recognised by the names of their inputs. Any other file needs a
``model.json`` beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.engines.base import EngineOptions, first_line
from image_classifier.engines.importing import importing
from image_classifier.engines.tflite_file import (
    Details,
    check_dtype,
    check_quantisation,
    plain_name,
    read_tflite,
    recognise,
)
from image_classifier.errors import ModelError
from image_classifier.model_files.input_spec import CHANNELS, InputSpec

with importing("ai_edge_litert"):
    from ai_edge_litert.interpreter import Interpreter

__all__ = ["TfliteEngine", "load"]

# One thread computes one inference, and the app lets as many compute at once as there are cores.
# Measured on 2 cores with a Custom Vision export: when two compute at once, two threads each give
# 8 % fewer answers; for one caller alone they halve the time only if the next image comes within
# 10 ms, before the second thread has gone to sleep.
_BEST_THREADS = 1


def load(weights: Path, input_spec: InputSpec | None, options: EngineOptions) -> TfliteEngine:
    """Loads a TensorFlow Lite model.

    Args:
        weights: the ``model.tflite``.
        input_spec: from ``model.json``; without it the file must be a Custom Vision export.
        options: threads.

    Raises:
        ModelError: the file is not such a model; the message names it and the reason.
    """
    data = read_tflite(weights)
    threads = options.threads or _BEST_THREADS
    interpreter = _interpreter(weights, data, threads)
    if input_spec is None:
        input_spec = recognise(
            weights, interpreter.get_input_details(), interpreter.get_output_details()
        )
    return TfliteEngine(weights, data, threads, input_spec, interpreter)


class TfliteEngine:
    """The file's bytes, and an interpreter for each thread that runs at the same time.

    An interpreter holds the tensors of one inference, so no two threads may share one.
    Interpreters are made when needed and kept; all read the weights from the same bytes.
    """

    def __init__(
        self,
        weights: Path,
        data: bytes,
        threads: int,
        input_spec: InputSpec,
        interpreter: Interpreter,
    ) -> None:
        self.input_spec = input_spec
        self._weights, self._data, self._threads = weights, data, threads
        self._input = _named(input_spec.input_name, interpreter, "input", weights)
        self._output = _named(input_spec.output_name, interpreter, "output", weights)
        check_dtype(weights, self._input)
        check_dtype(weights, self._output)
        channels = CHANNELS[input_spec.channels]
        shape = [int(side) for side in self._input["shape"]]
        self._channels_first = len(shape) == 4 and shape[1] == channels != shape[3]
        size = [input_spec.height, input_spec.width]
        self._shape = [1, channels, *size] if self._channels_first else [1, *size, channels]
        self._is_resized = shape != self._shape
        self._fit(interpreter)
        self._idle = [interpreter]

    def close(self) -> None:
        """Frees the interpreters; nothing may run any more."""
        self._idle.clear()

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``Engine.predict``; ModelError if the model cannot take the batch."""
        try:
            interpreter = self._idle.pop()
        except IndexError:
            interpreter = self._fit(_interpreter(self._weights, self._data, self._threads))
        try:
            # One image after the other: the files are made for one image, and resizing the input
            # for a batch and back takes longer than it gains.
            rows = [self._scores(interpreter, pixels) for pixels in batch]
            # An empty batch has no row, and the output as many columns as ever.
            scores = np.concatenate(rows or [interpreter.get_tensor(self._output["index"])[:0]])
        except Exception as exc:  # LiteRT's errors share no base class
            # The interpreter is dropped, because its state is unknown now.
            raise ModelError(
                f"The model cannot run on an input of shape {list(batch.shape)}: {first_line(exc)}."
            ) from exc
        self._idle.append(interpreter)
        return _dequantise(scores, self._output)

    def _scores(self, interpreter: Interpreter, pixels: NDArray[np.float32]) -> NDArray[Any]:
        """Runs one image [height, width, channels]; returns the model's output, usually [1, K]."""
        if self._channels_first:
            pixels = pixels.transpose(2, 0, 1)
        interpreter.set_tensor(self._input["index"], _quantise(pixels[None], self._input))
        interpreter.invoke()
        scores: NDArray[Any] = interpreter.get_tensor(self._output["index"])
        return scores

    def _fit(self, interpreter: Interpreter) -> Interpreter:
        """Resizes the input to the input specification's size, where the file leaves it open."""
        if self._is_resized:
            try:
                interpreter.resize_tensor_input(self._input["index"], self._shape, strict=True)
                interpreter.allocate_tensors()
            except Exception as exc:  # LiteRT's errors share no base class
                raise ModelError(
                    f"{self._weights}: its input {self._input['name']} has shape "
                    f"{self._input['shape'].tolist()}, not {self._shape} as model.json or its kind "
                    "calls for."
                ) from exc
        return interpreter


def _interpreter(weights: Path, data: bytes, threads: int) -> Interpreter:
    """Makes an interpreter that is ready to run. LiteRT checks the file's structure first."""
    try:
        interpreter = Interpreter(model_content=data, num_threads=threads)
        # The list of all tensors lacks those with damaged names; the other two lists have them.
        ends = interpreter.get_input_details() + interpreter.get_output_details()
        check_quantisation(weights, interpreter.get_tensor_details() + ends)
        interpreter.allocate_tensors()
    except ModelError:
        raise
    except Exception as exc:  # LiteRT's errors share no base class
        raise ModelError(
            f"{weights} is damaged, cut short, or not a TensorFlow Lite model that this LiteRT can "
            f"run: {first_line(exc)}."
        ) from exc
    return interpreter


def _named(name: str, interpreter: Interpreter, side: str, weights: Path) -> Details:
    """The input or output of a name: the tensor's own, or its name in a signature."""
    get = f"get_{side}_details"
    tensors: list[Details] = getattr(interpreter, get)()
    plain = plain_name(name)
    matches = [tensor for tensor in tensors if plain_name(tensor["name"]) == plain]
    for key in [] if matches else interpreter.get_signature_list():
        named: Mapping[str, Details] = getattr(interpreter.get_signature_runner(key), get)()
        matches += [
            each for each in tensors if plain in named and each["index"] == named[plain]["index"]
        ]
    if not matches:
        names = ", ".join(tensor["name"] for tensor in tensors)
        raise ModelError(f"{weights} has no {side} {name!r}; it has: {names}.")
    return matches[0]


def _quantise(pixels: NDArray[np.float32], tensor: Details) -> NDArray[Any]:
    """Converts float32 to the input's dtype, as TensorFlow Lite's own Quantize operation does.

    It multiplies and rounds halves to even (measured: LiteRT 2.3 on its default kernels).
    """
    dtype: np.dtype[Any] = np.dtype(tensor["dtype"])
    if dtype.kind == "f":
        return pixels.astype(dtype, copy=False)
    scale, zero_point = tensor["quantization"]
    steps = np.rint(pixels * np.float32(1 / (scale or 1))) + np.float32(zero_point)
    limits = np.iinfo(dtype)
    with np.errstate(invalid="ignore"):  # NaN becomes any number
        quantised: NDArray[Any] = steps.clip(limits.min, limits.max).astype(dtype)
    return quantised


def _dequantise(scores: NDArray[Any], tensor: Details) -> NDArray[np.float32]:
    """Converts the output's dtype to float32."""
    scale, zero_point = tensor["quantization"]
    if scores.dtype.kind == "f" or not scale:
        return scores.astype(np.float32, copy=False)
    return (scores.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
