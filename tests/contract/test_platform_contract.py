"""What every platform must do, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from making import LAST_FENCE, PATIENCE, MakeSubject, Subject, make_credentials, watching

from toygres.domain.instance import Credentials
from toygres.errors import CauseCode, Refused
from toygres.platforms.protocol import Platform, ServerPhase

APPLIES: dict[str, Callable[[Subject], object]] = {
    "apply_credentials": lambda subject: subject.platform.apply_credentials(subject.target, make_credentials),
    "apply_storage": lambda subject: subject.platform.apply_storage(subject.target),
    "apply_server": lambda subject: subject.platform.apply_server(subject.target),
    "apply_service": lambda subject: subject.platform.apply_service(subject.target),
}
REMOVES: dict[str, Callable[[Subject], object]] = {
    "stop_server": lambda subject: subject.platform.stop_server(subject.target),
    "remove_service": lambda subject: subject.platform.remove_service(subject.target),
    "remove_server": lambda subject: subject.platform.remove_server(subject.target),
    "remove_storage": lambda subject: subject.platform.remove_storage(subject.target),
    "remove_credentials": lambda subject: subject.platform.remove_credentials(subject.target),
}


def test_it_is_the_same_place_each_time_it_is_asked(platform: Platform) -> None:
    assert platform.identity() == platform.identity() != ""


def test_what_one_gets_by_default_is_on_offer(platform: Platform) -> None:
    offer = platform.capabilities()
    assert offer.default_version in offer.versions
    for bounds in (offer.storage_bytes, offer.cpu_millicores, offer.memory_bytes):
        assert bounds.least <= bounds.default <= bounds.most
    assert set(offer.parameters) == set(offer.versions)
    for parameters in offer.parameters.values():
        assert all(name == parameter.name == name.lower() for name, parameter in parameters.items())


def test_a_platform_that_can_work_says_so(platform: Platform) -> None:
    platform.check()


def test_of_an_instance_that_nobody_made_there_is_nothing(subject: Subject) -> None:
    assert subject.objects == []
    assert subject.platform.credentials(subject.instance) is None
    assert subject.platform.evidence(subject.instance) == ()


def test_a_server_that_is_applied_comes_up_and_what_exists_is_named(subject: Subject) -> None:
    subject.bring_up()
    assert subject.objects != []


def test_applying_everything_again_changes_nothing(subject: Subject) -> None:
    subject.bring_up()
    before = _lasting(subject)
    subject.make()
    assert subject.platform.observe(subject.instance).phase is ServerPhase.UP
    assert _lasting(subject) == before


def test_the_endpoint_is_the_same_each_time(subject: Subject) -> None:
    subject.make()
    first = subject.platform.apply_service(subject.target)
    assert subject.platform.apply_service(subject.target) == first


def test_credentials_that_exist_are_never_replaced_nor_even_asked_for(subject: Subject) -> None:
    def asked() -> Credentials:
        raise AssertionError("the passwords were asked for again")

    subject.platform.apply_credentials(subject.target, lambda: subject.credentials)
    subject.platform.apply_credentials(subject.target, asked)
    kept = subject.platform.credentials(subject.instance)
    assert kept is not None
    assert kept.user.password == subject.credentials.user.password
    assert kept.monitor.password == subject.credentials.monitor.password


def test_after_everything_is_removed_nothing_is_left(subject: Subject) -> None:
    subject.bring_up()
    subject.remove()
    assert subject.objects == []
    assert subject.platform.credentials(subject.instance) is None
    assert subject.platform.evidence(subject.instance) == ()
    assert subject.platform.observe(subject.instance).phase in (ServerPhase.ABSENT, ServerPhase.STOPPED)


def test_removing_what_is_gone_or_never_was_is_fine(subject: Subject) -> None:
    subject.remove()
    subject.store()
    subject.remove()
    subject.remove()
    assert subject.objects == []


def test_a_server_that_is_stopped_keeps_its_data_and_comes_up_again(subject: Subject) -> None:
    subject.bring_up()
    subject.platform.stop_server(subject.target)
    subject.until(ServerPhase.STOPPED)
    subject.platform.stop_server(subject.target)
    assert subject.platform.observe(subject.instance).phase is ServerPhase.STOPPED
    subject.platform.apply_server(subject.target)
    subject.until(ServerPhase.UP)


def test_a_server_that_is_started_while_it_stops_comes_up(subject: Subject) -> None:
    subject.bring_up()
    subject.platform.stop_server(subject.target)
    subject.platform.apply_server(subject.target)
    subject.until(ServerPhase.UP)


@pytest.mark.parametrize("step", [*APPLIES, *REMOVES])
def test_a_step_with_a_lower_fence_is_refused(subject: Subject, step: str) -> None:
    APPLIES["apply_credentials"](subject.with_fence(7))
    before = subject.objects
    with pytest.raises(Refused) as refused:
        {**APPLIES, **REMOVES}[step](subject.with_fence(6))
    assert refused.value.cause.code is CauseCode.FENCED_OFF
    assert subject.objects == before


@pytest.mark.parametrize("step", APPLIES)
def test_a_step_that_comes_after_the_delete_makes_nothing(subject: Subject, step: str) -> None:
    APPLIES["apply_credentials"](subject)
    subject.with_fence(2).remove()
    with pytest.raises(Refused) as refused:
        APPLIES[step](subject)
    assert refused.value.cause.code is CauseCode.FENCED_OFF
    assert subject.objects == []


def test_a_delete_keeps_out_a_create_that_had_not_begun(subject: Subject) -> None:
    subject.with_fence(2).remove()
    with pytest.raises(Refused):
        subject.make()
    assert subject.objects == []


def test_the_same_and_higher_fences_pass(subject: Subject) -> None:
    for fence in (3, 3, 9):
        subject.with_fence(fence).store()


def test_removing_one_instance_leaves_its_neighbour_alone(make_subject: MakeSubject) -> None:
    one, other = make_subject(), make_subject()
    one.store()
    other.bring_up()
    before = _lasting(other)
    one.with_fence(LAST_FENCE).remove()
    assert _lasting(other) == before
    assert other.platform.observe(other.instance).phase is ServerPhase.UP


def test_a_watch_ends_when_it_is_told_to(platform: Platform) -> None:
    with watching(platform) as changes:
        pass
    while (told := changes.get(timeout=PATIENCE)) is not None:
        assert told


def _lasting(subject: Subject) -> list[str]:
    """What exists, without processes and pods, of which some start and end by themselves."""
    return [found for found in subject.objects if not found.startswith(("process ", "Pod "))]
