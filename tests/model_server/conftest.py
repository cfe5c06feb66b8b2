"""One server for all tests that only ask it things."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.model_servers import Client, ModelServer
from tests.support.saved_models import half_plus_two, main_colour, many_types

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """
model_config_list {{
  config {{
    name: 'half' base_path: '{root}/half' model_platform: 'tensorflow'
    model_version_policy {{ specific {{ versions: 0 versions: 123 }} }}
    version_labels {{ key: 'stable' value: 123 }}
    version_labels {{ key: 'old' value: 0 }}
  }}
  config {{ name: 'types' base_path: '{root}/types' }}
  config {{ name: 'digits' base_path: '{models}/digits' }}
  config {{ name: 'half plus' base_path: '{root}/half' }}
  config {{ name: 'colours' base_path: '{root}/colours' }}
  config {{ name: 'broken' base_path: '{root}/broken' }}
}}
"""


@pytest.fixture(scope="session")
def models_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    half_plus_two(root / "half" / "0", add=7.0)
    half_plus_two(root / "half" / "123")
    many_types(root / "types" / "1")
    main_colour(root / "colours" / "1")
    shutil.copytree(root / "half" / "123", root / "broken" / "5")
    (root / "broken" / "5" / "saved_model.pb").write_bytes(b"damaged")
    return root


@pytest.fixture(scope="session")
def server(models_root: Path) -> Iterator[ModelServer]:
    config = models_root / "models.config"
    config.write_text(CONFIG.format(root=models_root, models=ROOT / "models"))
    monitoring = models_root / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    arguments = [f"--model_config_file={config}", f"--monitoring_config_file={monitoring}"]
    arguments += [f"--grpc_socket_path={models_root}/socket", "--rest_api_enable_cors_support"]
    with ModelServer(*arguments) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: ModelServer) -> Iterator[Client]:
    with Client(server.address) as made:
        yield made
