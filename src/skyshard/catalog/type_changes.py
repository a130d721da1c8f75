"""What values may be lost where a column changes its type; pure rules, by MariaDB's types."""

from __future__ import annotations

from skyshard.catalog.schema import Column
from skyshard.rowimage.sqltype import SqlType, TypeClass

_FLOAT_BITS = {"float": 24, "double": 53}
_DIGITS = {"float": 7, "double": 15}
_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}


def type_name(kind: SqlType) -> str:
    """A type without what does not change its values: the display width of whole numbers.

    >>> from skyshard.rowimage.sqltype import parse_type
    >>> type_name(parse_type("int(11)")), type_name(parse_type("INT(10) UNSIGNED")), type_name(parse_type("varchar(8)"))
    ('int', 'int unsigned', 'varchar(8)')
    """
    if kind.base in _BITS:
        return f"{kind.base}{' unsigned' * kind.is_unsigned}"
    sizes = f"({','.join(map(str, kind.arguments))})" if kind.arguments else ""
    charset = f" character set {kind.charset}" if kind.charset not in ("", "latin1") else ""
    return kind.text if kind.base in ("enum", "set") else f"{kind.base}{sizes}{charset}"


def lost_by_type(old: SqlType, new: SqlType) -> str:
    """What of the old type's values the new one does not hold, in words; empty if it holds all.

    >>> from skyshard.rowimage.sqltype import parse_type
    >>> lost_by_type(parse_type("double"), parse_type("float"))
    'digits beyond the 7th, numbers beyond 3.4e38'
    >>> lost_by_type(parse_type("int"), parse_type("double"))
    ''
    """
    pair = old.type_class, new.type_class
    if pair == (TypeClass.BYTES, TypeClass.BYTES):
        return _of_texts(old, new)
    if TypeClass.BYTES in pair:
        return "texts that are no numbers" if old.type_class is TypeClass.BYTES else "" if new.charset else "all values"
    return _of_numbers(old, new)


def lost(old: Column, new: Column) -> str:
    """The same of columns: NULL counts as a value."""
    words = [lost_by_type(old.type, new.type)]
    if old.is_nullable and not new.is_nullable:
        words.append("NULL")
    return ", ".join(word for word in words if word)


def _of_numbers(old: SqlType, new: SqlType) -> str:
    if new.type_class is TypeClass.FLOATING:
        return _to_float(old, new)
    if old.type_class is TypeClass.FLOATING:
        fractions = "fractions" if new.type_class is TypeClass.INTEGER else "digits beyond its decimals"
        return f"{fractions}, numbers beyond {_range(new)}"
    low, high = _bounds(old)
    least, most = _bounds(new)
    words = ["fractions" if new.type_class is TypeClass.INTEGER else "digits beyond its decimals"] * (
        _scale(old) > _scale(new)
    )
    if low < least or high > most:
        words.append("negative numbers" if least == 0 and high <= most else f"numbers beyond {_range(new)}")
    return ", ".join(words)


def _to_float(old: SqlType, new: SqlType) -> str:
    if old.type_class is TypeClass.FLOATING:
        is_narrower = _FLOAT_BITS[old.base] > _FLOAT_BITS[new.base]
        return f"digits beyond the {_DIGITS[new.base]}th, numbers beyond 3.4e38" if is_narrower else ""
    if old.type_class is TypeClass.INTEGER:
        is_whole = max(map(abs, old.integer_range())) <= 2 ** _FLOAT_BITS[new.base]
        return "" if is_whole else f"whole numbers beyond 2^{_FLOAT_BITS[new.base]}"
    return f"digits beyond the {_DIGITS[new.base]}th"


def _scale(kind: SqlType) -> int:
    return kind.arguments[1] if kind.type_class is TypeClass.DECIMAL and len(kind.arguments) > 1 else 0


def _bounds(kind: SqlType) -> tuple[int, int]:
    if kind.type_class is TypeClass.INTEGER:
        return kind.integer_range()
    most = 10 ** ((kind.arguments[0] if kind.arguments else 10) - _scale(kind)) - 1
    return (0 if kind.is_unsigned else -most), most


def _range(kind: SqlType) -> str:
    low, high = _bounds(kind)
    return f"{low} to {high}"


def _of_texts(old: SqlType, new: SqlType) -> str:
    if bool(old.charset) != bool(new.charset) and not (old.base in _TIMES and new.charset):
        return "texts that are no such values" if old.charset else "bytes that are no text"
    if old.base in _TIMES or new.base in _TIMES:
        return _of_times(old, new)
    words = []
    if _longest(new) < _longest(old):
        words.append(f"texts longer than {_longest(new)}")
    if new.charset in ("latin1", "ascii") and old.charset not in ("", "ascii", new.charset):
        words.append(f"characters outside {new.charset}")
    if new.base in ("enum", "set") and type_name(old) != type_name(new):
        words.append("texts that are no members")
    return ", ".join(words)


_TIMES = ("date", "time", "datetime", "timestamp", "year")


def _of_times(old: SqlType, new: SqlType) -> str:
    if new.charset:
        return "" if _longest(new) >= 26 else f"texts longer than {_longest(new)}"
    kinds = {old.base, new.base}
    if len(kinds) == 1 or kinds == {"datetime", "timestamp"}:
        fewer = sum(new.arguments[:1]) < sum(old.arguments[:1])
        words = [f"fractions of a second beyond {sum(new.arguments[:1])} digits"] * fewer
        return ", ".join(words + ["times outside 1970 to 2038"] * (new.base == "timestamp" and old.base != new.base))
    return {"date": "the time of day", "year": "month, day and time"}.get(
        new.base, "" if old.base == "date" and new.base == "datetime" else "all values"
    )


def _longest(kind: SqlType) -> int:
    return kind.most_bytes if kind.is_blob else kind.length
