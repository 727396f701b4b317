"""The loop of all tasks with one loss; as it stands, with all options at once, longer than any that is written."""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from layerwise.scripts.pieces.average import update_average
from layerwise.scripts.pieces.penalties import shrink_after_adam
from layerwise.scripts.pieces.schedules import linear, warmed_up
from layerwise.scripts.pieces.seeds import derive_seed

MARKS = 44
SEED = 0
EPOCHS = 2
BATCH_SIZE = 8
LEARNING_RATE = 0.001
WARMUP = 0.5
L1 = 0.001
L2 = 0.001
CLIP_NORM = 1.0
PIECES = 2
AVERAGE = 0.9
PATIENCE = 3
PADDING = 0

Figures = tuple[tuple[float, ...], str]  # what is compared, larger being better, and how it is printed


def train(
    model: nn.Module,
    data: dict[str, Tensor],
    loss_of: Callable[..., Tensor],
    evaluate: Callable[..., Figures],
) -> nn.Module:
    """Let the network learn, and return it with the weights that are kept."""
    train_x, train_y = data["train_x"], data["train_y"]  # [samples]
    average = copy.deepcopy(model)  # [average]
    loss_of = torch.autocast(train_x.device.type, torch.bfloat16)(loss_of)  # [bfloat16]
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)  # [optimizer]
    steps = EPOCHS * math.ceil(len(train_x) / BATCH_SIZE)  # [steps and not leave_out]
    steps = EPOCHS * (len(train_x) // BATCH_SIZE)  # [steps and leave_out]
    rise = round(WARMUP * steps / EPOCHS)  # [rise]
    step = 0  # [counts]
    factor, waited = 1.0, 0  # [plateau]
    best: tuple[float, ...] = (-math.inf,)  # [valid]
    for epoch in range(EPOCHS):
        model.train()
        generator = torch.Generator().manual_seed(derive_seed(SEED, epoch))
        order = torch.randperm(len(train_x), generator=generator)  # [order]
        order = order[:-1]  # the last batch would hold one sample [leave_out]
        for batch in order.split(BATCH_SIZE):
            torch.manual_seed(derive_seed(SEED, step, 0))  # what the network draws [seeds]
            inputs, targets = train_x[batch], train_y[batch]  # [batch]
            optimizer.zero_grad()
            loss = loss_of(model, inputs, targets)  # [not accumulate]
            loss.backward()  # [not accumulate]
            count = min(PIECES, len(batch))  # [accumulate]
            pieces = list(zip(inputs.tensor_split(count), targets.tensor_split(count), strict=True))  # [accumulate]
            sizes = [len(truth) for _, truth in pieces]  # [accumulate and not padded]
            sizes = [int((truth != PADDING).sum()) for _, truth in pieces]  # [accumulate and padded]
            for (some, truth), size in zip(pieces, sizes, strict=True):  # [accumulate]
                loss = loss_of(model, some, truth) * (size / sum(sizes))
                loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)  # [clip]
            rate = LEARNING_RATE * warmed_up(linear, step, steps, rise)  # [rate]
            for group in optimizer.param_groups:  # [schedule or plateau]
                group["lr"] = rate  # [not plateau]
                group["lr"] = factor * rate  # [plateau]
            optimizer.step()
            shrink_after_adam(optimizer, L1, L2)  # [penalty]
            step += 1  # [counts]
            update_average(average, model, 1 - min(AVERAGE, (1 + step) / (10 + step)))  # [average]
        score, figures = evaluate(model, data["valid_x"], data["valid_y"])  # [valid and not average]
        score, figures = evaluate(average, data["valid_x"], data["valid_y"])  # [valid and average]
        print(f"epoch {epoch + 1}: validation {figures}")  # [valid]
        print(f"epoch {epoch + 1}: last loss {loss:.4f}")  # [not valid]
        if score > best:  # [valid]
            best, best_epoch = score, epoch  # [patience or plateau]
            best = score  # [not patience and not plateau]
            kept = copy.deepcopy(model)  # [not average]
            kept = copy.deepcopy(average)  # [average]
        waited = 0 if best_epoch == epoch else waited + 1  # [plateau]
        if waited == 3:  # evaluations in a row without a better one [plateau]
            factor, waited = factor / 2, 0
        if epoch - best_epoch >= PATIENCE:  # [patience]
            break
    return kept  # [valid]
    return model  # [not valid and not average]
    return average  # [not valid and average]
