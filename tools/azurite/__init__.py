"""Azurite, Microsoft's storage emulator, queues and blobs: installed on demand, run as processes.

python -m tools.azurite              the host's AzureWebJobsStorage=UseDevelopmentStorage=true
python -m tools.azurite --port 10005 --folder /tmp/queues
python -m tools.azurite --blobs      blobs too: models on Blob Storage (docs/models.md)

emulator.py   install it, start it, wait for it, end it
"""

from tools.bootstrap.azurite_emulator import DEFAULT_PORT, Azurite, install

__all__ = ["DEFAULT_PORT", "Azurite", "install"]
