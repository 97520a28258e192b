"""docs/configuration.md is what the settings say today."""

from __future__ import annotations

import re
from pathlib import Path

from toygres.config import Settings
from toygres.config_document import page

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "configuration.md"
NAMED = re.compile(r'"((?:(?:TOYGRES|POSTGRES|INSTANCE|AKS|KUBERNETES)_|KUBE)[A-Z_]+)"')


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == page(), "run: python -m toygres.config_document > docs/configuration.md"


def test_what_the_command_line_reads_beside_the_settings_is_listed() -> None:
    read = [*(ROOT / "toygres/cli").glob("*.py"), ROOT / "toygres/platforms/kubernetes/access.py"]
    names = {name for file in read for name in NAMED.findall(file.read_text())} - {"KUBERNETES_SERVICE_HOST"}
    assert {"AKS_NAMESPACE", "INSTANCE_NAME", "POSTGRES_PASSWORD", "TOYGRES_LOG", "KUBECONFIG"} <= names
    assert [name for name in sorted(names) if f"| `{name}` |" not in page()] == []


def test_every_setting_is_told_in_one_sentence() -> None:
    assert [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")] == []
