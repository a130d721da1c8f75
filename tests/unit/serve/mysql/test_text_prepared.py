"""Prepared statements as text, read without a parser."""

from __future__ import annotations

import pytest

from skyshard.serve.mysql.text_prepared import TextPrepared, Verb, ask_values, text_prepared
from skyshard.serve.sql_words import literal_text


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("PREPARE s FROM 'SELECT 1'", TextPrepared(Verb.PREPARE, "s", "'SELECT 1'")),
        ("prepare `S x`\nfrom @sql ; ", TextPrepared(Verb.PREPARE, "s x", "@sql")),
        ('PREPARE s FROM "a \'b\' ""c"""', TextPrepared(Verb.PREPARE, "s", '"a \'b\' ""c"""')),
        ("EXECUTE s", TextPrepared(Verb.EXECUTE, "s")),
        ("EXECUTE s USING @a ,@`b c`", TextPrepared(Verb.EXECUTE, "s", "", ("@a", "@`b c`"))),
        ("EXECUTE IMMEDIATE 'SELECT 1'", TextPrepared(Verb.IMMEDIATE, "", "'SELECT 1'")),
        ("execute immediate'SELECT 1' USING @a, @b;", TextPrepared(Verb.IMMEDIATE, "", "'SELECT 1'", ("@a", "@b"))),
        ("EXECUTE IMMEDIATE @sql", TextPrepared(Verb.IMMEDIATE, "", "@sql")),
        ("EXECUTE immediate USING @a", TextPrepared(Verb.EXECUTE, "immediate", "", ("@a",))),
        ("DROP PREPARE s;", TextPrepared(Verb.FORGET, "s")),
        ("DEALLOCATE PREPARE s", TextPrepared(Verb.FORGET, "s")),
    ],
)
def test_what_is_said_is_read(sql: str, wanted: TextPrepared) -> None:
    """Names in any case, with and without a semicolon."""
    assert text_prepared(sql) == wanted


@pytest.mark.parametrize(
    "sql",
    [
        "EXECUTE IMMEDIATE CONCAT('a')", "EXECUTE IMMEDIATE 'a' USING 1",
        "PREPARE s FROM 'a' 'b'", "PREPARE s FROM CONCAT('a')", "PREPARE s FROM 'a",
        "EXECUTE s USING 1", "EXECUTE s USING @a, (SELECT 1)", "EXECUTE s USING @a; SELECT 1", "DROP TABLE t",
        "PREPARE s FROM 'a\\'", "EXECUTE s USING @@version", "PREPARE s FROM @a, @b", "EXECUTE s USING @`a``b`",
    ],
)  # fmt: skip
def test_anything_else_is_not_taken(sql: str) -> None:
    """Expressions, several statements, strings that do not end."""
    assert text_prepared(sql) is None


@pytest.mark.parametrize(
    ("literal", "said"),
    [
        ("'a\\'b''c\"\"d'", "a'b'c\"\"d"), (r'"a""b\"c"', 'a"b"c'), (r"'\n\t\\\%\_\x'", "\n\t\\\\%\\_x"), ("''", ""),
    ],
)  # fmt: skip
def test_a_literal_says_what_the_server_reads(literal: str, said: str) -> None:
    """Escapes, and quotes that are doubled."""
    assert literal_text(literal) == said


def test_values_are_asked_by_names_only() -> None:
    """Letters and bytes beside each value, so that no character set loses any."""
    assert ask_values(["@a"]) == "SELECT @a, HEX(CONVERT(@a USING utf8mb4)), HEX(@a) LIMIT 1"
