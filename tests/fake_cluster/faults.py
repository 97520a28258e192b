"""Trouble on purpose: calls that fail, hang, are cut, or are done and never answered."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

# `reset`: the connection is cut before anything is done; `lost`: after it was done; `hang`: no answer for long.
STATUSES = ("500", "503", "429")
ALL_KINDS = (*STATUSES, "reset", "lost", "hang")


@dataclass
class Fault:
    """One rule: which calls fail, how many of them and in which ways."""

    kinds: Sequence[str]
    share: float = 1.0
    verbs: Collection[str] = ()
    resources: Collection[str] = ()
    times: int | None = None

    def meets(self, verb: str, resource: str) -> bool:
        if self.times == 0:
            return False
        return (not self.verbs or verb in self.verbs) and (not self.resources or resource in self.resources)


@dataclass
class Faults:
    """The rules in force.

    `retry_after` is what a 429 and a 503 say (seconds); `hang` how long a hanging call takes (seconds); `latency` what
    every answer takes besides (seconds). While `down`, every connection is cut. `met` counts those that failed.
    """

    seed: int = 1
    retry_after: float = 1.0
    hang: float = 60.0
    latency: float = 0.0
    down: bool = False
    rules: list[Fault] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311

    def fail(
        self,
        *kinds: str,
        share: float = 1.0,
        verbs: Collection[str] = (),
        resources: Collection[str] = (),
        times: int | None = None,
    ) -> Fault:
        """Let a share of the calls fail, from now until `times` have or `stop` is called.

        `resources` are named as in the counts (`statefulsets.apps`); no kinds means all of them.
        """
        rule = Fault(kinds or ALL_KINDS, share, verbs, resources, times)
        self.rules.append(rule)
        return rule

    def stop(self, rule: Fault | None = None) -> None:
        """End one rule, or all."""
        self.rules = [other for other in self.rules if rule is not None and other is not rule]

    def choose(self, verb: str, resource: str) -> str:
        """How this call fails; empty when it doesn't."""
        for rule in self.rules:
            if rule.meets(verb, resource) and self._random.random() < rule.share:
                if rule.times is not None:
                    rule.times -= 1
                kind = self._random.choice(list(rule.kinds))
                self.met[kind] += 1
                return kind
        return ""
