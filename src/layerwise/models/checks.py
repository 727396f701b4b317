"""Refusing an input that a network cannot take, before anything is trained."""

from __future__ import annotations

from layerwise.errors import UsageError


def check_picture(model: str, input_shape: tuple[int, ...], least_px: int, remedy: str = "") -> None:
    """Refuse samples that are no pictures, or pictures with fewer than `least_px` pixels a side.

    Raises:
        UsageError: names the model, what it was given, what it needs and what to do.
    """
    if len(input_shape) != 3:
        raise UsageError(
            f"{model} looks at pictures (channels, height, width), and these samples have the shape "
            f"{tuple(input_shape)}; use mlp for tables and texts."
        )
    height, width = input_shape[1:]
    if min(height, width) < least_px:
        other = f", or {remedy}" if remedy else ""
        raise UsageError(
            f"{model} needs pictures of at least {least_px}x{least_px} pixels, and these are {height}x{width}; "
            f"use --image-size {least_px}{other}."
        )
