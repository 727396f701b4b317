"""The tasks that scripts are written of, by their names."""

from __future__ import annotations

from layerwise.experiments.scripting.goals.classes import classification
from layerwise.experiments.scripting.goals.goal import MakeGoal
from layerwise.experiments.scripting.goals.masks import segmentation
from layerwise.experiments.scripting.goals.paintings import adversarial, reconstruction
from layerwise.experiments.scripting.goals.prose import writing
from layerwise.experiments.scripting.goals.steps import labelling
from layerwise.experiments.scripting.goals.texts import translation
from layerwise.experiments.scripting.goals.values import regression

GOALS: dict[str, MakeGoal] = {
    "classification": classification,
    "regression": regression,
    "labelling": labelling,
    "adversarial": adversarial,
    "reconstruction": reconstruction,
    "segmentation": segmentation,
    "translation": translation,
    "writing": writing,
}
