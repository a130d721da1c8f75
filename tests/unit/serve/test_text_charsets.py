"""Texts of a statement, written for servers that read statements in another character set."""

from __future__ import annotations

import pytest

from skyshard.serve.text_charsets import with_charset

CASES = {
    "SELECT a FROM t WHERE b = 'x'": "SELECT a FROM t WHERE b = 'x'",
    "SELECT 'é', N'é', _latin1'é' FROM t": "SELECT _utf8mb4 X'C3A9', _utf8mb3 X'C3A9', _latin1 X'C3A9' FROM t",
    "SELECT 'a' \"é\" 'b' FROM t": "SELECT _utf8mb4 X'61C3A962' FROM t",
    r"SELECT a FROM t WHERE b LIKE 'é\%'": "SELECT a FROM t WHERE b LIKE _utf8mb4 X'C3A95C25'",
    "SELECT a AS 'é', b 'é' FROM t": "SELECT a AS 'é', b 'é' FROM t",
    "SELECT `é` FROM t -- 'é'": "SELECT `é` FROM t -- 'é'",
    "SELECT GROUP_CONCAT(a SEPARATOR 'é') FROM t": "SELECT GROUP_CONCAT(a SEPARATOR 'é') FROM t",
    "SELECT DATE_FORMAT(f(d), '年') FROM t": "SELECT DATE_FORMAT(f(d), '年') FROM t",
    "SELECT CAST(a AS CHAR), CHAR(65) FROM t": "SELECT CAST(a AS CHAR CHARACTER SET utf8mb4), CHAR(65) FROM t",
    "SELECT CONVERT(f(a, b), CHAR (3)) FROM t": "SELECT CONVERT(f(a, b), CHAR (3) CHARACTER SET utf8mb4) FROM t",
    "SELECT CONCAT(a, CHAR(65)), 'AS CHAR)' FROM t": "SELECT CONCAT(a, CHAR(65)), 'AS CHAR)' FROM t",
    "SELECT CAST(a AS CHAR CHARACTER SET latin1) FROM t": "SELECT CAST(a AS CHAR CHARACTER SET latin1) FROM t",
}


@pytest.mark.parametrize("sql", CASES)
def test_literals_and_casts_say_their_character_set(sql: str) -> None:
    """Values of other letters than ASCII's, and CAST without a set; neither names, comments nor what is in strings."""
    assert with_charset(sql, "utf8mb4") == CASES[sql]


def test_a_session_in_latin1_needs_nothing_of_it() -> None:
    """Its literals are in the set that the servers read."""
    sql = "SELECT CAST(a AS CHAR), 'é' FROM t"
    assert with_charset(sql, "latin1") == sql
