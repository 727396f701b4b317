"""One neuron to within 1e-3 and 1e-6 of its optimal objective: Layerwise against scikit-learn, celer and skglm.

    pip install -e '.[benchmarks]' celer skglm
    python benchmarks/neuron.py                             ten minutes on two cores
    python benchmarks/neuron.py --only lasso --data tall    one row
    python benchmarks/neuron.py --cpu                       processor seconds on one thread, for a busy machine

Data: 100,000 x 50 and 20,000 x 1,000 float32 numbers with correlated columns, and the counts of 4,000 words in 6,046
e-mails (sparse). No bias, so that all minimise the same objective. Each has a process of its own and the data in the
form that it likes best. Its tolerance is lowered until it reaches the distance; that setting is timed, all taking
turns. Who takes more than LIMIT_S for that has not met it, and who is far behind leaves after a round. The optimum is
the lowest objective that anybody found. Ratios are medians of pairs that stood next to each other.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from machine import describe_machine
from neuron_tasks import DATA, MODELS, OURS, Task, contenders, make_task
from table import format_table

DISTANCES = (1e-3, 1e-6)
TOLERANCES = [10.0**-k for k in range(1, 11)]
LIMIT_S = 10.0  # on the processor, for all tolerances together
BEHIND = 3.0  # times the best, from which on one round says enough


@dataclass
class Fitted:
    """Weights (d,), the seconds that count and those on the processor."""

    weights: np.ndarray
    seconds: float
    cpu_s: float


class Contender:
    """One of those who take part, in a process of its own that fits once for each tolerance it is sent."""

    def __init__(self, task: Task, name: str, cpu: bool) -> None:
        self.task, self.name, self.cpu = task, name, cpu
        self.start()
        self.steps: list[tuple[float, float]] = []  # tolerance and objective, from loose to tight

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, self.task, self.name, self.cpu), daemon=True)
        self.process.start()
        theirs.close()
        self.fit(1.0, 60.0)  # imports and compiles

    def fit(self, tolerance: float, limit_s: float = LIMIT_S) -> Fitted | None:
        """Return what came of it, or None where that takes more than limit_s on the processor, or did so before."""
        try:
            first_s = _cpu_s(self.process.pid)
            self.pipe.send(tolerance)
            while not self.pipe.poll(0.2):
                if _cpu_s(self.process.pid) - first_s > limit_s:
                    self.leave()
                    return None
            found: Fitted = self.pipe.recv()
        except (EOFError, OSError):
            return None
        return found

    def climb(self, known: float) -> None:
        """Lower the tolerance until the objective is at the `known` optimum, or nothing is gained, or time is up."""
        left_s = LIMIT_S
        for tolerance in TOLERANCES:
            found = self.fit(tolerance, left_s)
            if found is None:
                self.leave()
                if self.steps:  # what it did before counts
                    self.start()
                break
            left_s -= found.cpu_s
            value = self.task.objective(found.weights)
            self.steps.append((tolerance, value))
            flat = len(self.steps) > 4 and tolerance < 1e-6 and self.steps[-3][1] - value <= 1e-9 * abs(value)
            if flat or (known < np.inf and value <= known * (1 + 0.2 * DISTANCES[-1])):
                break

    def leave(self) -> None:
        self.process.kill()
        self.process.join()


def _cpu_s(pid: int | None) -> float:
    """Return the seconds that a process has spent on the processor; where there is no /proc, those on the wall."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return time.perf_counter()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def work(pipe: Any, task: Task, name: str, cpu: bool) -> None:
    """Fit with each tolerance that comes through the pipe, and send back what came of it."""
    warnings.simplefilter("ignore")
    if cpu and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    fit = contenders(task)[name]
    while True:
        tolerance = pipe.recv()
        started, cpu_started = time.perf_counter(), time.process_time()
        try:
            weights = fit(tolerance)
        except Exception as failure:  # some solvers give up on some data, each in its own words
            print(f"{name}: {failure}", file=sys.stderr)
            return
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
        pipe.send(Fitted(np.asarray(weights, np.float64), cpu_s if cpu else seconds, cpu_s))


