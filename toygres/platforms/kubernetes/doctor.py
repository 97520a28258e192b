"""Looks at a cluster as `toygres doctor` does: whether instances can be made there, and what would be in their way.

Nothing is changed: what is applied is applied in a dry run, and a namespace that is missing isn't made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from toygres.config import Settings, variable
from toygres.domain.findings import Finding, Standing, fine, noted, unchecked, wrong
from toygres.errors import Misconfigured, Refused, Unavailable
from toygres.platforms.kubernetes import calls, rehearsal, surroundings
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.names import namespace
from toygres.platforms.kubernetes.rights import NAMESPACES, WEB, WORKER, Right, review

OLDEST = (1, 28)
_MAKE_NAMESPACES = next(one for right in NAMESPACES for one in right.each() if one.verbs == ("create",))


def examine(
    settings: Settings, known: str | None = None, *, web: bool = False, cluster: Cluster | None = None
) -> Iterator[Finding]:
    """What there is to say of the cluster that the settings name.

    `known` is the identity that the metadata DB has for this platform, if any. `web` looks at the web process' rights
    alone, which are fewer than the worker's.
    """
    cluster = cluster or Cluster(settings.kube_context)
    place = namespace(settings, "default")
    yield (reached := _cluster(cluster))
    if reached.standing is Standing.WRONG:
        return
    if web:
        yield _asked("rights", lambda: _rights(cluster, place, WEB, "the web process"))
        return
    there, told = _namespace(cluster, place, known)
    yield told
    yield _asked("rights", lambda: _rights(cluster, place, WORKER, "the worker"))
    yield _asked("storage class", lambda: surroundings.storage_class(cluster, settings))
    if there:
        yield from rehearsal.rehearse(cluster, settings, place)
    else:
        untried = f"Without the namespace {place} nothing can be tried in it."
        made = "Run this again once it is there"
        made += "." if told.standing is not Standing.WRONG else f" (`kubectl create namespace {place}`)."
        yield unchecked("dry run", untried, made)
    yield _asked("network policies", lambda: surroundings.network_policies(cluster, settings))


def _asked(about: str, ask: Callable[[], Finding]) -> Finding:
    """What `ask` found, or why it couldn't find anything out."""
    try:
        return ask()
    except Refused as refused:
        return unchecked(about, f"Couldn't check: {refused.cause.message}", refused.cause.remedy)
    except Unavailable as away:
        return unchecked(about, f"Couldn't check: {away.message}", away.remedy)


def _cluster(cluster: Cluster) -> Finding:
    """Which cluster it is, whether it answers, and whether it is new enough."""
    try:
        described, version = cluster.describe(), cluster.version()
    except (Misconfigured, Unavailable) as trouble:
        return wrong("cluster", trouble.message, trouble.remedy)
    except Refused as refused:
        return wrong("cluster", refused.cause.message, refused.cause.remedy)
    told = f"{described} answers; it is Kubernetes {_text(version)}"
    if version < OLDEST:
        return wrong("cluster", f"{told}, and Toygres needs {_text(OLDEST)} or later.", "Upgrade it, or name another.")
    return fine("cluster", f"{told}.")


def _namespace(cluster: Cluster, place: str, known: str | None) -> tuple[bool, Finding]:
    """Whether the namespace may be there, and what to say of it."""
    about = "namespace"
    try:
        found = cluster.identity(place)
    except Refused as refused:
        return True, unchecked(about, f"Couldn't look at {place}: {refused.cause.message}", refused.cause.remedy)
    except Unavailable as away:
        return True, unchecked(about, f"Couldn't look at {place}: {away.message}", away.remedy)
    if known not in (None, found):
        told = f"Namespace {place} is another one than the metadata DB knows, or was made anew."
        hint = f"Set {variable('kube_context')} and {variable('kube_namespace')} to the cluster that it belongs to."
        return found is not None, wrong(about, told, hint)
    if found:
        return True, fine(about, f"{place} is there.")
    return False, _asked(about, lambda: _to_be_made(cluster, place))


def _to_be_made(cluster: Cluster, place: str) -> Finding:
    if _allowed(cluster, _MAKE_NAMESPACES, None):
        told = f"{place} isn't there yet; Toygres makes it when it is first needed."
        return noted("namespace", told, "Nothing need be done; once it is there, more can be checked.")
    return wrong(
        "namespace",
        f"{place} isn't there, and Toygres may not make it.",
        f"Make it (`kubectl create namespace {place}`), or name another in {variable('kube_namespace')}.",
    )


def _rights(cluster: Cluster, place: str, wanted: Sequence[Right], whose: str) -> Finding:
    """Asks for each right by itself: a review of all at once leaves out what webhooks decide."""
    missing = []
    for right in wanted:
        verbs = tuple(one.verbs[0] for one in right.each() if not _allowed(cluster, one, place))
        if verbs:
            missing.append(Right(right.group, right.resource, verbs))
    if missing:
        lacking = "; ".join(map(str, missing))
        told = f"Of what {whose} needs in namespace {place}, this account may not: {lacking}."
        return wrong("rights", told, "Give it a Role with these; those of `deploy/base` have exactly what is needed.")
    count = sum(len(right.verbs) for right in wanted)
    rest = f"All {count} rights that {whose} uses" if count > 1 else f"The one right that {whose} uses"
    return fine("rights", f"{rest} in namespace {place} {'are' if count > 1 else 'is'} there.")


def _allowed(cluster: Cluster, right: Right, place: str | None) -> bool:
    answer = calls.create(cluster, review(right, place))
    return answer is not None and bool((answer.object.get("status") or {}).get("allowed"))


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
