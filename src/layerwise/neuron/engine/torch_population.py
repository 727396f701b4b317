"""A population as batched tensors, for a GPU: the passes of dense.py with one more axis, the members.

Networks of the same shape are trained together, each with its own rate, momentum, decay, penalty, dropout and seed.
The formulas are those of the tables, the order of the samples and the silenced neurons those of counter_rng.py, so
that a member's training is the compiled one up to rounding.

Axes: M members, S sums or units of a layer, L lanes (the samples of a batch); the same as in dense.py behind the M.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from layerwise.neuron.engine import counter_rng, updates
from layerwise.neuron.engine.network import DenseStack, Floats, Samples
from layerwise.neuron.tables.activations import ACTIVATIONS, MAXOUT_PIECES
from layerwise.neuron.tables.losses import LOSSES
from layerwise.neuron.tables.penalties import shrink
from layerwise.neuron.tables.schedules import rates_of


def fit_on_device(
    members: Sequence[DenseStack], device: str, samples: Sequence[Samples], counts: Sequence[int]
) -> list[list[float]]:
    """Train every member on `device` for its number of epochs; returns for each the loss of every epoch.

    A member whose loss stops being finite keeps its last finite weights; its losses from there on are NaN.
    """
    groups: dict[Any, list[int]] = {}
    for i, member in enumerate(members):
        config, descent = member.config, member.descent
        shape = (config.sizes, config.activation, config.output, config.loss, config.dropout > 0)
        training = (descent.optimizer, descent.batch_size, counts[i], member.epoch, member.parameters.dtype)
        groups.setdefault((shape, training, id(samples[i])), []).append(i)
    losses: list[list[float]] = [[] for _ in members]
    for chosen in groups.values():
        trained = _Group([members[i] for i in chosen], samples[chosen[0]], device).train(counts[chosen[0]])
        for i, own in zip(chosen, trained.T, strict=True):
            losses[i] = [float(loss) for loss in own]
    return losses


class _Group:
    """Networks of one shape, their parameters and moments as tensors (M, parameters)."""

    def __init__(self, members: list[DenseStack], samples: Samples, device: str) -> None:
        self.members, self.device = members, torch.device(device)
        self.first = first = members[0]
        self.config, self.layers, self.optimizer = first.config, first.layers, first.descent.optimizer
        self.inputs, self.targets = self._tensor(samples.inputs), self._tensor(samples.targets)
        self.weights = self._tensor(samples.weights)
        self.parameters = self._stacked([member.parameters for member in members])
        self.m = self._stacked([member.first_moment for member in members])
        self.v = self._stacked([member.second_moment for member in members])
        self.gradient = torch.zeros_like(self.parameters)
        self.W, self.b = self._in_layers(self.parameters)
        self.dW, self.db = self._in_layers(self.gradient)
        marks = np.zeros_like(first.parameters)
        for W, _ in first.in_layers(marks):
            W[:] = 1
        self.is_weight = self._tensor(marks)
        self.momentum = self._each("momentum")
        self.decay, self.l1, self.l2 = (self._each(name) * self.is_weight for name in ("decay", "l1", "l2"))
        self.keep_share = self._tensor([1 - member.config.dropout for member in members])[:, None, None]

    def train(self, count: int) -> Floats:
        """Train `count` epochs, write the result into the members; returns losses, (epochs, M)."""
        total, size = len(self.inputs), self.first.descent.batch_size
        batch_size = total if size == "full" else min(size, total)
        steps = -(-total // batch_size)
        start = self.first.epoch
        rates = self._tensor(np.stack([
            rates_of(d.schedule, d.learning_rate, start * steps, count * steps, d.epochs * steps)
            for d in (member.descent for member in self.members)
        ]))  # fmt: skip
        alive = torch.ones(len(self.members), dtype=torch.bool, device=self.device)
        history = []
        for epoch in range(count):
            orders = np.stack([counter_rng.permutation(m.descent.seed, start + epoch, total) for m in self.members])
            order = torch.from_numpy(orders).to(self.device)
            cost_of_epoch = torch.zeros(len(self.members), dtype=torch.float64, device=self.device)
            for number, chosen in enumerate(order.split(batch_size, 1)):
                step = epoch * steps + number
                costs = self._pass(chosen, start * steps + step + 1)
                alive &= costs.isfinite()
                self._step(rates[:, step : step + 1], start * steps + step + 1, alive[:, None])
                cost_of_epoch += costs * chosen.shape[1]
            history.append(torch.where(alive, cost_of_epoch / total, torch.nan))
        losses: Floats = torch.stack(history).cpu().numpy()
        self._hand_back(losses)
        return losses

    def _pass(self, chosen: Tensor, count: int) -> Tensor:
        """Go forward and backward for the chosen samples, (M, L), into self.gradient; returns the costs, (M,)."""
        depth, elementwise = len(self.layers), LOSSES[self.config.loss].elementwise
        x = self.inputs[chosen].mT  # (M, features, L)
        y = self.targets[chosen].mT  # (M, outputs, L)
        share = self.weights[chosen] / (chosen.shape[1] * (y.shape[1] if elementwise else 1))  # (M, L)
        read, sums, values, masks = [], [], [], []
        for number, layer in enumerate(self.layers):
            read.append(x)
            sums.append(torch.baddbmm(self.b[number][:, :, None], self.W[number], x))  # z = W x + b
            values.append(_activate(layer.activation, sums[-1]))
            is_dropped = self.config.dropout > 0 and number < depth - 1
            masks.append(self._mask(count, number, values[-1]) if is_dropped else None)
            x = values[-1] if masks[-1] is None else values[-1] * masks[-1]
        on_raw = self.config.is_loss_on_raw
        costs, slope = _judge(self.config.loss, sums[-1] if on_raw else values[-1], y, share)
        for number in range(depth - 1, -1, -1):
            mask = masks[number]
            da = slope if mask is None else slope * mask
            is_given = number == depth - 1 and on_raw
            name = self.layers[number].activation
            dz = da if is_given else _differentiate(name, sums[number], values[number], da)
            self.dW[number].copy_(dz @ read[number].mT)
            self.db[number].copy_(dz.sum(2))
            if number:
                slope = self.W[number].mT @ dz
        return costs

    def _step(self, rate: Tensor, count: int, alive: Tensor) -> None:
        """Move the parameters of the members that are alive; see updates.py. rate: (M, 1)."""
        w, g, m, v = self.parameters, self.gradient, self.m, self.v
        before = (w.clone(), m.clone(), v.clone())
        f = self._factors(rate, count)
        size: Tensor = rate
        if self.optimizer in ("adam", "adamw", "muon"):
            for flat, moved in zip((w, m, v), updates.adam(w, g, m, v, f), strict=True):
                flat.copy_(moved)
            size = updates.adam_size(v, f)
        elif self.optimizer == "rmsprop":
            for flat, moved in zip((w, v), updates.rmsprop(w, g, v, f), strict=True):
                flat.copy_(moved)
            size = updates.rmsprop_size(v, f)
        elif self.optimizer == "sgd":
            w.copy_(updates.sgd(w, g, f))
        else:
            formula = updates.nesterov if self.optimizer == "nesterov" else updates.momentum
            for flat, moved in zip((w, m), formula(w, g, m, f), strict=True):
                flat.copy_(moved)
            size = rate / f.lean
        if self.optimizer == "muon":
            size = self._orthogonal_steps(rate, before, size)
        if bool((self.l1 + self.l2).any()):
            w.copy_(shrink(w, size * self.l1, 1 + 2 * size * self.l2))
        for now, old in zip((w, m, v), before, strict=True):
            now.copy_(torch.where(alive, now, old))

    def _factors(self, rate: Tensor, count: int) -> updates.Factors:
        """Return the numbers of a step for all members, (M, 1) where they differ."""
        numbers = updates.factors(float, 1.0, 0.0, 0.0, count)
        return numbers._replace(
            rate=rate, momentum=self.momentum, lean=1 - self.momentum, decay=self.decay, keep=1 - rate * self.decay,
            size=rate * numbers.size,
        )  # fmt: skip

    def _orthogonal_steps(self, rate: Tensor, before: tuple[Tensor, ...], size: Tensor) -> Tensor:
        """Take Muon's steps instead of Adam's for the weights of all layers but the last; returns the sizes."""
        size = size.expand_as(self.parameters).clone()
        old_W, old_m, old_v = (self._in_layers(flat)[0] for flat in before)
        new_m, new_v, sizes = (self._in_layers(flat)[0] for flat in (self.m, self.v, size))
        decays = self._in_layers(self.decay)[0]
        for number in range(len(self.layers) - 1):
            mu, r, g = self.momentum[:, :, None], rate[:, :, None], self.dW[number]
            velocity = old_m[number] + (1 - mu) * (g - old_m[number])
            step = _orthogonalize(g + mu * (velocity - g))
            scale = updates.MUON_SCALE * max(g.shape[1:]) ** 0.5
            self.W[number].copy_((1 - r * decays[number]) * old_W[number] - r * scale * step)
            new_m[number].copy_(velocity)
            new_v[number].copy_(old_v[number])
            sizes[number].copy_(r.expand_as(g))
        return size

    def _mask(self, count: int, number: int, values: Tensor) -> Tensor:
        """Return what counter_rng.keep gives each member in this step for a layer, (M, S, L)."""
        keys = [
            int(
                counter_rng.mix(counter_rng.key_of(member.descent.seed, counter_rng.DROPOUT, count) + np.uint64(number))
            )
            for member in self.members
        ]
        key = torch.tensor([_signed(key) for key in keys], device=self.device)
        units, lanes = (torch.arange(n, device=self.device) for n in values.shape[1:])
        increment = _signed(int(counter_rng.INCREMENT))
        rows = _mix(key[:, None] + (units + 1) * increment)  # (M, S)
        bits = _shifted(_mix(rows[:, :, None] + lanes * increment), 32)  # (M, S, L)
        limit = (self.keep_share.double() * 2.0**32).long()
        return torch.where(bits < limit, 1 / self.keep_share, 0.0).to(values.dtype)

    def _in_layers(self, flat: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return views W (M, sums, inputs) and b (M, sums) of each layer."""
        W, b, start = [], [], 0
        for layer in self.layers:
            split = start + layer.sums * layer.inputs
            W.append(flat[:, start:split].unflatten(1, (layer.sums, layer.inputs)))
            b.append(flat[:, split : split + layer.sums])
            start = split + layer.sums
        return W, b

    def _hand_back(self, losses: Floats) -> None:
        flats = (self.parameters, self.m, self.v)
        for flat, name in zip(flats, ("parameters", "first_moment", "second_moment"), strict=True):
            for member, row in zip(self.members, flat.cpu().numpy(), strict=True):
                getattr(member, name)[:] = row
        for member, own in zip(self.members, losses.T, strict=True):
            member.epoch += int(np.isfinite(own).sum())

    def _each(self, name: str) -> Tensor:
        return self._tensor([float(getattr(member.descent, name)) for member in self.members])[:, None]

    def _stacked(self, rows: list[Floats]) -> Tensor:
        return self._tensor(np.stack(rows))

    def _tensor(self, values: Any) -> Tensor:
        dtype = torch.from_numpy(self.first.parameters).dtype
        return torch.as_tensor(np.asarray(values), dtype=dtype).to(self.device, copy=True)


