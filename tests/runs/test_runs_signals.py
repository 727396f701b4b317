"""The first signal lets the step end, the second one ends the process, and afterwards all is as before."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from crash_points import ended, fork

from layerwise.runs.signals import Interruption, interrupts

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_noted_and_the_old_handlers_come_back(number: int) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with interrupts() as interruption:
        assert interruption.received is None
        os.kill(os.getpid(), number)
        assert interruption.received == number
    assert [signal.getsignal(each) for each in SIGNALS] == before


@pytest.mark.parametrize(("first", "second", "code"), [(15, 2, 130), (2, 2, 130), (2, 15, 143)])
def test_the_second_signal_ends_the_process_at_once(first: int, second: int, code: int) -> None:
    reader, writer = os.pipe()

    def work() -> None:
        with interrupts() as interruption:
            os.write(writer, b"ready")
            while interruption.received is None:
                time.sleep(0.001)
            os.write(writer, b"noted")
            time.sleep(30)

    child = fork(work)
    assert os.read(reader, 5) == b"ready"
    os.kill(child, first)
    assert os.read(reader, 5) == b"noted"
    started = time.monotonic()
    os.kill(child, second)
    assert ended(child) == code
    assert time.monotonic() - started < 2
    os.close(reader)
    os.close(writer)


def test_outside_the_main_thread_nothing_is_handled() -> None:
    seen: list[Interruption] = []
    before = [signal.getsignal(each) for each in SIGNALS]

    def work() -> None:
        with interrupts() as interruption:
            seen.append(interruption)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [each.received for each in seen] == [None]
    assert [signal.getsignal(each) for each in SIGNALS] == before
