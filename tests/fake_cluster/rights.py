"""Who calls and what they may: tokens, and Roles given as data."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fake_cluster.answers import Refusal, forbidden, unauthorized
from fake_cluster.resources import Resource

Rule = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Identity:
    """A user; `rules` are those of Roles (PolicyRule as data), by namespace, those under `*` of a ClusterRole."""

    user: str
    rules: Mapping[str, Sequence[Rule]]
    everything: bool = False

    def may(self, verb: str, group: str, resource: str, namespace: str = "", name: str = "") -> bool:
        """Whether `verb` on `resource` (`pods/log` for a part of one) is allowed."""
        if self.everything:
            return True
        rules = [*self.rules.get("*", ()), *(self.rules.get(namespace, ()) if namespace else ())]
        return any(_allows(rule, verb, group, resource, name) for rule in rules)


def _allows(rule: Rule, verb: str, group: str, resource: str, name: str) -> bool:
    wanted = (("verbs", verb), ("apiGroups", group), ("resources", resource))
    if not all(value in rule.get(key, ()) or "*" in rule.get(key, ()) for key, value in wanted):
        return False
    names = rule.get("resourceNames")
    return not names or name in names


ADMIN = Identity("kubernetes-admin", {}, everything=True)
ANONYMOUS = Identity("system:anonymous", {})
# Reviews of one's own rights are everybody's.
_OPEN = {"selfsubjectaccessreviews", "selfsubjectreviews", "selfsubjectrulesreviews"}


class Rights:
    """The tokens that are known."""

    def __init__(self) -> None:
        self.admin_token = secrets.token_urlsafe(24)
        self._tokens: dict[str, Identity] = {self.admin_token: ADMIN}

    def token(self, user: str, rules: Mapping[str, Sequence[Rule]]) -> str:
        """A new token of `user` with the rules given, by namespace (`*`: everywhere)."""
        token = secrets.token_urlsafe(24)
        self._tokens[token] = Identity(user, rules)
        return token

    def revoke(self, token: str) -> None:
        """Let a token be unknown from now on; what watches goes on."""
        self._tokens.pop(token, None)

    def identify(self, authorization: str | None) -> Identity:
        """Who calls; nobody is `system:anonymous`. Raises Refusal 401 for a token that isn't known."""
        if not authorization:
            return ANONYMOUS
        found = self._tokens.get(authorization.removeprefix("Bearer ").strip())
        if found is None:
            raise unauthorized()
        return found


def check(who: Identity, verb: str, resource: Resource, part: str, namespace: str, name: str) -> None:
    """Refuse (403) what `who` may not."""
    if resource.plural in _OPEN:
        return
    full = f"{resource.plural}/{part}" if part else resource.plural
    if resource.plural == "namespaces":
        # A namespace itself counts as being in it: a Role there may give the right to read it.
        namespace = name
    if not who.may(verb, resource.group, full, namespace, name):
        raise _refused(who, verb, resource, full, namespace, name)
    if part == "portforward" and not who.may("create", resource.group, full, namespace, name):
        # A real 1.36 gives no reason here.
        raise forbidden(resource.plural, resource.group, name, "")


def _refused(who: Identity, verb: str, resource: Resource, full: str, namespace: str, name: str) -> Refusal:
    where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    what = f'cannot {verb} resource "{full}" in API group "{resource.group}"'
    return forbidden(resource.plural, resource.group, name, f'User "{who.user}" {what}{where}')


def review(who: Identity, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The status of an access review."""
    resource = attributes.get("resource", "")
    full = f"{resource}/{attributes['subresource']}" if attributes.get("subresource") else resource
    wanted = (attributes.get("verb", ""), attributes.get("group", ""), full)
    if not who.may(*wanted, attributes.get("namespace", ""), attributes.get("name", "")):
        return {"allowed": False}
    reason = f'RBAC: allowed by RoleBinding "fake" of Role "fake" to User "{who.user}"'
    return {"allowed": True, "reason": reason}
