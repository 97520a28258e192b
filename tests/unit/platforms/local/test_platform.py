"""The local platform as a whole."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path

import pytest
from making import Subject

from toygres.config import load
from toygres.domain.names import MONITOR_USER
from toygres.errors import Bug, Unavailable
from toygres.home import Home
from toygres.platforms import registry
from toygres.platforms.local import host, place
from toygres.platforms.local.platform import LocalPlatform


def test_it_is_found_by_its_name_and_making_it_touches_nothing(folder: Path) -> None:
    platforms = registry.build(load(home=folder / "home"))
    assert [(name, platform.name) for name, platform in platforms.items()] == [("local", "local")]
    assert list(folder.iterdir()) == []


def test_its_identity_is_the_machine_and_the_home(folder: Path) -> None:
    one, other = (LocalPlatform("local", load(home=folder / name)) for name in ("one", "other"))
    assert one.identity() != other.identity()
    assert one.identity() == LocalPlatform("other name", load(home=folder / "one")).identity()
    machine = Path("/etc/machine-id")
    assert not machine.exists() or machine.read_text().strip() not in one.identity()


def test_it_offers_what_it_has(local: LocalPlatform) -> None:
    offer = local.capabilities()
    assert (offer.kind, offer.default_version, offer.tls, offer.enforced) == ("local", "18", False, frozenset())
    assert offer.ports == range(20000, 21000)


def test_a_place_that_is_gone_is_told_by_check(new_home: Home) -> None:
    platform = LocalPlatform("local", load(home=new_home.path))
    platform.check()
    place.remove(platform.place)
    with pytest.raises(Unavailable, match="is gone"):
        platform.check()


def test_a_port_is_in_use_while_somebody_listens() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert host.port_in_use("127.0.0.1", port)
    assert not host.port_in_use("127.0.0.1", port)


def test_an_instance_without_a_port_is_a_bug(subject: Subject) -> None:
    subject.instance = dataclasses.replace(subject.instance, port=None)
    with pytest.raises(Bug, match="no port"):
        subject.platform.apply_service(subject.target)


def test_the_monitors_name_is_the_one_that_everybody_knows(subject: Subject) -> None:
    assert subject.credentials.monitor.user == MONITOR_USER