@dataclass
class Row:
    """Seconds of each contender that reached the distance, one a round, and the tolerance it needed."""

    task: str
    distance: float
    seconds: dict[str, list[float]] = field(default_factory=dict)
    tolerances: dict[str, float] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)

    def cells(self) -> dict[str, str]:
        ours = self.seconds.get(OURS)
        peers = {name: seconds for name, seconds in self.seconds.items() if name != OURS}
        cells = {"task": self.task, "to": f"{self.distance:g}", "ms": "not met", "min..max": ""}
        if ours:
            cells |= {"ms": _ms(median(ours)), "min..max": f"{_ms(min(ours))}..{_ms(max(ours))}"}
        cells |= {"best peer": "none met it", "its ms": "", "x": "", "x min..max": ""}
        order = sorted(peers, key=lambda name: median(peers[name]))
        if order:
            cells |= {"best peer": order[0], "its ms": _ms(median(peers[order[0]]))}
        if ours and order:
            ratios = [b / a for a, b in zip(ours, peers[order[0]], strict=False)]
            cells |= {"x": f"{median(ratios):.2f}", "x min..max": f"{min(ratios):.2f}..{max(ratios):.2f}"}
        others = [f"{name} {_ms(median(peers[name]))}" for name in order[1:]]
        cells["others, ms"] = ", ".join(others + [f"{name} not met" for name in self.missed if name != OURS])
        return cells


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.1f}" if seconds < 0.1 else f"{1e3 * seconds:.0f}"


def compare(task: Task, rounds: int, cpu: bool) -> list[Row]:
    """Return the rows of one task, one a distance."""
    all_of_them = [Contender(task, name, cpu) for name in contenders(task)]
    known = np.inf
    for each in all_of_them:
        each.climb(known)
        known = min([known, *(value for _, value in each.steps)])
    rows = []
    for distance in DISTANCES:
        row = Row(f"{task.model}, {task.data}", distance)
        for each in all_of_them:
            enough = [tolerance for tolerance, value in each.steps if value <= known * (1 + distance)]
            if enough:
                row.tolerances[each.name] = enough[0]
            else:
                row.missed.append(each.name)
        for turn in range(rounds):
            for each in all_of_them:
                if each.name in row.tolerances and (turn == 0 or _stays(row, each.name)):
                    found = each.fit(row.tolerances[each.name], 3 * LIMIT_S)
                    if found:
                        row.seconds.setdefault(each.name, []).append(found.seconds)
        rows.append(row)
    for each in all_of_them:
        each.leave()
    return rows


def _stays(row: Row, name: str) -> bool:
    """Say whether one is Layerwise, or no more than BEHIND times slower than the best of the others."""
    firsts = {other: seconds[0] for other, seconds in row.seconds.items() if other != OURS}
    return name == OURS or (name in firsts and firsts[name] <= BEHIND * min(firsts.values()))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=MODELS, default=MODELS, metavar="MODEL")
    parser.add_argument("--data", nargs="+", choices=DATA, default=DATA)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shrink", type=int, default=1, help="take every so-many-th row, for a look")
    parser.add_argument("--cpu", action="store_true", help="processor seconds instead of seconds on the wall")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    if options.cpu:  # threads that wait by spinning would count
        os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    print(json.dumps(describe_machine()))
    rows = []
    for data in options.data:
        for model in options.only:
            rows += compare(make_task(data, model, options.shrink), options.rounds, options.cpu)
            print(format_table([row.cells() for row in rows[-2:]]), flush=True)
    print(format_table([row.cells() for row in rows]))
    if options.json:
        options.json.write_text(json.dumps([row.__dict__ for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
