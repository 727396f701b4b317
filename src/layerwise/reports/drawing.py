"""A network drawn from its summary: stacks of feature maps, bars of neurons, circles where they are few.

Deep networks are grouped into stages of the same picture size, so that fifty layers stay readable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby
from typing import Protocol

from layerwise.reports import wording

BLOCKS_AT_MOST = 11  # more are grouped into stages
DENSE_LAYERS_WITH_CIRCLES = 6
CIRCLES_AT_MOST = 9  # of one layer; of more neurons the first and the last are drawn, with dots between
MAP_PX = 88  # side of the largest feature map
SHEETS_AT_MOST = 7
SHEET_STEP_PX = 5
BLOCK_WIDTH_PX = 128
QUIET_KINDS = ("norm", "drop", "flatten", "identity", "relu", "tanh", "sigmoid", "elu", "gelu", "silu", "softmax")
COLOURS = {"input": "--muted", "maps": "--blue", "pool": "--sky", "vector": "--green", "output": "--orange"}


class LayerRow(Protocol):
    """What is drawn of a layer. output_shape: without the batch."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def output_shape(self) -> tuple[int, ...]: ...
    @property
    def parameters(self) -> int: ...


@dataclass(frozen=True)
class Block:
    """One thing that is drawn: a layer, or several of one stage. title: what it is; detail: its name in the model."""

    title: str
    detail: str
    shape: tuple[int, ...]
    parameters: int
    role: str
    layers: int = 1


def draw_network(rows: Sequence[LayerRow], input_shape: tuple[int, ...], outputs: Sequence[str] = ()) -> str:
    """Return an <svg> of the network, left to right, with colours from the page's variables.

    Args:
        rows: the layers in the order in which they compute.
        input_shape: of one sample, without the batch.
        outputs: names of the outputs, written beside the last neurons where there is room.
    """
    blocks = blocks_of(rows, input_shape)
    dense = all(len(block.shape) == 1 for block in blocks)
    if dense and len(blocks) <= DENSE_LAYERS_WITH_CIRCLES + 1:
        return draw_neurons(blocks, outputs)
    return draw_blocks(blocks)


def blocks_of(rows: Sequence[LayerRow], input_shape: tuple[int, ...]) -> list[Block]:
    """Turn layers into blocks: those that only shape what another computed are left to the table."""
    drawn = [_block(row) for row in rows if not _is_quiet(row)]
    if len(drawn) > BLOCKS_AT_MOST:
        drawn = stages(drawn)
    if drawn:
        drawn[-1] = replace(drawn[-1], role="output")
    return [Block("input", "", input_shape, 0, "input"), *drawn]


def _is_quiet(row: LayerRow) -> bool:
    kind = row.kind.lower()
    return any(word in kind for word in QUIET_KINDS)


def _block(row: LayerRow) -> Block:
    role = "vector" if len(row.output_shape) == 1 else "maps" if row.parameters else "pool"
    if "pool" in row.kind.lower() or "sampl" in row.kind.lower():
        role = "pool"
    return Block(row.kind, row.name, row.output_shape, row.parameters, role)


def stages(blocks: Sequence[Block]) -> list[Block]:
    """Join neighbours whose feature maps have the same size."""

    def size(block: Block) -> tuple[int, ...]:
        return block.shape[1:] if len(block.shape) == 3 else (0, *block.shape)

    return [_stage(list(members)) for _, members in groupby(blocks, key=size)]


def _stage(members: list[Block]) -> Block:
    if len(members) == 1:
        return members[0]
    last = members[-1]
    weighted = [member for member in members if member.parameters]
    place = _common_prefix([member.detail for member in weighted or members])
    kinds = ", ".join(
        f"{sum(member.title == kind for member in members)} × {kind}"
        for kind in dict.fromkeys(member.title for member in weighted or members)
    )
    widest = max(member.shape for member in members)
    parameters = sum(member.parameters for member in members)
    role = "maps" if weighted and len(last.shape) == 3 else last.role
    return Block(kinds, place, widest, parameters, role, layers=len(members))


