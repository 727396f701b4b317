"""The workloads of dense.py, and everybody's training loop for them.

A trainer is made from (workload, inputs, targets). train(epochs) trains from the first weights on and returns the
seconds of the loop; loss() is the mean loss of the network that was trained last over the training samples, and
`networks` how many a training trains.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]


@dataclass(frozen=True)
class Workload:
    """title, data; sizes and activation of the network; loss 'logistic' or 'cross-entropy'; how it is trained.

    epochs: of the round whose losses are compared. networks: in a population, which differ in seed and rate.
    """

    title: str
    data: Callable[[], tuple[Floats, Floats]]
    sizes: tuple[int, ...]
    activation: str
    loss: str
    optimizer: str
    rate: float
    batch_size: int
    epochs: int
    peers: tuple[str, ...]
    networks: int = 1


def playground() -> tuple[Floats, Floats]:
    random = np.random.default_rng(0)
    inputs = random.uniform(-1, 1, size=(1000, 2)).astype(np.float32)
    return inputs, (inputs[:, 0] * inputs[:, 1] > 0).astype(np.float32)


def digits() -> tuple[Floats, Floats]:
    from sklearn.datasets import load_digits

    inputs, labels = load_digits(return_X_y=True)
    return (inputs / 16).astype(np.float32), labels.astype(np.int64)


def pictures() -> tuple[Floats, Floats]:
    """Return noisy copies of a pattern a class, in the size of MNIST, 5% of them with a wrong label."""
    random = np.random.default_rng(0)
    labels = random.integers(10, size=12_800)
    inputs = random.normal(size=(10, 784))[labels] + 4 * random.normal(size=(12_800, 784))
    wrong = random.random(len(labels)) < 0.05
    labels[wrong] = random.integers(10, size=int(wrong.sum()))
    return (inputs / 4).astype(np.float32), labels


def initial_weights(workload: Workload, member: int = 0) -> list[tuple[Floats, Floats]]:
    """Return W (outputs, inputs) and b of each layer: the same for everybody."""
    random = np.random.default_rng(member)
    return [
        (
            (random.normal(size=(after, before)) * np.sqrt(2 / (before + after))).astype(np.float32),
            np.zeros(after, np.float32),
        )
        for before, after in zip(workload.sizes[:-1], workload.sizes[1:], strict=True)
    ]


class Engine:
    """The dense engine."""

    def __init__(self, workload: Workload, inputs: Floats, targets: Floats) -> None:
        self.workload, self.inputs, self.targets, self.networks = workload, inputs, targets, workload.networks

    def train(self, epochs: int) -> float:
        from layerwise.neuron.engine.network import DenseStack, DescentConfig, StackConfig
        from layerwise.neuron.engine.population import Population

        w = self.workload
        config = StackConfig(w.sizes, w.activation, "identity", w.loss)
        members = [
            DenseStack(
                config,
                DescentConfig(epochs, w.batch_size, w.optimizer, w.rate * (1 + i / 256), seed=i),
                weights=initial_weights(w, i),
            )
            for i in range(self.networks)
        ]
        self.network = members[0]
        started = time.perf_counter()
        if self.networks == 1:
            self.network.fit(self.inputs, self.targets)
        else:
            Population(members).fit(self.inputs, self.targets)
        return time.perf_counter() - started

    def loss(self) -> float:
        return self.network.cost(self.inputs, self.targets)


class Torch:
    """The plain loop of PyTorch's tutorials with a DataLoader in this process."""

    threads = 2
    networks = 1

    def __init__(self, workload: Workload, inputs: Floats, targets: Floats) -> None:
        import torch

        torch.set_num_threads(self.threads if workload.sizes[0] > 100 else 1)  # a second one slows small networks
        self.workload = workload
        self.inputs, self.targets = torch.from_numpy(inputs), torch.from_numpy(targets)

    def fresh(self, **fast: Any) -> tuple[Any, Any, Any]:
        """Return network, optimiser and loss."""
        import torch
        from torch import nn

        w = self.workload
        parts: list[nn.Module] = []
        for W, b in initial_weights(w):
            linear = nn.Linear(W.shape[1], W.shape[0])
            linear.load_state_dict({"weight": torch.from_numpy(W), "bias": torch.from_numpy(b)})
            parts += [linear, nn.Tanh() if w.activation == "tanh" else nn.ReLU()]
        self.network = nn.Sequential(*parts[:-1])
        make = torch.optim.Adam if w.optimizer == "adam" else torch.optim.SGD
        optimizer = make(self.network.parameters(), lr=w.rate, **fast)
        self.loss_of: Any = nn.BCEWithLogitsLoss() if w.loss == "logistic" else nn.CrossEntropyLoss()
        self.shaped = self.targets[:, None] if w.loss == "logistic" else self.targets
        return self.network, optimizer, self.loss_of

    def train(self, epochs: int) -> float:
        from torch.utils.data import DataLoader, TensorDataset

        network, optimizer, loss_of = self.fresh()
        loader = DataLoader(TensorDataset(self.inputs, self.shaped), self.workload.batch_size, shuffle=True)
        started = time.perf_counter()
        for _ in range(epochs):
            for inputs, targets in loader:
                optimizer.zero_grad()
                loss_of(network(inputs), targets).backward()
                optimizer.step()
        return time.perf_counter() - started

    def loss(self) -> float:
        import torch

        with torch.inference_mode():
            return float(self.loss_of(self.network(self.inputs), self.shaped))


