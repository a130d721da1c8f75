"""The words of ``skyshard obscore``."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import UserError
from skyshard.cli.commands.obscore import _by_database


def test_constants_are_of_all_databases_or_of_one() -> None:
    """A name alone is for those that have none of their own; a path may have a sign of equality."""
    assert _by_database([], ["a", "b"]) == {"a": "", "b": ""}
    assert _by_database(["a=hsc"], ["a", "b"]) == {"a": "hsc", "b": ""}
    assert _by_database(["b=x/y=z.yaml", "comcam"], ["a", "b"]) == {"a": "comcam", "b": "x/y=z.yaml"}
    assert _by_database(["./y=z.yaml"], ["a"]) == {"a": "./y=z.yaml"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["c=hsc"], "--constants c=hsc: 'c' is none of the databases"),
        (["a=hsc", "a=imsim"], "--constants a=imsim: there are constants already"),
        (["hsc", "imsim"], "--constants imsim: there are constants already"),
    ],
)
def test_constants_of_no_database_or_twice_are_refused(given: list[str], said: str) -> None:
    """With the word that is wrong."""
    with pytest.raises(UserError, match=said):
        _by_database(given, ["a", "b"])
