"""The parameters of a request: names in any case, from the query and the body, values as they came.

Source: DALI 1.1, section 2 and 3.4; TAP 1.1, section 2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from skyshard.basics.errors import UserError
from skyshard.basics.plain_numbers import whole_number
from skyshard.serve.http.form import open_form
from skyshard.serve.tap.result_formats import Format, format_of
from skyshard.serve.tap.uploads import INLINE, inline_parts, upload_places

QUERY, LANG, FORMAT, RESPONSEFORMAT, MAXREC, REQUEST, UPLOAD = (
    "QUERY", "LANG", "FORMAT", "RESPONSEFORMAT", "MAXREC", "REQUEST", "UPLOAD",
)  # fmt: skip
LANGUAGES = ("ADQL", "ADQL-2.0", "ADQL-2.1")
MOST_FIELDS = 100
MOST_PART_BYTES = 1 << 30
"""Of a part of a form that is no file; the limit of the whole body is less."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a request brings: parameters by name in upper case, and documents by the names of their parts."""

    values: dict[str, str]
    files: dict[str, bytes]

    @property
    def uploads(self) -> dict[str, bytes]:
        """The tables that came within the request. Raises UserError where one did not."""
        return inline_parts(upload_places(self.values.get(UPLOAD, "")), self.files)


async def read_parameters(request: Request) -> Given:
    """The parameters of a request; of one that is given several times the last value counts, but of UPLOAD all do.

    Raises:
        UserError: a part came that no parameter names, or what came is no form.
    """
    pairs: list[tuple[str, str | bytes]] = list(request.query_params.multi_items())
    if request.method == "POST":
        most = {"most_files": MOST_FIELDS, "most_fields": MOST_FIELDS, "most_part_bytes": MOST_PART_BYTES}
        async with open_form(request, **most) as form:
            for name, value in form.multi_items():
                pairs.append((name, value if isinstance(value, str) else await value.read()))
    named = ";".join(str(value) for name, value in pairs if name.upper() == UPLOAD)
    parts = {uri.removeprefix(INLINE) for uri in upload_places(named).values() if uri.startswith(INLINE)}
    return _sorted_out(pairs, named, parts)


def _sorted_out(pairs: Iterable[tuple[str, str | bytes]], uploads: str, parts: Collection[str]) -> Given:
    values: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for name, value in pairs:
        if name in parts:
            files[name] = value.encode() if isinstance(value, str) else value
        elif isinstance(value, bytes):
            raise UserError(f"the part '{name[:40]}' is named by no UPLOAD", remedy="write UPLOAD=name,param:part")
        else:
            values[name.upper()] = value
    return Given({**values, UPLOAD: uploads} if uploads.strip() else values, files)


@dataclass(frozen=True, slots=True)
class TapRequest:
    """What a query asks for; ``most_rows`` as many rows are given; ``uploads``: name of each table → its URI."""

    adql: str
    format: Format
    most_rows: int
    uploads: dict[str, str]

    @staticmethod
    def of(given: Mapping[str, str], default_rows: int, most_rows: int) -> TapRequest:
        """Read and check parameters.

        Raises:
            UserError: one is missing, unknown, or has no such value.
        """
        if (given.get(REQUEST) or "doQuery").lower() != "doquery":
            raise UserError(f"REQUEST '{given[REQUEST]}' is not known", remedy="leave it out, or give doQuery")
        if (given.get(LANG) or "ADQL").upper() not in LANGUAGES:
            raise UserError(f"LANG '{given[LANG]}' is not known", remedy=f"give one of {', '.join(LANGUAGES)}")
        if not given.get(QUERY, "").strip():
            raise UserError("there is no QUERY", remedy="give an ADQL query as the parameter QUERY")
        asked = given.get(RESPONSEFORMAT) or given.get(FORMAT) or ""
        rows = _rows(given.get(MAXREC, ""), default_rows, most_rows)
        return TapRequest(given[QUERY], format_of(asked), rows, upload_places(given.get(UPLOAD, "")))


def _rows(text: str, default_rows: int, most_rows: int) -> int:
    if not text.strip():
        return default_rows
    try:
        wanted = whole_number(text.strip())
    except ValueError:
        raise UserError(f"MAXREC '{text[:40]}' is no whole number", remedy="give the most rows that you want") from None
    if wanted < 0:
        raise UserError(f"MAXREC is {wanted}", remedy="give 0 or more rows")
    return min(wanted, most_rows)
