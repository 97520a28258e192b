"""What a step is handed: the instance as its row says, the platform it lives on, and the fence of the claim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from toygres.domain.instance import Credentials, Endpoint, Instance
from toygres.platforms.protocol import Platform, Target


@dataclass(frozen=True, kw_only=True)
class Context:
    """One attempt's world.

    `new_credentials` decrypts what the request chose; `publish_endpoint` records where clients connect; `tell` has
    people read how the step went, once it is done, and `logged_in` keeps how many seconds a login took.
    """

    target: Target
    platform: Platform
    new_credentials: Callable[[], Credentials]
    publish_endpoint: Callable[[Endpoint], None]
    tell: Callable[[str], None]
    logged_in: Callable[[float], None]

    @property
    def instance(self) -> Instance:
        """The instance that the operation changes."""
        return self.target.instance
