"""Azurite's queue service, Microsoft's storage emulator: installed on demand, run as a process.

python -m tools.azurite              the host's AzureWebJobsStorage=UseDevelopmentStorage=true
python -m tools.azurite --port 10005 --folder /tmp/queues

emulator.py   install it, start it, wait for it, end it
"""

from tools.azurite.emulator import DEFAULT_PORT, Azurite, install

__all__ = ["DEFAULT_PORT", "Azurite", "install"]
