"""Compiles model_server/protos/ for the server and for its client.

    python -m tools.compile_protos

Each gets one file, descriptors.py, with the descriptors of all messages, instead of protoc's usual
modules: these register their messages in protobuf's default pool, which has TensorFlow's messages
of the same names.
"""

from __future__ import annotations

import base64
import importlib.util
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROTOS = ROOT / "model_server" / "protos"
# A copy for each: the client is installed without the server.
TARGETS = [
    ROOT / name / "descriptors.py" for name in ("model_server/grpc", "image_classifier_client")
]

_HEAD = '''"""The messages of model_server/protos/; from ``python -m tools.compile_protos``."""

from __future__ import annotations

import base64

__all__ = ["FILE_DESCRIPTOR_SET"]

# A serialized google.protobuf.FileDescriptorSet, each file after those that it imports.
FILE_DESCRIPTOR_SET = base64.b64decode(
    """
'''


def compiled() -> str:
    """Returns the text of the module.

    Raises:
        RuntimeError: protoc is missing, or refuses the files; its output is on the terminal.
    """
    package = importlib.util.find_spec("grpc_tools")
    if package is None or package.origin is None:
        raise RuntimeError("grpcio-tools is not installed")
    well_known = Path(package.origin).parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "set"
        # In a process of its own: beside TensorFlow's protobuf, protoc crashes.
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", f"-I{well_known}"]
        command += ["--include_imports", f"--descriptor_set_out={made}", "serving.proto"]
        if subprocess.run(command).returncode != 0:
            raise RuntimeError("protoc failed")
        text = base64.b64encode(made.read_bytes()).decode()
    return _HEAD + "\n".join(textwrap.wrap(text, 96)) + '\n    """\n)\n'


def main() -> int:
    """Writes the modules; returns the exit status."""
    text = compiled()
    for target in TARGETS:
        target.write_text(text, "utf-8")
        print(f"{target.relative_to(ROOT)}: {target.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