def _common_prefix(names: Sequence[str]) -> str:
    """Return 'layer1' for 'layer1.0.conv1' and 'layer1.2.conv3'."""
    split = [name.split(".") for name in names]
    shared = [parts[0] for parts in zip(*split, strict=False) if len(set(parts)) == 1]
    return ".".join(shared) or f"{names[0].split('.')[0]} to {names[-1].split('.')[0]}"


# -- stacks of feature maps ---------------------------------------------------------------------------------


def draw_blocks(blocks: Sequence[Block]) -> str:
    """Draw each block as a stack of maps or a bar of neurons, with name, shape and parameters below."""
    largest = max((max(block.shape[1:]) for block in blocks if len(block.shape) == 3), default=1)
    middle = 30 + (MAP_PX + SHEETS_AT_MOST * SHEET_STEP_PX) / 2
    pieces = []
    for place, block in enumerate(blocks):
        centre = BLOCK_WIDTH_PX * (place + 0.5)
        if place:
            pieces.append(_arrow(centre - BLOCK_WIDTH_PX, centre, middle, blocks[place - 1], block, largest))
        pieces.append(_stack(block, centre, middle, largest))
        pieces.append(_caption(block, centre, middle + 72))
    return _svg(BLOCK_WIDTH_PX * len(blocks), middle + 142, "".join(pieces), blocks)


def _extent(block: Block, largest: int) -> tuple[float, float, int]:
    """Return width, height and number of sheets of a block's picture."""
    if len(block.shape) == 3:
        channels, height, width = block.shape
        scale = MAP_PX / math.sqrt(largest)
        return max(7, scale * math.sqrt(width)), max(7, scale * math.sqrt(height)), _sheets(channels)
    neurons = block.shape[-1] if block.shape else 1
    return 13, min(118.0, 26 + 15 * math.log2(max(1, neurons))), 1


def _sheets(channels: int) -> int:
    return min(SHEETS_AT_MOST, 1 if channels == 1 else 1 + round(math.log2(channels)))


def _stack(block: Block, centre: float, middle: float, largest: int) -> str:
    width, height, sheets = _extent(block, largest)
    colour = f"var({COLOURS[block.role]})"
    shift = SHEET_STEP_PX * (sheets - 1) / 2
    sheet = (
        '<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="2" '
        'fill="var(--card)" stroke="{c}" stroke-width="1.3"/>'
        '<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="2" fill="{c}" fill-opacity="0.22"/>'
    )
    return "".join(
        sheet.format(
            x=centre - width / 2 + shift - SHEET_STEP_PX * place,
            y=middle - height / 2 - shift + SHEET_STEP_PX * place,
            w=width,
            h=height,
            c=colour,
        )
        for place in range(sheets)
    )


def _arrow(start: float, end: float, middle: float, before: Block, after: Block, largest: int) -> str:
    def reach(block: Block) -> float:
        width, _, sheets = _extent(block, largest)
        return width / 2 + SHEET_STEP_PX * (sheets - 1) / 2 + 5

    left, right = start + reach(before), end - reach(after)
    if right - left < 8:
        return ""
    return (
        f'<path d="M{left:.1f} {middle:.1f}H{right - 1:.1f}m-4 -3.5l4 3.5l-4 3.5" '
        'fill="none" stroke="var(--muted)" stroke-width="1.2"/>'
    )


def _caption(block: Block, centre: float, top: float) -> str:
    parameters = f"{wording.compact(block.parameters)} parameters" if block.parameters else ""
    lines = [
        (_cut(block.title), "font-weight:600;fill:var(--ink)"),
        (_cut_left(block.detail), ""),
        (" × ".join(map(str, block.shape)), "fill:var(--ink)"),
        (parameters, ""),
    ]
    return "".join(
        f'<text x="{centre:.1f}" y="{top + 16 * place:.1f}" text-anchor="middle" style="{css}">{escape(text)}</text>'
        for place, (text, css) in enumerate((text, css) for text, css in lines if text)
    )


