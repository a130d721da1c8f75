"""Formats of times whose letters would be lost are refused."""

from __future__ import annotations

import pytest
from tests.support.four_chunks import Source, table
from tests.support.planned import bound_of

from skyshard.basics.errors import Refusal
from skyshard.registry.catalog.published_catalog import Catalog


class _Worded(Source):
    """A table of words in several character sets."""

    def catalog(self, database: str) -> Catalog:
        found = super().catalog(database)
        words = table("Word", "a varchar(9), u varchar(9) character set utf8mb4 collate utf8mb4_bin, d date, n int")
        return Catalog("sky", found.layout, {**found.tables, "Word": words}, found.nodes)


@pytest.mark.parametrize(
    "format_",
    [
        "u",
        "CONCAT('%Y', u)",
        "IF(n, '%Y', u)",
        "_utf8mb4 X'E5B9B4'",
        "q.x",
        "(SELECT MAX(u) FROM Word)",
        "CONVERT(X'E5B9B4' USING utf8mb4)",
        "CONCAT('%Y', CHAR(15055284 USING utf8mb4))",
        "CONVERT(UNHEX('E5B9B4') USING utf8mb3)",
        "CAST(0xE5B9B4 AS CHAR CHARACTER SET utf8mb4)",
    ],
)
@pytest.mark.parametrize("name", ["DATE_FORMAT", "time_format"])
def test_a_format_in_other_letters_is_refused(name: str, format_: str) -> None:
    """Or one of which it is not known."""
    with pytest.raises(Refusal, match=f"{name.upper()}.. has a format in other letters") as error:
        bound_of(f"SELECT {name}(d, {format_}) FROM Word, (SELECT u AS x FROM Word) AS q", _Worded())
    assert error.value.code == "time-format"


@pytest.mark.parametrize(
    "call",
    ["DATE_FORMAT(d, '%Y')", "DATE_FORMAT(d, a)", "DATE_FORMAT(d, CONVERT(u USING latin1))", "DATE_FORMAT(d, n)",
     "DATE_FORMAT(d, _latin1'%Y')", "DATE_FORMAT(CAST(u AS DATE), '%Y')", "DATE_FORMAT(d, '%Y', 'de_DE')",
     "DATE_FORMAT(d, CONVERT(UPPER('%y') USING utf8mb4))", "DATE_FORMAT(d, CHAR(37, 89 USING latin1))"],
)  # fmt: skip
def test_other_formats_are_not(call: str) -> None:
    bound_of(f"SELECT {call} FROM Word", _Worded())


@pytest.mark.parametrize("locale", ["'ru_RU'", "'ZH_tw'", "'cs_CZ'", "a", "CONCAT('ru', '_RU')"])
def test_a_locale_in_other_letters_is_refused(locale: str) -> None:
    """Or one that a column or an expression gives."""
    with pytest.raises(Refusal, match=r"DATE_FORMAT.. has a locale with other letters") as error:
        bound_of(f"SELECT DATE_FORMAT(d, '%M', {locale}) FROM Word", _Worded())
    assert error.value.code == "time-format"


@pytest.mark.parametrize("locale", ["'fr_FR'", "'ET_ee'", "'xx'", "NULL", "7"])
def test_other_locales_are_not(locale: str) -> None:
    """An unknown one is English."""
    bound_of(f"SELECT DATE_FORMAT(d, '%M', {locale}) FROM Word", _Worded())