class TorchBest(Torch):
    """The best hand-written loop: data in memory cut by index, the fused optimiser."""

    def train(self, epochs: int) -> float:
        import torch

        network, optimizer, loss_of = self.fresh(fused=True)
        started = time.perf_counter()
        for _ in range(epochs):
            for chosen in torch.randperm(len(self.inputs)).split(self.workload.batch_size):
                loss_of(network(self.inputs.index_select(0, chosen)), self.shaped.index_select(0, chosen)).backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - started


class Lightning(Torch):
    """Lightning with `barebones=True`."""

    def train(self, epochs: int) -> float:
        import lightning
        from torch.utils.data import DataLoader, TensorDataset

        network, optimizer, loss_of = self.fresh()
        times: list[float] = []

        class Module(lightning.LightningModule):
            def __init__(self) -> None:
                super().__init__()
                self.network = network

            def training_step(self, batch: Any, _: int) -> Any:
                return loss_of(self.network(batch[0]), batch[1])

            def configure_optimizers(self) -> Any:
                return optimizer

            def on_train_epoch_start(self) -> None:
                times.append(time.perf_counter())

            def on_train_epoch_end(self) -> None:
                times.append(time.perf_counter())

        loader = DataLoader(TensorDataset(self.inputs, self.shaped), self.workload.batch_size, shuffle=True)
        trainer = lightning.Trainer(accelerator="cpu", max_epochs=epochs, barebones=True)
        trainer.fit(Module(), loader)
        return times[-1] - times[0]


