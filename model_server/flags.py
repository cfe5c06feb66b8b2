"""Reads the command line: ``tensorflow_model_server``'s flags, with a sentence for each mistake."""

from __future__ import annotations

import argparse
import difflib
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path

from model_server.ignored_flags import WITHOUT_EFFECT, set_aside

__all__ = ["DESCRIPTION", "Flags", "FlagError", "parse_flags"]

DESCRIPTION = (
    "TensorFlow Serving's API for the models of this project: PredictionService and ModelService "
    "over gRPC, and the same over REST. The flags are those of tensorflow_model_server. Without "
    "the settings API_KEYS and ALLOW_ANONYMOUS in the environment it listens on 127.0.0.1 only."
)
_EPILOG = (
    "Further settings are those of the app, in the environment: API_KEYS, ALLOW_ANONYMOUS, ENGINE "
    "and so on. Accepted, without effect: "
    f"{', '.join(f'--{name}' for name in WITHOUT_EFFECT)}."
)


class FlagError(Exception):
    """A flag cannot be used; the message says which, why and what to do."""


class Flags(argparse.Namespace):
    """The values of the command line; each attribute is the flag of its name."""

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
        # argparse's own message about a flag without its value
        message = message.replace("expected one argument", "it needs a value")
        raise FlagError(message.removeprefix("argument "))


def parse_flags(arguments: Sequence[str]) -> tuple[Flags, list[str]]:
    """Reads the command line.

    Returns:
        The flags, and a sentence for each that has no effect.

    Raises:
        FlagError: a flag is unknown, or has a value that it cannot have.
    """
    left, idle = set_aside(arguments)
    flags, unknown = _parser().parse_known_args(left, namespace=Flags())
    if unknown:
        raise FlagError(_unknown(unknown[0]))
    _check(flags)
    return flags, [f"--{name} has no effect: {WITHOUT_EFFECT[name]}." for name in idle]


def channel_arguments(text: str) -> dict[str, int | str]:
    """Reads ``--grpc_channel_arguments``: ``name=value,name=value``; whole numbers become int.

    Raises:
        FlagError: a part has no ``=``, or a number that gRPC cannot take.
    """
    arguments: dict[str, int | str] = {}
    for part in filter(None, text.split(",")):
        name, sign, value = part.partition("=")
        if not sign or not name:
            raise FlagError(
                f"--grpc_channel_arguments has {part!r}; it must be name=value,name=value."
            )
        is_number = re.fullmatch(r"-?[0-9]+", value) is not None
        if is_number and not -(2**31) <= int(value) < 2**31:
            raise FlagError(f"--grpc_channel_arguments: {value} is too large; 2147483647 is not.")
        arguments[name] = int(value) if is_number else value
    return arguments


def _parser() -> argparse.ArgumentParser:
    cores = os.cpu_count() or 1
    parser = _Parser(
        prog="python -m model_server",
        usage="%(prog)s --model_base_path FOLDER [--model_name NAME] [--rest_api_port N] …\n"
        "       %(prog)s --model_config_file FILE …",
        description=DESCRIPTION,
        epilog=_EPILOG,
        allow_abbrev=False,
    )

    def flag(name: str, kind: type, default: object, meaning: str, value: str = "N") -> None:
        shown = "" if default in ("", False) else f" (default: {default})"
        if kind is bool:
            parser.add_argument(
                f"--{name}",
                nargs="?",
                const=True,
                default=default,
                type=_boolean,
                help=meaning + (" (default: true)" if default else ""),
                metavar="true|false",
            )
        else:
            read = {int: _whole_number, float: _number}.get(kind, str)
            parser.add_argument(
                f"--{name}", type=read, default=default, help=meaning + shown, metavar=value
            )

    flag("port", int, 8500, "gRPC; 0: none")
    flag("rest_api_port", int, 0, "REST; 0: none")
    flag("address", str, "", "where to listen, in place of what the settings say; ours", "ADDRESS")
    flag("grpc_socket_path", str, "", "a Unix socket for gRPC, besides the port", "FILE")
    flag(
        "model_name", str, "default", "with --model_base_path: what callers call the model", "NAME"
    )
    flag("model_base_path", str, "", "the folder with the model's version folders", "FOLDER")
    flag("model_config_file", str, "", "several models: a model_config_list, as text", "FILE")
    flag("model_config_file_poll_wait_seconds", float, 0, "read it again so often; 0: never")
    flag("file_system_poll_wait_seconds", float, 1, "look for new versions so often; 0: never")
    flag("allow_version_labels_for_unavailable_models", bool, False, "labels may come first")
    flag("rest_api_num_threads", int, 4 * cores, "REST requests answered at once")
    flag("rest_api_timeout_in_ms", int, 30000, "after which a REST request is given up")
    flag("rest_api_enable_cors_support", bool, False, "pages of other origins may ask")
    flag("grpc_max_threads", int, 4 * cores, "gRPC calls answered at once")
    flag(
        "grpc_channel_arguments",
        str,
        "",
        "for gRPC; messages may have any size unless this says so",
        "NAME=VALUE,…",
    )
    flag("ssl_config_file", str, "", "TLS for gRPC: server_key, server_cert … as text", "FILE")
    flag(
        "monitoring_config_file",
        str,
        "",
        "prometheus_config { enable: true path: … }, as text",
        "FILE",
    )
    flag("enable_grpc_healthcheck_service", bool, True, "gRPC's health service, without a key")
    flag("enable_serialization_as_tensor_content", bool, False, "answers as tensor_content")
    flag("version", bool, False, "show the version and end")
    return parser


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number") from None


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number")
    return number


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
    if "://" in flags.model_base_path:
        raise FlagError(
            "--model_base_path must be a folder, not an address. Only MODELS_DIR of the Functions "
            "app can be on Blob Storage; copy or mount the models for this server."
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
