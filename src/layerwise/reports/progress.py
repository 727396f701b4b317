"""Shows a training while it runs: a live bar on a terminal, one lasting line an epoch everywhere.

with Progress() as progress:
    for event in train(...):
        progress(event)
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from layerwise.reports import wording
from layerwise.training.events import Evaluated, Event, Finished, Reported, Saved, Started, Stepped

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

REDRAW_EVERY_S = 0.2
LINES_AT_MOST = 50  # of more epochs only some get a line, or one whenever this long has passed without:
LINE_EVERY_S = 2.0
BAR_WIDTH = 32
SMOOTHING = 0.7  # share of the former samples-per-second figure that each new one keeps


class Progress:
    """A watcher of one training: call it with every event.

    Args:
        quiet: show nothing at all.
        stream: where to write, standard error unless given. The live bar is drawn on terminals only.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.quiet = quiet
        self.stream = stream or sys.stderr
        self.live: Live | None = None
        self.clock = Clock()
        self.losses = LossMean()
        self.steps = self.steps_per_epoch = 1
        self.step = self.epoch = 0
        self.next_draw = math.inf
        self.last_line = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, event: Event | None) -> None:
        if type(event) is Stepped:
            self.step = event.step
            self.clock.samples += event.samples
            if time.monotonic() >= self.next_draw:
                self._draw()
        elif not self.quiet:
            self._notice(event)

    @property
    def epochs(self) -> int:
        """Epochs of the whole training."""
        return math.ceil(self.steps / self.steps_per_epoch)

    def say(self, sentence: str) -> None:
        """Print a lasting line, unless nothing is to be shown."""
        if not self.quiet:
            self._print(sentence)

    def close(self) -> None:
        """Take the live bar away; the lines stay."""
        self.next_draw = math.inf
        if self.live is not None:
            self.live.stop()
            self.live = None

    def _notice(self, event: Event | None) -> None:
        match event:
            case Started():
                self._begin(event)
            case Reported():
                self.losses.add(event)
            case Evaluated():
                self._end_epoch(event)
            case Saved():
                self.clock.pause()
            case Finished():
                self._finish(event)

    def _begin(self, event: Started) -> None:
        self.steps, self.steps_per_epoch = max(1, event.steps), max(1, event.steps_per_epoch)
        self.step, self.epoch = event.step, event.epoch
        self.clock.start(event.step)
        self.losses = LossMean(event.step)
        if self.stream.isatty():
            self._open_bar()
        for notice in event.notices:
            self._print(notice)
        if event.step:
            self._print(f"going on after step {wording.count(event.step)} of {wording.count(event.steps)}")

    def _open_bar(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self.stream, highlight=False)
        self.live = Live(self._bar(), console=console, auto_refresh=False, transient=True)
        self.live.start(refresh=True)
        self.next_draw = time.monotonic() + REDRAW_EVERY_S

    def _draw(self) -> None:
        self.clock.tick()
        if self.live is not None:
            self.live.update(self._bar(), refresh=True)
        self.next_draw = time.monotonic() + REDRAW_EVERY_S

    def _bar(self) -> Text:
        """The live line: where the training stands, how fast it is, how long it still takes."""
        from rich.text import Text

        done = min(1.0, self.step / self.steps)
        filled = round(BAR_WIDTH * done)
        facts = [f"{done:4.0%}"]
        if self.clock.samples_per_s:
            facts.append(f"{wording.compact(self.clock.samples_per_s)} samples/s")
        if self.losses.steps:
            facts.append(wording.losses(self.losses.mean()))
        if self.step > self.clock.first_step:
            facts.append(f"{wording.clock(self.clock.seconds_left(self.step, self.steps))} left")
        return Text.assemble(
            (f"epoch {min(self.epoch + 1, self.epochs)}/{self.epochs} ", "bold"),
            ("━" * filled, "cyan"),
            ("━" * (BAR_WIDTH - filled), "bright_black"),
            " " + " · ".join(facts),
            no_wrap=True,
            overflow="ellipsis",
        )

    def _end_epoch(self, event: Evaluated) -> None:
        seconds = self.clock.end_epoch()
        now = time.monotonic()
        rest = event.epoch % math.ceil(self.epochs / LINES_AT_MOST)
        if rest == 0 or event.epoch + 1 == self.epochs or now - self.last_line >= LINE_EVERY_S:
            self.last_line = now
            self._print(self._epoch_line(event, seconds))
        self.losses = LossMean(event.step)
        self.epoch = event.epoch + 1

    def _epoch_line(self, event: Evaluated, seconds: float) -> str:
        number = str(event.epoch + 1).rjust(len(str(self.epochs)))
        facts = [f"epoch {number}/{self.epochs}"]
        if self.losses.steps:
            facts.append(wording.losses(self.losses.mean()))
        facts += metrics_in_words(event.metrics)
        facts.append(wording.duration(seconds))
        if event.best and event.metrics:
            facts.append("best *")
        return " · ".join(facts)

    def _finish(self, event: Finished) -> None:
        self.close()
        facts = [f"trained in {wording.duration(self.clock.elapsed_s)}"]
        if event.reason == "patience":
            facts.append(f"stopped early after epoch {self.epoch}")
        if event.metrics:
            facts += [f"best epoch {event.best_epoch + 1}", *metrics_in_words(event.metrics)]
        self._print(" · ".join(facts))

    def _print(self, line: str) -> None:
        if self.live is not None:
            self.live.console.print(line, markup=False, soft_wrap=True)
            return
        encoding = self.stream.encoding or "utf-8"
        print(line.encode(encoding, "replace").decode(encoding), file=self.stream, flush=True)


