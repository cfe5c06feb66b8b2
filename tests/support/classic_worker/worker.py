"""Started as `python worker.py` by Core Tools and in the container image: the worker leads."""

import os
import runpy
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).absolute().parent))
sys.path.append(os.environ["AzureWebJobsScriptRoot"])  # noqa: SIM112 - its name
runpy.run_module("azure_functions_worker", run_name="__main__", alter_sys=True)
