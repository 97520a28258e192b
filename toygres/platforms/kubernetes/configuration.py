"""What a server in a pod is told: its configuration files, its arguments, and the scripts of its first start."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from uuid import UUID

from toygres.domain.instance import InstanceSpec, Login
from toygres.platforms.kubernetes.names import PORT
from toygres.platforms.kubernetes.versions import Version
from toygres.platforms.local import scram
from toygres.platforms.parameters import written

FILES = "/etc/toygres/conf"
TLS = "/etc/toygres/tls"
SOCKETS = "/var/run/postgresql"

DEFAULTS = written.DEFAULTS
_HBA = """\
# Inside the pod: the image's entrypoint while it makes the data directory, and who may execute commands there anyway.
local    all  all                 trust
# Where a port-forward arrives.
host     all  all  127.0.0.1/32   scram-sha-256
host     all  all  ::1/128        scram-sha-256
# All others: never without TLS.
hostssl  all  all  all            scram-sha-256
"""
_START = """\
# Runs before the image's own entrypoint, which takes a data directory for whole as soon as it holds anything: one whose
# making was cut off is made anew. No client has ever reached such a one.
set -eu
making="$PGDATA.making"
if [ -d "$making" ]; then
    rm -rf "$PGDATA"
fi
mkdir -p -m 0700 "$PGDATA"
held=$(ls -A "$PGDATA")
if [ -z "$held" ]; then
    mkdir -p "$making"
    # No parameter of the instance's may end the making, or have it written to the log.
    export PGOPTIONS="{options}"
elif [ -s "$PGDATA/PG_VERSION" ]; then
    # The image's entrypoint puts what it reads into the server's environment, where it isn't needed any more.
    unset POSTGRES_PASSWORD_FILE
fi
exec docker-entrypoint.sh "$@"
"""
_FINISH = """\
# The last script of making the data directory, which was told not to sync: all of it goes to the disk here at once.
sync -f "$PGDATA"
rmdir "$PGDATA.making"
sync "$(dirname "$PGDATA")"
unset PGOPTIONS POSTGRES_PASSWORD
"""
_STOP = """\
# Before the pod ends. Nobody has reached a data directory that is being made, and the next start makes it anew; the
# image's entrypoint, which heeds no signal meanwhile, ends with what it waits for.
if [ -d "$PGDATA.making" ] && tr '\\0' ' ' </proc/1/cmdline | grep -q docker-entrypoint; then
    kill -KILL -1
else
    # Whatever an image takes its stop signal to mean, clients are sent away, and the next start has nothing to recover.
    exec pg_ctl stop -m fast -w -t "$1"
fi
"""
_UNLOGGED = {
    "log_statement": "none",
    "log_duration": "off",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "log_min_error_statement": "panic",
}


def files(spec: InstanceSpec, version: Version) -> dict[str, str]:
    """The files of the ConfigMap. Raises Refused for a parameter that may not be set."""
    options = {**dict.fromkeys(version.limits, "0"), **_UNLOGGED}
    return {
        "postgresql.conf": render(spec),
        "pg_hba.conf": _HBA,
        "start.sh": _START.format(options=" ".join(f"-c {name}={value}" for name, value in options.items())),
        "finish.sh": _FINISH,
        "stop.sh": _STOP,
    }


def render(spec: InstanceSpec) -> str:
    """The configuration file for `spec`. Raises Refused for a parameter that may not be set."""
    lines = written.lines(spec, _defaults(spec))
    return "\n".join(["# Written by Toygres; ALTER SYSTEM has the last word.", *lines, ""])


def arguments() -> tuple[str, ...]:
    """The arguments that the server runs with; what they set can't be changed from within, not even by ALTER SYSTEM."""
    fixed = {
        "config_file": f"{FILES}/postgresql.conf",
        "hba_file": f"{FILES}/pg_hba.conf",
        "listen_addresses": "*",
        "port": str(PORT),
        "unix_socket_directories": SOCKETS,
        "ssl": "on",
        "ssl_cert_file": f"{TLS}/tls.crt",
        "ssl_key_file": f"{TLS}/tls.key",
        "ssl_min_protocol_version": "TLSv1.2",
        "logging_collector": "off",
        "log_destination": "stderr",
        # Who wrote a line tells what the server said of itself from what it answered to clients.
        "log_line_prefix": "%m [%p] %b ",
        "lc_messages": "C",
    }
    return tuple(part for name, value in fixed.items() for part in ("-c", f"{name}={value}"))


def monitor_script(login: Login, instance_id: UUID) -> str:
    """The SQL that makes the monitor's role at the first start: its verifier is in it, the password isn't."""
    # From the password, so that the same login gives the same script and another one another salt.
    salt = hmac.digest(login.password.encode(), instance_id.bytes, "sha256")[:16]
    verifier = scram.verifier(login.password, salt)
    role = '"' + login.user.replace('"', '""') + '"'
    return f"CREATE ROLE {role} LOGIN IN ROLE pg_monitor CONNECTION LIMIT 5 PASSWORD '{verifier}';\n"


def digest(files: Mapping[str, str]) -> str:
    """What tells one configuration from another."""
    text = "\0".join(f"{name}\0{content}" for name, content in sorted(files.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _defaults(spec: InstanceSpec) -> Mapping[str, str]:
    memory = spec.memory_bytes // 1024
    return {
        **written.PROMISES,
        **DEFAULTS,
        # A node may have reserved some that a pod which didn't ask for them may not touch: the server would crash.
        "huge_pages": "off",
        "shared_buffers": f"{max(written.LEAST_SHARED_BUFFERS_KB, memory // 4)}kB",
        "effective_cache_size": f"{max(written.LEAST_SHARED_BUFFERS_KB, memory * 3 // 4)}kB",
    }