class LossMean:
    """The mean of each part's loss over the steps since `step`."""

    def __init__(self, step: int = 0) -> None:
        self.last_step = step
        self.steps = 0
        self.sums: dict[str, float] = {}

    def add(self, event: Reported) -> None:
        """Take in a report: means over the steps since the last one."""
        steps = max(1, event.step - self.last_step)
        for part, value in event.losses.items():
            self.sums[part] = self.sums.get(part, 0.0) + value * steps
        self.steps += steps
        self.last_step = event.step

    def mean(self) -> dict[str, float]:
        """Return the mean so far; there must have been a report."""
        return {part: total / self.steps for part, total in self.sums.items()}


class Clock:
    """Measures samples per second of training alone, seconds an epoch, and the time that is left."""

    def __init__(self) -> None:
        self.start(step=0)

    def start(self, step: int) -> None:
        """Begin with `step` steps done already."""
        self.began = self.epoch_began = self.window_began = time.monotonic()
        self.first_step = step
        self.samples = 0
        self.samples_per_s = 0.0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    def tick(self) -> None:
        """Renew the samples-per-second figure from the samples since the last tick or pause."""
        now = time.monotonic()
        speed = self.samples / max(now - self.window_began, 1e-9)
        kept = SMOOTHING if self.samples_per_s else 0.0
        self.samples_per_s = kept * self.samples_per_s + (1 - kept) * speed
        self.pause()

    def pause(self) -> None:
        """Leave the time since the last tick out of the speed (an evaluation, a save)."""
        self.window_began = time.monotonic()
        self.samples = 0

    def end_epoch(self) -> float:
        """Return the seconds that this epoch took, its evaluation included, and begin the next."""
        began, self.epoch_began = self.epoch_began, time.monotonic()
        self.pause()
        return self.epoch_began - began

    def seconds_left(self, step: int, steps: int) -> float:
        """Return the seconds that the remaining steps take at the pace so far."""
        return self.elapsed_s / (step - self.first_step) * (steps - step)


def metrics_in_words(metrics: Mapping[str, float]) -> list[str]:
    """Return the validation metrics as words, the loss first."""
    return [
        ("valid " if name == "loss" else "") + wording.metric(name, value)
        for name, value in sorted(metrics.items(), key=lambda item: item[0] != "loss")
    ]
