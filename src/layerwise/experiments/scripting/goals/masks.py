"""What each pixel belongs to."""

from __future__ import annotations

from layerwise.experiments.scripting.goals.goal import Goal
from layerwise.experiments.scripting.plan import Plan
from layerwise.experiments.scripting.section import Raw, take
from layerwise.experiments.setup import EVALUATION_BATCH, PIXELS_AT_ONCE
from layerwise.tasks.segmentation import Segmentation


def segmentation(plan: Plan) -> Goal:
    """Cross-entropy of a pixel, and the mean intersection over union."""
    task = plan.run.task
    assert isinstance(task, Segmentation)
    weights, settings = ", WEIGHTS" if task.weights else "", {}
    if weights:
        settings["WEIGHTS"] = Raw(f"torch.tensor({list(task.weights)})  # of the classes in the loss")
    if weights and plan.device != "cpu":
        weights = ", WEIGHTS.to(device)"
    _, height, width = plan.run.facts["input_shape"]
    at_once = max(1, min(EVALUATION_BATCH, PIXELS_AT_ONCE // (height * width)))
    evaluate = (
        "@torch.no_grad()\n"
        "def evaluate(model: nn.Module, inputs: Tensor, masks: Tensor) -> tuple[float, float]:\n"
        '    """Return the mean intersection over union of the classes, and the mean cross-entropy of a pixel."""\n'
        "    model.eval()\n"
        "    confusion, loss = torch.zeros(len(CLASSES), len(CLASSES), dtype=torch.int64), 0.0\n"
        f"    for some, truth in zip(inputs.split({at_once}), masks.long().split({at_once}), strict=True):\n"
        f"        scores = model({plan.data.prepared('some')})\n"
        "        loss += F.cross_entropy(scores, truth, ignore_index=255).item() * len(truth)\n"
        "        confusion += count_pixels(truth, scores.argmax(1), len(CLASSES))\n"
        '    return overlap(confusion)["mean_iou"], loss / len(inputs)\n'
    )
    functions = take(plan.excerpts, "layerwise.tasks.segmentation", "count_pixels", "overlap")
    return Goal(
        reached="reached a mean intersection over union of {mean_iou:.4f} on {count} test pictures",
        loss=f"F.cross_entropy({{network}}({{inputs}}), {{targets}}.long(){weights}, ignore_index=255)",
        measure="iou, {part}_loss = evaluate({model}, {part}_x, {part}_y)",
        told="mean IoU {iou:.4f}, loss {{part}_loss:.4f}",
        score="(iou, -{part}_loss)",
        worst="(0.0, -math.inf)",
        functions=f"{functions}\n{evaluate}",
        settings=settings,
    )
