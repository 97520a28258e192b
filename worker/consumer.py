"""A consumer that outlives its broker while a step runs."""

from __future__ import annotations

from typing import Any

from celery.worker.consumer import Consumer


class SafeConsumer(Consumer):
    """Celery 5.7.0 with kombu 5.7.0 exits when Redis drops with a task in flight.

    `collect()` forgets the transport's client, which `close()`, called next, needs in order to give the
    unacknowledged messages back. Here the client outlives `collect()`; tests/integration shows whether it
    is still needed.
    """

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Reconnect, as the parent does, without losing the client in between."""
        connection: Any = self.connection
        collect = connection.collect

        def collect_but_keep_client(*args: Any, **kwargs: Any) -> None:
            transport = connection._transport
            collect(*args, **kwargs)
            if transport is not None:
                transport.client = connection

        connection.collect = collect_but_keep_client
        super().on_connection_error_after_connected(exc)
