"""Files of statements, one a line, with marks in brackets before it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One statement of the file; ``kind`` is the plan it should get, if one is named."""

    sql: str
    kind: str
    is_ordered: bool


def read_cases(text: str) -> list[Case]:
    """Lines ``[kind] [ordered] statement``; comments begin with two dashes."""
    cases = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("--"):
            marks, sql = re.match(r"((?:\[[a-z ]+\] ?)*)(.*)", line).groups()  # type: ignore[union-attr]
            words = re.findall(r"\[([a-z ]+)\]", marks)
            kinds = [word for word in words if word != "ordered"]
            cases.append(Case(sql.strip(), kinds[0] if kinds else "", "ordered" in words))
    return cases
