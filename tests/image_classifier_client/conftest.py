"""A model server with an image classifier and a SavedModel, for tests that only ask it things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.model_servers import ModelServer
from tests.support.prediction_clients import KINDS
from tests.support.saved_models import half_plus_two
from tests.support.servers import ROOT

CONFIG = """
model_config_list {{
  config {{ name: 'digits' base_path: '{models}/digits' }}
  config {{ name: 'half' base_path: '{root}/half' }}
}}
"""


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    root = tmp_path_factory.mktemp("served")
    half_plus_two(root / "half" / "3")
    config = root / "models.config"
    config.write_text(CONFIG.format(root=root, models=ROOT / "models"))
    arguments = [f"--model_config_file={config}", f"--grpc_socket_path={root}/socket"]
    with ModelServer(*arguments, rest=False) as running:
        yield running


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def nine() -> Path:
    return ROOT / "frontend" / "samples" / "nine.png"
