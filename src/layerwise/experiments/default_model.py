"""Which network to take where none was named, and why; which ones to take where the one that was named cannot work."""

from __future__ import annotations

from layerwise.data.dataset import Dataset, Kind, TaskName

SMALL_PICTURE_PX = 64
SEQUENTIAL = ("gru", "lstm", "rnn")
SUITABLE: dict[tuple[Kind, TaskName], tuple[str, ...]] = {  # by what the data is and what it is for, the best first
    ("images", "classification"): ("resnet-small", "densenet-small", "mlp"),
    ("images", "segmentation"): ("unet", "segnet"),
    ("table", "classification"): ("mlp", "logistic"),
    ("table", "regression"): ("mlp", "linear"),
    ("bag_of_words", "classification"): ("logistic", "mlp"),
    ("series", "classification"): SEQUENTIAL,
    ("series", "regression"): SEQUENTIAL,
    ("characters", "classification"): SEQUENTIAL,
    ("characters", "sequence_tagging"): SEQUENTIAL,
    ("text", "language_modeling"): ("gpt", *SEQUENTIAL),
    ("pairs", "translation"): ("transformer", "seq2seq"),
}


def choose_model(dataset: Dataset, pretrained: str = "no") -> tuple[str, str]:
    """Return a catalogue name that is a sound first choice for `dataset`, and the reason as a sentence.

    pretrained: whether published weights are to be started from, as in the settings.
    """
    if pretrained != "no":
        return "efficientnet-lite0", "efficientnet-lite0, because its weights are the published ones that there are"
    if dataset.task == "segmentation":
        return "unet", "unet, because it says what each pixel is, and sees near and far"
    if dataset.kind == "images":
        _, height, width = dataset.input_shape
        size = f"{height}x{width} pictures"
        if max(height, width) <= SMALL_PICTURE_PX:
            return "resnet-small", f"resnet-small, because {size} need few strides and it learns them fast"
        return "resnet18", f"resnet18, because {size} need its early strides to stay affordable"
    if dataset.kind == "bag_of_words":
        return (
            "logistic",
            f"logistic, because {dataset.input_shape[0]} word counts are nearly linear in the label",
        )
    if dataset.task == "language_modeling":
        return "gpt", "gpt, because each token of its text sees all tokens of the window before it"
    if dataset.kind in ("series", "characters"):
        return "gru", "gru, because it reads sequences of any length, with fewer gates than an lstm"
    if dataset.kind == "pairs":
        return "transformer", "transformer, because it looks up any word of the source at any place of the translation"
    return "mlp", f"mlp, because a table of {dataset.input_shape[0]} prepared columns has no grid to convolve"


def suitable_models(dataset: Dataset) -> tuple[str, ...]:
    """Return catalogue names that suit what `dataset` is and what it is for, the best first; none where none does."""
    suitable = SUITABLE.get((dataset.kind, dataset.task), ())
    first, _ = choose_model(dataset)
    return (first, *(name for name in suitable if name != first)) if suitable else ()
