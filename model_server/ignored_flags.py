"""Lists flags of ``tensorflow_model_server``'s that have no effect here, each with the reason."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["WITHOUT_EFFECT", "set_aside"]

WITHOUT_EFFECT = {
    "enable_batching": "requests are not batched: on a CPU it gains nothing",
    "batching_parameters_file": "requests are not batched: on a CPU it gains nothing",
    "enable_per_model_batching_parameters": "requests are not batched",
    "allow_batching_with_tf_serving_batching": "requests are not batched",
    "enable_model_warmup": "each image classifier is run once when it is loaded, always",
    "num_request_iterations_for_warmup": "each image classifier is run once when it is loaded",
    "prefer_tflite_model": "the engine is chosen by the setting ENGINE",
    "use_tflite_model": "the engine is chosen by the setting ENGINE",
    "max_num_load_retries": "a model that failed is tried again when its files change",
    "load_retry_interval_micros": "a model that failed is tried again when its files change",
    "num_load_threads": "models are loaded one after the other",
    "num_unload_threads": "models are unloaded in the background",
    "flush_filesystem_caches": "the system's own judgement is trusted",
    "tensorflow_session_parallelism": "set ENGINE_THREADS",
    "tensorflow_intra_op_parallelism": "set ENGINE_THREADS",
    "tensorflow_inter_op_parallelism": "set ENGINE_THREADS",
    "saved_model_tags": "the tag is serve",
    "enable_signature_method_name_check": "method names are never checked",
    "xla_cpu_compilation_enabled": "XLA is not used",
    "xla_gpu_compilation_enabled": "XLA is not used",
    "enable_profiler": "there is no profiler",
    "remove_unused_fields_from_bundle_metagraph": "they are not kept",
    "tensorflow_session_config_file": "set ENGINE_THREADS",
    "platform_config_file": "there is one platform",
    "per_process_gpu_memory_fraction": "set ONNX_PROVIDERS",
}


def set_aside(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separates the flags without effect, with their values; returns the others, and these."""
    left: list[str] = []
    idle: list[str] = []
    has_value_next = False
    for argument in arguments:
        name, sign, _ = argument.removeprefix("--").partition("=")
        if argument.startswith("--") and name in WITHOUT_EFFECT:
            idle.append(name)
            has_value_next = not sign
            continue
        if not has_value_next or argument.startswith("--"):
            left.append(argument)
        has_value_next = False
    return left, idle