def _activate(name: str, z: Tensor) -> Tensor:
    if name == "softmax":
        return z.softmax(1)
    if name == "maxout":
        best: Tensor = z.unflatten(1, (-1, MAXOUT_PIECES)).amax(2)
        return best
    value: Tensor = ACTIVATIONS[name].value(z)
    return value


def _differentiate(name: str, z: Tensor, a: Tensor, da: Tensor) -> Tensor:
    if name == "softmax":
        return a * (da - (da * a).sum(1, keepdim=True))
    if name == "maxout":
        pieces = z.unflatten(1, (-1, MAXOUT_PIECES))  # (M, units, pieces, L)
        dz = torch.zeros_like(pieces).scatter_(2, pieces.argmax(2, keepdim=True), da.unsqueeze(2))
        return dz.flatten(1, 2)
    slope: Tensor = da * ACTIVATIONS[name].slope(z, a)
    return slope


def _judge(name: str, o: Tensor, y: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cost of each member, (M,), and its derivative by the outputs, (M, outputs, L)."""
    loss = LOSSES[name]
    if loss.elementwise:
        value, slope = loss.value(o, y), loss.slope(o, y)
        return (value * share[:, None]).sum((1, 2)).double(), slope * share[:, None]
    log_shares = o.log_softmax(1)
    costs = -((y * log_shares).sum(1) * share).sum(1).double()
    return costs, (log_shares.exp() * y.sum(1, keepdim=True) - y) * share[:, None]


def _orthogonalize(u: Tensor) -> Tensor:
    """Return for matrices u = U S V', (M, rows, columns), nearly U V'; see updates.py."""
    is_tall = u.shape[1] > u.shape[2]
    x: Tensor = u.mT if is_tall else u
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=updates.MUON_EPSILON)
    for _ in range(updates.MUON_ITERATIONS):
        gram = x @ x.mT
        gram = updates.MUON_B * gram + updates.MUON_C * gram @ gram
        x = updates.MUON_A * x + gram @ x
    return x.mT if is_tall else x


def _mix(words: Tensor) -> Tensor:
    """chance.mix on int64, which wraps around as uint64 does."""
    words = words ^ _shifted(words, 30)
    words = words * _signed(int(counter_rng.FIRST_FACTOR))
    words = words ^ _shifted(words, 27)
    words = words * _signed(int(counter_rng.SECOND_FACTOR))
    return words ^ _shifted(words, 31)


def _shifted(words: Tensor, distance: int) -> Tensor:
    """Shift right and fill with zeros; int64 would fill with the sign."""
    return (words >> distance) & ((1 << (64 - distance)) - 1)


def _signed(word: int) -> int:
    """The int64 with the same 64 bits."""
    return word - 2**64 if word >= 2**63 else word
