"""Transport only: Celery carries operation IDs to where a step is run; `celery -A worker …` finds the app here."""

from __future__ import annotations

from worker.app import celery

__all__ = ["celery"]
