"""A run as a folder with a short plain-PyTorch script and its data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from layerwise.data.dataset import Split
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.data.text.language_modeling import TextPreprocessing
from layerwise.data.text.tokenizer import Tokenizer
from layerwise.data.text.translation import PairPreprocessing
from layerwise.errors import UsageError
from layerwise.experiments.run import Run
from layerwise.experiments.setup import Setup, set_up
from layerwise.models import CATALOGUE
from layerwise.runs.atomic import make_folder, write_bytes
from layerwise.scripts.composer import Composer, below, import_lines
from layerwise.scripts.layers import text
from layerwise.scripts.network import Network, refused
from layerwise.scripts.options import PICTURES, obstacles
from layerwise.tasks import task_name

LARGEST_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Script:
    """The files of a script, by their names."""

    files: dict[str, bytes]

    def write(self, folder: Path) -> list[Path]:
        """Write all files into a folder, which is made, and return their paths."""
        make_folder(folder)
        for name, content in self.files.items():
            write_bytes(folder / name, content)
        return [folder / name for name in self.files]


def script_of(run: Run) -> Script:
    """Return the script of a run, its data and its first weights.

    Raises:
        UsageError: the run has something that no short script can be written of; the sentence says what.
        NotFoundError, DataError: the data of the run is not what or where it was.
    """
    task = task_name(run.task)
    for obstacle in obstacles(run, task):
        raise UsageError(f"no script can be written of run {run.name}, since {obstacle}.")
    if run._module is None and run.experiment.model not in CATALOGUE:
        raise UsageError(
            f"run {run.name} trained a network of your own, and its folder does not hold the source; "
            "open the run in Python with the network, Run.open(..., model=network), to write its script."
        )
    dataset, own = run.dataset(), own_module(run)
    with torch.random.fork_rng(devices=[]):
        setup = set_up(run.experiment, dataset=dataset, module=own, execution=run.execution)
        model = setup.network.cpu()
        weights = {name: tensor.detach().clone() for name, tensor in weights_in(model).items()}
        network = Network(model, ASKED.get(task, set()), own is None)
        check_network(network, setup, weights)
    data = data_of(run, setup, task)
    sources = Composer(run, setup, task, network, data, own is not None).compose()
    files = {name: source.encode() for name, source in sources.items()}
    files["data.safetensors"] = save({name: tensor.contiguous().clone() for name, tensor in data.items()})
    if own is None:
        files["initial_weights.safetensors"] = save({name: tensor.contiguous() for name, tensor in weights.items()})
    return Script(files)


def own_module(run: Run) -> nn.Module | None:
    """Return the network that the user brought, None for one of the catalogue."""
    module = run._module
    return None if module is None or type(module).__module__.startswith("layerwise.models.") else module


def weights_in(model: nn.Module) -> dict[str, Tensor]:
    """Return all weights and buffers, those that are not saved with a run among them."""
    return dict(model.state_dict()) | dict(model.named_buffers())


ASKED = {"adversarial": {"generator", "discriminator", "draw_noise"}, "reconstruction": {"decode", "latent_dim"}}


def check_network(network: Network, setup: Setup, weights: dict[str, Tensor]) -> None:
    """Raise UsageError unless the written network has the weights of the run's and gives the same losses."""
    model, batches = setup.network, setup.train
    batch = batches.batch(batches.order(0)[: min(batches.batch_size, 8)])
    names: dict[str, Any] = {}
    try:
        exec(f"{module_of(network)}\nmodel = {text(network.maker)}\n", names)
        twin: nn.Module = names["model"]
        twin.load_state_dict(weights)
        losses = [losses_of(setup, one, batch) for one in (model, twin)]
    except Exception as error:  # whatever is wrong with it, the source is not that of the network
        raise refused(f"what was written fails ({type(error).__name__}: {str(error).splitlines()[0]:.100})") from error
    if [name for name, _ in twin.named_parameters()] != [name for name, _ in model.named_parameters()]:
        raise refused("what was written has other weights")
    if not all(torch.equal(ours, theirs) for ours, theirs in zip(*losses, strict=True)):
        raise refused("what was written computes something else")


def losses_of(setup: Setup, model: nn.Module, batch: Any) -> list[Tensor]:
    """Return the losses of a network on a batch, as it learns and as it is measured."""
    found = []
    for is_training in (True, False):
        torch.manual_seed(0)
        found += [loss.detach() for _, loss in setup.task.losses(model.train(is_training), batch)]
    return found


def module_of(network: Network) -> str:
    """Return the source of the network as a module."""
    return below(import_lines(network.definitions.imports.values()), network.source)


# The data


def data_of(run: Run, setup: Setup, task: str) -> dict[str, Tensor]:
    """Return the splits of the run, pictures as bytes and all else as the network takes it, and what a task needs."""
    dataset, preprocessing = setup.dataset, setup.dataset.preprocessing
    tensors: dict[str, Tensor] = {}
    for part in ("train", "valid", "test"):
        split: Split = getattr(dataset, part)
        if len(split):
            tensors[f"{part}_x"] = inputs_of(run, split, preprocessing, task in PICTURES)
            tensors[f"{part}_y"] = split.targets
    if isinstance(preprocessing, TextPreprocessing | PairPreprocessing):
        pieces = bytes_of_tokens(preprocessing.tokenizer)
        tensors["vocabulary"] = torch.tensor(list(b"".join(pieces)), dtype=torch.uint8)
        tensors["token_bytes"] = torch.tensor([len(piece) for piece in pieces])
    return tensors


def inputs_of(run: Run, split: Split, preprocessing: Any, keeps_bytes: bool) -> Tensor:
    """Return all samples of a split, pictures as bytes where the script scales them."""
    size = len(split) * torch.Size(preprocessing.input_shape).numel()
    if not isinstance(split.inputs, Tensor) and size > LARGEST_BYTES:
        raise UsageError(f"no script can be written of run {run.name}, since its data has {size / 2**30:.0f} GiB.")
    inputs = split.inputs[torch.arange(len(split))] if not isinstance(split.inputs, Tensor) else split.inputs
    if keeps_bytes and isinstance(preprocessing, ImagePreprocessing):
        return inputs
    prepared: Tensor = preprocessing.transform(inputs)
    return prepared


def bytes_of_tokens(tokenizer: Tokenizer) -> list[bytes]:
    """Return the bytes of each token; in a tokeniser each byte is one printable character (GPT-2)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    byte_of = {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
    counts = tokenizer.token_bytes
    return [
        bytes(byte_of[sign] for sign in token) if count else b""
        for token, count in zip(tokenizer.tokens, counts, strict=True)
    ]
