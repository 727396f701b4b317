"""Train a generator to draw pictures, against a discriminator that tells them from real ones."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.scripts.pieces.average import update_average
from layerwise.scripts.pieces.pictures import save_grid
from layerwise.scripts.pieces.schedules import linear, warmed_up
from layerwise.scripts.pieces.seeds import derive_seed

MARKS = 34
SEED = 0
EPOCHS = 2
BATCH_SIZE = 8
LEARNING_RATE = 0.001
WARMUP = 0.5
CLIP_NORM = 1.0
AVERAGE = 0.9
GRADIENT_PENALTY = 0.2

data = {  # [data]
    **{f"{part}_x": torch.rand(12, 1, 4, 4) for part in ("train", "valid", "test")},
    **{f"{part}_y": torch.randint(3, (12,)) for part in ("train", "valid", "test")},
}


class Network(nn.Module):  # [stand_in]
    """A linear generator and a linear discriminator."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Sequential(nn.Linear(2, 16), nn.Unflatten(1, (1, 4, 4)))
        self.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(16, 1), nn.Flatten(0))

    def forward(self, noise: Tensor) -> Any:
        return self.generator(noise)

    def draw_noise(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(count, 2, generator=generator)


def discriminator_loss(discriminator: nn.Module, real: Tensor, generated: Tensor) -> Tensor:
    """Return the loss of a discriminator that should score real pictures above generated ones."""
    real, generated = real.detach().requires_grad_(), generated.detach().requires_grad_()  # [gradient_penalty]
    real_scores, scores = discriminator(real), discriminator(generated)
    loss = F.softplus(scores - real_scores).mean()  # Jolicoeur-Martineau 2018, equation 3 [relativistic]
    loss = F.softplus(-real_scores).mean() + F.softplus(scores).mean()  # [not relativistic]
    for outputs, pictures in ((real_scores, real), (scores, generated)):  # R1 and R2 [gradient_penalty]
        (slope,) = torch.autograd.grad(outputs.sum(), pictures, create_graph=True)
        loss = loss + GRADIENT_PENALTY / 2 * slope.square().flatten(1).sum(1).mean()
    return loss


def generator_loss(discriminator: nn.Module, real: Tensor, generated: Tensor) -> Tensor:
    """Return the loss of a generator whose pictures should be scored above real ones."""
    scores = discriminator(generated)
    with torch.no_grad():  # [relativistic]
        real_scores = discriminator(real)
    return F.softplus(real_scores - scores).mean()  # [relativistic]
    return F.softplus(-scores).mean()  # [not relativistic]


@torch.no_grad()
def evaluate(model: Any, pictures: Tensor) -> str:
    """Measure how often the discriminator is right about real and about generated pictures."""
    model.eval()
    draws = torch.Generator().manual_seed(0)
    real = torch.cat([model.discriminator(some / 255 * 2 - 1) for some in pictures.split(512)])
    noise = [model.draw_noise(len(some), draws) for some in pictures.split(512)]
    scores = torch.cat([model.discriminator(model(some)) for some in noise])
    bounds = scores.median(), real.median()  # [relativistic]
    bounds = torch.zeros(()), torch.zeros(())  # [not relativistic]
    on_real, on_generated = (real > bounds[0]).float().mean(), (scores < bounds[1]).float().mean()
    return f"discriminator right on {on_real:.4f} of the real, {on_generated:.4f} of the generated pictures"


model: Any = Network()  # [network]
average = copy.deepcopy(model)  # [average]
discriminator_loss = torch.autocast(data["train_x"].device.type, torch.bfloat16)(discriminator_loss)  # [bfloat16]
generator_loss = torch.autocast(data["train_x"].device.type, torch.bfloat16)(generator_loss)  # [bfloat16]
discriminator_optimizer = torch.optim.Adam(model.discriminator.parameters(), lr=LEARNING_RATE)  # [discriminator]
generator_optimizer = torch.optim.Adam(model.generator.parameters(), lr=LEARNING_RATE)  # [generator]
steps = EPOCHS * math.ceil(len(data["train_x"]) / BATCH_SIZE)  # [steps and not leave_out]
steps = EPOCHS * (len(data["train_x"]) // BATCH_SIZE)  # [steps and leave_out]
rise = round(WARMUP * steps / EPOCHS)  # [rise]
step = 0  # [counts]

for epoch in range(EPOCHS):
    model.train()
    generator = torch.Generator().manual_seed(derive_seed(SEED, epoch))
    order = torch.randperm(len(data["train_x"]), generator=generator)
    order = order[:-1]  # the last batch would hold one sample [leave_out]
    for batch in order.split(BATCH_SIZE):
        torch.manual_seed(derive_seed(SEED, step, 0))  # what this step draws [seeds]
        real = data["train_x"][batch] / 255 * 2 - 1  # from -1 to 1 [batch]
        rate = LEARNING_RATE * warmed_up(linear, step, steps, rise)  # [rate]
        for group in (*discriminator_optimizer.param_groups, *generator_optimizer.param_groups):  # [schedule]
            group["lr"] = rate
        with torch.no_grad():
            generated = model(model.draw_noise(len(real)))
        loss_of_discriminator = discriminator_loss(model.discriminator, real, generated)
        discriminator_optimizer.zero_grad()
        loss_of_discriminator.backward()
        nn.utils.clip_grad_norm_(model.discriminator.parameters(), CLIP_NORM)  # [clip]
        discriminator_optimizer.step()
        generated = model(model.draw_noise(len(real)))
        loss_of_generator = generator_loss(model.discriminator, real, generated)
        generator_optimizer.zero_grad()
        loss_of_generator.backward()
        nn.utils.clip_grad_norm_(model.generator.parameters(), CLIP_NORM)  # [clip]
        generator_optimizer.step()
        step += 1  # [counts]
        update_average(average, model, 1 - min(AVERAGE, (1 + step) / (10 + step)))  # [average]
    print(f"epoch {epoch + 1}: last losses {loss_of_discriminator:.4f} and {loss_of_generator:.4f}")
    print(f"validation: {evaluate(model, data['valid_x'])}")  # [valid and not average]
    print(f"validation: {evaluate(average, data['valid_x'])}")  # [valid and average]

kept = model  # [not average]
kept = average  # [average]
kept.eval()
with torch.no_grad():
    noise = kept.draw_noise(64, torch.Generator().manual_seed(0))
    save_grid((kept(noise) + 1) / 2, "samples.png")
print(f"test: {evaluate(kept, data['test_x'])}")
