"""The live view of a training: what it prints, that it closes, what it costs."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path

import pytest

from layerwise.reports.progress import Progress
from layerwise.training.events import Evaluated, Finished, Reported, Saved, Started, Stepped


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def play(progress: Progress, *, epochs: int = 3, steps_per_epoch: int = 4, first_epoch: int = 0) -> None:
    """Send the events of a small training whose loss in epoch e is 1/(e+1)."""
    steps = epochs * steps_per_epoch
    progress(Started(first_epoch * steps_per_epoch, first_epoch, steps, steps_per_epoch))
    for epoch in range(first_epoch, epochs):
        for step in range(epoch * steps_per_epoch + 1, (epoch + 1) * steps_per_epoch + 1):
            progress(Reported(step, epoch, {"model": 1 / (epoch + 1)}, 0.1))
            progress(Stepped(step, epoch, 32))
        progress(Evaluated(step, epoch, {"accuracy": 0.972, "loss": 0.5 / (epoch + 1)}, best=epoch != 1))
    progress(Finished(steps, "epochs", epochs - 1, {"loss": 0.1, "accuracy": 0.972}))


def test_plain_output_is_one_line_an_epoch_and_one_at_the_end():
    stream = io.StringIO()
    with Progress(stream=stream) as progress:
        play(progress)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert re.fullmatch(r"epoch 1/3 · train loss 1 · valid loss 0.500 · accuracy 97.2 % · \S+ s · best \*", lines[0])
    assert "train loss 0.500" in lines[1]
    assert "best" not in lines[1]
    assert re.fullmatch(r"trained in \S+ s · best epoch 3 · valid loss 0.100 · accuracy 97.2 %", lines[3])


def test_a_terminal_gets_the_same_lines_and_a_bar_that_is_gone_at_the_end():
    stream = Terminal()
    progress = Progress(stream=stream)
    play(progress)
    text = stream.getvalue()
    assert "━" in text
    assert text.count("accuracy 97.2 %") == 4
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor was hidden and is back


def test_an_error_in_the_loop_closes_the_bar():
    stream = Terminal()
    progress = Progress(stream=stream)

    def fail() -> None:
        with progress:
            progress(Started(0, 0, 10, 5))
            assert progress.live is not None
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        fail()
    assert progress.live is None
    assert "\x1b[?25h" in stream.getvalue()  # the cursor is back


def test_quiet_writes_nothing():
    stream = Terminal()
    with Progress(quiet=True, stream=stream) as progress:
        play(progress)
    assert stream.getvalue() == ""


def test_a_resumed_training_says_where_it_goes_on():
    stream = io.StringIO()
    play(Progress(stream=stream), first_epoch=1)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "going on after step 4 of 12"
    assert lines[1].startswith("epoch 2/3")


def test_notices_and_early_stopping_are_said():
    stream = io.StringIO()
    progress = Progress(stream=stream)
    progress(Started(0, 0, 100, 10, notices=("checkpoint 7 was damaged, step 6 is used",)))
    progress(Saved(3, Path("x"), 0.1))
    progress(None)
    progress(Evaluated(10, 0, {"loss": 1.0}, best=True))
    progress(Finished(10, "patience", 0, {"loss": 1.0}))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "checkpoint 7 was damaged, step 6 is used"
    assert "stopped early after epoch 1" in lines[-1]


def test_the_train_loss_is_the_mean_over_the_steps_of_the_epoch_even_if_reports_are_uneven():
    stream = io.StringIO()
    progress = Progress(stream=stream)
    progress(Started(0, 0, 10, 10))
    progress(Reported(9, 0, {"model": 1.0}, 0.1))
    progress(Reported(10, 0, {"model": 11.0}, 0.1))
    progress(Evaluated(10, 0, {}, best=False))
    assert "train loss 2 " in stream.getvalue()


def test_several_parts_are_named():
    stream = io.StringIO()
    progress = Progress(stream=stream)
    progress(Started(0, 0, 1, 1))
    progress(Reported(1, 0, {"discriminator": 0.7, "generator": 1.25}, 0.1))
    progress(Evaluated(1, 0, {}, best=True))
    assert "discriminator loss 0.700 · generator loss 1.25" in stream.getvalue()


def test_hundreds_of_fast_epochs_give_few_lines_and_always_the_last():
    stream = io.StringIO()
    play(Progress(stream=stream), epochs=1000, steps_per_epoch=1)
    lines = stream.getvalue().splitlines()
    assert 20 < len(lines) < 60
    assert lines[-2].startswith("epoch 1000/1000")


def test_an_ascii_stream_does_not_stop_a_training():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    play(Progress(stream=stream))
    stream.flush()
    assert b"epoch 3/3" in raw.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["plain", "terminal"])
def test_a_step_costs_under_five_microseconds(stream: io.StringIO):
    progress = Progress(stream=stream)
    progress(Started(0, 0, 20_000, 20_000))
    events = [Stepped(step, 0, 128) for step in range(20_000)]
    costs = []
    for _ in range(5):
        started = time.perf_counter()
        for event in events:
            progress(event)
        costs.append((time.perf_counter() - started) / len(events))
    progress.close()
    assert min(costs) < 5e-6
