"""docs/configuration.md, written from the settings: `python -m toygres.config_document > docs/configuration.md`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from toygres.config import Settings, variable

_HEAD = """\
# Configuration

<!-- Written by `python -m toygres.config_document > docs/configuration.md`; a test checks that it is fresh. -->

Every setting is an environment variable. A process that finds a wrong one says which, and doesn't start.
What `toygres up` settled on (its ports, its own metadata DB and broker) is found by the other commands of the same
home without a variable; a variable that is set wins.

| variable | default | what it is |
|---|---|---|
"""

_CLIENT = """
## The command line and other programs

| variable | default | what it is |
|---|---|---|
| `TOYGRES_URL` | the home's `up` | Where the API is, as `http://HOST:PORT`. |
| `TOYGRES_TOKEN_FILE` | the home's `token` | A file that holds the API's token. |
| `TOYGRES_TOKEN` | | The token itself; a file is better, since programs hand their environment on. |
| `POSTGRES_PASSWORD` | | The password of what `create`, `up`, `retry` or `deploy` orders; else one is generated. |
| `TOYGRES_PASSWORD_FD` | | The number of an open file that holds that password; `bin/toygres` sets it. |
| `INSTANCE_NAME` | `test-pg-1` | What the instance of `toygres deploy` is called. |
| `AKS_NAMESPACE` | what `TOYGRES_NAMESPACE` says | The namespace of the instance of `toygres deploy`. |
| `TOYGRES_LOG` | what is set above, else `error` | What `toygres deploy` logs; `debug` shows each call to Kubernetes. |
| `KUBECONFIG` | `~/.kube/config`, else the pod's own account | Which cluster is talked to, and as whom. |

The home's token is never sent to another address: with `TOYGRES_URL` set, a token must be given as well.

## Secrets

`DATABASE_URL`, `REDIS_URL` and `TOYGRES_SECRET_KEYS` hold secrets; they are never logged or shown. Each can be given as
a file instead: `DATABASE_URL_FILE`, `REDIS_URL_FILE` and `TOYGRES_SECRET_KEYS_FILE` name files that hold what the
variable would. Both forms of one at once are an error. In the home, the files with secrets (`token`, `secret-keys`,
`flowerconfig.py`, `running.json`) are readable by their owner only.
[secrets.md](secrets.md) tells where each secret is, and how keys are changed.
"""


def page() -> str:
    """The whole page, in Markdown."""
    rows = [f"| `{variable(name)}` | {_default(info)} | {info.description} |" for name, info in _fields()]
    return _HEAD + "\n".join(rows) + "\n" + _CLIENT


def _fields() -> list[tuple[str, FieldInfo]]:
    return list(Settings.model_fields.items())


def _default(info: FieldInfo) -> str:
    if info.default_factory is not None:
        return "`/var/lib/toygres` as root, else `toygres` in the user's data folder"
    text = _written(info.default)
    return f"`{text}`" if text else ""


def _written(value: Any) -> str:
    """A default as one would write it into the variable; nothing when there is none."""
    if value is None or value in ((), {}):
        return ""
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, range):
        return f"{value[0]}-{value[-1]}"
    if isinstance(value, tuple):
        return (":" if isinstance(value[0], Path) else ",").join(str(part) for part in value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.stdout.write(page())
