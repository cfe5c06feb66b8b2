"""The commands of Azure CLI that a page prints, taken apart as a shell would.

Azure CLI itself is no package of the tests: it weighs as much as TensorFlow. Its options stand here
instead, as `az COMMAND --help` of version 2.91.0 lists them, less those that every command has.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

__all__ = ["OPTIONS", "REQUIRED", "Line", "az_lines", "faults"]

EVERY_COMMAND = {"--output", "--query", "--subscription", "--only-show-errors"}

OPTIONS = {
    "group create": "--location --name --resource-group --managed-by --tags",
    "storage account create": """--name --resource-group --access-tier --allow-blob-public-access
        --allow-cross-tenant-replication --allow-shared-key-access --assign-identity --bypass
        --default-action --https-only --kind --location --min-tls-version --public-network-access
        --sku --tags --zones""",
    "signalr create": """--name --resource-group --sku --allowed-origins --enable-message-logs
        --location --service-mode --tags --unit-count --default-action""",
    "signalr key list": "--name --resource-group",
    "functionapp create": """--name --resource-group --storage-account --always-ready-instances
        --app-insights --app-insights-key --assign-identity --configure-networking-later
        --consumption-plan-location --deployment-storage-auth-type --deployment-storage-auth-value
        --deployment-storage-container-name --deployment-storage-name --disable-app-insights
        --domain-name-scope --flexconsumption-location --functions-version --https-only
        --instance-memory --maximum-instance-count --os-type --plan --role --runtime
        --runtime-version --scope --subnet --tags --vnet --workspace --zone-redundant""",
    "functionapp scale config set": """--instance-memory --maximum-instance-count
        --trigger-settings --trigger-type --ids --name --resource-group""",
    "functionapp config appsettings set": """--settings --slot --slot-settings --ids --name
        --resource-group""",
}
REQUIRED = {
    "group create": "--location --name",
    "storage account create": "--name --resource-group",
    "signalr create": "--name --resource-group --sku",
    "signalr key list": "--name --resource-group",
    "functionapp create": "--name --resource-group --storage-account",
    "functionapp scale config set": "--name --resource-group",
    "functionapp config appsettings set": "--name --resource-group --settings",
}


@dataclass(frozen=True)
class Line:
    """One command.

    Attributes:
        command: its words, without `az`.
        options: option -> what follows it.
    """

    command: str
    options: dict[str, list[str]]

    def value(self, option: str) -> str:
        """What follows an option that takes one thing."""
        (value,) = self.options[option]
        return value

    def settings(self) -> dict[str, str]:
        """What follows ``--settings``, name -> value."""
        return dict(setting.split("=", 1) for setting in self.options["--settings"])


def az_lines(page: str) -> list[Line]:
    """Every `az …` in the page's blocks for a shell, those inside of others too, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    found: list[Line] = []
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        inner = re.findall(r"\$\((az [^()]*)\)", line)
        found += [_line(text) for text in [*inner, line] if text.startswith("az ")]
    return found


def _line(text: str) -> Line:
    words = shlex.split(text)[1:]
    first = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
    options: dict[str, list[str]] = {}
    for word in words[first:]:
        if word.startswith("--"):
            options[word] = []
        else:
            options[list(options)[-1]].append(word)
    return Line(" ".join(words[:first]), options)


def faults(lines: list[Line]) -> list[str]:
    """What Azure CLI would refuse, as sentences."""
    found = []
    for line in lines:
        if line.command not in OPTIONS:
            found.append(f"az {line.command} is in no table")
            continue
        known = {*OPTIONS[line.command].split(), *EVERY_COMMAND}
        found += [f"az {line.command} has no {name}" for name in line.options if name not in known]
        needed = [name for name in REQUIRED[line.command].split() if name not in line.options]
        found += [f"az {line.command} needs {name}" for name in needed]
        empty = [name for name, values in line.options.items() if not values]
        found += [f"az {line.command}: nothing follows {name}" for name in empty]
    return found
