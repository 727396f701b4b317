"""The command line: which commands there are, and how each ends."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module

from layerwise.cli.arguments import Parser
from layerwise.errors import LayerwiseError, MemoryLimitError, StorageError, UsageError, nearest
from layerwise.version import __version__

COMMANDS: dict[str, str] = {
    "demo": "train a network on handwritten digits and open its report",
    "train": "train a network on a data set, a folder of images, a table or texts",
    "resume": "continue an interrupted training, with the same bits",
    "predict": "predict for images, tables, series or texts with a trained network",
    "write": "generate text with a trained language model",
    "translate": "translate texts with a trained network",
    "sample": "generate images with a trained VAE or GAN, or interpolate between latents",
    "evaluate": "measure a trained network on held-out data; plot its errors",
    "explain": "explain a prediction: attributions, attention, filters, feature maps",
    "runs": "list, compare and remove trainings",
    "code": "write a run as a short plain-PyTorch script with its data",
    "show": "show a network layer by layer: shapes, parameters, multiply-adds",
    "models": "list the networks of the catalogue",
    "data": "list the data sets, or look at one",
    "recipes": "list complete trainings with their measured test figures",
    "neuron": "train one neuron: perceptron, linear and logistic regression, SVM, and others",
    "descend": "minimise any function by gradient descent; show every step and gradient",
    "backprop": "backpropagation for one sample, with every factor of the chain rule",
    "activations": "list the activation functions: formula, derivative, range, saturation",
    "losses": "list the loss functions: formula, derivative, targets, use",
    "path": "regularisation path: the weights as a function of the penalty strength",
    "depth": "show that stacked linear layers without a nonlinearity collapse into one",
}

OUT_OF_MEMORY = re.compile("out of memory|not enough memory|allocate memory|invalid buffer size", re.IGNORECASE)
LESSONS = ("neuron", "descend", "backprop", "activations", "losses", "path", "depth")  # listed apart

EXIT_CODES = """\
exit codes:
  0   done                                 69  data set cannot be fetched
  1   unexpected error                     70  no whole checkpoint, or a damaged run
  2   wrong flag, name or combination      71  out of memory
  3   training diverged                    74  disk full, or a path that cannot be written
  65  data cannot be used                  75  run in use
  66  file or run not found
  130 stopped by Ctrl-C, 143 by SIGTERM; a checkpoint is saved in both cases"""


def overview() -> str:
    """Return what `layerwise --help` prints."""
    lines = {name: f"  {name:<12}{summary}" for name, summary in COMMANDS.items()}
    rows = "\n".join(line for name, line in lines.items() if name not in LESSONS)
    lessons = "\n".join(lines[name] for name in LESSONS)
    return (
        "usage: layerwise COMMAND [ARGUMENTS]\n\n"
        "Train, understand and use neural networks, from one artificial neuron to networks for images,\n"
        "text and time series.\n\n"
        f"commands (details: `layerwise COMMAND --help`):\n{rows}\n\n"
        f"lessons, one idea each:\n{lessons}\n\n"
        "examples:\n"
        "  layerwise demo\n"
        "  layerwise train lenet5 --data mnist --epochs 3\n"
        "  layerwise train --data table.csv --target price\n"
        "  layerwise predict latest picture.png\n\n"
        f"{EXIT_CODES}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return run(words)
    except LayerwiseError as error:
        return refuse(error)
    except KeyboardInterrupt:
        print("layerwise: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `layerwise runs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("LAYERWISE_TRACEBACK"):
            raise
        return refuse(in_a_sentence(error))


def refuse(error: LayerwiseError) -> int:
    """Print why a command was not done; return its exit code."""
    print(f"layerwise: {error}", file=sys.stderr)
    return error.exit_code


def in_a_sentence(error: Exception) -> LayerwiseError:
    """Say what no part of the program foresaw: a lack of memory, a refusal of the system, or a fault of our own."""
    reason = " ".join(str(error).split())[:300]
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and OUT_OF_MEMORY.search(reason)):
        return MemoryLimitError(
            "the memory does not hold this; try smaller pictures (--image-size), a smaller --batch-size, "
            f"--limit, or a smaller model. The system says: {reason or 'out of memory'}"
        )
    if isinstance(error, OSError) and error.filename:
        return StorageError(f"{error.filename}: {error.strerror}; check the path and the rights of this user.")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError("the disk is full; free some space, then give the same command again.")
    return LayerwiseError(
        f"unexpected {type(error).__name__}: {reason or 'no reason given'}. This is a fault of the program; please "
        "report it, with what the same command prints where LAYERWISE_TRACEBACK=1 is set."
    )


def run(words: list[str]) -> int:
    """Find the command in `words` and run it.

    Raises:
        LayerwiseError: the command cannot be done; its sentence says why.
    """
    name = words[0] if words else "--help"
    if name in ("-h", "--help", "help"):
        print(overview())
        return 0
    if name in ("-V", "--version"):
        print(f"layerwise {__version__}")
        return 0
    if name not in COMMANDS:
        raise UsageError(f"'{name}' is no command.{nearest(name, COMMANDS)} `layerwise --help` lists them.")
    command = import_module(f"layerwise.cli.{name}")
    parser = Parser(prog=f"layerwise {name}", description=command.__doc__)
    command.add_arguments(parser)
    try:
        return int(command.run(parser.parse(words[1:])) or 0)
    except LayerwiseError as error:  # the library names fields, a command's user types flags
        error.args = (parser.in_flags(str(error), words), *error.args[1:])
        raise


if __name__ == "__main__":
    sys.exit(main())
