"""One competitor on one workload, in a process of its own: trains as many epochs as each line asks for.

Started by dense.py. Answers on its standard output, one JSON object a line; what frameworks print goes elsewhere.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from typing import Any

from dense_peers import PEERS, WORKLOADS


def main() -> None:
    peer, workload = PEERS[sys.argv[1]], WORKLOADS[sys.argv[2]]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    started = time.perf_counter()
    for package in peer.needs:
        __import__(package)
    import_s = time.perf_counter() - started
    inputs, targets = workload.data()
    started = time.perf_counter()
    trainer = peer.make(workload, inputs, targets)
    trainer.train(workload.epochs)
    answer(import_s=import_s, first_s=time.perf_counter() - started, loss=trainer.loss())
    for line in sys.stdin:
        steps_an_epoch = -(-len(inputs) // workload.batch_size) * trainer.networks
        answer(seconds=trainer.train(int(line)), steps=steps_an_epoch * int(line))


if __name__ == "__main__":
    main()
