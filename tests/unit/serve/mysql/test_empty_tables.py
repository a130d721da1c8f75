"""Of which generation the empty tables are."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.support.played_services import PlayedCatalogs

from skyshard.db.connection import Endpoint
from skyshard.serve.mysql.empty_tables import EmptyTables
from skyshard.serve.open_answer import NO_GENERATION


@dataclass
class Changing(PlayedCatalogs):
    """Something is published so often, each time while the databases are read; the tables are none."""

    changes: int = 0
    number: int = 7

    def generation(self) -> int:
        return self.number

    def databases(self) -> list[str]:
        if self.changes:
            self.changes, self.number = self.changes - 1, self.number + 1
        return []


@pytest.mark.parametrize(("changes", "first", "second"), [(0, 7, 7), (1, 8, 8), (2, 9, 9), (3, NO_GENERATION, 10)])
def test_the_tables_are_of_the_generation_in_which_they_were_read(changes: int, first: int, second: int) -> None:
    """Never of one whose tables were read partly in another: then they are of none, until the next look."""
    tables = EmptyTables(Endpoint(), Changing(changes=changes))
    assert tables.number == NO_GENERATION
    assert (tables.renew(), tables.number) == (first, first)
    assert (tables.renew(), tables.number) == (second, second)
