"""One or several numbers."""

from __future__ import annotations

from layerwise.experiments.scripting.goals.goal import Goal, filled
from layerwise.experiments.scripting.plan import Plan

ENDING = (
    "residuals = (answers({model}, test_x) - test_y) * target_deviation",
    "spread = (test_y - test_y.mean()) * target_deviation",
    "r2, rmse = 1 - residuals.square().sum() / spread.square().sum(), residuals.square().mean().sqrt()",
    'print(f"test: R2 {r2:.4f}, root mean squared error {rmse:.4f} on {len(test_y)} samples")',
)
SEVERAL = (  # a figure for each step of a forecast, and their mean
    "residuals = (answers({model}, test_x) - test_y) * target_deviation",
    "spread = (test_y - test_y.mean(0)) * target_deviation",
    "r2 = (1 - residuals.square().sum(0) / spread.square().sum(0)).mean()",
    "rmse = residuals.square().mean(0).sqrt().mean()",
    ENDING[-1],
)


def regression(plan: Plan) -> Goal:
    """Squared error, and R2 at the end."""
    ending = SEVERAL if plan.run.facts["output_count"] > 1 else ENDING
    return Goal(
        reached="reached an R2 of {r2:.4f} on {count} test samples",
        loss="F.mse_loss({network}({inputs}), {targets})",
        measure="{part}_loss = F.mse_loss(answers({model}, {part}_x), {part}_y).item()",
        told="loss {{part}_loss:.4f}",
        score="{part}_loss",
        worst="math.inf",
        is_error=True,
        ending=tuple(filled(line, model=plan.chosen) for line in ending),
        functions=(
            "@torch.no_grad()\n"
            "def answers(model: nn.Module, inputs: Tensor) -> Tensor:\n"
            '    """Return the outputs for all inputs."""\n'
            "    model.eval()\n"
            f"    return torch.cat([model({plan.data.prepared('some')}) for some in inputs.split(512)])\n"
        ),
    )
