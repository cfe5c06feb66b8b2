"""Names the machine and the versions that figures were measured with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil

PACKAGES = (
    *("onnxruntime", "openvino", "tensorflow-cpu", "tensorflow", "ai-edge-litert"),
    *("numpy", "pillow", "azure-functions", "uvicorn", "httptools", "starlette"),
)


def describe(command: str) -> dict[str, str]:
    """Describes the machine, for the header of a report.

    Args:
        command: the command line of the run.
    """
    memory = psutil.virtual_memory().total / 2**30
    return {
        "Command": command,
        "Date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Machine": f"{_cpu()}, {cores()} cores, {memory:.0f} GiB",
        "Load average before": load_average(),
        "System": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "Packages": ", ".join(_versions()),
    }


def _cpu() -> str:
    """Reads the processor's name; the standard library has it on Windows only."""
    try:
        if sys.platform == "darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True).stdout.strip()
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"


def cores() -> int:
    """The number of cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_average() -> str:
    """The number of runnable processes; above the number of cores the machine is busy."""
    return ", ".join(f"{load:.2f}" for load in psutil.getloadavg()) + " (1, 5, 15 min)"


def _versions() -> list[str]:
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
