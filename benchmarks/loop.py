"""Compare Layerwise's training loop with other people's: the same networks, data, steps and threads in one run.

    pip install -e '.[benchmarks]'
    python benchmarks/loop.py                   about 15 minutes on two cores
    python benchmarks/loop.py --quick           two or three minutes, for a look
    python benchmarks/loop.py --only layerwise handwritten --net mlp

Each competitor runs in its own process. It makes ready and trains one round to warm up, which is reported apart; then
all take turns, A B C A B C, one at a time. A round trains from the same first weights (where a framework lets them be
set: all do) for the same number of steps of Adam, rate 1e-3, batch 128, in float32, without validation and
checkpoints. After it the loss on held-out pictures is computed by one function for all, and has to agree.

Everybody gets two threads and the same OMP_WAIT_POLICY. Of itself Layerwise would choose the threads by the size of
the work; here it may not. PyTorch's competitors have the fused optimiser, but for the plain loop that anybody writes
first. Who is not installed is said and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from machine import describe_machine
from peers import BEST, PEERS, PLAIN
from table import format_table
from workload import BATCH_SIZE, NETS, Workload

FULL = {"mlp": Workload("mlp", 25_600, 5), "lenet5": Workload("lenet5", 25_600, 1)}
QUICK = {"mlp": Workload("mlp", 12_800, 1), "lenet5": Workload("lenet5", 6_400, 1)}
BUSY = 0.5  # processes that wanted to run in the last minute, above which times are not to be quoted
LOSSES_AGREE = 0.15  # of the hand-written loop's: orders differ, so losses do a little


@dataclass
class Result:
    """What one competitor did. seconds, losses: one a round."""

    peer: str
    steps: int
    ready: dict[str, Any]
    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Samples a second of each round."""
        return [self.steps * BATCH_SIZE / seconds for seconds in self.seconds]


