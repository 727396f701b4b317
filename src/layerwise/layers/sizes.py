"""How large a map is after a row of windows, and the smallest picture that a network can take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

from torch import nn

from layerwise.errors import UsageError


class Window(NamedTuple):
    """What a convolution or a pooling does to one side of a map. `ceil`: a last window may hang over the edge."""

    kernel: int
    stride: int = 1
    padding: int = 0
    ceil: bool = False

    def size_after(self, size: int) -> int:
        """Return the size of the output of a map of `size` pixels a side, 0 where the window does not fit.

        A step of two or more pixels over a single one is counted as not fitting: it would learn from padding alone.
        """
        room = size + 2 * self.padding - self.kernel
        if (self.stride > 1 and size < 2) or (room < 0 and not self.ceil):
            return 0
        if not self.ceil:
            return room // self.stride + 1
        windows = -(-room // self.stride) + 1
        return max(0, windows - (1 if (windows - 1) * self.stride >= size + self.padding else 0))


def window_of(layer: nn.Module) -> Window | None:
    """Return the window of a convolution or a pooling, or the one that a block states as its `window`; else None."""
    if isinstance(layer, nn.Conv2d):
        reach = int(layer.dilation[0]) * (int(layer.kernel_size[0]) - 1) + 1
        return Window(reach, int(layer.stride[0]), int(layer.padding[0]))
    if isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
        kernel, stride, padding = (_side(n) for n in (layer.kernel_size, layer.stride, layer.padding))
        return Window(kernel, stride, padding, bool(layer.ceil_mode))
    stated = getattr(layer, "window", None)
    return stated if isinstance(stated, Window) else None


def windows_of(layers: Iterable[nn.Module]) -> Iterator[Window]:
    """Yield the windows of layers that follow one another, in order; nested Sequentials are walked through."""
    for layer in layers:
        if isinstance(layer, nn.Sequential):
            yield from windows_of(layer)
        elif window := window_of(layer):
            yield window


def size_after(size: int, windows: Iterable[Window]) -> int:
    """Return the size of the last map for a picture of `size` pixels a side, 0 where a window does not fit."""
    for window in windows:
        size = window.size_after(size)
    return max(size, 0)


def least_size(windows: Iterable[Window]) -> int:
    """Return the smallest picture, in pixels a side, on which every window fits."""
    path = tuple(windows)
    return next(size for size in count(1) if size_after(size, path) > 0)


def feature_count(model: str, input_shape: tuple[int, ...]) -> int:
    """Return how many numbers a sample holds.

    Raises:
        UsageError: the shape is empty or holds a size below 1.
    """
    total = 1
    for size in input_shape:
        total *= max(size, 0)
    if not input_shape or not total:
        raise UsageError(
            f"{model} needs at least one feature a sample, received samples of shape {input_shape}; "
            "check that the data has columns beside its target."
        )
    return total


def picture_shape(model: str, input_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (channels, height, width).

    Raises:
        UsageError: the samples are no pictures.
    """
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise UsageError(
            f"{model} takes pictures of shape (channels, height, width), received samples of shape {input_shape}; "
            "use mlp for rows of numbers."
        )
    channels, height, width = input_shape
    return channels, height, width


def map_shape(model: str, picture: tuple[int, int], layers: Iterable[nn.Module], smaller: str) -> tuple[int, int]:
    """Return (height, width) of the map after `layers` for a picture of (height, width) pixels.

    smaller: the name of a network for smaller pictures, told to the user; empty where there is none.

    Raises:
        UsageError: the picture is too small; the sentence names the least size and the remedy.
    """
    path = tuple(windows_of(layers))
    height, width = (size_after(size, path) for size in picture)
    if not height or not width:
        least = least_size(path)
        raise UsageError(
            f"{model} needs pictures of at least {least}x{least} pixels, received {picture[0]}x{picture[1]}; "
            f"use `image_size` {least}{', or ' + smaller if smaller else ''}."
        )
    return height, width


def _side(size: int | tuple[int, ...]) -> int:
    return size if isinstance(size, int) else size[0]
