"""The networks there are: one architecture a file, with its paper, its options and its named variants.

Importing this costs nothing; a network's file, and with it torch, is imported when the network is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from layerwise.errors import UsageError, nearest

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Entry:
    """A network that has a name.

    file: the module of this folder that holds it. model: its class there. variant: its options there.
    takes: the samples it is made for. usual_input, usual_outputs: the sizes it was published with.
    training: good values for fields of the training's settings, by their names.
    task: what it learns whatever the data is for, by the task's name; empty where the data says it.
    """

    file: str
    model: str
    variant: str
    summary: str
    paper: str
    takes: Literal["pictures", "features", "sequences", "pairs", "prose", "masks", "any"]
    usual_input: tuple[int, ...]
    usual_outputs: int
    training: Mapping[str, Any] = field(default_factory=dict)
    task: str = ""


RESNET_PAPER = "He et al. 2015, https://arxiv.org/abs/1512.03385"
VGG_PAPER = "Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556"
GOOGLENET_PAPER = "Szegedy et al. 2014, https://arxiv.org/abs/1409.4842"
DENSENET_PAPER = "Huang et al. 2016, https://arxiv.org/abs/1608.06993"
SEGNET_PAPER = "Badrinarayanan et al. 2015, https://arxiv.org/abs/1511.00561"
TRANSFORMER_PAPER = "Vaswani et al. 2017, https://arxiv.org/abs/1706.03762"
LENET_PAPER = "LeCun et al. 1998, https://doi.org/10.1109/5.726791"

SGD: Mapping[str, Any] = {
    "optimizer": "nesterov",
    "learning_rate": 0.1,
    "weight_decay": 5e-4,
    "schedule": "cosine",
    "warmup": 1.0,
}
SMALL_PICTURES: Mapping[str, Any] = {**SGD, "epochs": 10, "warmup": 2.0}
SMALL_PLAIN: Mapping[str, Any] = {**SMALL_PICTURES, "learning_rate": 0.05}
CIFAR_PICTURES: Mapping[str, Any] = {**SGD, "epochs": 160, "weight_decay": 1e-4}
LARGE_PICTURES: Mapping[str, Any] = {**SGD, "epochs": 90, "batch_size": 256, "weight_decay": 1e-4, "warmup": 5.0}
SEQUENCES: Mapping[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 3e-3,
    "schedule": "one-cycle",
    "clip_norm": 1.0,
    "batch_size": 32,
    "epochs": 40,
}
MASKS: Mapping[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 3e-3,
    "schedule": "one-cycle",
    "batch_size": 16,
    "epochs": 30,
}
PAIRS: Mapping[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 1.5e-3,
    "schedule": "inverse-root",
    "warmup": 2.0,
    "clip_norm": 1.0,
    "batch_size": 64,
    "epochs": 20,
    "average": 0.998,
    "compile": "no",
}

PAINTING: Mapping[str, Any] = {
    "optimizer": "rmsprop",
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "batch_size": 32,
    "average": 0.999,
    "epochs": 10,
    "gradient_penalty": 0.2,
}
CODING: Mapping[str, Any] = {"optimizer": "adamw", "learning_rate": 2e-3, "schedule": "one-cycle", "epochs": 10}
LINES: Mapping[str, Any] = {"epochs": 60, "batch_size": 32, "learning_rate": 0.02, "schedule": "cosine"}

CATALOGUE: dict[str, Entry] = {
    "linear": Entry(
        file="linear",
        model="LinearNeurons",
        variant="linear",
        summary="linear neurons, one an output: linear regression",
        paper="Legendre 1805",
        takes="any",
        usual_input=(10,),
        usual_outputs=1,
        training=LINES,
    ),
    "logistic": Entry(
        file="linear",
        model="LinearNeurons",
        variant="logistic",
        summary="linear neurons whose outputs are scores of classes: logistic regression",
        paper="Cox 1958, https://doi.org/10.1111/j.2517-6161.1958.tb00292.x",
        takes="any",
        usual_input=(30,),
        usual_outputs=2,
        training=LINES,
    ),
    "mlp": Entry(
        file="mlp",
        model="MLP",
        variant="mlp",
        summary="dense layers with an activation between them; good for tables",
        paper="Rumelhart et al. 1986, https://doi.org/10.1038/323533a0",
        takes="any",
        usual_input=(30,),
        usual_outputs=2,
        training={"epochs": 40, "batch_size": 32, "optimizer": "adamw", "learning_rate": 2e-3, "schedule": "one-cycle"},
    ),
    "rnn": Entry(
        file="recurrent",
        model="Recurrent",
        variant="rnn",
        summary="a state carried from step to step: the simplest recurrent network",
        paper="Elman 1990, https://doi.org/10.1207/s15516709cog1402_1",
        takes="sequences",
        usual_input=(28, 12),
        usual_outputs=9,
        training=SEQUENCES,
    ),
    "lstm": Entry(
        file="recurrent",
        model="Recurrent",
        variant="lstm",
        summary="a recurrent network with a memory that gates write, keep and show",
        paper="Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735",
        takes="sequences",
        usual_input=(28, 12),
        usual_outputs=9,
        training=SEQUENCES,
    ),
    "gru": Entry(
        file="recurrent",
        model="Recurrent",
        variant="gru",
        summary="a recurrent network with two gates: a smaller LSTM",
        paper="Cho et al. 2014, https://arxiv.org/abs/1406.1078",
        takes="sequences",
        usual_input=(28, 12),
        usual_outputs=9,
        training=SEQUENCES,
    ),
    "gpt": Entry(
        file="gpt",
        model="GPT",
        variant="gpt",
        summary="a decoder alone, which writes by guessing the next token of any text",
        paper="Radford et al. 2019, Language models are unsupervised multitask learners",
        takes="prose",
        usual_input=(128, 4096),
        usual_outputs=4096,
        training={
            **SEQUENCES,
            "optimizer": "muon",
            "momentum": 0.95,
            "learning_rate": 3e-3,
            "warmup": 0.1,
            "weight_decay": 0.0,
            "epochs": 1,
        },
    ),
    "vit": Entry(
        file="vit",
        model="ViT",
        variant="vit",
        summary="a picture as a row of patches, read by attention",
        paper="Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929",
        takes="pictures",
        usual_input=(1, 28, 28),
        usual_outputs=10,
        training={**SEQUENCES, "learning_rate": 1e-3, "weight_decay": 0.05, "batch_size": 128, "epochs": 20},
    ),
    "segnet": Entry(
        file="segnet",
        model="SegNet",
        variant="segnet",
        summary="what each pixel is: pooled maxima are put back where they were, from 8x8 on",
        paper=SEGNET_PAPER,
        takes="masks",
        usual_input=(3, 64, 64),
        usual_outputs=3,
        training=MASKS,
    ),
    "segnet-paper": Entry(
        file="segnet",
        model="SegNet",
        variant="segnet-paper",
        summary="SegNet as published, an encoder as of VGG16",
        paper=SEGNET_PAPER,
        takes="masks",
        usual_input=(3, 360, 480),
        usual_outputs=11,
        training={**SGD, "learning_rate": 0.1, "schedule": "constant", "batch_size": 12, "epochs": 100},
    ),
    "unet": Entry(
        file="unet",
        model="UNet",
        variant="unet",
        summary="what each pixel is: the maps of the way down stand beside those of the way up",
        paper="Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597",
        takes="masks",
        usual_input=(3, 64, 64),
        usual_outputs=3,
        training=MASKS,
    ),
    "seq2seq": Entry(
        file="seq2seq",
        model="Seq2Seq",
        variant="seq2seq",
        summary="a recurrent encoder that reads, a decoder that writes, and attention between them",
        paper="Bahdanau, Cho and Bengio 2014, https://arxiv.org/abs/1409.0473",
        takes="pairs",
        usual_input=(40, 4000),
        usual_outputs=4000,
        training=PAIRS,
    ),
    "transformer": Entry(
        file="transformer",
        model="Transformer",
        variant="transformer",
        summary="an encoder that reads and a decoder that writes by attention alone, normalised before each part",
        paper=TRANSFORMER_PAPER,
        takes="pairs",
        usual_input=(40, 4000),
        usual_outputs=4000,
        training=PAIRS,
    ),
    "transformer-paper": Entry(
        file="transformer",
        model="Transformer",
        variant="transformer-paper",
        summary="as transformer, normalised behind each sum, as published",
        paper=TRANSFORMER_PAPER,
        takes="pairs",
        usual_input=(40, 4000),
        usual_outputs=4000,
        training={**PAIRS, "learning_rate": 7e-4},
    ),
    "lenet5": Entry(
        file="lenet",
        model="LeNet5",
        variant="lenet5",
        summary="the classic small convolutional network as it is built today",
        paper=LENET_PAPER,
        takes="pictures",
        usual_input=(1, 28, 28),
        usual_outputs=10,
        training={**SMALL_PICTURES, "weight_decay": 1e-4},
    ),
    "lenet5-paper": Entry(
        file="lenet",
        model="PaperLeNet5",
        variant="lenet5-paper",
        summary="LeNet-5 as published: trainable subsampling, partial connections, distances to bitmaps",
        paper=LENET_PAPER,
        takes="pictures",
        usual_input=(1, 28, 28),
        usual_outputs=10,
        training={**SMALL_PICTURES, "learning_rate": 0.01, "weight_decay": 0.0},
    ),
    "resnet-small": Entry(
        file="resnet",
        model="ResNet",
        variant="resnet-small",
        summary="three residual blocks for small pictures, from 6x6 on",
        paper=RESNET_PAPER,
        takes="pictures",
        usual_input=(1, 28, 28),
        usual_outputs=10,
        training=SMALL_PICTURES,
    ),
    "resnet-tiny": Entry(
        file="resnet",
        model="ResNet",
        variant="resnet-tiny",
        summary="as resnet-small, with a stride in place of the pooling: a quarter faster",
        paper=RESNET_PAPER,
        takes="pictures",
        usual_input=(1, 28, 28),
        usual_outputs=10,
        training=SMALL_PICTURES,
    ),
    "resnet20": Entry(
        file="resnet",
        model="ResNet",
        variant="resnet20",
        summary="20 layers for pictures of 32x32 (CIFAR)",
        paper=RESNET_PAPER,
        takes="pictures",
        usual_input=(3, 32, 32),
        usual_outputs=10,
        training=CIFAR_PICTURES,
    ),
    "resnet56": Entry(
        file="resnet",
        model="ResNet",
        variant="resnet56",
        summary="56 layers for pictures of 32x32 (CIFAR)",
        paper=RESNET_PAPER,
        takes="pictures",
        usual_input=(3, 32, 32),
        usual_outputs=10,
        training=CIFAR_PICTURES,
    ),
    "resnet18": Entry(
        file="resnet",
        model="ResNet",
        variant="resnet18",
        summary="18 layers for large pictures",
        paper=RESNET_PAPER,
        takes="pictures",
        usual_input=(3, 224, 224),
        usual_outputs=1000,
        training=LARGE_PICTURES,
    ),
    "resnet34": Entry(
        file="resnet",
        model="ResNet",
        variant="resnet34",
        summary="34 layers for large pictures",
        paper=RESNET_PAPER,
        takes="pictures",
        usual_input=(3, 224, 224),
        usual_outputs=1000,
        training=LARGE_PICTURES,
    ),
    "resnet50": Entry(
        file="resnet",
        model="ResNet",
        variant="resnet50",
        summary="50 layers in bottlenecks for large pictures",
        paper=RESNET_PAPER,
        takes="pictures",
        usual_input=(3, 224, 224),
        usual_outputs=1000,
        training=LARGE_PICTURES,
    ),
    "resnet101": Entry(
        file="resnet",
        model="ResNet",
        variant="resnet101",
        summary="101 layers in bottlenecks for large pictures",
        paper=RESNET_PAPER,
        takes="pictures",
        usual_input=(3, 224, 224),
        usual_outputs=1000,
        training=LARGE_PICTURES,
    ),
    "alexnet": Entry(
        file="alexnet",
        model="AlexNet",
        variant="alexnet",
        summary="the network of 2012: two towers that can stand on two devices",
        paper="Krizhevsky et al. 2012, https://papers.nips.cc/paper/4824",
        takes="pictures",
        usual_input=(3, 224, 224),
        usual_outputs=1000,
        training={**LARGE_PICTURES, "learning_rate": 0.01, "weight_decay": 5e-4},
    ),
    "alexnet-one-tower": Entry(
        file="alexnet",
        model="OneTowerAlexNet",
        variant="alexnet-one-tower",
        summary="AlexNet in one tower",
        paper="Krizhevsky 2014, https://arxiv.org/abs/1404.5997",
        takes="pictures",
        usual_input=(3, 224, 224),
        usual_outputs=1000,
        training={**LARGE_PICTURES, "learning_rate": 0.01, "weight_decay": 5e-4},
    ),
    "alexnet-small": Entry(
        file="alexnet",
        model="OneTowerAlexNet",
        variant="alexnet-small",
        summary="AlexNet in one tower for small pictures, from 15x15 on",
        paper="Krizhevsky 2014, https://arxiv.org/abs/1404.5997",
        takes="pictures",
        usual_input=(3, 32, 32),
        usual_outputs=10,
        training=SMALL_PLAIN,
    ),
    "vgg11": Entry(
        file="vgg",
        model="VGG",
        variant="vgg11",
        summary="11 layers of 3x3 convolutions and dense ones (configuration A)",
        paper=VGG_PAPER,
        takes="pictures",
        usual_input=(3, 224, 224),
        usual_outputs=1000,
        training={**LARGE_PICTURES, "learning_rate": 0.01, "weight_decay": 5e-4},
    ),
    "vgg13": Entry(
        file="vgg",
        model="VGG",
        variant="vgg13",
        summary="13 layers of 3x3 convolutions and dense ones (configuration B)",
        paper=VGG_PAPER,
        takes="pictures",
        usual_input=(3, 224, 224),
        usual_outputs=1000,
        training={**LARGE_PICTURES, "learning_rate": 0.01, "weight_decay": 5e-4},
    ),
    "vgg16": Entry(
        file="vgg",
        model="VGG",
        variant="vgg16",
        summary="16 layers of 3x3 convolutions and dense ones (configuration D)",
        paper=VGG_PAPER,
        takes="pictures",
        usual_input=(3, 224, 224),
        usual_outputs=1000,
        training={**LARGE_PICTURES, "learning_rate": 0.01, "weight_decay": 5e-4},
    ),
    "vgg19": Entry(
        file="vgg",
        model="VGG",
        variant="vgg19",
        summary="19 layers of 3x3 convolutions and dense ones (configuration E)",
        paper=VGG_PAPER,
        takes="pictures",
        usual_input=(3, 224, 224),
        usual_outputs=1000,
        training={**LARGE_PICTURES, "learning_rate": 0.01, "weight_decay": 5e-4},
    ),
    "vgg-small": Entry(
        file="vgg",
        model="VGG",
        variant="vgg-small",
        summary="seven layers and normalisation for small pictures, from 8x8 on",
        paper=VGG_PAPER,
        takes="pictures",
        usual_input=(3, 32, 32),
        usual_outputs=10,
        training=SMALL_PLAIN,
    ),
    "googlenet": Entry(
        file="googlenet",
        model="GoogLeNet",
        variant="googlenet",
        summary="22 layers of modules with windows of several sizes",
        paper=GOOGLENET_PAPER,
        takes="pictures",
        usual_input=(3, 224, 224),
        usual_outputs=1000,
        training={**LARGE_PICTURES, "learning_rate": 0.01, "weight_decay": 5e-4},
    ),
    "googlenet-small": Entry(
        file="googlenet",
        model="GoogLeNet",
        variant="googlenet-small",
        summary="five such modules for small pictures, from 4x4 on",
        paper=GOOGLENET_PAPER,
        takes="pictures",
        usual_input=(3, 32, 32),
        usual_outputs=10,
        training=SMALL_PLAIN,
    ),
    "densenet121": Entry(
        file="densenet",
        model="DenseNet",
        variant="densenet121",
        summary="121 layers, each reading all before it in its block",
        paper=DENSENET_PAPER,
        takes="pictures",
        usual_input=(3, 224, 224),
        usual_outputs=1000,
        training=LARGE_PICTURES,
    ),
    "densenet169": Entry(
        file="densenet",
        model="DenseNet",
        variant="densenet169",
        summary="169 layers, each reading all before it in its block",
        paper=DENSENET_PAPER,
        takes="pictures",
        usual_input=(3, 224, 224),
        usual_outputs=1000,
        training=LARGE_PICTURES,
    ),
    "densenet-small": Entry(
        file="densenet",
        model="DenseNet",
        variant="densenet-small",
        summary="40 layers with 12 new maps each for small pictures, from 4x4 on",
        paper=DENSENET_PAPER,
        takes="pictures",
        usual_input=(3, 32, 32),
        usual_outputs=10,
        training=SMALL_PLAIN,
    ),
    "autoencoder": Entry(
        file="autoencoder",
        model="Autoencoder",
        variant="autoencoder",
        summary="a picture pressed into a few numbers and made anew from them",
        paper="Hinton and Salakhutdinov 2006, https://doi.org/10.1126/science.1127647",
        takes="pictures",
        usual_input=(1, 28, 28),
        usual_outputs=10,
        training=CODING,
        task="reconstruction",
    ),
    "vae": Entry(
        file="autoencoder",
        model="Autoencoder",
        variant="vae",
        summary="an autoencoder whose codes are normal, so that new ones can be drawn",
        paper="Kingma and Welling 2013, https://arxiv.org/abs/1312.6114",
        takes="pictures",
        usual_input=(1, 28, 28),
        usual_outputs=10,
        training=CODING,
        task="reconstruction",
    ),
    "gan": Entry(
        file="gan",
        model="GAN",
        variant="gan",
        summary="a painter and its judge, with the relativistic loss and gradient penalties",
        paper="Huang et al. 2024, https://arxiv.org/abs/2501.05441",
        takes="pictures",
        usual_input=(1, 28, 28),
        usual_outputs=10,
        training=PAINTING,
        task="adversarial",
    ),
    "dcgan": Entry(
        file="gan",
        model="GAN",
        variant="dcgan",
        summary="a painter and its judge as in 2015: the classic loss, normalised over the batch",
        paper="Radford et al. 2015, https://arxiv.org/abs/1511.06434",
        takes="pictures",
        usual_input=(1, 28, 28),
        usual_outputs=10,
        training={**PAINTING, "learning_rate": 2e-4, "relativistic": False, "gradient_penalty": 0.0},
        task="adversarial",
    ),
    "efficientnet-lite0": Entry(
        file="efficientnet",
        model="EfficientNet",
        variant="efficientnet-lite0",
        summary="thin blocks that widen and narrow, from 17x17 on; the network that --pretrained starts from",
        paper="Tan and Le 2019, https://arxiv.org/abs/1905.11946",
        takes="pictures",
        usual_input=(3, 224, 224),
        usual_outputs=1000,
        training={
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "schedule": "one-cycle",
            "batch_size": 32,
            "epochs": 20,
        },
    ),
}


def build(name: str, input_shape: tuple[int, ...], output_count: int, **options: Any) -> nn.Module:
    """Return the network `name`, freshly initialised, for samples of `input_shape` (without the batch).

    options: fields of its config that differ from the named variant.

    Raises:
        UsageError: the name or an option is unknown, a value cannot work, or the samples do not fit the network.
    """
    config = config_of(name, **options)
    if output_count < 1:
        raise UsageError(f"{name} needs at least one output, received {output_count}.")
    entry = CATALOGUE[name]
    model: nn.Module = getattr(_file(entry), entry.model)(tuple(input_shape), output_count, config)
    return model


def entry_of(name: str) -> Entry:
    """Return the entry of the network `name`.

    Raises:
        UsageError: there is no such name (the nearest one is suggested).
    """
    if name not in CATALOGUE:
        raise UsageError(
            f"model '{name}' is not in the catalogue.{nearest(name, CATALOGUE)} `layerwise models` lists them."
        )
    return CATALOGUE[name]


def config_of(name: str, **options: Any) -> Any:
    """Return the options of the network `name`, a frozen dataclass, with `options` in place of the variant's.

    Raises:
        UsageError: the name or an option is unknown (the nearest one is suggested), or a value cannot work.
    """
    config = _variant(name)
    known = [option.name for option in fields(config)]
    for option in options:
        if option not in known:
            hint, own = nearest(option, known).replace("'", "'--", 1), ", ".join(known)
            raise UsageError(f"--{option} is no option of {name}.{hint} It has: {own}.".replace("_", "-"))
    return replace(config, **options)


def option_names(name: str) -> tuple[str, ...]:
    """Return the names of the options of the network `name`."""
    return tuple(option.name for option in fields(_variant(name)))


def option_hints(name: str) -> dict[str, Any]:
    """Return the type of each option of the network `name`, as written in its config."""
    return get_type_hints(type(_variant(name)))


def option_help(name: str) -> dict[str, str]:
    """Return what each option of the network `name` means."""
    return {option.name: option.metadata["help"] for option in fields(_variant(name))}


def _variant(name: str) -> Any:
    entry = entry_of(name)
    return _file(entry).VARIANTS[entry.variant]


def _file(entry: Entry) -> Any:
    return import_module(f"layerwise.models.{entry.file}")
