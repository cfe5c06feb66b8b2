"""Prints the host's messages at its start."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence

import azure.functions

from local_host.configuration.local_settings import LocalSettings
from local_host.console import Console
from local_host.functions.function_table import Function
from local_host.host_config import HostConfig
from local_host.web.routes import RouteTable

__all__ = ["show_functions", "show_start"]


def show_start(
    console: Console,
    config: HostConfig,
    settings: LocalSettings,
    skipped: Sequence[str],
    environment: str,
) -> None:
    """Prints the versions and the source of the settings."""
    workers = "1 worker" if config.workers == 1 else f"{config.workers} worker processes"
    source = settings.path.name if settings.path else "none (no local.settings.json)"
    console.plain("")
    console.plain("Local host (emulates Azure Functions Core Tools)")
    console.plain(
        f"Python {platform.python_version()}, azure-functions {azure.functions.__version__}, "
        f"{workers}",
        "grey",
    )
    console.plain(f"App: {config.root}", "grey")
    console.plain(f"Settings: {source}. Environment: {environment}.", "grey")
    console.plain("")
    for name in skipped:
        console.line(
            f"Skipping '{name}' from local settings as it's already defined in current "
            "environment variables."
        )
    console.line("Loading the functions…")


def show_functions(console: Console, config: HostConfig, load_errors: Mapping[str, str]) -> None:
    """Lists the functions, HTTP first, then their errors and the host's URLs."""
    routes = RouteTable(config.table.functions, config.host_file.route_prefix)
    console.line("Worker process started and initialized.")
    console.plain("\nFunctions:", "yellow")
    # A disabled route is not listed, as with `func start`; a disabled queue is, with its remedy.
    listed = [
        one
        for one in config.table.functions
        if one.name not in routes.errors and not (one.is_http and one.disabled)
    ]
    for function in sorted(listed, key=lambda one: not one.is_http):
        off = " (off)" if function.disabled or function.name in config.targets.off else ""
        console.plain(f"\n\t{_describe(config, function)}{off}")
    if not listed:
        console.plain("\n\tnone")
    console.plain("")
    for function in config.table.functions:
        if function.disabled:
            console.line(
                f"Function {function.name} is disabled. "
                f"AzureWebJobs.{function.name}.Disabled=false turns it on.",
                "yellow",
            )
    for name, text in config.targets.off.items():
        console.line(f"Function {name} is off: {text}", "yellow")
    for text in [
        *(
            f"The '{name}' function is in error: {text}"
            for name, text in config.table.errors.items()
        ),
        *(f"The '{name}' function is in error: {text}" for name, text in routes.errors.items()),
        *load_errors.values(),
    ]:
        console.line(text, "red")
    if config.has_pages:
        console.plain(f"Page: {config.url}/")
    if config.images is not None:
        console.plain(f"Images: {config.url}/images/ serves the images in {config.images}")
    if config.hubs.emulator is not None:
        emulator = config.hubs.emulator
        empty = sorted(name for name, one in config.hubs.services.items() if one == emulator)
        console.plain(
            f"SignalR: an emulator at {emulator.url}, because {' and '.join(empty)} is empty"
        )
    console.plain("Stop with Ctrl+C.\n")


def _describe(config: HostConfig, function: Function) -> str:
    if function.is_http:
        methods = f"[{','.join(function.methods)}] " if function.methods else ""
        return f"{function.name}: {methods}{config.function_url(function)}"
    trigger = function.trigger.type
    if trigger.lower() == "queuetrigger":
        return f"{function.name}: {trigger}"
    return f"{function.name}: {trigger} (off: the local host runs HTTP and queue triggers only)"
