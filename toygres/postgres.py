"""The only place that opens a connection to a user's server: logs in as a client would, and tells why it couldn't."""

from __future__ import annotations

import os
import secrets
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

from toygres.domain.instance import Login, Way
from toygres.errors import Cause, CauseCode

_CONNECT_SECONDS = 3
# From one end to the other a port-forward takes several round trips to the API server, and on to the node.
_FORWARDED_SECONDS = 10
_ANSWER_SECONDS = 5.0
# Whatever limits an instance's own sessions have, ours have these.
_OPTIONS = (
    f"-c statement_timeout={int(_ANSWER_SECONDS * 1000)} -c lock_timeout=0 -c idle_session_timeout=0"
    " -c idle_in_transaction_session_timeout=0"
)
_FIRST_WITH_TRANSACTION_TIMEOUT = 17_00_00
_REFUSED = "Connection refused"
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
# What servers say while they come and go (SQLSTATE 57P03), which libpq hands on only as text.
_COMING = ("the database system is starting up", "not yet accepting connections", "in recovery mode")
_GOING = ("the database system is shutting down",)
_SCRAM_WANTED = "authentication method requirement"

Connection = psycopg.Connection[tuple[object, ...]]


def test_connection(way: Way, database: str, login: Login) -> Cause | None:
    """Log in with SCRAM, write a row and read it back: None when that worked, else why not.

    Takes 8 s at most, or 15 s through a port-forward.
    Where the way has an authority, the connection is encrypted and the server's certificate and name are checked.
    """
    return _try(way, database, login, _write_and_read)


def check_health(way: Way, database: str, login: Login) -> Cause | None:
    """Log in and see that the server takes writes: None when it does, else why not. Takes as long as that."""
    return _try(way, database, login, _see_primary)


def reload(way: Way, database: str, login: Login) -> Cause | None:
    """Have the server read its configuration and certificate again: None when it was told, else why not.

    Its present certificate may be over, so that isn't checked: that the server knows the login's secret is, and that
    nobody sits in between (SCRAM with channel binding).
    """
    return _try(way, database, login, _reload, trusting=True)


def shows(way: Way, certificate: str) -> bool:
    """Whether the server's certificate is this one (PEM); False when it can't be asked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # It is compared as a whole, byte by byte.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    where = way.address or way.endpoint.host, way.port or way.endpoint.port
    try:
        with socket.create_connection(where, timeout=_connect_seconds(way)) as line, _encrypted(line, context) as safe:
            return safe.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(certificate)
    except OSError:
        return False


def greet(line: socket.socket, authority: str, host: str) -> None:
    """Return when the other end is a server with a certificate of this authority (PEM) for `host`. Raises OSError.

    The server writes no line of it, since it ends before a startup packet would come.
    """
    with _encrypted(line, ssl.create_default_context(cadata=authority), host):
        return


def _encrypted(line: socket.socket, context: ssl.SSLContext, host: str | None = None) -> ssl.SSLSocket:
    """TLS on a connection; PostgreSQL begins it only when it was asked to.

    https://www.postgresql.org/docs/current/protocol-message-formats.html
    """
    line.sendall(_SSL_REQUEST)
    if line.recv(1) != b"S":
        raise ConnectionError("no PostgreSQL with TLS is there")
    return context.wrap_socket(line, server_hostname=host)


def _try(
    way: Way, database: str, login: Login, check: Callable[[Connection], Cause | None], *, trusting: bool = False
) -> Cause | None:
    where = f"{way.endpoint.host}:{way.endpoint.port}"
    try:
        connection = _connect(way, database, login, trusting=trusting)
    except psycopg.Error as failed:
        return way.explain(str(failed)) or _why_not_connected(failed, where, login.user, _connect_seconds(way))
    try:
        with _answering(connection):
            if connection.info.server_version >= _FIRST_WITH_TRANSACTION_TIMEOUT:
                connection.execute("SET transaction_timeout = 0")
            return check(connection)
    except TimeoutError:
        return _no_answer(where, f"a query had no answer for {_ANSWER_SECONDS:g} s")
    except psycopg.Error as failed:
        # An error with a state was sent by the server, so the server is there.
        return _query_failed(where, _said(failed)) if failed.sqlstate else _no_answer(where, _said(failed))
    finally:
        connection.close()


def _connect(way: Way, database: str, login: Login, *, trusting: bool) -> Connection:
    # All that a PG… variable could change is said here.
    with _encryption(way, trusting=trusting) as encryption:
        return psycopg.connect(
            host=way.endpoint.host,
            hostaddr=way.address or "",
            port=way.port or way.endpoint.port,
            dbname=database,
            user=login.user,
            password=login.password,
            require_auth="scram-sha-256",
            connect_timeout=_connect_seconds(way),
            application_name="toygres",
            options=_OPTIONS,
            client_encoding="UTF8",
            gssencmode="disable",
            target_session_attrs="any",
            autocommit=True,
            **encryption,  # type: ignore[arg-type]
        )


@contextmanager
def _encryption(way: Way, *, trusting: bool) -> Iterator[dict[str, str]]:
    """What makes libpq check the server's certificate, which it reads from a file while it connects."""
    if way.authority is None:
        yield {"sslmode": "prefer"}
        return
    if trusting:
        yield {"sslmode": "require", "channel_binding": "require", "sslrootcert": ""}
        return
    with tempfile.NamedTemporaryFile("w", prefix="toygres-", suffix=".crt") as file:
        file.write(way.authority)
        file.flush()
        yield {"sslmode": "verify-full", "sslrootcert": file.name, "ssl_min_protocol_version": "TLSv1.2"}