class JaxScan:
    """JAX as it is fastest: an epoch is one compiled scan over its steps."""

    networks = 1

    def __init__(self, workload: Workload, inputs: Floats, targets: Floats) -> None:
        import jax
        from jax import numpy as jnp

        self.workload, self.count = workload, len(inputs)
        self.inputs, self.targets = jnp.asarray(inputs), jnp.asarray(targets)
        bend = jnp.tanh if workload.activation == "tanh" else jax.nn.relu

        def loss_of(weights: Any, x: Any, y: Any) -> Any:
            for W, b in weights[:-1]:
                x = bend(x @ W.T + b)
            o = x @ weights[-1][0].T + weights[-1][1]
            if workload.loss == "logistic":
                return (jax.nn.softplus(o[:, 0]) - y * o[:, 0]).mean()
            return -jnp.take_along_axis(jax.nn.log_softmax(o), y[:, None], axis=1).mean()

        def step(state: Any, chosen: Any) -> Any:
            weights, m, v, count = state
            g = jax.grad(loss_of)(weights, self.inputs[chosen], self.targets[chosen])
            count = count + 1
            if workload.optimizer == "sgd":
                weights = jax.tree.map(lambda w, g: w - workload.rate * g, weights, g)
                return (weights, m, v, count), None
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
            rate, correction = workload.rate / (1 - 0.9**count), 1 - 0.999**count
            weights = jax.tree.map(
                lambda w, m, v: w - rate * m / (jnp.sqrt(v / correction) + 1e-8), weights, m, v
            )  # fmt: skip
            return (weights, m, v, count), None

        self.loss_of = jax.jit(loss_of)
        self.epoch = jax.jit(lambda state, order: jax.lax.scan(step, state, order)[0], donate_argnums=0)

    def train(self, epochs: int) -> float:
        import jax
        from jax import numpy as jnp

        weights = [(jnp.array(W), jnp.array(b)) for W, b in initial_weights(self.workload)]
        zeros = jax.tree.map(jnp.zeros_like, weights)
        state: Any = jax.block_until_ready((weights, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros(())))
        random, size = np.random.default_rng(1), self.workload.batch_size
        whole = self.count // size * size  # a scan's batches are all of one size
        started = time.perf_counter()
        for _ in range(epochs):
            state = self.epoch(state, random.permutation(self.count)[:whole].reshape(-1, size))
        jax.block_until_ready(state)
        ended = time.perf_counter()
        self.weights = state[0]
        return (ended - started) * -(-self.count // size) / (whole // size)

    def loss(self) -> float:
        return float(self.loss_of(self.weights, self.inputs, self.targets))


class ScikitLearn:
    """MLPClassifier, its networks shared out to two processes; some of them, to be short."""

    networks = 8

    def __init__(self, workload: Workload, inputs: Floats, targets: Floats) -> None:
        self.workload, self.inputs, self.targets = workload, inputs, targets

    def train(self, epochs: int) -> float:
        from joblib import Parallel, delayed
        from sklearn.neural_network import MLPClassifier

        w = self.workload
        networks = [
            MLPClassifier(
                w.sizes[1:-1], activation=w.activation, alpha=0.0, batch_size=w.batch_size, random_state=i,
                learning_rate_init=w.rate * (1 + i / 256), max_iter=epochs, tol=0.0, n_iter_no_change=10**9,
            )
            for i in range(self.networks)
        ]  # fmt: skip
        with Parallel(n_jobs=2) as pool:
            pool(delayed(abs)(i) for i in range(2))  # the processes are there before the clock starts
            started = time.perf_counter()
            self.fitted = pool(delayed(network.fit)(self.inputs, self.targets) for network in networks)
            return time.perf_counter() - started

    def loss(self) -> float:
        return float(self.fitted[0].loss_)


@dataclass(frozen=True)
class Peer:
    title: str
    make: Callable[[Workload, Floats, Floats], Any]
    needs: tuple[str, ...]


PEERS = {
    "engine": Peer("Layerwise's dense engine", Engine, ("layerwise",)),
    "dataloader": Peer("PyTorch with DataLoader", Torch, ("torch",)),
    "handwritten": Peer("best PyTorch loop", TorchBest, ("torch",)),
    "lightning": Peer("Lightning, barebones", Lightning, ("lightning", "torch")),
    "jax": Peer("JAX, one scan an epoch", JaxScan, ("jax",)),
    "scikit-learn": Peer("scikit-learn's MLPClassifier, 2 processes", ScikitLearn, ("sklearn",)),
}
LOOPS = ("engine", "dataloader", "handwritten", "lightning", "jax")
WORKLOADS = {
    "tiny": Workload(
        "2-8-8-1, 1,000 points, batches of 10, SGD",
        playground, (2, 8, 8, 1), "tanh", "logistic", "sgd", 0.1, 10, 3, LOOPS,
    ),
    "digits": Workload(
        "64-64-10, digits, batches of 32, Adam",
        digits, (64, 64, 10), "relu", "cross-entropy", "adam", 1e-3, 32, 3, LOOPS,
    ),
    "mlp": Workload(
        "784-256-128-10, 12,800 pictures, batches of 128, Adam",
        pictures, (784, 256, 128, 10), "relu", "cross-entropy", "adam", 1e-3, 128, 1, LOOPS,
    ),
    "population": Workload(
        "256 networks 64-16-10, digits, batches of 32, Adam, each with its own rate",
        digits, (64, 16, 10), "relu", "cross-entropy", "adam", 1e-3, 32, 3,
        ("engine", "dataloader", "handwritten", "scikit-learn"), networks=256,
    ),
}  # fmt: skip
