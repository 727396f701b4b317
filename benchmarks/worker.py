"""One competitor in a process of its own: makes ready, warms up, then takes a round for each line it is sent.

Started by loop.py. Answers on its standard output, one JSON object a line; what frameworks print goes elsewhere.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from importlib.metadata import version
from typing import Any

from peers import PEERS, Loop
from workload import Workload, cross_entropy, make_data


def main() -> None:
    name, threads, workload = sys.argv[1], int(sys.argv[2]), Workload(**json.loads(sys.argv[3]))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    started = time.perf_counter()
    if "torch" in PEERS[name].needs:
        import torch

        torch.set_num_threads(threads)
    module = import_module(f"peers.{PEERS[name].module}")
    import_s = time.perf_counter() - started
    train, held_out = make_data(workload)
    loop: Loop = module.Loop(workload, train)
    untrained = time.perf_counter()
    loop.train()
    versions = {package: version(package) for package in PEERS[name].needs}
    answer(import_s=import_s, warm_up_s=time.perf_counter() - untrained, versions=versions)
    for _ in sys.stdin:
        seconds = loop.train()
        answer(seconds=seconds, loss=cross_entropy(loop.logits(held_out.inputs), held_out.labels))


if __name__ == "__main__":
    main()
