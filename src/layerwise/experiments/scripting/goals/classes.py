"""One class out of several."""

from __future__ import annotations

from layerwise.experiments.scripting.goals.goal import Goal
from layerwise.experiments.scripting.plan import Plan


def classification(plan: Plan) -> Goal:
    """Cross-entropy and accuracy."""
    smoothing = plan.run.experiment.task.label_smoothing
    option = ", label_smoothing=LABEL_SMOOTHING" if smoothing else ""
    scores = plan.data.prepared("some")
    return Goal(
        reached="got {accuracy:.2%} of {count} test samples right",
        loss=f"F.cross_entropy({{network}}({{inputs}}), {{targets}}{option})",
        measure="accuracy, {part}_loss = evaluate({model}, {part}_x, {part}_y)",
        told="accuracy {accuracy:.4f}, loss {{part}_loss:.4f}",
        score="(accuracy, -{part}_loss)",
        worst="(0.0, -math.inf)",
        functions=(
            "@torch.no_grad()\n"
            "def evaluate(model: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[float, float]:\n"
            '    """Return the share of right answers and the mean cross-entropy."""\n'
            "    model.eval()\n"
            f"    outputs = torch.cat([model({scores}) for some in inputs.split(512)])\n"
            "    right = (outputs.argmax(1) == labels).float().mean()\n"
            "    return right.item(), F.cross_entropy(outputs, labels).item()\n"
        ),
        settings={"LABEL_SMOOTHING": smoothing} if smoothing else {},
    )
