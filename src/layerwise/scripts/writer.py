"""A run as a folder with a short plain-PyTorch script and its data."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from layerwise.data.augmentation import Augmentation
from layerwise.data.dataset import Split
from layerwise.data.pairs import PairsPreprocessing
from layerwise.data.pictures import PicturePreprocessing
from layerwise.data.prose import ProsePreprocessing
from layerwise.data.tokenizer import Tokenizer
from layerwise.errors import UsageError
from layerwise.experiments.run import Run
from layerwise.experiments.setup import PIXELS_AT_ONCE, Setup, set_up
from layerwise.models import CATALOGUE
from layerwise.runs.atomic import make_folder, write_bytes
from layerwise.scripts import descent
from layerwise.scripts.definitions import (
    Definitions,
    bound_names,
    is_droppable,
    text_of,
    tidy,
    unknown_names,
    without_unused,
)
from layerwise.scripts.layers import text
from layerwise.scripts.marks import unwritten
from layerwise.scripts.network import Network, refused
from layerwise.scripts.options import obstacles
from layerwise.tasks import task_name

AUGMENTATION = "layerwise.scripts.pieces.augmentation"
TEMPLATES = "layerwise.scripts.templates"
NAMES = {"writing": "language_modeling", "labelling": "sequence_tagging"}
LONGEST, LARGEST_BYTES = 200, 4 * 2**30
PADDING = {"sequence_tagging": -1}
NEEDED = {"translation": "sacrebleu", "reconstruction": "pillow", "adversarial": "pillow"}
KNOWN_IMPORTS = {"Path": "from pathlib import Path", "load_file": "from safetensors.torch import load_file"}


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
    task = NAMES.get(task_name(run.task), task_name(run.task))
    for obstacle in obstacles(run, task):
        raise UsageError(f"no script can be written of run {run.name}, since {obstacle}.")
    if run._module is None and run.experiment.model not in CATALOGUE:
        raise UsageError(
            f"run {run.name} trained a network of your own, and its folder does not hold the source; "
            "open the run in Python with the network, Run.open(..., model=network), to write its script."
        )
    dataset, own = run.dataset(), own_module(run)
    with torch.random.fork_rng(devices=[]):
        setup = set_up(run.experiment, dataset=dataset, module=own, pace=run.pace)
        model = setup.network.cpu()
        weights = {name: tensor.detach().clone() for name, tensor in weights_in(model).items()}
        network = Network(model, ASKED.get(task, set()), own is None)
        check_network(network, setup, weights)
    data = data_of(run, setup)
    sources = Composer(run, setup, task, network, data, own is not None).compose()
    files = {name: source.encode() for name, source in sources.items()}
    files["data.safetensors"] = save({name: tensor.contiguous().clone() for name, tensor in data.items()})
    if own is None:
        files["first_weights.safetensors"] = save({name: tensor.contiguous() for name, tensor in weights.items()})
    return Script(files)


def own_module(run: Run) -> nn.Module | None:
    """Return the network that the user brought, None for one of the catalogue."""
    module = run._module
    return None if module is None or type(module).__module__.startswith("layerwise.models.") else module


def weights_in(model: nn.Module) -> dict[str, Tensor]:
    """Return all weights and buffers, those that are not saved with a run among them."""
    return dict(model.state_dict()) | dict(model.named_buffers())


ASKED = {"adversarial": {"generator", "discriminator", "draw_noise"}, "reconstruction": {"decode", "code_size"}}


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


def data_of(run: Run, setup: Setup) -> dict[str, Tensor]:
    """Return the splits of the run, pictures as bytes and all else as the network takes it, and what a task needs."""
    dataset, preprocessing = setup.dataset, setup.dataset.preprocessing
    tensors: dict[str, Tensor] = {}
    for part in ("train", "valid", "test"):
        split: Split = getattr(dataset, part)
        if len(split):
            tensors[f"{part}_x"] = inputs_of(run, split, preprocessing)
            tensors[f"{part}_y"] = split.targets
    if isinstance(preprocessing, ProsePreprocessing | PairsPreprocessing):
        pieces = bytes_of_tokens(preprocessing.tokenizer)
        tensors["vocabulary"] = torch.tensor(list(b"".join(pieces)), dtype=torch.uint8)
        tensors["token_bytes"] = torch.tensor([len(piece) for piece in pieces])
    return tensors


def inputs_of(run: Run, split: Split, preprocessing: Any) -> Tensor:
    size = len(split) * torch.Size(preprocessing.input_shape).numel()
    if not isinstance(split.inputs, Tensor) and size > LARGEST_BYTES:
        raise UsageError(f"no script can be written of run {run.name}, since its data has {size / 2**30:.0f} GiB.")
    inputs = split.inputs[torch.arange(len(split))] if not isinstance(split.inputs, Tensor) else split.inputs
    if isinstance(preprocessing, PicturePreprocessing):
        return inputs
    prepared: Tensor = preprocessing.prepare(inputs)
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


# The script


class Composer:
    """Puts a script together: its template with the marks of the run, and what that names."""

    def __init__(
        self, run: Run, setup: Setup, task: str, network: Network, data: dict[str, Tensor], is_own: bool
    ) -> None:
        self.run, self.setup, self.task, self.network, self.is_own = run, setup, task, network, is_own
        self.count = len(data["train_y"])
        self.has_valid = "valid_y" in data
        self.kind = device_of(run)
        self.augmentation = Augmentation.parse(run.experiment.data.augment)

    def compose(self) -> dict[str, str]:
        """Return the script, and where it would be too long the network and the augmentation in files beside it."""
        apart: dict[str, str] = {}
        source = self._script(apart)
        for name in ("augmentation", "network"):
            if len(source.splitlines()) > LONGEST:
                apart[name] = ""
                source = self._script(apart)
        if len(source.splitlines()) > LONGEST:
            raise UsageError(
                f"no script can be written of run {self.run.name}, since it would be longer than {LONGEST} lines."
            )
        return {"train.py": source} | {f"{name}.py": text for name, text in apart.items()}

    def _script(self, apart: dict[str, str]) -> str:
        """Return the script; the text of files in `apart` is put there."""
        options, parts = self._options(), self._parts()
        made = text(self.network.maker, 0, len("model = "))
        is_call = made == f"{made.partition('(')[0]}()"
        own_names = {one.partition("(")[0] for one in ([made] if is_call else ["make_network()"])}
        head = 'def make_network() -> nn.Module:\n    """Return the network."""\n    return '
        maker = "" if is_call else f"{head}{text(self.network.maker, 4, 11)}\n"
        classes = tidy(f"{self.network.source}\n\n\n{maker}")
        call = made if is_call or "network" not in apart else "make_network()"
        parts["network"] = self._network_part(call)
        definitions = Definitions(options, parts)
        if options["augment"]:
            definitions.found["augment"] = descent.augment_function(self.augmentation, options["masks"])
            definitions.take_names(AUGMENTATION, ast.parse(definitions.found["augment"]))
            definitions.found["augment"] = definitions.found.pop("augment")
        module = f"{TEMPLATES}.{self.task}"
        source, tree = definitions.module(module)
        definitions.take_names(module, tree)
        self._check_parts(definitions, parts)
        imports = definitions.imports | KNOWN_IMPORTS
        kept = [node for node in tree.body if not is_header(node)]
        gaps = [0, *(node.lineno - (before.end_lineno or 0) - 1 for before, node in pairwise(kept))]
        body = ["\n" * min(gap, 1) + text_of(source, node) for gap, node in zip(gaps, kept, strict=True)]
        defined = {name for node in kept for name in bound_names(node)}
        pieces = {name: one for name, one in definitions.found.items() if name not in defined}
        constants = {name: one for name, one in pieces.items() if is_constant(one)}
        functions = [one for name, one in pieces.items() if name not in constants]
        values = self._constants()
        at = next(number for number, one in enumerate(body) if one.lstrip().startswith("model"))
        if "network" not in apart:
            imports |= self.network.definitions.imports
            body.insert(at, self.network.source)
        else:
            apart["network"] = module_of_text(classes, self.network.definitions.imports)
            for name in own_names:
                imports[name] = f"from network import {name}"
        lines = [values.get(name, "") for name in (*ORDER, *sorted({*constants, *values} - {*ORDER}))]
        whole = "\n".join(line for line in lines if line) + "\n\n\n" + "\n\n".join([*functions, "\n".join(body)])
        whole = without_unused(tidy(whole), set())
        if "augmentation" in apart:
            whole = self._move_augmentation(whole, apart, imports)
        missing = {name for name in constants if name not in values and re.search(rf"\b{name}\b", whole)}
        if missing:
            raise unwritten(f"nothing is known of {', '.join(sorted(missing))}")
        used = unknown_names(whole)
        if unknown := used - set(imports):
            raise unwritten(f"{', '.join(sorted(unknown))} is named in {module} and defined nowhere")
        head = import_lines(line for name, line in imports.items() if name in used)
        return f"{self._docstring(apart)}\n{below(head, whole)}"

    def _move_augmentation(self, whole: str, apart: dict[str, str], imports: dict[str, str]) -> str:
        """Move `augment` with all that it alone names into a file of its own."""
        tree = ast.parse(whole)
        definitions = {
            name: text_of(whole, node) for node in tree.body if is_droppable(node) for name in bound_names(node)
        }
        needed, queue = {}, ["augment"]
        while queue:
            name = queue.pop()
            if name in definitions and name not in needed:
                needed[name] = definitions[name]
                queue += [one.id for one in ast.walk(ast.parse(definitions[name])) if isinstance(one, ast.Name)]
        if "augment" not in needed:
            del apart["augmentation"]
            return whole
        kept = [text for name, text in definitions.items() if name in needed]
        apart["augmentation"] = module_of_text(tidy("\n\n\n".join(kept)), imports)
        shared = {"augment", *(name for name in ("join_masks", "part_masks") if name in definitions)}
        for name in shared - needed.keys():
            apart["augmentation"] += f"\n\n{definitions[name]}\n"
        for name in shared:
            imports[name] = f"from augmentation import {name}"
        dropped = {*needed, *shared}
        rest = [text_of(whole, node) for node in tree.body if not bound_names(node) & dropped]
        return without_unused(tidy("\n".join(rest)), set())

    def _options(self) -> dict[str, bool]:
        """Return which marks of templates hold for this run."""
        experiment, setup = self.run.experiment, self.setup
        training, data = experiment.training, experiment.data
        size, pace = training.batch_size, self.run.pace
        leave_out = size != "full" and 1 < int(size) < self.count and self.count % int(size) == 1
        schedule = bool(training.warmup) or training.schedule not in ("constant", "plateau")
        average, is_pictures = bool(training.average), isinstance(setup.dataset.preprocessing, PicturePreprocessing)
        draws = self.task == "adversarial" or any(is_random(layer) for layer in setup.network.modules())
        draws = (
            draws or bool(self.augmentation) or bool(data.mixup) or bool(getattr(setup.network, "variational", False))
        )
        return {
            "valid": self.has_valid,
            "patience": bool(training.patience) and self.has_valid,
            "plateau": training.schedule == "plateau" and self.has_valid,
            "schedule": schedule,
            "average": average,
            "accumulate": training.accumulate > 1,
            "padded": self.task in ("translation", "language_modeling", "sequence_tagging", "segmentation"),
            "clip": bool(training.clip_norm),
            "seeds": draws,
            "counts": draws or average or schedule,
            "leave_out": leave_out,
            "steps": schedule and (training.schedule != "inverse-root" or bool(training.warmup)),
            "bfloat16": pace.precision == "bfloat16",
            "pictures": is_pictures,
            "augment": bool(self.augmentation),
            "masks": self.task == "segmentation",
            "mixup": bool(data.mixup),
            "pairs": self.task == "translation",
            "smoothing": bool(experiment.task.label_smoothing),
            "weighted": bool(getattr(setup.task, "weights", ())),
            "variational": bool(getattr(setup.network, "variational", False)),
            "relativistic": experiment.task.relativistic,
            "gradient_penalty": bool(experiment.task.gradient_penalty),
            **dict.fromkeys(("stand_in", "penalty", "rise", "rate"), False),
        }

    def _parts(self) -> dict[str, str]:
        """Return the statements that take the place of marked ones."""
        experiment, setup = self.run.experiment, self.setup
        training = experiment.training
        options = self._options()
        parts = {"data": 'data = load_file(Path(__file__).with_name("data.safetensors"))'}
        if self.run.pace.threads and self.kind == "cpu":
            parts["data"] = (
                f"torch.set_num_threads({self.run.pace.threads})  # with others the last digits differ\n{parts['data']}"
            )
        if self.kind != "cpu":
            parts["data"] = f'device = "{self.kind}" if torch.accelerator.is_available() else "cpu"\n{parts["data"]}\n'
            parts["data"] += "data = {name: tensor.to(device) for name, tensor in data.items()}"
        if self.task == "adversarial":
            for player in ("discriminator", "generator"):
                own = getattr(setup.network, player)
                parts[player] = descent.optimizer_line(experiment, own, f"model.{player}", f"{player}_optimizer")
        else:
            parts["optimizer"] = descent.optimizer_line(experiment, setup.model, "model", "optimizer")
        if options["schedule"] or options["plateau"]:
            parts["rate"] = descent.rate_line(training)
        if "rise" in parts.get("rate", ""):
            parts["rise"] = descent.rise_line(training)
        if experiment.penalty.strength and experiment.penalty.penalty != "none":
            parts["penalty"] = descent.penalty_line(training.optimizer)
        if self.run.pace.compile:
            parts["optimizer"] = f"model.compile()\n{parts['optimizer']}"
        return parts | self._batch_parts(options)

    def _batch_parts(self, options: dict[str, bool]) -> dict[str, str]:
        """Return the statements that cut a batch."""
        vary = "scale(augment(inputs / 255))" if options["augment"] else "inputs"
        if self.task == "adversarial":
            real = "augment(data['train_x'][batch] / 255)" if options["augment"] else "data['train_x'][batch] / 255"
            return {"batch": f"real = {real} * 2 - 1  # from -1 to 1".replace("'", '"')}
        samples = ['train_x, train_y = data["train_x"], data["train_y"]']
        order = ["order = torch.randperm(len(train_x), generator=generator)"]
        batch = ["inputs, targets = train_x[batch], train_y[batch]"]
        if options["pictures"] and not options["augment"]:
            samples.append("train_x = scale(train_x / 255)")
        if options["augment"] and options["masks"]:
            batch.append("inputs, targets = part_masks(augment(join_masks(inputs / 255, targets)))")
            batch.append("inputs = scale(inputs)")
        elif options["augment"]:
            batch.append(f"inputs = {vary}")
        if options["mixup"]:
            batch.append("inputs, targets = mixup(inputs, F.one_hot(targets, CLASSES).float(), MIXUP)")
        if options["pairs"]:
            order.append("order = sort_by_length(order, (train_y != PADDING).sum(1), BATCH_SIZE, generator)")
            batch.append("inputs, targets = trim(inputs), trim(targets)  # without the columns that are padding alone")
        return {"samples": "\n".join(samples), "order": "\n".join(order), "batch": "\n".join(batch)}

    def _network_part(self, call: str) -> str:
        lines = ["torch.manual_seed(SEED)"] if self.is_own else []
        lines.append(f"model = {call}")
        if not self.is_own:
            lines.append('model.load_state_dict(load_file(Path(__file__).with_name("first_weights.safetensors")))')
        if self.kind != "cpu":
            lines.append("model.to(device)")
        if self.run.pace.channels_last:
            lines.append("model.to(memory_format=torch.channels_last)")
        return "\n".join(lines)

    def _check_parts(self, definitions: Definitions, parts: dict[str, str]) -> None:
        for name in parts:
            if (times := definitions.used_parts.count(name)) != 1:
                raise unwritten(f"the mark [{name}] stands {times} times in the template of {self.task}, not once")

    def _constants(self) -> dict[str, str]:
        values = descent.constants_of(self.run, self.run.facts, self.count)
        padding = {"sequence_tagging": -1, "segmentation": 255}.get(self.task, 0)
        values["PADDING"] = f"PADDING = {padding}  # a target that does not count"
        shape = self.setup.dataset.input_shape
        at_once = max(1, min(512, PIXELS_AT_ONCE // (shape[-1] * shape[-2]))) if len(shape) == 3 else 512
        values["AT_ONCE"] = f"AT_ONCE = {at_once}  # pictures that are measured together"
        for policy in descent.policy_of(self.augmentation):
            values["POLICY"] = "POLICY = [\n" + "".join(f"    {rows!r},\n" for rows in policy).replace("'", '"') + "]"
        return values

    def _docstring(self, apart: Iterable[str]) -> str:
        run = self.run
        metrics = run.result.get("test", {}) if run.status == "finished" else {}
        figures = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items() if isinstance(value, float))
        reached = f"reached on its test split: {figures}." if figures else f"is {run.status} and has no figures yet."
        needs = ["torch", "numpy", "safetensors", *([NEEDED[self.task]] if self.task in NEEDED else [])]
        beside = "".join(f" and {name}.py" for name in apart)
        said = [
            f"Run {run.name}, which this repeats, {reached} {self._likeness()}",
            f"It needs {', '.join(needs[:-1])} and {needs[-1]}, and the files beside it: its data{beside}.",
        ]
        paragraphs = "\n\n".join(textwrap.fill(one, 118, break_on_hyphens=False) for one in said)
        return f'"""Train {run.experiment.model} on {run.facts["name"]} in plain PyTorch.\n\n{paragraphs}\n"""\n'

    def _likeness(self) -> str:
        pace, experiment = self.run.pace, self.run.experiment
        if self.is_own:
            return "The data and its division are the same; the first weights are drawn anew, so the figures are alike."
        if self.kind != "cpu" or self.augmentation or experiment.data.mixup or pace.compile:
            return (
                "The division of the data and the first weights are the same; what is drawn in the steps is not, so "
                "the figures are alike, as for another seed."
            )
        is_rounded = pace.dense or pace.batch_innermost or experiment.training.optimizer == "muon"
        if is_rounded or self.task == "adversarial" or getattr(self.run.task, "weights", ()):
            return "The data, the first weights and every step are the same but for rounding, so the figures are close."
        return (
            "The data, the first weights and every step are the same, so on the same machine with the same PyTorch the "
            "figures are the same."
        )


ORDER = ("SEED", "EPOCHS", "BATCH_SIZE", "LEARNING_RATE", "WARMUP", "MOMENTUM", "WEIGHT_DECAY")


def is_constant(definition: str) -> bool:
    """Tell whether a definition gives a name to a number or a text, or to several."""
    (node,) = ast.parse(definition).body
    if not isinstance(node, ast.Assign):
        return False
    try:
        ast.literal_eval(node.value)
    except ValueError:
        return False
    return True


def is_header(node: ast.stmt) -> bool:
    """Tell whether a statement of a template is not taken over: its docstring, imports and constants."""
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_docstring or isinstance(node, ast.Import | ast.ImportFrom) or any(n.isupper() for n in bound_names(node))


def module_of_text(source: str, imports: dict[str, str]) -> str:
    """Return definitions as a module with the imports that they need."""
    used = unknown_names(source)
    return below(import_lines(line for name, line in imports.items() if name in used), source)


def below(imports: str, source: str) -> str:
    """Put source under imports, with as many empty lines between them as a formatter would."""
    return f"{imports}{chr(10) * (2 if source.startswith(('def ', 'class ', '@')) else 1)}{source}"


def import_lines(lines: Iterable[str]) -> str:
    """Return import statements in order: the standard library's, those of packages, those of files beside."""
    wanted: dict[str, set[str]] = {}
    for line in lines:
        home, _, names = line.partition(" import ") if line.startswith("from ") else (line, "", "")
        wanted.setdefault(home, set()).update([names] if names else [])
    groups: list[list[str]] = [["from __future__ import annotations"], [], [], []]
    for home, names in sorted(wanted.items(), key=lambda item: (item[0].startswith("from"), item[0].lower())):
        root = home.split()[1].partition(".")[0]
        place = 3 if root in ("network", "augmentation") else 2 if root in PACKAGES else 1
        groups[place].append(f"{home} import {', '.join(sorted(names))}" if names else home)
    return "\n\n".join("\n".join(group) for group in groups if group) + "\n"


PACKAGES = ("torch", "safetensors", "numpy", "PIL", "sacrebleu")


def is_random(layer: nn.Module) -> bool:
    """Whether a layer draws numbers while it learns; recurrent layers do between each other."""
    if isinstance(layer, nn.modules.dropout._DropoutNd):
        return layer.p > 0
    return isinstance(layer, nn.RNNBase) and layer.dropout > 0


def device_of(run: Run) -> str:
    """Return the kind of device that the run was trained on: cpu, or one that goes by another name."""
    asked = run.experiment.machine.device.partition(":")[0]
    if asked != "auto":
        return asked
    return "cpu" if run.folder.read_json("environment.json")["device"] == "cpu" else "cuda"
