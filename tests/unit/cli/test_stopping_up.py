from __future__ import annotations

import os
import signal

import pytest

from toygres.cli.up import _told_to_stop


def test_a_signal_is_noted_and_interrupts_nothing_while_it_might_be_in_a_fork():
    with _told_to_stop() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested.is_set()


def test_a_signal_that_came_before_interrupts_as_soon_as_that_is_safe():
    with _told_to_stop() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt), stop.interrupting():
            raise AssertionError("nothing more is begun")


def test_a_signal_interrupts_what_is_going_on_and_one_that_comes_while_stopping_does_not():
    with _told_to_stop() as stop:
        with pytest.raises(KeyboardInterrupt), stop.interrupting():
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)


def test_signals_mean_afterwards_what_they_meant_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with _told_to_stop():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
