"""The tables of ``plain_sky`` as a FROM clause may spell them: with a database or without, with an alias or without."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.support.plain_sky import COLUMNS, FIRST, SECOND
from tests.support.plain_templates import KINDS, Column, Source
from tests.support.split_sky import table_of

WEIGHTS = {"Obj": 6, "Src": 5, "Note": 2, "Band": 2, "Void": 1}
POSITIONS = {"ra", "decl", "raObj", "declObj"}
"""No plain value but for the right ascension of ``Obj``."""


def draw_table(chance: Random, next_alias: Callable[[], str], bare: set[tuple[str, str]]) -> Source:
    """One table; ``bare``: those that stand without an alias already, to which this one is added if it has none."""
    database = chance.choice([FIRST, FIRST, FIRST, SECOND])
    names = [name for name in WEIGHTS if name in COLUMNS[database]]
    name = chance.choices(names, [WEIGHTS[one] for one in names])[0]
    is_default = database == FIRST and chance.random() < 0.7
    with_database = [f"{database}.{name}", f"`{database}`.`{name}`", f"{database} . {name}"]
    text = chance.choice([name, f"`{name}`"] if is_default else with_database)
    if chance.random() < 0.2 and (database, name) not in bare:
        bare.add((database, name))
        before = f"{database}.{name}"
    else:
        before = next_alias()
        text += f" {chance.choice(['', 'AS '])}{before}"
    places = {"Obj": [(f"{before}.ra", f"{before}.decl")]} if name == "Obj" else {}
    if (database, name) == (FIRST, "Src"):
        places = {"Src": [(f"{before}.raObj", f"{before}.declObj")]}
    columns = [
        Column(f"{before}.{_spelt(chance, one.name)}", KINDS.get(one.type.text, "t"))
        for one in table_of(name, COLUMNS[database][name]).columns
        if one.name not in POSITIONS or (name == "Obj" and one.name == "ra")
    ]
    return Source(text, columns, [columns[0].text], "", places.get(name, []), bool(places) or name == "Band")


def _spelt(chance: Random, name: str) -> str:
    if not name.isidentifier() or name == "order" or chance.random() < 0.05:
        return f"`{name}`"
    return chance.choice([name] * 6 + [name.upper()])
