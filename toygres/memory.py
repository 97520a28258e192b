"""Giving back the memory that a process needed to start and doesn't need to run."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """Return freed memory to the system, where the C library can: a tenth of what a process has after its imports.

    Importing large modules leaves the heap full of holes, and glibc gives back only what is at its end.
    """
    gc.collect()
    # What was imported stays: the collector needn't look through it again and again.
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
