"""The network of a run as source: its own methods, and constructors with the run's constants filled in.

The constructors are written from the network itself, a line for each of its layers, so that nothing of its options is
left; methods are taken whole out of its file. Instances of a class that differ share a class with parameters. What is
written is run, and has to give the losses of the run's own network bit by bit.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from layerwise.errors import UsageError
from layerwise.scripts.definitions import Definitions, names_in, text_of, tidy, without_unused
from layerwise.scripts.layers import Argument, Call, Expression, Generaliser, row_of, text, torch_layer

INTERNALS = frozenset(vars(nn.Module()))


@dataclass
class Group:
    """The instances of one class that have the same parts. lines: target and value of each line of the constructor."""

    name: str
    kind: type[nn.Module]
    instances: list[nn.Module]
    lines: list[tuple[str, Expression]] = field(default_factory=list)
    parameters: dict[str, tuple[Expression, ...]] = field(default_factory=dict)


class Network:
    """Source that makes a network like `model`. wanted: attributes that are asked of it beside its call."""

    def __init__(self, model: nn.Module, wanted: set[str], has_weights: bool) -> None:
        self.model, self.wanted, self.has_weights = model, {f".{name}" for name in wanted}, has_weights
        self.definitions = Definitions()
        self.definitions.imports = {"torch": "import torch", "nn": "from torch import nn"}
        self.groups: dict[tuple[Any, ...], Group] = {}
        for layer in model.modules():
            if layer._forward_hooks or layer._forward_pre_hooks:
                raise refused(f"a {type(layer).__name__} in it has hooks, which are no part of its source")
            if own_kinds(layer) and torch_base(layer) is nn.Module:
                self._group(layer)
        self.definitions.apart = {group.name for group in self.groups.values()}
        self.maker = self.expression(model)
        self.source = self._source(self._source(None))

    def _group(self, layer: nn.Module) -> None:
        key = (type(layer), tuple(layer._modules), tuple(layer._parameters), tuple(layer._buffers))
        name = type(layer).__name__
        same = sum(group.kind is type(layer) for group in self.groups.values())
        if key not in self.groups:
            self.groups[key] = Group(f"{name}{same + 1}" if same else name, type(layer), [])
        self.groups[key].instances.append(layer)

    def _group_of(self, layer: nn.Module) -> Group:
        """Return the group of an instance, its constructor written."""
        group = next(one for one in self.groups.values() if any(layer is own for own in one.instances))
        if not group.lines:
            joining = Generaliser()
            rows = [list(self._parts(instance)) for instance in group.instances]
            for column in zip(*rows, strict=True):
                target = column[0][0]
                group.lines.append((target, joining.join([value for _, value in column], target.partition(".")[2])))
            group.parameters = joining.parameters
        return group

    def expression(self, layer: nn.Module) -> Expression:
        """Return the expression that makes a layer."""
        base = torch_base(layer)
        if isinstance(layer, nn.Sequential | nn.ModuleList) and "forward" not in names_of(own_kinds(layer)):
            if list(layer._modules) != [str(number) for number in range(len(layer))]:
                raise refused("its layers in a row have names of their own")
            return row_of(f"nn.{base.__name__}", [self.expression(one) for one in layer])
        if base is not nn.Module:
            return torch_layer(layer, base, type(layer).__name__ if own_kinds(layer) else f"nn.{base.__name__}")
        group = self._group_of(layer)
        place = next(number for number, own in enumerate(group.instances) if own is layer)
        values = [(name, values[place]) for name, values in group.parameters.items()]
        return Call(group.name, tuple(Argument(name, value, number < 3) for number, (name, value) in enumerate(values)))

    def _parts(self, layer: nn.Module) -> Iterator[tuple[str, Expression]]:
        """Yield what the constructor of an instance sets: numbers, weights, buffers and layers."""
        for name, value in vars(layer).items():
            if name not in INTERNALS and is_literal(value):
                yield f"self.{name}", repr(value)
        for name, weight in layer._parameters.items():
            if weight is not None and not self.has_weights:
                raise refused(f"{type(layer).__name__}.{name} is a weight whose first values the run does not know")
            zeros = None if weight is None else Call("torch.zeros", sizes_of(weight))
            yield f"self.{name}", "None" if zeros is None else Call("nn.Parameter", (Argument("", zeros),))
        for name, buffer in layer._buffers.items():
            if buffer is None or not self.has_weights:
                raise refused(f"{type(layer).__name__}.{name} is a buffer whose values the run does not know")
            dtype = Argument("dtype", str(buffer.dtype), False, "torch.float32")
            yield f"self.{name}", Call("nn.Buffer", (Argument("", Call("torch.zeros", (*sizes_of(buffer), dtype))),))
        for name, part in layer._modules.items():
            yield f"self.{name}", "None" if part is None else self.expression(part)

    def _source(self, known: str | None) -> str:
        """Return all classes, and functions that they call; numbers that `known` source reads are set, else none."""
        read = {name.replace("self.", ".") for name in names_in(ast.parse(known))} | self.wanted if known else set()
        classes = [self._class(group, read) for group in self._in_order()]
        classes += [self._layer_class(kind) for kind in self._layer_kinds()]
        whole = "\n\n\n".join([*self.definitions.found.values(), *classes]) + "\n"
        names = {group.name for group in self.groups.values()} | {kind.__name__ for kind in self._layer_kinds()}
        return tidy(without_unused(whole, names | self.wanted | {".forward"}, methods=True))

    def _in_order(self) -> list[Group]:
        """Return the groups, parts before what they are parts of."""
        return list(self.groups.values())[::-1]

    def _layer_kinds(self) -> list[type[nn.Module]]:
        """Return classes that are layers of torch with another forward pass."""
        kinds = {type(one): None for one in self.model.modules() if own_kinds(one) and torch_base(one) is not nn.Module}
        return [kind for kind in kinds if "forward" in names_of([kind])]

    def _layer_class(self, kind: type[nn.Module]) -> str:
        methods = "\n\n".join(self._methods(kind, {}, without=("__init__",)))
        return f"class {kind.__name__}(nn.{torch_base_of(kind).__name__}):\n{documented(kind)}\n\n{methods}"

    def _class(self, group: Group, read: set[str]) -> str:
        numbers = {target[5:]: value for target, value in group.lines if isinstance(value, str)}
        lines = [
            f"        {target} = {text(value, 8, len(target) + 3)}"
            for target, value in group.lines
            if not isinstance(value, str) or f".{target[5:]}" in read
        ]
        lines += [f"        self.{copy} = self.{original}" for original, copy in self._ties(group)]
        arguments = [f"{name}: {kind_of(values)}" for name, values in group.parameters.items()]
        head = f"    def __init__({', '.join(['self', *arguments])}) -> None:"
        if len(head) > 120:
            head = "    def __init__(\n        " + ",\n        ".join(["self", *arguments]) + ",\n    ) -> None:"
        fixed = {name: ast.literal_eval(value) for name, value in numbers.items() if value not in group.parameters}
        methods = self._methods(group.kind, fixed, without=("__init__",))
        init = "\n".join([head, "        super().__init__()", *lines])
        return f"class {group.name}(nn.Module):\n{documented(group.kind)}\n\n" + "\n\n".join([init, *methods])

    def _ties(self, group: Group) -> Iterator[tuple[str, str]]:
        """Yield the names of weights that are one and the same, where the group is that of the whole network."""
        if self.model not in group.instances:
            return
        firsts: dict[int, str] = {}
        for name, weight in self.model.named_parameters(remove_duplicate=False):
            if firsts.setdefault(id(weight), name) != name:
                yield firsts[id(weight)], name

    def _methods(self, kind: type[nn.Module], fixed: dict[str, Any], without: tuple[str, ...]) -> Iterator[str]:
        """Yield the methods of a class whole, but for branches that its constants never take, and for checks."""
        seen = set(without)
        for home in (one for one in kind.__mro__ if not one.__module__.startswith(("torch.", "builtins"))):
            source, module = self.definitions.module(home.__module__)
            found = (node for node in module.body if isinstance(node, ast.ClassDef) and node.name == home.__name__)
            tree = next(found, None)
            if tree is None:
                raise refused(f"the class {home.__name__} is not at the top of its file {home.__module__}")
            for node in tree.body:
                if isinstance(node, ast.FunctionDef) and node.name not in seen:
                    seen.add(node.name)
                    folded = fold(text_of(source, node), fixed)
                    self.definitions.take_names(home.__module__, ast.parse(textwrap.dedent(folded)))
                    yield folded


def fold(method: str, fixed: dict[str, Any]) -> str:
    """Leave out branches that constants rule out, and checks that raise this package's errors; whole lines, all."""
    lines = method.splitlines()
    tree = ast.parse(textwrap.dedent(method))
    kept: dict[int, str | None] = {}

    def drop(first: int, last: int) -> None:
        kept.update(dict.fromkeys(range(first, last + 1)))

    def visit(body: list[ast.stmt]) -> bool:
        """Fold a block; tell whether it now ends for certain."""
        for place, node in enumerate(body):
            ends = isinstance(node, ast.Return)
            if isinstance(node, ast.If):
                is_check = len(node.body) == 1 and isinstance(node.body[0], ast.Raise) and not node.orelse
                chosen = decided(node.test, fixed)
                is_chain = (
                    bool(node.orelse)
                    and isinstance(node.orelse[0], ast.If)
                    and "elif" in lines[node.orelse[0].lineno - 1]
                )
                if is_check and "UsageError" in ast.dump(node.body[0]):
                    drop(node.lineno, node.end_lineno or 0)
                elif chosen is not None and not is_chain:
                    branch = node.body if chosen else node.orelse
                    drop(node.lineno, node.end_lineno or 0)
                    for one in branch:
                        for number in range(one.lineno, (one.end_lineno or 0) + 1):
                            kept[number] = lines[number - 1][4:]
                    ends = bool(branch) and visit(branch)
            elif isinstance(node, ast.For | ast.With | ast.While):
                visit(node.body)
            if ends:
                for one in body[place + 1 :]:
                    drop(one.lineno, one.end_lineno or 0)
                return True
        return False

    (function,) = tree.body
    assert isinstance(function, ast.FunctionDef)
    visit(function.body)
    rows = [kept.get(number, line) for number, line in enumerate(lines, 1)]
    return "\n".join(row for row in rows if row is not None)


