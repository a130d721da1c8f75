"""Names of a file's columns and of a table's: one whatever their case, as in SQL, unless the file has both. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Table
from skyshard.ingest.source import InputSlice
from skyshard.ingest.values.column_rules import Rule


def own_names(names: Sequence[str], wanted: Collection[str], asked: Collection[str] = ()) -> dict[str, str]:
    """What a file calls the wanted columns that it has: names are one whatever their case, as in SQL.

    The name itself goes first; of several others that differ from it in case only, none is taken, and none by two.

    Args:
        asked: more columns, which have to be spelled as they are.

    >>> own_names(["ID", "Flux", "flux", "RA", "Dec"], ["id", "flux", "FLUX", "dec", "DEC"], ["ra"])
    {'flux': 'flux', 'id': 'ID'}
    """
    spellings: dict[str, list[str]] = {}
    for name in names:
        spellings.setdefault(name.lower(), []).append(name)
    there, spelled = set(names), Counter(name.lower() for name in {*wanted, *asked})
    others = {name: spellings.get(name.lower(), []) for name in wanted if name not in there}
    alike = {name: found[0] for name, found in others.items() if len(found) == 1 and spelled[name.lower()] == 1}
    exact = {name: name for name in (*wanted, *asked) if name in there}
    return exact | alike


def twin_names(names: Sequence[str]) -> dict[str, list[str]]:
    """The names that occur more than once, case aside, and what the others of each are.

    >>> twin_names(["id", "Flux", "flux", "ra", "ra"])
    {'Flux': ['flux'], 'flux': ['Flux'], 'ra': ['ra']}
    """
    spellings: dict[str, list[str]] = {}
    for name in names:
        spellings.setdefault(name.lower(), []).append(name)
    several = [found for found in spellings.values() if len(found) > 1]
    return {name: [*found[: found.index(name)], *found[found.index(name) + 1 :]] for found in several for name in found}


def wanted_names(
    piece: InputSlice, given: Sequence[str], rules: tuple[Rule, ...], table: Table, asked: frozenset[str]
) -> dict[str, str]:
    """The columns to read, in the file's order, and what rules call each; a missing one is named, and one that occurs
    twice.

    Args:
        given: the columns that the file has.
        asked: those that a condition reads.

    Raises:
        UserError: such a column.
    """
    own = own_names(given, frozenset().union(*(rule.inputs for rule in rules)), asked)
    for rule in rules:
        missing = sorted(rule.inputs - own.keys() - dict(piece.given).keys())
        if missing and not rule.may_lack:
            raise UserError(
                f"'{piece.path}' has no column '{missing[0]}' for '{rule.column.name}' of table '{table.name}'",
                remedy="name another with 'from', omit it, or allow it to be missing",
            )
    wanted = {name: called for called, name in own.items()}
    if twice := sorted(name for name, count in Counter(given).items() if count > 1 and name in wanted):
        raise UserError(f"'{piece.path}' has column '{twice[0]}' twice", remedy="name each column once")
    return {name: wanted[name] for name in given if name in wanted}
