"""Every recorded call is made again, to the fake cluster: status, reason and all that our code reads must agree."""

from __future__ import annotations

from typing import Any

import pytest
from fake_cluster import FakeCluster

from tests.conformance import compared, playing, replaying
from tests.conformance.replaying import Answer

Json = dict[str, Any]


@pytest.mark.parametrize("name", replaying.NAMES)
def test_every_recorded_call_gets_the_recorded_answer(name: str):
    recorded = sum("request" in line for line in replaying.lines(name))
    with FakeCluster(by_hand=True) as cluster:
        assert playing.play(cluster, name, check) == recorded


def check(request: Json, answer: Answer, recorded: Answer):
    where = f"{request['method']} {request['path']}"
    assert (where, answer.status) == (where, recorded.status), answer.body
    assert answer.warning == recorded.warning, where
    assert compared.read(answer.body) == compared.read(recorded.body), where