class Competitor:
    """A running worker. Raises RuntimeError with its last words where it died."""

    def __init__(self, peer: str, workload: Workload, threads: int, environment: dict[str, str]) -> None:
        command = [sys.executable, str(Path(__file__).with_name("worker.py")), peer, str(threads)]
        self.process = subprocess.Popen(
            [*command, json.dumps(asdict(workload))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment | dict(PEERS[peer].environment),
        )
        self.result = Result(peer, workload.steps, self._answer())

    def take_round(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self._answer()
        self.result.seconds.append(answer["seconds"])
        self.result.losses.append(answer["loss"])

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            words = self.process.communicate()[1].strip().splitlines() or ["no word"]
            raise RuntimeError(words[-1])
        answer: dict[str, Any] = json.loads(line)
        return answer


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    cores = sorted(os.sched_getaffinity(0))[: options.threads] if hasattr(os, "sched_setaffinity") else []
    if cores:
        os.sched_setaffinity(0, cores)  # the only way to hold JAX to so many threads
    environment = worker_environment(options.threads, options.wait_policy)
    machine = describe_machine()
    print(f"{machine['processor']}, {len(cores) or options.threads} cores, {machine['system']}, "
          f"Python {machine['python']}; load {machine['load']:.1f} at the start")  # fmt: skip
    print(f"{options.threads} threads for all, OMP_WAIT_POLICY={options.wait_policy} for all")
    if machine["load"] > BUSY:
        print("The machine is busy: only ratios of neighbouring rounds mean anything, and second threads suffer most.")
    peers = [peer for peer in options.only or PEERS if is_installed(peer)]
    rounds = options.rounds or (2 if options.quick else 5)
    results = {}
    for net in options.net or NETS:
        workload = (QUICK if options.quick else FULL)[net]
        results[net] = compare(peers, workload, rounds, environment, options)
        print(f"\n{NETS[net]}, batch {BATCH_SIZE}, Adam, {workload.steps:,} steps a round, {rounds} rounds")
        print(format_table(rows(results[net])))
    versions = {name: v for each in results.values() for r in each for name, v in r.ready["versions"].items()}
    print("\n" + ", ".join(f"{name} {version}" for name, version in sorted(versions.items())))
    if options.json:
        save(options, machine, versions, results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PEERS, metavar="PEER", help=f"some of {', '.join(PEERS)}")
    parser.add_argument("--net", nargs="+", choices=NETS, help="one of the networks")
    parser.add_argument("--rounds", type=int, help="rounds of each competitor (5)")
    parser.add_argument("--threads", type=int, default=2, help="threads for all (2)")
    parser.add_argument(
        "--wait-policy", choices=("PASSIVE", "ACTIVE", "unset"), default="PASSIVE", help="OMP_WAIT_POLICY for all"
    )
    parser.add_argument("--quick", action="store_true", help="few short rounds: for a look, not for a claim")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    return parser.parse_args(arguments)


def worker_environment(threads: int, wait_policy: str) -> dict[str, str]:
    """Return what all workers get: as many threads in every library, and one way to wait for them."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    return environment | ({} if wait_policy == "unset" else {"OMP_WAIT_POLICY": wait_policy})


def is_installed(peer: str) -> bool:
    missing = [package for package in PEERS[peer].needs if find_spec(package) is None]
    if missing:
        print(f"{PEERS[peer].title} is left out: {', '.join(missing)} not installed")
    return not missing


def compare(
    peers: list[str], workload: Workload, rounds: int, environment: dict[str, str], options: argparse.Namespace
) -> list[Result]:
    """Let all `peers` warm up one after the other, then take turns."""
    running: list[Competitor] = []
    try:
        for peer in (peer for peer in peers if workload.net in PEERS[peer].nets):
            say(f"{NETS[workload.net]}: {PEERS[peer].title} warms up")
            try:
                running.append(Competitor(peer, workload, options.threads, environment))
            except RuntimeError as error:
                print(f"{PEERS[peer].title} is left out, it failed: {error}")
        for turn in range(rounds):
            for competitor in list(running):
                say(f"{NETS[workload.net]}: round {turn + 1} of {rounds}, {PEERS[competitor.result.peer].title}")
                try:
                    competitor.take_round()
                except (RuntimeError, BrokenPipeError) as error:
                    print(f"{PEERS[competitor.result.peer].title} is left out, it failed: {error}")
                    running.remove(competitor)
        return [competitor.result for competitor in running]
    finally:
        for competitor in running:
            competitor.stop()
        say("")


def rows(results: list[Result]) -> list[dict[str, str]]:
    """Return a row of the table for each competitor, the fastest first."""
    by_peer = {result.peer: result for result in results}
    ordered = sorted(results, key=lambda result: median(result.seconds))
    return [
        {
            "loop": PEERS[result.peer].title,
            "samples/s": f"{median(result.rates):,.0f}",
            "min..max": f"{min(result.rates):,.0f}..{max(result.rates):,.0f}",
            "ms/step": f"{1e3 * median(result.seconds) / result.steps:.3f}",
            "x hand-written": ratio(result, by_peer.get(BEST)),
            "x DataLoader": ratio(result, by_peer.get(PLAIN)),
            "loss": loss_of(result, by_peer.get(BEST)),
            "import s": f"{result.ready['import_s']:.1f}",
            "warm-up s": f"{result.ready['warm_up_s']:.1f}",
        }
        for result in ordered
    ]


def ratio(result: Result, other: Result | None) -> str:
    """Return how many times as fast as the other, as the median over rounds that stood next to each other."""
    if other is None:
        return "-"
    return f"{median(b / a for a, b in zip(result.seconds, other.seconds, strict=True)):.2f}"


def loss_of(result: Result, other: Result | None) -> str:
    loss = median(result.losses)
    agrees = other is None or abs(loss - median(other.losses)) <= LOSSES_AGREE * median(other.losses)
    return f"{loss:.3f}" + ("" if agrees else " DIFFERS")


def save(options: argparse.Namespace, machine: dict[str, Any], versions: dict[str, str], results: Any) -> None:
    """Write all that was measured as JSON."""
    record = {
        "machine": machine,
        "versions": versions,
        "threads": options.threads,
        "omp_wait_policy": options.wait_policy,
        "results": {net: [asdict(result) for result in each] for net, each in results.items()},
    }
    options.json.write_text(json.dumps(record, indent=2) + "\n")


def say(text: str) -> None:
    """Show what is going on in place, where a person looks on."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
