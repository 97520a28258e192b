from __future__ import annotations

import os
import signal

import pytest

from toygres.cli.up import _told_to_stop


def test_a_signal_interrupts_what_is_going_on_and_one_that_comes_while_stopping_does_not():
    with _told_to_stop() as stop:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        stop.disarm()
        os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_whose_interrupt_got_lost_is_found_at_the_next_look():
    with _told_to_stop() as stop:
        stop.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested.is_set()
        with pytest.raises(KeyboardInterrupt):
            stop.check()
        stop.disarm()


def test_signals_mean_afterwards_what_they_meant_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with _told_to_stop():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
