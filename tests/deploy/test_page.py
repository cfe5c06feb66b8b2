"""docs/deploy.md: its commands name what is there, and each way has its clean-up."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "deploy.md").read_text("utf-8")
COMMANDS = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", " ")


def test_files_in_the_commands_are_there() -> None:
    named = set(re.findall(r"deploy/[\w./]+", COMMANDS)) - {"deploy/kubernetes/secret.yaml"}

    assert len(named) >= 6
    assert not [name for name in named if not (ROOT / name).exists()]


def test_each_way_has_one_command_and_its_clean_up() -> None:
    for start, end in (
        ("azd up", "azd down --purge"),
        ("compose.yaml up -d --build", "compose.yaml --profile queue down --volumes --rmi all"),
        ("kubectl apply -k deploy/kubernetes", "kubectl delete namespace image-classifier"),
    ):
        assert COMMANDS.index(start) < COMMANDS.index(end)


def test_what_is_made_and_taken_away_has_the_same_name() -> None:
    namespace = yaml.safe_load((ROOT / "deploy/kubernetes/namespace.yaml").read_text("utf-8"))
    arguments = set(re.findall(r"--build-arg (\w+)|--target (\w+)", COMMANDS + PAGE))
    dockerfile = (ROOT / "deploy/container/model_server.Dockerfile").read_text("utf-8")

    assert namespace["metadata"]["name"] == "image-classifier"
    assert {argument for argument, _ in arguments if argument} == {"MODEL"}
    assert "ARG MODEL=" in dockerfile
    assert {target for _, target in arguments if target} == {"mounted"}
    assert " AS mounted" in dockerfile
