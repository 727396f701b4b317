"""What of a template is kept: marked statements whole, or not at all.

A mark is a comment in brackets at the end of a statement's first line, `clip(...)  # [clip]`. It names a part that the
statement is replaced by, or says by options joined with and, or, not when it is kept. A module says how many marks it
has, `MARKS = 3`, so that none is lost.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Mapping

from layerwise.errors import UsageError

MARK = re.compile(r"(?P<code>.*\S)  # (?:(?P<comment>.*) )?\[(?P<rule>[a-z0-9_ ]+)\]")


def apply_marks(source: str, options: Mapping[str, bool], parts: Mapping[str, str], used: list[str], where: str) -> str:
    """Return the source with its marks carried out; the names of the parts that were put in are added to `used`.

    Raises:
        UsageError: a mark is missing, is unknown, or stands behind no statement.
    """
    lines = source.splitlines()
    statements = {node.lineno: node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)}
    marks = {number: mark for number, line in enumerate(lines, 1) if (mark := MARK.fullmatch(line))}
    declared = re.findall(r"^MARKS = (\d+)$", source, re.MULTILINE)
    if declared != [str(len(marks))] and (marks or declared):
        raise unwritten(f"{where} has {len(marks)} marks and declares {' and '.join(declared) or 'none'}")
    left_out: set[int] = set()
    for number, mark in marks.items():
        if number not in statements:
            raise unwritten(f"line {number} of {where} has a mark and begins no statement")
        rule, node = mark["rule"], statements[number]
        span = range(number, (node.end_lineno or number) + 1)
        if rule in parts:
            used.append(rule)
            left_out.update(span)
            lines[number - 1] = textwrap.indent(parts[rule], " " * node.col_offset)
            left_out.discard(number)
        elif is_kept(rule, options, where):
            lines[number - 1] = mark["code"] + (f"  # {mark['comment']}" if mark["comment"] else "")
        else:
            left_out.update(span)
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in left_out) + "\n"


def is_kept(rule: str, options: Mapping[str, bool], where: str) -> bool:
    """Tell whether the options keep a statement."""
    try:
        return bool(eval(rule, {"__builtins__": {}}, dict(options)))
    except (NameError, SyntaxError):
        raise unwritten(f"{where} has the mark [{rule}], which names an unknown option") from None


def unwritten(reason: str) -> UsageError:
    """Return the error of a source that no script can be made of."""
    return UsageError(f"no script can be written, since {reason}; install Layerwise anew, or tell its makers.")
