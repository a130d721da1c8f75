"""How the rows of one table are to be matched: which columns are its key, whether it has positions. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role
from skyshard.catalog.schema import Column
from skyshard.releases.differences.columns.compared_columns import ColumnPairing, ComparedColumn, Kind, pair_columns
from skyshard.releases.differences.outlines.group_counts import groupings, named_in, objects_within
from skyshard.releases.differences.outlines.key_words import Coding, coding_of
from skyshard.releases.differences.outlines.row_outlines import OutlineColumns
from skyshard.releases.differences.reading.stored_rows import StoredRows

MatchBy = Literal["auto", "key", "position"]


@dataclass(frozen=True, slots=True)
class MatchPlan:
    """What is read and compared of one table."""

    pairing: ColumnPairing
    keys: tuple[tuple[Column, Column], ...]
    """Columns of the key, old and new; empty: there is none. They name rows also where they do not match them."""
    is_guessed: bool
    """The key is not declared: it is one if it is unique on both sides."""
    is_placed: bool
    """Both sides have positions of their own."""
    old: OutlineColumns
    new: OutlineColumns
    groups: tuple[tuple[str, ...], ...]
    within: tuple[str, ...]
    """The grouping within which positions are compared, where both sides have the same groups; empty: none."""

    @property
    def can_match(self) -> bool:
        return bool(self.keys) or self.is_placed


def plan_match(old: StoredRows, new: StoredRows, renamed: Mapping[str, str], by: MatchBy) -> MatchPlan:
    """Plan how the rows of a table are matched.

    Raises:
        UserError: the table has not what ``by`` asks for.
    """
    roles = {old.layout.role, new.layout.role}
    is_placed = roles == {Role.DIRECTOR} and old.layout.position is not None and new.layout.position is not None
    labels = frozenset(
        name.partition("(")[0].lower() for name in (new.layout.key, new.layout.key2, *new.table.primary_key)
    )
    pairing = pair_columns(old.table, new.table, renamed, labels)
    keys = _keys(old, new, pairing)
    is_guessed = not keys and roles != {Role.DIRECTOR}
    if is_guessed:
        keys = _guessed_keys(new, pairing)
    if roles == {Role.DIRECTOR}:
        _require(by, new.table.name, keys, is_placed=is_placed)
    codings = tuple(coding_of(*pair) for pair in keys)
    groups = tuple(groupings(old.table, new.table))
    within = objects_within(groups) if is_placed else ()
    ties = [(old.table.column(name), new.table.column(name)) for name in within]
    texts = [pair for pair in (*keys, *ties) if coding_of(*pair) is Coding.TEXT]
    first, second = (
        OutlineColumns(
            tuple(pair[side].name for pair in keys), codings, rows.layout.position if is_placed else None,
            tuple(named_in(rows.table, group) for group in groups),
            tuple((tie[side].name, coding_of(*tie)) for tie in ties),
            {pair[side].name: (pair[side].type, ComparedColumn(*pair, Kind.TEXT)) for pair in texts},
        )
        for side, rows in enumerate((old, new))
    )  # fmt: skip
    return MatchPlan(pairing, keys, is_guessed, is_placed, first, second, groups, within)


def _require(by: MatchBy, table: str, keys: tuple[tuple[Column, Column], ...], *, is_placed: bool) -> None:
    if by == "key" and not keys:
        raise UserError(f"table '{table}' has no key in both databases", remedy="use --match position")
    if by == "position" and not is_placed:
        raise UserError(f"table '{table}' has no positions in both databases", remedy="use --match key")
    if not keys and not is_placed:
        raise UserError(
            f"table '{table}' has neither a common key nor positions in both databases",
            remedy="leave it out with --table",
        )


def _keys(old: StoredRows, new: StoredRows, pairing: ColumnPairing) -> tuple[tuple[Column, Column], ...]:
    """A director's own key, else the primary key where it has the same columns on both sides."""
    if old.layout.role is Role.DIRECTOR and new.layout.role is Role.DIRECTOR:
        if old.layout.key and new.layout.key:
            return ((old.table.column(old.layout.key), new.table.column(new.layout.key)),)
        return ()
    before = {one.new.name.lower(): one.old for one in pairing.compared}
    names = [name.partition("(")[0] for name in new.table.primary_key]
    declared = {name.partition("(")[0].lower() for name in old.table.primary_key}
    if not names or any(name.lower() not in before for name in names):
        return ()
    keys = tuple((before[name.lower()], new.table.column(name)) for name in names)
    return keys if {one.name.lower() for one, _ in keys} == declared else ()


def _guessed_keys(new: StoredRows, pairing: ColumnPairing) -> tuple[tuple[Column, Column], ...]:
    """Columns that by their names may be the key of a table without one.

    Such as Visit.visit, VisitDetector.visitId with detector, forcedSourceId, or an objectId with visit and detector.
    """
    both = {one.new.name.lower(): one for one in pairing.compared}
    table, followed = new.table.name.lower(), new.layout.key.lower()
    exposures = [("visit", "detector"), ("visitid", "detector"), ("visit",), ("visitid",)]
    if new.layout.role is Role.DEPENDENT and followed:
        exposures = [(followed, *names) for names in exposures]
    elif not table.startswith("visit"):
        exposures = []
    for names in ((f"{table}id",), *exposures, ("ccdvisitid",), ("id",)):
        found = [both[name] for name in names if name in both]
        if len(found) == len(names) and all(one.kind is not Kind.TEXT for one in found):
            return tuple((one.old, one.new) for one in found)
    return ()
