"""The command line: ``tensorflow_model_server``'s flags, and a sentence for each that is wrong."""

from __future__ import annotations

import argparse
import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["DESCRIPTION", "Flags", "FlagError", "parse_flags"]

DESCRIPTION = (
    "TensorFlow Serving's API for the models of this project: PredictionService and ModelService "
    "over gRPC, and the same over REST. The flags are those of tensorflow_model_server. Without "
    "the settings API_KEYS and ALLOW_ANONYMOUS in the environment it listens on 127.0.0.1 only."
)
# Flags of TensorFlow Serving's that are accepted and do nothing, each with the reason.
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


class FlagError(Exception):
    """A flag cannot be used; the message says which, why and what to do."""


class Flags(argparse.Namespace):
    """What the command line says; each attribute is the flag of its name."""

    port: int
    rest_api_port: int
    rest_api_num_threads: int
    rest_api_timeout_in_ms: int
    rest_api_enable_cors_support: bool
    grpc_socket_path: str
    grpc_max_threads: int
    grpc_channel_arguments: str
    address: str
    model_name: str
    model_base_path: str
    model_config_file: str
    model_config_file_poll_wait_seconds: float
    file_system_poll_wait_seconds: float
    allow_version_labels_for_unavailable_models: bool
    ssl_config_file: str
    monitoring_config_file: str
    enable_grpc_healthcheck_service: bool
    enable_serialization_as_tensor_content: bool
    version: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise FlagError(message[:1].upper() + message[1:])


def parse_flags(arguments: Sequence[str]) -> tuple[Flags, list[str]]:
    """Reads the command line.

    Returns:
        The flags, and a sentence for each that has no effect.

    Raises:
        FlagError: a flag is unknown, or has a value that it cannot have.
    """
    left, idle = _set_aside(arguments)
    flags, unknown = _parser().parse_known_args(left, namespace=Flags())
    if unknown:
        raise FlagError(_unknown(unknown[0]))
    _check(flags)
    return flags, [f"--{name} has no effect: {WITHOUT_EFFECT[name]}." for name in idle]


def _set_aside(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Takes out the flags that do nothing, with their values; returns what is left, and them."""
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


def channel_arguments(text: str) -> dict[str, int | str]:
    """``--grpc_channel_arguments``: ``name=value,name=value``; whole numbers are numbers.

    Raises:
        FlagError: a part has no ``=``, or a number that gRPC cannot take.
    """
    found: dict[str, int | str] = {}
    for part in filter(None, text.split(",")):
        name, sign, value = part.partition("=")
        if not sign or not name:
            raise FlagError(
                f"--grpc_channel_arguments has {part!r}; it must be name=value,name=value."
            )
        is_number = re.fullmatch(r"-?[0-9]+", value) is not None
        if is_number and not -(2**31) <= int(value) < 2**31:
            raise FlagError(f"--grpc_channel_arguments: {value} is too large; 2147483647 is not.")
        found[name] = int(value) if is_number else value
    return found


def _parser() -> argparse.ArgumentParser:
    cores = os.cpu_count() or 1
    parser = _Parser(prog="python -m model_server", description=DESCRIPTION, allow_abbrev=False)

    def flag(name: str, kind: type, default: object, meaning: str) -> None:
        shown = "" if default in ("", False) else f" (default: {default})"
        if kind is bool:
            parser.add_argument(
                f"--{name}", nargs="?", const=True, default=default, type=_boolean, help=meaning
            )
        else:
            parser.add_argument(f"--{name}", type=kind, default=default, help=meaning + shown)

    flag("port", int, 8500, "gRPC; 0: none")
    flag("rest_api_port", int, 0, "REST; 0: none")
    flag("address", str, "", "where to listen, in place of what the settings say; ours")
    flag("grpc_socket_path", str, "", "a Unix socket for gRPC, besides the port")
    flag("model_name", str, "default", "with --model_base_path: what callers call the model")
    flag("model_base_path", str, "", "the folder with the model's version folders")
    flag("model_config_file", str, "", "several models: a model_config_list, as text")
    flag("model_config_file_poll_wait_seconds", float, 0, "read it again so often; 0: never")
    flag("file_system_poll_wait_seconds", float, 1, "look for new versions so often; 0: never")
    flag("allow_version_labels_for_unavailable_models", bool, False, "labels may come first")
    flag("rest_api_num_threads", int, 4 * cores, "REST requests answered at once")
    flag("rest_api_timeout_in_ms", int, 30000, "after which a REST request is given up")
    flag("rest_api_enable_cors_support", bool, False, "pages of other origins may ask")
    flag("grpc_max_threads", int, 4 * cores, "gRPC calls answered at once")
    flag("grpc_channel_arguments", str, "", "name=value,… for gRPC; messages may have any size")
    flag("ssl_config_file", str, "", "TLS for gRPC: server_key, server_cert … as text")
    flag("monitoring_config_file", str, "", "prometheus_config { enable: true path: … }, as text")
    flag("enable_grpc_healthcheck_service", bool, True, "gRPC's health service, without a key")
    flag("enable_serialization_as_tensor_content", bool, False, "answers as tensor_content")
    flag("version", bool, False, "show the version and end")
    return parser


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "1", "t", "yes"):
        return True
    if text.lower() in ("false", "0", "f", "no"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} must be true or false")


def _check(flags: Flags) -> None:
    if flags.version:
        return
    for name in ("port", "rest_api_port"):
        if not 0 <= getattr(flags, name) < 65536:
            raise FlagError(f"--{name}={getattr(flags, name)}: a port is a number up to 65535.")
    if flags.port and flags.port == flags.rest_api_port:
        raise FlagError(
            f"--port and --rest_api_port are both {flags.port}: gRPC and REST need a port each."
        )
    if not (flags.port or flags.rest_api_port or flags.grpc_socket_path):
        raise FlagError("There is nothing to listen on: give --port or --rest_api_port.")
    for name in ("rest_api_num_threads", "rest_api_timeout_in_ms", "grpc_max_threads"):
        if getattr(flags, name) < 1:
            raise FlagError(f"--{name}={getattr(flags, name)}: it must be 1 or more.")
    if flags.model_config_file and flags.model_base_path:
        raise FlagError(
            "--model_config_file and --model_base_path exclude each other: list the model in the "
            "file."
        )
    if not flags.model_config_file and not flags.model_base_path:
        raise FlagError(
            "Which model? Give --model_name NAME --model_base_path FOLDER (the folder that holds "
            "the version folders, as in models/digits), or --model_config_file FILE."
        )
    for name in ("model_config_file", "ssl_config_file", "monitoring_config_file"):
        path = getattr(flags, name)
        if path and not Path(path).is_file():
            raise FlagError(f"--{name}={path}: there is no such file.")
    if flags.grpc_socket_path and not Path(flags.grpc_socket_path).absolute().parent.is_dir():
        raise FlagError(f"--grpc_socket_path={flags.grpc_socket_path}: its folder is not there.")


def _unknown(argument: str) -> str:
    name = argument.lstrip("-").partition("=")[0]
    known = [action.dest for action in _parser()._actions] + list(WITHOUT_EFFECT)
    near = difflib.get_close_matches(name, known, 1)
    hint = f" Did you mean --{near[0]}?" if near else ""
    return f"Unknown flag {argument}.{hint} --help lists them all."