# -- circles of neurons -------------------------------------------------------------------------------------


def draw_neurons(blocks: Sequence[Block], outputs: Sequence[str]) -> str:
    """Draw a small dense network neuron by neuron."""
    gap, row = 172, 25
    height = 24.0 + row * CIRCLES_AT_MOST
    columns = [_places(block.shape[0], row, height) for block in blocks]
    centres = [80 + gap * place for place in range(len(blocks))]
    pieces = []
    for place in range(1, len(blocks)):
        pieces.append(_wires(centres[place - 1], columns[place - 1], centres[place], columns[place]))
    for centre, places, block in zip(centres, columns, blocks, strict=True):
        pieces += [_neuron(centre, y, f"var({COLOURS[block.role]})") for y in places if y is not None]
        if None in places:
            pieces.append(_dots(centre, places))
        pieces.append(_caption(block, centre, height + 18))
    width = centres[-1] + 80.0
    if len(outputs) == blocks[-1].shape[0] <= CIRCLES_AT_MOST:
        longest = max(len(_cut(name)) for name in outputs)
        width = max(width, centres[-1] + 24 + 7.2 * longest)
        pieces += [
            f'<text x="{centres[-1] + 16}" y="{(y or 0) + 4:.1f}">{escape(_cut(name))}</text>'
            for name, y in zip(outputs, columns[-1], strict=True)
        ]
    return _svg(width, height + 84, "".join(pieces), blocks)


def _places(neurons: int, row: float, height: float) -> list[float | None]:
    """Return the height of each drawn neuron; None stands for those left out."""
    count = min(neurons, CIRCLES_AT_MOST)
    top = height / 2 - row * (count - 1) / 2 + 4
    places: list[float | None] = [top + row * place for place in range(count)]
    if neurons > CIRCLES_AT_MOST:
        places[CIRCLES_AT_MOST - 3] = None
    return places


def _wires(start: float, left: Sequence[float | None], end: float, right: Sequence[float | None]) -> str:
    lines = "".join(f"M{start} {a:.1f}L{end} {b:.1f}" for a in left if a for b in right if b)
    return f'<path d="{lines}" stroke="var(--muted)" stroke-opacity="0.35" stroke-width="0.8" fill="none"/>'


def _neuron(x: float, y: float, colour: str) -> str:
    return (
        f'<circle cx="{x}" cy="{y:.1f}" r="9" fill="var(--card)"/>'
        f'<circle cx="{x}" cy="{y:.1f}" r="9" fill="{colour}" fill-opacity="0.25" '
        f'stroke="{colour}" stroke-width="1.6"/>'
    )


def _dots(x: float, places: Sequence[float | None]) -> str:
    gap = places.index(None)
    before, after = places[gap - 1] or 0.0, places[gap + 1] or 0.0
    return "".join(
        f'<circle cx="{x}" cy="{(before + after) / 2 + 6 * step:.1f}" r="1.6" fill="var(--muted)"/>'
        for step in (-1, 0, 1)
    )


def _cut(text: str, length: int = 19) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _cut_left(text: str, length: int = 19) -> str:
    """Cut the beginning of a layer's place, whose end tells it from its neighbours."""
    return text if len(text) <= length else "…" + text[1 - length :]


def _svg(width: float, height: float, inside: str, blocks: Sequence[Block]) -> str:
    told = ", then ".join(f"{block.title} {block.detail} {' by '.join(map(str, block.shape))}" for block in blocks)
    return (
        f'<svg class="network" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'role="img" aria-label="The network: {escape(told)}" '
        f'style="font:12px var(--sans);fill:var(--muted)">{inside}</svg>'
    )
