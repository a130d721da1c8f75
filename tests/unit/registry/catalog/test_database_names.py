"""Names that people give, stored names, aliases."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import UserError
from skyshard.registry.catalog.database_names import DatabaseNames, KnownName
from skyshard.registry.stored.lifecycle import DatabaseState

NAMES = DatabaseNames.of(
    [
        KnownName("new", "old", DatabaseState.PUBLISHED),
        KnownName("old", "_2_old", DatabaseState.PUBLISHED),
        KnownName("coming", "coming", DatabaseState.INGESTING),
        KnownName("going", "going", DatabaseState.DROPPING),
        KnownName("latest", "old", DatabaseState.PUBLISHED, is_alias=True),
    ]
)


def test_a_name_means_the_database_that_is_shown_under_it() -> None:
    """Never the one that is stored under it; an alias means what it names."""
    assert [NAMES.stored(name) for name in ("new", "old", "latest")] == ["old", "_2_old", "old"]
    assert [NAMES.shown(stored) for stored in ("old", "_2_old", "gone")] == ["new", "old", "gone"]
    assert NAMES.aliases("old") == ("latest",)
    assert NAMES.aliases("_2_old") == ()


@pytest.mark.parametrize("name", ["_2_old", "coming", "going", "nothing", ""])
def test_a_name_that_no_published_database_has_is_refused(name: str) -> None:
    """With the names that there are."""
    with pytest.raises(UserError, match=f"no database '{name}'; published: latest, new, old"):
        NAMES.stored(name)


def test_lists_of_names() -> None:
    """What statements may use; stored names each once."""
    assert NAMES.published == ["latest", "new", "old"]
    assert NAMES.published_stored == ["old", "_2_old"]
    assert NAMES.all_stored == ["coming", "going", "old", "_2_old"]
    assert NAMES.known("going").state is DatabaseState.DROPPING
