"""Named, complete trainings, each with the figure that its command reaches. A literal table, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from layerwise.errors import UsageError, nearest
from layerwise.tasks.metrics import METRICS


@dataclass(frozen=True)
class Recipe:
    """A training to repeat.

    options: as `layerwise.train` takes them, model and data included.
    metric, bound: what the test split must reach: at least so much, or at most where lower is better (`METRICS`).
    figure: what was measured, with its spread, number of seeds and time, in words.
    """

    summary: str
    options: Mapping[str, Any]
    metric: str
    bound: float
    figure: str

    @property
    def reaches(self) -> str:
        """What the test split reaches, in words: as measured, or else the bound that it is held to."""
        metric = METRICS[self.metric]
        value = f"{100 * self.bound:g} %" if metric.is_share else f"{self.bound:g}"
        value += f" {metric.unit}" if metric.unit not in ("", metric.label) else ""
        return self.figure or f"{metric.label} {value} or {'more' if metric.is_higher_better else 'less'}"

    def is_reached(self, figure: float) -> bool:
        """Tell whether a figure of the test split is as good as the bound."""
        return METRICS[self.metric].is_at_least_as_good(figure, self.bound)


AFFINE = "rotate:12,scale:0.1,shear:0.087,shift:2"
ONE_THREAD = {"threads": 1, "compile": "no"}
WARM_COSINE = {"schedule": "cosine", "batch_size": 128}
MASKS = {
    **ONE_THREAD,
    "precision": "float32",
    "data": "land-sea",
    "class_weights": "median",
    "augment": "flip,vflip,rotate:20",
}
FORECAST = {"model": "gru", "valid": 0.0, "epochs": 40, "hidden": 16, "embedding": 16}
TABLE = {"model": "mlp", "valid": 0.0, "epochs": 60, "batch_size": 32, "dropout": 0.2}

RECIPES: dict[str, Recipe] = {
    "digits-lenet5": Recipe(
        summary="LeNet-5 on the embedded 8x8 digits, the demo",
        options={
            "model": "lenet5",
            "data": "digits",
            "image_size": 28,
            "augment": "shift:3,rotate:12",
            "epochs": 30,
            "batch_size": 32,
            "optimizer": "adamw",
            "learning_rate": 2e-3,
            "schedule": "one-cycle",
        },
        metric="accuracy",
        bound=0.97,
        figure="99.07 ± 0.70 % over 3 seeds, 3 s per training on 2 idle cores",
    ),
    "mnist-lenet5": Recipe(
        summary="LeNet-5 on MNIST with affine augmentation; the paper: 99.2 %",
        options={
            **WARM_COSINE,
            "model": "lenet5",
            "data": "mnist",
            "augment": AFFINE,
            "epochs": 20,
            "warmup": 4.0,
            "optimizer": "nesterov",
            "learning_rate": 0.1,
            "weight_decay": 1e-4,
        },
        metric="accuracy",
        bound=0.992,
        figure="99.42 ± 0.06 % over 3 seeds, 66 s on 2 busy cores",
    ),
    "mnist-resnet": Recipe(
        summary="a residual network with 308,074 parameters on MNIST",
        options={
            **WARM_COSINE,
            "model": "resnet-small",
            "data": "mnist",
            "augment": AFFINE,
            "epochs": 12,
            "warmup": 1.6,
            "optimizer": "nesterov",
            "learning_rate": 0.1,
            "weight_decay": 5e-4,
            "label_smoothing": 0.1,
            "precision": "float32",
        },
        metric="accuracy",
        bound=0.9955,
        figure="99.57 ± 0.04 % over 3 seeds, about 7 minutes on 1 core",
    ),
    "fashion-resnet": Recipe(
        summary="a residual network with 696,042 parameters on Fashion-MNIST, trained with Muon",
        options={
            **WARM_COSINE,
            "model": "resnet-small",
            "blocks": (2, 2, 2),
            "data": "fashion-mnist",
            "augment": "shift:2,flip,cutout:8",
            "epochs": 16,
            "warmup": 3.0,
            "optimizer": "muon",
            "learning_rate": 0.004,
            "momentum": 0.95,
            "weight_decay": 0.05,
            "label_smoothing": 0.1,
            "precision": "float32",
        },
        metric="accuracy",
        bound=0.935,
        figure="94.09 ± 0.12 % over 3 seeds, 14 minutes on 1 core",
    ),
    "fashion-vit": Recipe(
        summary="a small ViT with 139,018 parameters on Fashion-MNIST",
        options={
            "model": "vit",
            "patch": 7,
            "embed_dim": 64,
            "layers": 4,
            "data": "fashion-mnist",
            "epochs": 6,
            "batch_size": 128,
            "learning_rate": 3e-3,
            "threads": 1,
            "compile": "no",
            "precision": "float32",
        },
        metric="accuracy",
        bound=0.85,
        figure="88.48 ± 0.18 % over 3 seeds, 100 s on 1 core",
    ),
    "fashion-resnet-tiny": Recipe(
        summary="a residual network on Fashion-MNIST with the training time of fashion-vit",
        options={
            **WARM_COSINE,
            "model": "resnet-tiny",
            "data": "fashion-mnist",
            "epochs": 4,
            "warmup": 1.0,
            "threads": 1,
            "compile": "no",
            "precision": "float32",
        },
        metric="accuracy",
        bound=0.88,
        figure="91.16 ± 0.24 % over 3 seeds, 93 s on 1 core",
    ),
    "spam-logistic": Recipe(
        summary="spam classification of 6,046 e-mails by logistic regression on tf-idf features",
        options={"model": "logistic", "data": "spam"},
        metric="accuracy",
        bound=0.97,
        figure="98.79 ± 0.13 % over 3 seeds, 3 s",
    ),
    "land-sea-segnet": Recipe(
        summary="segmentation of sea, land and lake in satellite images (NASA's Blue Marble), SegNet",
        options={**MASKS, "model": "segnet", "epochs": 12},
        metric="mean_iou",
        bound=0.64,
        figure="mean IoU 66.88 ± 0.29 % over 3 seeds, about 50 s on one core",
    ),
    "land-sea-unet": Recipe(
        summary="segmentation of sea, land and lake in satellite images (NASA's Blue Marble), U-Net",
        options={**MASKS, "model": "unet", "epochs": 14},
        metric="mean_iou",
        bound=0.64,
        figure="mean IoU 67.93 ± 0.21 % over 3 seeds, about 50 s on one core",
    ),
    "cut-outs-unet": Recipe(
        summary="segmentation of faces, animals, food and traffic on photographs, U-Net",
        options={**ONE_THREAD, "model": "unet", "data": "cut-outs", "augment": "flip,rotate:20", "epochs": 6},
        metric="mean_iou",
        bound=0.45,
        figure="mean IoU 49.7 ± 1.7 % over 3 seeds (all background: 15.7 %), about 60 s on one core",
    ),
    "python-syntax-gru": Recipe(
        summary="syntax tagging of Python source by a bidirectional GRU",
        options={
            **ONE_THREAD,
            "model": "gru",
            "data": "python-syntax",
            "bidirectional": True,
            "hidden": 96,
            "embedding": 32,
            "learning_rate": 4e-3,
            "epochs": 1,
        },
        metric="accuracy",
        bound=0.96,
        figure="97.74 ± 0.20 % over 3 seeds (per-character majority class: 50.7 %), about 80 s on one core",
    ),
    "vowels-gru": Recipe(
        summary="speaker identification from two vowels by a GRU",
        options={"model": "gru", "data": "japanese-vowels"},
        metric="accuracy",
        bound=0.965,
        figure="97.48 ± 0.41 % over 3 seeds, 3 s per training on one core",
    ),
    "names-gru": Recipe(
        summary="language of a name, one of 15, by a bidirectional GRU on characters",
        options={"model": "gru", "data": "names", "bidirectional": True, "dropout": 0.3, "epochs": 12},
        metric="accuracy",
        bound=0.63,
        figure="65.92 ± 0.87 % over 3 seeds, 22 s per training on one core",
    ),
    "python-gpt": Recipe(
        summary="a GPT with 3.7 million parameters on Python source and its manual",
        options={
            "model": "gpt",
            "data": "python-docs",
            "valid": 0.01,
            "window": 256,
            "vocabulary": 2048,
            "batch_size": 16,
            "learning_rate": 4e-3,
            "precision": "bfloat16",
            "limit": 16_000,
        },
        metric="bits_per_byte",
        bound=1.6,
        figure="1.529 ± 0.005 bits per byte (bzip2 1.91, xz 1.94, gzip 2.26) over 3 seeds, 8 minutes on one core",
    ),
    "python-characters": Recipe(
        summary="character-level language model of Python source, GRU",
        options={
            "model": "gru",
            "data": "python-library",
            "valid": 0.01,
            "vocabulary": 259,
            "window": 128,
            "hidden": 256,
            "batch_size": 32,
            "epochs": 1,
            "limit": 80_000,
        },
        metric="bits_per_byte",
        bound=2.1,
        figure="1.97 ± 0.04 bits per byte (gzip 1.99, xz 1.76, bzip2 1.75) over 3 seeds, 4 minutes on one busy core",
    ),
    "digits-autoencoder": Recipe(
        summary="autoencoder of the 8x8 digits with 16 latent dimensions",
        options={**ONE_THREAD, "model": "autoencoder", "data": "digits", "epochs": 60, "batch_size": 32},
        metric="squared_error",
        bound=0.065,
        figure="squared error 0.049 ± 0.001 (PCA: 0.082) over 3 seeds, 15 s on one busy core",
    ),
    "digits-vae": Recipe(
        summary="variational autoencoder of the 8x8 digits with 16 latent dimensions",
        options={**ONE_THREAD, "model": "vae", "data": "digits", "epochs": 60, "batch_size": 32, "beta": 0.3},
        metric="squared_error",
        bound=0.12,
        figure="squared error 0.088 ± 0.003 (PCA: 0.082), Fréchet 8.6 ± 1.4 (real: 3.8) over 3 seeds, 15 s on one core",
    ),
    "digits-gan": Recipe(
        summary="a GAN with 81,346 parameters on the 8x8 digits",
        options={**ONE_THREAD, "model": "gan", "data": "digits", "epochs": 40},
        metric="frechet",
        bound=8.0,
        figure="Fréchet 6.1 ± 0.8 (real images: 3.8 ± 0.1; digits-vae: 8.6 ± 1.4) over 3 seeds, 25 s on one core",
    ),
    "digits-dcgan": Recipe(
        summary="a DCGAN on the 8x8 digits: the classic loss and batch normalisation of 2015",
        options={**ONE_THREAD, "model": "dcgan", "data": "digits", "epochs": 40},
        metric="frechet",
        bound=9.0,
        figure="Fréchet 6.4 ± 0.7 (real images: 3.8 ± 0.1; digits-gan: 6.1 ± 0.8) over 3 seeds, 40 s on one busy core",
    ),
    "fashion-vae": Recipe(
        summary="variational autoencoder of Fashion-MNIST with 16 latent dimensions",
        options={**ONE_THREAD, "model": "vae", "data": "fashion-mnist", "epochs": 8, "beta": 0.2},
        metric="squared_error",
        bound=0.12,
        figure="squared error 0.078 ± 0.001 (PCA: 0.164), Fréchet 12.1 ± 1.3 over 3 seeds, 4 minutes on one busy core",
    ),
    "fashion-gan": Recipe(
        summary="a GAN with 271,426 parameters on Fashion-MNIST",
        options={**ONE_THREAD, "model": "gan", "data": "fashion-mnist", "epochs": 3},
        metric="frechet",
        bound=4.0,
        figure="Fréchet 2.6 ± 0.4 (real images: 0.042; fashion-vae: 12.1) over 3 seeds, 4 minutes on one busy core",
    ),
    "emoji-gan": Recipe(
        summary="a GAN with 335,364 parameters on emoji",
        options={**ONE_THREAD, "model": "gan", "data": "emoji", "epochs": 60, "augment": "flip"},
        metric="frechet",
        bound=8.0,
        figure="Fréchet 5.4 ± 0.5 (real images: 0.91) over 3 seeds, 4 minutes on one busy core",
    ),
    "airline-gru": Recipe(
        summary="forecast of airline passengers one year ahead, GRU on seasonal differences",
        options={**FORECAST, "data": "airline", "season": 12},
        metric="r2",
        bound=0.85,
        figure="R² 0.916 ± 0.003 over 3 seeds, 9 s per training on one busy core",
    ),
    "solar-gru": Recipe(
        summary="forecast of solar power half a day ahead, GRU on daily differences",
        options={**FORECAST, "data": "solar", "season": 48},
        metric="r2",
        bound=0.8,
        figure="R² 0.878 ± 0.002, RMSE 0.070 (persistence: 0.069) over 3 seeds, 3 s",
    ),
    "english-french-seq2seq": Recipe(
        summary="English-French translation by a recurrent encoder-decoder with attention",
        options={
            "model": "seq2seq",
            "data": "english-french",
            "dropout": 0.3,
            "epochs": 14,
            "label_smoothing": 0.1,
        },
        metric="bleu",
        bound=27.0,
        figure="BLEU 30.1 ± 0.5 over 3 seeds, 12 minutes on one busy core; word-by-word 8.7, source copied 5.3",
    ),
    "english-french-transformer": Recipe(
        summary="English-French translation by a Transformer with two encoder and two decoder layers",
        options={
            "model": "transformer",
            "data": "english-french",
            "encoder_layers": 2,
            "decoder_layers": 2,
            "epochs": 10,
            "label_smoothing": 0.1,
        },
        metric="bleu",
        bound=35.0,
        figure="BLEU 38.8 ± 0.3 over 3 seeds, 11 minutes on one busy core; word-by-word 8.7, source copied 5.3",
    ),
    "titanic-mlp": Recipe(
        summary="survival on the Titanic by a multilayer perceptron",
        options={**TABLE, "data": "titanic"},
        metric="accuracy",
        bound=0.75,
        figure="80.6 ± 1.3 % over 3 seeds, 3 s",
    ),
    "breast-cancer-mlp": Recipe(
        summary="malignant or benign tumours by a multilayer perceptron",
        options={"model": "mlp", "data": "breast-cancer"},
        metric="accuracy",
        bound=0.94,
        figure="98.5 ± 1.3 % over 3 seeds, 1 s",
    ),
    "wine-mlp": Recipe(
        summary="three wine growers by a multilayer perceptron",
        options={**TABLE, "data": "wine", "label_smoothing": 0.1},
        metric="accuracy",
        bound=0.9,
        figure="98.5 ± 1.9 % over 20 seeds, 1 s",
    ),
    "diabetes-mlp": Recipe(
        summary="progression of diabetes by a multilayer perceptron (regression)",
        options={**TABLE, "data": "diabetes", "hidden": (16,), "weight_decay": 1.0},
        metric="r2",
        bound=0.3,
        figure="R² 0.464 ± 0.009 over 3 seeds, 1 s",
    ),
}


def options_of(name: str) -> dict[str, Any]:
    """Return the options of a recipe. Raises UsageError with the nearest name where there is none."""
    if name not in RECIPES:
        raise UsageError(
            f"`recipe` must name a recipe, received '{name}'.{nearest(name, RECIPES)} `layerwise recipes` lists them."
        )
    return dict(RECIPES[name].options)
