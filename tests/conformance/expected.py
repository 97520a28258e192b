"""When a real Kubernetes reported what, recording by recording, and what our code must make of it then."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from toygres.errors import CauseCode
from toygres.platforms.protocol import ServerPhase

RECORDINGS = Path(__file__).with_name("recordings")
INSTANCE = UUID("0198c0de-0000-7000-8000-0000feedbeef")
KINDS = {
    "pods": "Pod",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "statefulsets": "StatefulSet",
    "services": "Service",
    "events": "Event",
}
ABSENT, STARTING, UP = ServerPhase.ABSENT, ServerPhase.STARTING, ServerPhase.UP
STOPPING, STOPPED, BROKEN = ServerPhase.STOPPING, ServerPhase.STOPPED, ServerPhase.BROKEN

Change = tuple[float, ServerPhase, CauseCode | None]

# Each moment is that of the watch event that tells it, in seconds since the recording began. `Starting` is the
# ordinary course of things; an event that only announces what no status says yet (`Failed to pull image`, seconds
# before ErrImagePull) is no moment.
EXPECTED: dict[str, list[Change]] = {
    "ready-then-deleted": [
        (0.369, ABSENT, None),
        (0.462, STARTING, CauseCode.STARTING),
        (5.442, UP, None),
        # The StatefulSet's deletionTimestamp; its pod still says Ready until 9.2.
        (5.505, STOPPING, CauseCode.STOPPING),
        (10.116, ABSENT, None),
    ],
    "image-missing": [
        (0.392, ABSENT, None),
        (0.487, STARTING, CauseCode.STARTING),
        # ErrImagePull with `no such host`: that may heal, so nothing is broken.
        (2.337, STARTING, CauseCode.REGISTRY_UNREACHABLE),
        (20.186, STOPPING, CauseCode.STOPPING),
        (21.432, ABSENT, None),
    ],
    "unschedulable": [
        (0.362, ABSENT, None),
        (0.420, STARTING, CauseCode.STARTING),
        # At 0.446 the volume claim isn't bound yet, which is no cause; `Insufficient cpu` comes then.
        (0.465, STARTING, CauseCode.UNSCHEDULABLE),
        (2.549, STOPPING, CauseCode.STOPPING),
        (2.608, ABSENT, None),
    ],
    "storage-class-missing": [
        (0.363, ABSENT, None),
        (0.412, STARTING, CauseCode.STARTING),
        # PodScheduled=False, and the volume claim's event has named the class before.
        (0.445, BROKEN, CauseCode.STORAGE_CLASS_MISSING),
        (2.472, STOPPING, CauseCode.STOPPING),
        (2.720, ABSENT, None),
    ],
    "crash-loop": [
        (0.349, ABSENT, None),
        (0.449, STARTING, CauseCode.STARTING),
        # The first `terminated`, with exit code 1: may be chance. The second restart makes it final.
        (5.912, STARTING, CauseCode.CRASH_LOOP),
        (21.273, BROKEN, CauseCode.CRASH_LOOP),
        (23.632, STOPPING, CauseCode.STOPPING),
        (26.125, ABSENT, None),
    ],
    "secret-missing": [
        (0.326, ABSENT, None),
        (0.367, STARTING, CauseCode.STARTING),
        (2.373, BROKEN, CauseCode.CONTAINER_CONFIG),
        (4.407, STOPPING, CauseCode.STOPPING),
        (6.412, ABSENT, None),
    ],
    "out-of-memory": [
        (0.333, ABSENT, None),
        (0.380, STARTING, CauseCode.STARTING),
        # It stays out of memory when the next run ends with `Error` and exit code 2; there is one restart only.
        (3.413, STARTING, CauseCode.OUT_OF_MEMORY),
        (6.534, STOPPING, CauseCode.STOPPING),
        (8.547, ABSENT, None),
    ],
    "never-ready": [
        (0.377, ABSENT, None),
        (0.454, STARTING, CauseCode.STARTING),
        # It ran for 5 s only: its probe's failures are those of any start.
        (7.734, STOPPING, CauseCode.STOPPING),
        (11.615, ABSENT, None),
    ],
    "quota-exceeded": [
        (2.410, ABSENT, None),
        (2.448, STARTING, CauseCode.STARTING),
        (2.460, STARTING, CauseCode.QUOTA_EXCEEDED),
        (2.562, STOPPING, CauseCode.STOPPING),
        (2.617, ABSENT, None),
    ],
    "pod-security-restricted": [
        (0.384, ABSENT, None),
        (0.470, STARTING, CauseCode.STARTING),
        (0.487, BROKEN, CauseCode.POD_SECURITY),
        (0.596, STOPPING, CauseCode.STOPPING),
        (0.759, ABSENT, None),
    ],
    "pod-killed-comes-back": [
        (0.369, ABSENT, None),
        (0.438, STARTING, CauseCode.STARTING),
        (4.567, UP, None),
        # The pod's deletionTimestamp: it says Ready for 2.5 s more, which counts for nothing, and then ends: no cause.
        (4.591, STARTING, CauseCode.STARTING),
        (8.968, UP, None),
        (9.011, STOPPING, CauseCode.STOPPING),
        (12.490, ABSENT, None),
    ],
    "claim-deleted-while-in-use": [
        (0.357, ABSENT, None),
        (0.406, STARTING, CauseCode.STARTING),
        # From 3.836 on the volume claim is Terminating; the server doesn't notice.
        (3.761, UP, None),
        (8.863, STOPPING, CauseCode.STOPPING),
        (11.546, ABSENT, None),
    ],
    "stopped-and-started": [
        (0.332, ABSENT, None),
        (0.366, STARTING, CauseCode.STARTING),
        (3.657, UP, None),
        (3.697, STOPPING, CauseCode.STOPPING),
        (7.701, STOPPED, CauseCode.SERVER_STOPPED),
        (7.745, STARTING, CauseCode.STARTING),
        (9.424, UP, None),
        (9.459, STOPPING, CauseCode.STOPPING),
        (13.480, ABSENT, None),
    ],
    "node-lost": [
        (0.341, ABSENT, None),
        (0.387, STARTING, CauseCode.STARTING),
        (4.991, UP, None),
        # Ready goes False although the container runs and is ready; the event NodeNotReady comes 56 ms later.
        (49.592, STARTING, CauseCode.NODE_LOST),
        (61.451, UP, None),
        (61.553, STOPPING, CauseCode.STOPPING),
        (64.880, ABSENT, None),
    ],
    "resources-changed": [
        (0.384, ABSENT, None),
        (0.449, STARTING, CauseCode.STARTING),
        (4.683, UP, None),
        # The template's new generation: the pod of the old one is Ready for 19 ms more before it is deleted.
        (4.788, STARTING, CauseCode.STARTING),
        (9.619, UP, None),
        (9.733, STOPPING, CauseCode.STOPPING),
        (14.540, ABSENT, None),
    ],
    "refusals": [
        (0.358, ABSENT, None),
        (0.537, STARTING, CauseCode.STARTING),
        (2.873, STOPPING, CauseCode.STOPPING),
        (8.056, ABSENT, None),
    ],
    "watch-expired": [
        (0.354, ABSENT, None),
        (0.413, STARTING, CauseCode.STARTING),
        (5.032, UP, None),
        (7.122, STOPPING, CauseCode.STOPPING),
        (9.743, ABSENT, None),
    ],
}


def events(name: str) -> Iterator[tuple[float, str, dict[str, Any]]]:
    """Each event of the recording's watches: its moment, the kind of object, and itself."""
    with gzip.open(RECORDINGS / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            if line.get("watch") in KINDS and "event" in line:
                yield line["t"], line["watch"], _labelled(line["event"])


def _labelled(event: dict[str, Any]) -> dict[str, Any]:
    """The event with the instance in our own label; recorded objects carry only the one that all know."""
    labels = event["object"]["metadata"].get("labels") or {}
    if labels.get("app.kubernetes.io/instance") == "demo":
        labels["toygres.io/instance-id"] = str(INSTANCE)
    return event
