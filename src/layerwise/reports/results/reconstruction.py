"""What an autoencoder gives back of pictures: the error beside simple baselines, its codes, and ways between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from layerwise.data.dataset import Dataset, Notice, Split
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.generation.interpolation import around, between
from layerwise.reports import markup, pictures, wording
from layerwise.reports.figures import to_svg
from layerwise.reports.grids import grid_figure, picture_grid, sample_grids, to_address
from layerwise.reports.latent import latent_map
from layerwise.reports.pictures import Pixels
from layerwise.reports.results.result import EvaluationInput, ReportContext, Rows, Tile
from layerwise.reports.sample_quality import SAMPLING_SEED, SampleQuality, measure_sample_quality, sample_quality_table
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.generative import generate, sample_images
from layerwise.tasks.reconstruction import Reconstruction

if TYPE_CHECKING:
    from matplotlib.figure import Figure


FITTED_NUMBERS = 2**26  # of the training pictures that the principal components are fitted to
SHOWN, WAYS, STEPS, SAMPLES_SHOWN = 12, 6, 9, 64
MAPPED_AT_MOST = 2000


@dataclass(frozen=True)
class ReconstructionResult:
    """An autoencoder on one split. count: pictures. code: numbers that a picture is pressed into.

    squared_error: mean over pixels, on the prepared scale, where all pixels together have variance 1.
    mean_error: of always giving the mean training picture. component_error: of as many principal components of the
        training pictures as a code has numbers, the best that can be had without bends (Baldi and Hornik 1989).
    divergence: of the codes from normal ones, nats a picture; 0 where they have no distribution. loss: of the task.
    sample_quality: of images from random latents, None where none can be drawn.
    """

    task: ClassVar[str] = "reconstruction"

    count: int
    code: int
    loss: float
    squared_error: float
    kl_divergence: float
    mean_error: float
    component_error: float
    sample_quality: SampleQuality | None = None

    @property
    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss, "squared_error": self.squared_error, "kl_divergence": self.kl_divergence}

    @property
    def summary(self) -> dict[str, float]:
        names = ("count", "squared_error", "component_error", "mean_error", "kl_divergence", "loss")
        figures = {name: getattr(self, name) for name in names}
        return {**figures, **(self.sample_quality.summary if self.sample_quality else {})}

    def to_json(self) -> dict[str, Any]:
        return {"task": self.task, **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ReconstructionResult:
        sample_quality = SampleQuality.from_json(values["sample_quality"]) if values["sample_quality"] else None
        return cls(**{**values, "sample_quality": sample_quality})

    def sentence(self, samples: str, who: str = "It") -> str:
        return (
            f"{who} reconstructs {samples} from {wording.plural(self.code, 'latent dimension')} with a squared "
            f"error of {wording.decimal(self.squared_error)} per pixel (PCA with as many components: "
            f"{wording.decimal(self.component_error)}; mean image: {wording.decimal(self.mean_error)})."
        )

    def lines(self) -> list[str]:
        told = (
            f"squared error {wording.decimal(self.squared_error)} per pixel over {wording.plural(self.count, 'image')}"
            f", {wording.plural(self.code, 'latent dimension')}; PCA with as many components: "
            f"{wording.decimal(self.component_error)}, mean image: {wording.decimal(self.mean_error)}"
        )
        return [told, *(self.sample_quality.lines() if self.sample_quality else [])]

    def table(self) -> Rows | None:
        return None

    def examples(self) -> tuple[str, list[str]]:
        return "", []

    def tiles(self) -> list[Tile]:
        note = f"{wording.decimal(self.component_error)} by {self.code} principal components"
        tiles = [(wording.decimal(self.squared_error), "squared error a pixel", note)]
        if self.kl_divergence:
            tiles.append(
                (wording.decimal(self.kl_divergence), "nats of divergence", "what a code tells of its picture")
            )
        return [*tiles, *(self.sample_quality.tiles() if self.sample_quality else [])]

    def notices(self) -> Iterator[Notice]:
        if self.squared_error > self.component_error:
            yield Notice(
                "warning",
                f"{self.code} principal components of the training pictures give them back with less error "
                f"({wording.decimal(self.component_error)}) than this network ({wording.decimal(self.squared_error)}): "
                "it has not learned enough, or its codes are held back by beta.",
            )
        yield from self.sample_quality.notices() if self.sample_quality else ()

    def section(self, context: ReportContext) -> str:
        return reconstruction_section(self, context)

    def drawings(self, evaluation_input: EvaluationInput) -> Iterator[tuple[str, Figure]]:
        task, dataset = evaluation_input.task, evaluation_input.data()
        assert isinstance(task, Reconstruction)
        view = Coder(task, evaluation_input.model, dataset, evaluation_input.split)
        rows = view.rows()
        yield (
            "reconstructions",
            grid_figure(rows, len(rows) // 2, "Pictures, and below each what came back"),
        )
        yield "latent-map", view.map()
        yield "interpolations", grid_figure(view.ways(), STEPS, "From one picture to another")
        if self.sample_quality:
            shown = sample_images(task, evaluation_input.model, SAMPLES_SHOWN, SAMPLING_SEED)
            yield "samples", grid_figure(pictures.to_pixels(shown), 8, "Generated images, not selected")


def measure(evaluation_input: EvaluationInput) -> ReconstructionResult:
    """Measure an autoencoder."""
    task, model, dataset = evaluation_input.task, evaluation_input.model, evaluation_input.data()
    assert isinstance(task, Reconstruction)
    figures = task.evaluate(model, evaluation_input.batches())
    code = int(model.latent_dim)  # type: ignore[arg-type]
    mean_error, component_error = baseline_errors(
        dataset.train, evaluation_input.split, evaluation_input.preprocessing, code
    )
    sample_quality = None
    if model.variational and len(evaluation_input.split) >= 4:
        sample_quality = measure_sample_quality(
            lambda count: sample_images(task, model, count, SAMPLING_SEED), dataset, evaluation_input.split
        )
    return ReconstructionResult(
        count=len(evaluation_input.split),
        code=code,
        **figures,
        mean_error=mean_error,
        component_error=component_error,
        sample_quality=sample_quality,
    )


def baseline_errors(train: Split, test: Split, preprocessing: Any, code: int) -> tuple[float, float]:
    """Return the squared error a pixel of the mean picture, and of `code` principal components of `train`."""
    from sklearn.decomposition import PCA

    pixels = int(np.prod(preprocessing.input_shape))
    rows = min(len(train), max(1, FITTED_NUMBERS // pixels))
    known = prepared(train, rows, preprocessing)
    components = PCA(min(code, rows, pixels), random_state=0).fit(known)
    unseen = prepared(test, len(test), preprocessing)
    back = components.inverse_transform(components.transform(unseen))
    errors = (((unseen - one) ** 2).mean(dtype=np.float64) for one in (known.mean(0), back))
    mean_error, component_error = errors
    return float(mean_error), float(component_error)


def prepared(split: Split, count: int, preprocessing: Any) -> NDArray[np.float32]:
    """Return the first pictures of a split as the network sees them, (count, pixels)."""
    inputs, _ = split.take(torch.arange(count))
    flat: NDArray[np.float32] = preprocessing.transform(inputs).flatten(1).numpy()
    return flat


class Coder:
    """What can be shown of an autoencoder: pictures that came back, a map of their codes, ways between them."""

    def __init__(self, task: Reconstruction, model: nn.Module, dataset: Dataset, split: Split) -> None:
        self.task, self.model, self.dataset, self.split = task, model, dataset, split

    def encode(self, places: Tensor) -> Tensor:
        """Return the mean codes of the pictures at these places, (places, code)."""
        inputs, _ = self.split.take(places)
        transform, encode = self.dataset.preprocessing.transform, cast(Any, self.model).encode
        device = next(self.model.parameters()).device
        with torch.inference_mode():
            parts = [encode(transform(part).to(device))[0] for part in inputs.split(512)]
        return torch.cat(parts).cpu()

    def rows(self) -> list[Pixels]:
        """Return some pictures, of each class in turn, and behind them what came back of each."""
        places = self.some(SHOWN)
        back = generate(self.task, self.model, self.encode(places))
        return [*pictures.to_pixels(self.split.take(places)[0]), *pictures.to_pixels(back)]

    def ways(self) -> list[Pixels]:
        """Return interpolations between pairs of test images, `STEPS` each."""
        places = self.some(2 * WAYS)
        codes = self.encode(places)
        way = around if self.model.variational else between
        half = len(codes) // 2
        walked = [way(first, second, STEPS) for first, second in zip(codes[:half], codes[half:], strict=False)]
        return pictures.to_pixels(generate(self.task, self.model, torch.cat(walked)))

    def map(self) -> Figure:
        """Return the map of the codes of the split, coloured by class, with some of the pictures on it."""
        places = torch.linspace(0, len(self.split) - 1, min(MAPPED_AT_MOST, len(self.split))).long().unique()
        inputs, targets = self.split.take(places)
        labels: Sequence[int] = targets.tolist()
        return latent_map(self.encode(places).numpy(), labels, self.dataset.classes, pictures.to_pixels(inputs))

    def some(self, count: int) -> Tensor:
        """Return the places of some pictures, of one class after another."""
        chosen = pictures.pick_samples(self.dataset, self.split, max(count, len(self.dataset.classes)))
        each = max(1, len(chosen) // len(self.dataset.classes))
        spread = torch.cat([chosen[start::each] for start in range(each)])
        return spread[:count] if len(spread) >= count else spread


def reconstruction_section(result: ReconstructionResult, context: ReportContext) -> str:
    """Reconstructions, the map of the latents, interpolations, and images from random latents."""
    assert isinstance(context.dataset.preprocessing, ImagePreprocessing)
    task = Reconstruction.for_data(context.dataset, TaskConfig())
    view = Coder(task, context.model, context.dataset, context.split)
    rows = view.rows()
    return markup.section(
        "answers",
        "What comes back",
        markup.picture(
            to_address(picture_grid(rows, len(rows) // 2)),
            "Pictures that it never saw",
            f"Above the pictures, below what came back of {wording.plural(result.code, 'number')} each.",
        ),
        markup.chart(
            to_svg(view.map(), "The codes of the test pictures in two dimensions, coloured by class."),
            "A map of the codes",
            "The two directions in which the codes differ most. It was told no class; the colours are for you.",
        ),
        markup.picture(
            to_address(picture_grid(view.ways(), STEPS)),
            "From one picture to another",
            "Both ends of a row are reconstructed test images; the others are decoded from interpolated latents.",
        ),
        generated_pieces(result, context, task),
    )


def generated_pieces(result: ReconstructionResult, context: ReportContext, task: Reconstruction) -> str:
    """Images from random latents; nothing where none can be drawn."""
    if not result.sample_quality:
        return ""
    shown = pictures.to_pixels(sample_images(task, context.model, SAMPLES_SHOWN, SAMPLING_SEED))
    grids = [markup.picture(uri, title) for title, uri in (sample_grids(context.folder) if context.folder else [])]
    return "".join(
        (
            markup.picture(to_address(picture_grid(shown, 8)), "Generated pictures", "Random samples, not selected."),
            sample_quality_table(result.sample_quality),
            markup.folded("The same codes while it learned", markup.columns(*grids)) if grids else "",
        )
    )
