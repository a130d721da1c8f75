"""Tables as ADQL knows them: by names whose letters' case does not matter. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from skyshard.basics.errors import UserError
from skyshard.basics.lazy import locked_property
from skyshard.basics.near_names import did_you_mean, near_names
from skyshard.catalog.known_table import KnownTable


@dataclass(frozen=True)
class KnownTables:
    """All tables that a query may name."""

    tables: tuple[KnownTable, ...] = field(default=())

    @staticmethod
    def of(tables: Iterable[KnownTable]) -> KnownTables:
        return KnownTables(tuple(tables))

    @locked_property
    def _by_name(self) -> dict[str, list[KnownTable]]:
        found: dict[str, list[KnownTable]] = {}
        for table in self.tables:
            found.setdefault(table.shown.lower(), []).append(table)
            found.setdefault(table.name.lower(), []).append(table)
        return found

    def find(self, schema: str, name: str, where: str = "") -> KnownTable:
        """A table by its name, with or without its schema; the spelling that fits exactly goes first.

        Raises:
            UserError: there is none, or several.

        >>> tables = KnownTables.of([KnownTable("dp1", "Object", ("ra",)), KnownTable("hsc", "object", ("ra",))])
        >>> tables.find("DP1", "OBJECT").shown, tables.find("", "object").shown
        ('dp1.Object', 'hsc.object')
        """
        wanted = f"{schema}.{name}" if schema else name
        found = self._by_name.get(wanted.lower(), [])
        exact = [one for one in found if wanted in (one.shown, one.name)]
        found = exact or found
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(
                f"there are several tables '{wanted}'{where}",
                remedy=f"name one: {', '.join(one.shown for one in found)}",
            )
        meant = did_you_mean(near_names(wanted, [one.shown for one in self.tables], 3), "")
        raise UserError(f"there is no table '{wanted}'{where}", remedy=meant or "TAP_SCHEMA.tables lists them")
