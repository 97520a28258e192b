"""Which platforms there are, by the settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from toygres.config import load
from toygres.errors import Misconfigured
from toygres.platforms import registry


def test_local_is_there_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    assert list(registry.build(load(home=tmp_path))) == ["local"]
    assert list(registry.build(load(home=tmp_path, platform="kubernetes"))) == ["local", "kubernetes"]
    assert list(registry.build(load(home=tmp_path, platform="kubernetes", platforms="kubernetes"))) == ["kubernetes"]


@pytest.mark.parametrize(
    "wrong",
    [{"platform": "docker"}, {"platforms": "local,docker"}, {"platform": "kubernetes", "platforms": "local"}],
)
def test_a_platform_that_is_not_there_is_named(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match=r"docker|kubernetes"):
        registry.build(load(home=tmp_path, **wrong))


def test_making_one_loads_no_client_library() -> None:
    asked = """
import sys
from toygres.config import load
from toygres.platforms import registry
registry.build(load(platform="kubernetes"))
print("kubernetes" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
