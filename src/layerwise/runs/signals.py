"""SIGINT and SIGTERM as a wish to stop after the present step; the second one is an order."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """received: the number of the first signal that came, None as long as none did."""

    def __init__(self) -> None:
        self.received: int | None = None


@contextmanager
def interrupts() -> Iterator[Interruption]:
    """Within it, the first SIGINT or SIGTERM is only noted, the second ends the process at once with 130 or 143.

    Does nothing outside the main thread, where Python does not let signals be handled.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def note(number: int, frame: FrameType | None) -> None:
        if interruption.received is not None:
            os._exit(128 + number)  # nothing is torn by it: all files are replaced in one step
        interruption.received = number

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
