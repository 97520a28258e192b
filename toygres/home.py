"""Where Toygres keeps its state on this machine: one folder, and what each file in it is."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from toygres.errors import Misconfigured

ENVIRONMENT_VARIABLE = "TOYGRES_HOME"


def default_home() -> Path:
    """`/var/lib/toygres` as root, else the platform's user-data folder."""
    if os.geteuid() == 0:
        return Path("/var/lib/toygres")
    return platformdirs.user_data_path("toygres", appauthor=False)


@dataclass(frozen=True)
class Home:
    """The folder and its files. Making one touches nothing on disk."""

    path: Path

    @classmethod
    def find(cls) -> Home:
        """The home named by TOYGRES_HOME, else the default one. Raises Misconfigured where nothing names one."""
        named = os.environ.get(ENVIRONMENT_VARIABLE)
        try:
            path = Path(named).expanduser().absolute() if named else default_home()
        except RuntimeError:
            path = Path("~")
        if "~" in path.parts[:1]:
            raise Misconfigured("There is no HOME to put Toygres' home into.", f"Set HOME or {ENVIRONMENT_VARIABLE}.")
        return cls(path)

    @property
    def token(self) -> Path:
        """The API's bearer token, 0600."""
        return self.path / "token"

    @property
    def secret_keys(self) -> Path:
        """The keys that encrypt passwords on their way, one to a line, newest first, 0600."""
        return self.path / "secret-keys"

    @property
    def flower_config(self) -> Path:
        """Flower's options with its password, 0600."""
        return self.path / "flowerconfig.py"

    @property
    def running(self) -> Path:
        """Where a running `up` can be found, as JSON, 0600."""
        return self.path / "running.json"

    @property
    def lock(self) -> Path:
        """Held by the one `up` of this home for as long as it lives."""
        return self.path / "up.lock"

    @property
    def place(self) -> Path:
        """Where servers live when they can't live in the home, as JSON."""
        return self.path / "place.json"

    @property
    def metadata_place(self) -> Path:
        """Where the embedded metadata DB lives when it has a user of its own, as JSON."""
        return self.path / "metadata-place.json"

    @property
    def outside(self) -> Path:
        """What `up` makes or uses elsewhere (a folder for the broker's socket, servers of others), as JSON."""
        return self.path / "outside.json"

    @property
    def logs(self) -> Path:
        """One log file for each process of the control plane."""
        return self.path / "logs"

    @property
    def broker(self) -> Path:
        """The embedded Valkey's append-only file."""
        return self.path / "broker"

    def make(self) -> None:
        """Create the folder, 0700, where it is missing. Raises Misconfigured when others may write to it."""
        for parent in reversed(self.path.parents):
            _make_folder(parent, 0o755)
        _make_folder(self.path, 0o700)
        if self.path.stat().st_mode & 0o022:
            raise Misconfigured(
                f"Others than its owner may write to the home {self.path}.", f"Run `chmod go-w {self.path}`."
            )
        _make_folder(self.logs, 0o700)

    def read_running(self) -> dict[str, Any]:
        """What the last `up` wrote about itself: empty when there is none. Doesn't say that it lives."""
        try:
            found = json.loads(self.running.read_text())
        except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def write_private(path: Path, text: str) -> None:
    """Put `text` into `path`, 0600 from its first byte, whole or not at all."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def write_durable(path: Path, text: str) -> None:
    """As `write_private`, and a loss of power can't take it back."""
    write_private(path, text)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path, mode: int) -> None:
    """Make a folder that is missing, with this mode whatever the umask is."""
    if folder.is_dir():
        return
    try:
        folder.mkdir(mode=mode)
    except FileExistsError:
        # Another process was faster, and gives it its mode; anything else than a folder is an error.
        if not folder.is_dir():
            raise
        return
    folder.chmod(mode)
