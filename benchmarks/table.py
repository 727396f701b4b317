"""Tables of text that line up."""

from __future__ import annotations


def format_table(rows: list[dict[str, str]]) -> str:
    """Return the rows under their keys, in Markdown: the first column to the left, the rest to the right."""
    if not rows:
        return "(nothing to show)"
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in rows[0]}
    first, *rest = widths

    def line(cells: dict[str, str]) -> str:
        return "| " + " | ".join([cells[first].ljust(widths[first]), *(cells[k].rjust(widths[k]) for k in rest)]) + " |"

    rule = "|" + "|".join(["-" * (widths[first] + 2), *("-" * (widths[k] + 1) + ":" for k in rest)]) + "|"
    return "\n".join([line({key: key for key in widths}), rule, *(line(row) for row in rows)])
