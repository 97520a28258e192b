"""A consumer that outlives its broker's troubles, and tells when it stops."""

from __future__ import annotations

import functools
from typing import Any

from celery.worker import WorkController
from celery.worker.consumer import Consumer
from kombu import Connection

from worker import runtime
from worker.app import QUEUE, patience

# Seconds between two tries to reach a broker that is away, at most: it should be seen as soon as it is back.
_RECONNECT_SECONDS = 2.0


class SafeConsumer(Consumer):
    """Celery's consumer, with what it lacks in order to be left alone."""

    controller: WorkController
    task_consumer: Any

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Reconnect, as the parent does, without losing the client in between.

        Celery 5.7.0 with kombu 5.7.0 exits when Redis drops with a task in flight: `collect()` forgets the
        transport's client, which `close()`, called next, needs in order to give the unacknowledged messages back.
        Here the client outlives `collect()`; tests/integration shows whether it is still needed.
        """
        connection: Any = self.connection
        collect = connection.collect

        def collect_but_keep_client(*args: Any, **kwargs: Any) -> None:
            transport = connection._transport
            collect(*args, **kwargs)
            if transport is not None:
                transport.client = connection

        connection.collect = collect_but_keep_client
        super().on_connection_error_after_connected(exc)

    def connection_for_read(self, heartbeat: float | None = None) -> Connection:
        """A connection that may wait in BRPOP; those that publish give up sooner."""
        connection = self.app.connection_for_read(heartbeat=heartbeat, transport_options=patience())
        return self.ensure_connected(connection)

    def ensure_connected(self, conn: Connection) -> Connection:
        """Try until the broker answers, and never less often than every two seconds."""
        connection: Any = conn
        connection.ensure_connection = functools.partial(
            connection.ensure_connection, interval_start=0.5, interval_step=0.5, interval_max=_RECONNECT_SECONDS
        )
        return super().ensure_connected(conn)

    def stop(self) -> None:
        """Stop for whatever reason: from here on the process has only so long."""
        runtime.leave(self.controller.exitcode or 0)
        super().stop()

    @property
    def listens(self) -> bool:
        """Whether steps are being received. False in between two connections, too."""
        return bool(self.task_consumer and self.task_consumer.consuming_from(QUEUE))

    def listen_again(self) -> None:
        """Receive steps from the queue again, after somebody told this worker not to; at the loop's next turn."""
        self.call_soon(self.add_task_queue, QUEUE)
