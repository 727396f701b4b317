"""Compare the dense engine with PyTorch, Lightning, JAX and scikit-learn on small networks, in one run.

    pip install -e '.[benchmarks]'
    python benchmarks/dense.py                      a few minutes on two cores
    python benchmarks/dense.py --only tiny mlp      some of the workloads

Each competitor has its own process, makes ready, and trains one short round from the same first weights, whose losses
have to agree (the orders of the samples differ). Then all take turns, A B C A B C. A round is as many epochs as last
a tenth of a second or so for that competitor; what is compared is the time of a step, and of a whole training for a
population. Ratios are medians over rounds that stood next to each other, with the smallest and the largest.

PyTorch has two threads where that is faster for it; the engine takes one, but for populations.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from dense_peers import PEERS, WORKLOADS
from machine import describe_machine
from table import format_table

LOSSES_AGREE = 0.2  # of the engine's: orders and dropout differ, so losses do a little


@dataclass
class Competitor:
    """A running worker and what it measured: seconds a step, one a round."""

    peer: str
    process: subprocess.Popen[str]
    ready: dict[str, Any] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def ask(self, epochs: int) -> dict[str, Any]:
        assert self.process.stdin
        print(epochs, file=self.process.stdin, flush=True)
        return self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError((self.process.communicate()[1].strip().splitlines() or ["no word"])[-1])
        answer: dict[str, Any] = json.loads(line)
        return answer


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=WORKLOADS, help="some of the workloads")
    parser.add_argument("--peers", nargs="+", choices=PEERS, help="some of the competitors")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each competitor (7)")
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a round (0.2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    options = parser.parse_args(arguments)
    machine = describe_machine()
    print(f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}; load {machine['load']:.1f}")
    record: dict[str, Any] = {"machine": machine}
    for name in options.only or WORKLOADS:
        workload = WORKLOADS[name]
        peers = [peer for peer in options.peers or workload.peers if peer in workload.peers and is_installed(peer)]
        competitors = compare(name, peers, options.rounds, options.seconds)
        print(f"\n{workload.title}, {options.rounds} rounds")
        print(format_table(rows(competitors)))
        record[name] = {c.peer: {**c.ready, "seconds_a_step": c.seconds} for c in competitors}
    if options.json:
        options.json.write_text(json.dumps(record, indent=2) + "\n")


def is_installed(peer: str) -> bool:
    missing = [package for package in PEERS[peer].needs if find_spec(package) is None]
    if missing:
        print(f"{PEERS[peer].title} is left out: {', '.join(missing)} not installed")
    return not missing


def compare(workload: str, peers: list[str], rounds: int, seconds: float) -> list[Competitor]:
    """Let all warm up one after the other, then take turns."""
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    running: list[Competitor] = []
    epochs: dict[str, int] = {}
    try:
        for peer in peers:
            command = [sys.executable, str(Path(__file__).with_name("dense_worker.py")), peer, workload]
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)
            competitor = Competitor(peer, process)
            try:
                competitor.ready = competitor.answer()
            except RuntimeError as error:
                print(f"{PEERS[peer].title} is left out, it failed: {error}")
                continue
            an_epoch = min(competitor.ask(1)["seconds"] for _ in range(2))
            epochs[peer] = max(1, round(seconds / an_epoch))
            running.append(competitor)
        for _ in range(rounds):
            for competitor in running:
                answer = competitor.ask(epochs[competitor.peer])
                competitor.seconds.append(answer["seconds"] / answer["steps"])
        return running
    finally:
        for competitor in running:
            competitor.process.kill()
            competitor.process.communicate()


def rows(competitors: list[Competitor]) -> list[dict[str, str]]:
    """Return a row of the table for each competitor, the fastest first."""
    engine = next((c for c in competitors if c.peer == "engine"), None)
    return [
        {
            "trained by": PEERS[c.peer].title,
            "us a step": f"{1e6 * median(c.seconds):,.1f}",
            "min..max": f"{1e6 * min(c.seconds):,.1f}..{1e6 * max(c.seconds):,.1f}",
            "engine is x": ratio(c, engine),
            "loss": f"{c.ready['loss']:.3f}" + ("" if agrees(c, engine) else " DIFFERS"),
            "import s": f"{c.ready['import_s']:.2f}",
            "first training s": f"{c.ready['first_s']:.2f}",
        }
        for c in sorted(competitors, key=lambda c: median(c.seconds))
    ]


def ratio(competitor: Competitor, engine: Competitor | None) -> str:
    if engine is None:
        return "-"
    ratios = [theirs / ours for theirs, ours in zip(competitor.seconds, engine.seconds, strict=True)]
    return f"{median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"


def agrees(competitor: Competitor, engine: Competitor | None) -> bool:
    if engine is None:
        return True
    return bool(abs(competitor.ready["loss"] - engine.ready["loss"]) <= LOSSES_AGREE * engine.ready["loss"])


if __name__ == "__main__":
    main()
