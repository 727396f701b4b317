"""Pictures that are made anew from a code, and pictures that are painted from noise."""

from __future__ import annotations

from layerwise.errors import UsageError
from layerwise.experiments.scripting.goals.goal import Goal, filled
from layerwise.experiments.scripting.plan import Plan
from layerwise.experiments.scripting.section import Raw, part, take
from layerwise.tasks.adversarial import Adversarial
from layerwise.tasks.reconstruction import Reconstruction

ENDING = (
    "test_loss, error = evaluate({model}, test_x)",
    'print(f"test: squared error {error:.4f} a pixel, loss {test_loss:.4f} on {len(test_y)} samples")',
)
PAINTED = (  # the pictures that the run paints with --seed 0
    "with torch.no_grad():",
    "    codes = torch.randn(64, {model}.code_size, generator=torch.Generator().manual_seed(0))",
    "    painted = {model}.eval().decode({codes}) * {STD} + {MEAN}",
    'save_grid(painted.cpu(), Path("samples.png"))',
)
GIVEN_BACK = (  # real pictures in the upper half, what came back of them in the lower one
    "with torch.no_grad():",
    "    shown = scale(test_x[:32] / 255)",
    "    both = torch.cat((shown, {model}.eval()(shown).picture)) * {STD} + {MEAN}",
    'save_grid(both.cpu(), Path("samples.png"))',
)


def reconstruction(plan: Plan) -> Goal:
    """Squared error of what comes back, and for a VAE the divergence of its codes."""
    task, module = plan.run.task, "layerwise.tasks.reconstruction"
    assert isinstance(task, Reconstruction)
    is_variational = bool(plan.model.variational)
    names = ["squared_errors", *(["divergences"] if is_variational else [])]
    measured = "squared_errors(coded.picture, inputs)"
    if is_variational:
        measured += " + BETA * divergences(coded.mean, coded.log_variance)"
    functions = (
        f"{take(plan.excerpts, module, *names)}\n{part(plan.excerpts, 'grids', 'save_grid')}\n"
        "def losses_of(coded: Coded, inputs: Tensor) -> Tensor:\n"
        '    """Return the loss of each picture."""\n'
        f"    return {measured}\n\n\n"
        "@torch.no_grad()\n"
        "def evaluate(model: nn.Module, pictures: Tensor) -> tuple[float, float]:\n"
        '    """Return the mean loss of a picture, and the mean squared error of a pixel."""\n'
        "    model.eval()\n"
        "    loss = error = 0.0\n"
        "    for some in pictures.split(512):\n"
        f"        inputs = {plan.data.prepared('some')}\n"
        "        coded = model(inputs)\n"
        "        loss += losses_of(coded, inputs).double().sum().item()\n"
        "        error += squared_errors(coded.picture, inputs).double().sum().item()\n"
        "    return loss / len(pictures), 2 * error / pictures.numel()\n"
    )
    move = {name: name if plan.device == "cpu" or plan.is_grey else f"{name}.to(device)" for name in ("MEAN", "STD")}
    codes = "codes" if plan.device == "cpu" else "codes.to(device)"
    painted = PAINTED if is_variational else GIVEN_BACK
    return Goal(
        reached="gave {count} test pictures back with a squared error of {squared_error:.4f} a pixel",
        loss="losses_of({network}({inputs}), {inputs}).mean()",
        measure="{part}_loss, error = evaluate({model}, {part}_x)",
        told="loss {{part}_loss:.4f}, squared error {error:.4f} a pixel",
        score="{part}_loss",
        worst="math.inf",
        is_error=True,
        ending=tuple(filled(line, model=plan.chosen, codes=codes, **move) for line in (*painted, *ENDING)),
        functions=functions,
        settings={"BETA": Raw(f"{task.beta}  # weight of the divergence of codes")} if is_variational else {},
        needs=("pillow",),
    )


def adversarial(plan: Plan) -> Goal:
    """The losses of two players, and how often the judge is right. Raises UsageError for settings of one player."""
    task, module = plan.run.task, "layerwise.tasks.adversarial"
    assert isinstance(task, Adversarial)
    training = plan.training
    if training.optimizer == "muon" or plan.run.experiment.penalty.strength or training.accumulate > 1:
        raise UsageError(
            f"no plain script can be written of run {plan.run.name}: two players with --optimizer muon, a penalty or "
            "--accumulate are too much for a short one; train it without these."
        )
    evaluate = (
        "@torch.no_grad()\n"
        "def evaluate(model: nn.Module, pictures: Tensor) -> tuple[float, float]:\n"
        '    """Return how often the judge is right about real and about painted pictures."""\n'
        "    model.eval()\n"
        "    generator = torch.Generator().manual_seed(0)\n"
        "    parts = pictures.split(512)\n"
        "    real = torch.cat([model.discriminator(some / 255 * 2 - 1) for some in parts])\n"
        "    noise = [model.draw_noise(len(some), generator) for some in parts]\n"
        "    painted = torch.cat([model.discriminator(model(some)) for some in noise])\n"
        f"    return told_apart(real, painted, {task.relativistic})\n"
    )
    taken = take(plan.excerpts, module, "judging", "painting", "told_apart")
    ending = (
        "with torch.no_grad():",
        "    painted = ({model}(noise_of_seed) + 1) / 2",
        'save_grid(painted.cpu(), Path("samples.png"))',
        "right_on_real, right_on_painted = evaluate({model}, test_x)",
        'print(f"test: right on {right_on_real:.4f} of real, {right_on_painted:.4f} of painted")',
    )
    noise = "{model}.eval().draw_noise(64, torch.Generator().manual_seed(0))"
    penalty = task.gradient_penalty
    return Goal(
        reached="ended with a judge that is right on {right_on_real:.4f} of {count} real test pictures",
        loss=f"painting(model, real, {task.relativistic})",
        measure="right_on_real, right_on_painted = evaluate({model}, {part}_x)",
        told="right on {right_on_real:.4f} of real, {right_on_painted:.4f} of painted",
        score="",
        worst="",
        ending=tuple(filled(line.replace("noise_of_seed", noise), model=plan.chosen) for line in ending),
        functions=f"{taken}\n{part(plan.excerpts, 'grids', 'save_grid')}\n{evaluate}",
        settings={"GRADIENT_PENALTY": penalty} if penalty else {},
        needs=("pillow",),
    )
