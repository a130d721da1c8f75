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
    with pytest.raises(UserError, match=f"no database '{name}'; (did you mean 'old'\\? )?published: latest, new, old$"):
        NAMES.stored(name)


def test_of_many_databases_few_are_named() -> None:
    """Of 7 the first five, and how many more; what is spelled nearly so stands first."""
    names = DatabaseNames.of(KnownName(f"hsc_w{n}", f"hsc_w{n}", DatabaseState.PUBLISHED) for n in range(20, 27))
    with pytest.raises(UserError) as caught:
        names.stored("other")
    listed = "published: hsc_w20, hsc_w21, hsc_w22, hsc_w23, hsc_w24 and 2 more (skyshard databases)"
    assert str(caught.value) == f"no database 'other'; {listed}"
    with pytest.raises(UserError) as caught:
        names.stored("HSC_W26")
    assert caught.value.remedy.startswith("did you mean 'hsc_w26' or ")
    assert caught.value.remedy.endswith(f"? {listed}")


def test_lists_of_names() -> None:
    """What statements may use; stored names each once."""
    assert NAMES.published == ["latest", "new", "old"]
    assert NAMES.published_stored == ["old", "_2_old"]
    assert NAMES.all_stored == ["coming", "going", "old", "_2_old"]
    assert NAMES.known("going").state is DatabaseState.DROPPING