def decided(test: ast.expr, fixed: dict[str, Any]) -> bool | None:
    """Return what a condition on constants of the network is, None where it can be both."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = decided(test.operand, fixed)
        return None if inner is None else not inner
    if isinstance(test, ast.Attribute) and isinstance(test.value, ast.Name) and test.value.id == "self":
        return bool(fixed[test.attr]) if test.attr in fixed else None
    return None


def own_kinds(layer: nn.Module) -> list[type]:
    """Return the classes of a layer that are not torch's."""
    return [kind for kind in type(layer).__mro__ if not kind.__module__.startswith(("torch.", "builtins"))]


def torch_base(layer: nn.Module) -> type[nn.Module]:
    """Return the class of torch that a layer is, or is derived from."""
    return torch_base_of(type(layer))


def torch_base_of(kind: type) -> type[nn.Module]:
    return next(one for one in kind.__mro__ if one.__module__.startswith("torch.nn"))


def names_of(kinds: list[type]) -> set[str]:
    return {name for kind in kinds for name in vars(kind)}


def documented(kind: type) -> str:
    """Return the first paragraph of a class's docstring, as one."""
    first = inspect.cleandoc(kind.__doc__ or f"A part of the network: {kind.__name__}.").split("\n\n")[0]
    lines = textwrap.fill(f'"""{" ".join(first.split())}"""', 116, break_on_hyphens=False)
    lines = lines.removesuffix('"""') + '\n"""' if "\n" in lines else lines
    return textwrap.indent(lines, "    ")


def is_literal(value: Any) -> bool:
    """Tell whether a value is made of numbers, words and tuples or lists of them."""
    if type(value) in (tuple, list):
        return all(is_literal(one) for one in value)
    return value is None or type(value) in (bool, int, float, str)


def sizes_of(tensor: torch.Tensor) -> tuple[Argument, ...]:
    return tuple(Argument("", str(size)) for size in tensor.shape) or (Argument("", "()"),)


def kind_of(values: tuple[Expression, ...]) -> str:
    """Return the type of a parameter."""
    if any(isinstance(value, Call) for value in values):
        return "nn.Module"
    kinds = {type(ast.literal_eval(str(value))).__name__ for value in values}
    return kinds.pop() if len(kinds) == 1 else "object"


def refused(reason: str) -> UsageError:
    """Return the error of a network that no source is written of."""
    return UsageError(f"no script can be written of the network, since {reason}.")