def _write_and_read(connection: Connection) -> Cause | None:
    written = secrets.token_hex(8)
    with connection.transaction():
        connection.execute("CREATE TEMPORARY TABLE toygres_check (value text) ON COMMIT DROP")
        connection.execute("INSERT INTO toygres_check VALUES (%s)", [written])
        read = connection.execute("SELECT value FROM toygres_check").fetchall()
    if read == [(written,)]:
        return None
    return _query_failed(_where(connection), "a row that was written was read back as another")


def _reload(connection: Connection) -> None:
    connection.execute("SELECT pg_reload_conf()")


def _see_primary(connection: Connection) -> Cause | None:
    if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
        return None
    return _query_failed(_where(connection), "the server is in recovery and takes no writes")


@contextmanager
def _answering(connection: Connection) -> Iterator[None]:
    """Bound what is done inside: libpq itself waits for ever for a server that stands still."""
    late = threading.Event()

    def hang_up() -> None:
        late.set()
        with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(_ANSWER_SECONDS, hang_up)
    timer.start()
    try:
        yield
    except psycopg.Error as failed:
        if late.is_set():
            raise TimeoutError from failed
        raise
    finally:
        timer.cancel()
        timer.join()


def _connect_seconds(way: Way) -> int:
    return _FORWARDED_SECONDS if way.port else _CONNECT_SECONDS


def _why_not_connected(failed: psycopg.Error, where: str, user: str, seconds: int) -> Cause:
    said = _said(failed)
    if isinstance(failed, psycopg.errors.ConnectionTimeout):
        return _no_answer(where, f"no connection within {seconds} s")
    if _REFUSED in str(failed):
        return _connection_refused(where)
    if any(words in said for words in _COMING):
        return _not_now(CauseCode.STARTING, where, said)
    if any(words in said for words in _GOING):
        return _not_now(CauseCode.STOPPING, where, said)
    if "FATAL:" in str(failed) or _SCRAM_WANTED in said:
        return _login_refused(where, user, said)
    return _no_answer(where, said)


def _said(failed: psycopg.Error) -> str:
    """The server's own words, in one line, without the addresses that libpq puts before them."""
    first = str(failed).strip().splitlines()[0] if str(failed).strip() else type(failed).__name__
    return first.rpartition("FATAL:")[2].strip() if "FATAL:" in first else first


def _where(connection: Connection) -> str:
    return f"{connection.info.host}:{connection.info.port}"


def _connection_refused(where: str) -> Cause:
    return Cause(
        code=CauseCode.CONNECTION_REFUSED,
        message=f"Nothing listens on {where}.",
        remedy="Wait while the server starts; if it stays so, look at the instance's log lines.",
    )


def _not_now(code: CauseCode, where: str, said: str) -> Cause:
    return Cause(code=code, message=f"The server at {where} says: {said}.", remedy="Wait: it is tried again by itself.")


def _login_refused(where: str, user: str, said: str) -> Cause:
    return Cause(
        code=CauseCode.LOGIN_REFUSED,
        message=f"The server at {where} refused the login of {user}: {said}.",
        remedy="See whether the role, its password or the access rules were changed in the database.",
    )


def _no_answer(where: str, why: str) -> Cause:
    return Cause(
        code=CauseCode.NO_ANSWER,
        message=f"The server at {where} doesn't answer: {why}.",
        remedy="It is tried again by itself; if it stays so, look at the instance's log lines and the machine's load.",
    )


def _query_failed(where: str, why: str) -> Cause:
    return Cause(
        code=CauseCode.QUERY_FAILED,
        message=f"A query at {where} failed: {why}.",
        remedy="Look at the instance's log lines; it is tried again by itself.",
    )
