"""The script of a run: its template with the marks carried out, and all that this names."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from layerwise.data.images.augmentation import Augmentation
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.errors import UsageError
from layerwise.experiments.run import Run
from layerwise.experiments.setup import PIXELS_AT_ONCE, Setup
from layerwise.scripts import descent
from layerwise.scripts.definitions import Definitions, bound_names, text_of, tidy, unknown_names, without_unused
from layerwise.scripts.layers import text
from layerwise.scripts.marks import unwritten
from layerwise.scripts.network import Network
from layerwise.scripts.options import PICTURES

AUGMENTATION = "layerwise.scripts.pieces.augmentation"
TEMPLATES = "layerwise.scripts.templates"
LONGEST = 200
NEEDED = {"translation": "sacrebleu", "reconstruction": "pillow", "adversarial": "pillow"}
KNOWN_IMPORTS = {"Path": "from pathlib import Path", "load_file": "from safetensors.torch import load_file"}


@dataclass(frozen=True)
class Section:
    """Definitions that can stand in a file of their own. names: those that the script asks of it."""

    source: str
    imports: dict[str, str]
    names: set[str]


class Composer:
    """Puts a script together: its template with the marks of the run, and what that names."""

    def __init__(
        self, run: Run, setup: Setup, task: str, network: Network, data: dict[str, Tensor], is_own: bool
    ) -> None:
        self.run, self.setup, self.task, self.network, self.is_own = run, setup, task, network, is_own
        self.count = len(data["train_y"])
        self.has_valid = "valid_y" in data
        self.kind = device_of(run)
        self.is_weighted = bool(getattr(run.task, "weights", None))
        self.augmentation = Augmentation.parse(run.experiment.data.augment)

    def compose(self) -> dict[str, str]:
        """Return the script, and where it would be too long the network and the augmentation in files beside it."""
        apart: dict[str, str] = {}
        source = self._script(apart)
        for name in ("augmentation", "network") if self.augmentation else ("network",):
            if len(source.splitlines()) > LONGEST:
                apart[name] = ""
                source = self._script(apart)
        if len(source.splitlines()) > LONGEST:
            raise UsageError(
                f"no script can be written of run {self.run.name}, since it would be longer than {LONGEST} lines."
            )
        return {"train.py": source} | {f"{name}.py": content for name, content in apart.items()}

    def _script(self, apart: dict[str, str]) -> str:
        """Return the script; the text of files in `apart` is put there."""
        options, parts = self._options(), self._parts()
        sections = {"network": self._network_section(apart, parts)}
        if options["augment"]:
            sections["augmentation"] = self._augmentation_section(options["masks"])
        definitions = Definitions(options, parts)
        definitions.apart = {name for section in sections.values() for name in section.names}
        module = f"{TEMPLATES}.{self.task}"
        source, tree = definitions.module(module)
        definitions.take_names(module, tree)
        for name in parts:
            if (times := definitions.used_parts.count(name)) != 1:
                raise unwritten(f"the mark [{name}] stands {times} times in the template of {self.task}, not once")
        imports, inline = definitions.imports | KNOWN_IMPORTS, {}
        for name, section in sections.items():
            if name in apart:
                apart[name] = module_of_text(section.source, section.imports)
                imports |= {one: f"from {name} import {one}" for one in section.names}
            else:
                imports |= section.imports
                inline[name] = section.source
        whole = self._joined(definitions, source, tree, inline)
        used = unknown_names(whole)
        if unknown := used - set(imports):
            raise unwritten(f"{', '.join(sorted(unknown))} is named in {module} and defined nowhere")
        head = import_lines(line for name, line in imports.items() if name in used)
        return f"{self._docstring(apart)}\n{below(head, whole)}"

    def _joined(self, definitions: Definitions, source: str, tree: ast.Module, inline: dict[str, str]) -> str:
        """Return constants, functions and the statements of the template, without what nothing names."""
        kept = [node for node in tree.body if not is_header(node)]
        gaps = [0, *(node.lineno - (before.end_lineno or 0) - 1 for before, node in pairwise(kept))]
        body = ["\n" * min(gap, 1) + text_of(source, node) for gap, node in zip(gaps, kept, strict=True)]
        defined = {name for node in kept for name in bound_names(node)}
        pieces = {name: one for name, one in definitions.found.items() if name not in defined}
        constants = {name for name, one in pieces.items() if is_constant(one)}
        functions = [one for name, one in pieces.items() if name not in constants]
        values = self._constants()
        at = next(number for number, one in enumerate(body) if one.lstrip().startswith("model"))
        body.insert(at, inline.get("network", ""))
        lines = [values[name] for name in (*ORDER, *sorted({*values} - {*ORDER}))]
        blocks = ["\n".join(lines), inline.get("augmentation", ""), *functions, "\n".join(body)]
        whole = without_unused(tidy("\n\n".join(blocks)), set())
        missing = {name for name in constants if name not in values and re.search(rf"\b{name}\b", whole)}
        if missing:
            raise unwritten(f"nothing is known of {', '.join(sorted(missing))}")
        return whole

    def _network_section(self, apart: dict[str, str], parts: dict[str, str]) -> Section:
        """Return the classes of the network, and add the part that makes it."""
        network = self.network
        made = text(network.maker, 0, len("model = "))
        name = made.partition("(")[0]
        classes, imports = network.source, network.definitions.imports
        if made != f"{name}()" and "network" in apart:
            returned = f"    return {text(network.maker, 4, len('return '))}\n"
            classes += f'\n\ndef make_network() -> nn.Module:\n    """Return the network."""\n{returned}'
            name, made = "make_network", "make_network()"
        parts["network"] = self._network_part(made)
        return Section(tidy(classes), imports, {name} if "network" in apart else set())

    def _augmentation_section(self, moves_masks: bool) -> Section:
        """Return `augment` with all that it calls, and for masks what joins them to their pictures."""
        function = descent.augment_function(self.augmentation, moves_masks)
        names = ["join_masks", "part_masks"] if moves_masks else []
        definitions = Definitions()
        definitions.take_names(AUGMENTATION, ast.parse(function))
        for name in names:
            definitions.take(AUGMENTATION, name)
        policy = self._constants().get("POLICY", "")
        source = tidy("\n\n\n".join([policy, *definitions.found.values(), function]))
        return Section(source, definitions.imports, {"augment", *names})

    def _options(self) -> dict[str, bool]:
        """Return which marks of templates hold for this run."""
        experiment, setup = self.run.experiment, self.setup
        training, data = experiment.training, experiment.data
        size, execution = training.batch_size, self.run.execution
        leave_out = size != "full" and 1 < int(size) < self.count and self.count % int(size) == 1
        schedule = bool(training.warmup) or training.schedule not in ("constant", "plateau")
        average = bool(training.ema_decay)
        is_pictures = self.task in PICTURES and isinstance(setup.dataset.preprocessing, ImagePreprocessing)
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
            "accumulate": training.accumulation_steps > 1,
            "padded": self.task in ("translation", "language_modeling", "sequence_tagging", "segmentation"),
            "clip": bool(training.clip_norm),
            "seeds": draws,
            "counts": draws or average or schedule,
            "leave_out": leave_out,
            "steps": schedule and (training.schedule != "inverse-root" or bool(training.warmup)),
            "bfloat16": execution.precision == "bfloat16",
            "pictures": is_pictures,
            "augment": bool(self.augmentation),
            "masks": self.task == "segmentation",
            "mixup": bool(data.mixup),
            "pairs": self.task == "translation",
            "smoothing": bool(experiment.task.label_smoothing),
            "weighted": self.is_weighted,
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
        if self.run.execution.threads and self.kind == "cpu":
            parts["data"] = (
                f"torch.set_num_threads({self.run.execution.threads})  # with others the last digits differ\n"
                f"{parts['data']}"
            )
        if self.kind != "cpu":
            found = "torch.accelerator.current_accelerator(check_available=True)"
            parts["data"] = f'device = {found} or torch.device("cpu")\n{parts["data"]}\n'
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
        if experiment.penalty.penalty_strength and experiment.penalty.penalty != "none":
            parts["penalty"] = descent.penalty_line(training.optimizer)
        if self.run.execution.compile:
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
            lines.append('model.load_state_dict(load_file(Path(__file__).with_name("initial_weights.safetensors")))')
        if self.kind != "cpu":
            lines.append("model.to(device)")
        if self.run.execution.channels_last:
            lines.append("model.to(memory_format=torch.channels_last)")
        return "\n".join(lines)

    def _constants(self) -> dict[str, str]:
        values = descent.constants_of(self.run, self.run.data_info, self.count)
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
        beside = "".join(
            f", {name}" for name in (*([] if self.is_own else ["its first weights"]), *(f"{n}.py" for n in apart))
        )
        said = [
            f"Run {run.name}, which this repeats, {reached} {self._likeness()}",
            f"It needs {', '.join(needs[:-1])} and {needs[-1]}, and the files beside it: its data{beside}.",
        ]
        paragraphs = "\n\n".join(textwrap.fill(one, 118, break_on_hyphens=False) for one in said)
        return f'"""Train {run.experiment.model} on {run.data_info["name"]} in plain PyTorch.\n\n{paragraphs}\n"""\n'

    def _likeness(self) -> str:
        execution, experiment = self.run.execution, self.run.experiment
        if self.is_own:
            return "The data and its division are the same; the first weights are drawn anew, so the figures are alike."
        if self.kind != "cpu" or self.augmentation or experiment.data.mixup or execution.compile:
            return (
                "The division of the data and the first weights are the same; what is drawn in the steps is not, so "
                "the figures are alike, as for another seed."
            )
        is_rounded = execution.dense or execution.batch_innermost or experiment.training.optimizer == "muon"
        if is_rounded or self.task == "adversarial" or self.is_weighted:
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
    for home, found in sorted(wanted.items(), key=lambda item: (item[0].startswith("from"), item[0].lower())):
        root = home.split()[1].partition(".")[0]
        place = 3 if root in ("network", "augmentation") else 2 if root in PACKAGES else 1
        groups[place].append(f"{home} import {', '.join(sorted(found))}" if found else home)
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
