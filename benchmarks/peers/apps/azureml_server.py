"""Starts the Azure ML inference server as its own command does, but on this machine only."""

from __future__ import annotations

from azureml_inference_server_http import amlserver  # type: ignore[import-not-found]

# Its command has no option for the address, and would listen on all of them.
amlserver.DEFAULT_HOST = "127.0.0.1"

if __name__ == "__main__":
    amlserver.run()
