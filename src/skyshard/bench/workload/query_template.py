"""Query templates (``queries/sql/<class>/<name>.sql``): a header of YAML in ``--`` lines, then SQL with Jinja2.

The body can use plain values only (``template_body``); an undefined name is an error with file and line before anything
runs. Reads only the files of templates and schemas.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from jinja2 import nodes
from pydantic import BaseModel, ConfigDict, Field

from skyshard.basics.errors import UserError
from skyshard.bench.workload.data_profile import SAMPLE_ROWS
from skyshard.bench.workload.lsdb_form import FORM, LsdbForm
from skyshard.bench.workload.parameters import (
    PARTS,
    FluxWindowParameter,
    IdsParameter,
    NightParameter,
    Parameter,
    ParameterValue,
)
from skyshard.bench.workload.schema_names import DIRECTOR, CatalogSchema, read_schema_file
from skyshard.bench.workload.template_body import Body
from skyshard.catalog.strict_files import find_key, parse_yaml, validate_located
from skyshard.host.shipped_data import data_folder

Has = Callable[[str, str], bool]
"""Does a catalog have a table with this column? An empty column asks for the table alone."""


class NotForSchema(UserError):
    """A template is not written for the schema that it is read with."""


class Header(BaseModel):
    """The header of a template."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    class_name: str = Field(alias="class")
    """The KPM class; equal to the folder's name."""
    description: str
    """One line for the report."""
    why: str
    """What the query shows about an engine, or where it comes from."""
    schemas: list[str] = []
    """Schemas whose names it can be rendered with; empty: any that has the names."""
    parameters: dict[str, Parameter] = {}
    lsdb: LsdbForm | str | None = None
    """The operation for LSDB instead of the SQL, or why there is none."""


@dataclass(frozen=True, slots=True)
class QueryTemplate:
    """One checked template: every declared parameter is used, every used name is declared."""

    key: str
    """``class/name``."""
    header: Header
    body: Body
    digest: str
    schema: CatalogSchema

    def render(self, values: Mapping[str, ParameterValue]) -> str:
        """The statement, without trailing semicolon; on one line where that changes nothing.

        Raises:
            UserError: an expression cannot be evaluated; the message names file and line.
        """
        text = self.body.render({**self.schema.values, **values})
        if not _KEEPS_LINES.search(text):
            text = " ".join(text.split())
        return text.strip().rstrip(";").rstrip()

    @property
    def names(self) -> set[tuple[str, str]]:
        """(Table, column) names of the database that the template uses; the column is empty for a table."""
        parts = self.body.tree.find_all(nodes.Getattr)
        asked = {(part.node.name, part.attr) for part in parts if isinstance(part.node, nodes.Name)}
        asked |= {(DIRECTOR, name) for name in ("id", "ra", "decl")} | wanted_columns([self])
        return {
            (self.schema.table(table), "" if column == "table" else self.schema.column(table, column))
            for table, column in asked
            if table in self.schema.tables
        }

    def missing(self, has: Has) -> str:
        """The first name that a catalog does not have; empty where it has all."""
        found = [f"{table}.{column}".rstrip(".") for table, column in sorted(self.names) if not has(table, column)]
        return found[0] if found else ""

    def forms(self, values: Mapping[str, ParameterValue]) -> dict[str, str]:
        """Forms for targets without SQL, with the same values, by name."""
        lsdb = self.header.lsdb
        return {FORM: lsdb.render(values, self.schema).model_dump_json()} if isinstance(lsdb, LsdbForm) else {}

    def why_no_form(self, name: str) -> str:
        """Why a target that takes forms of this name is not asked; empty when it is."""
        lsdb = self.header.lsdb
        if name != FORM or lsdb is None:
            return f"the template has no form for {name}"
        return lsdb if isinstance(lsdb, str) else ""


_KEEPS_LINES = re.compile(r"""['"`#$]|--|/\*""")
"""Begins a text, a quoted name or a comment in some SQL dialect; inside, white space has a meaning."""


def read_template(folder: Path, key: str, schema: CatalogSchema | None = None) -> QueryTemplate:
    """Read and check ``folder/<class>/<name>.sql`` for a schema; for the synthetic catalogs' if none is given.

    Raises:
        UserError: it cannot be read, its header or body is wrong, or it is not written for the schema; the message
            names file and line.
    """
    schema = schema or read_schema_file(schema_folder(folder, "synth"), "synth")
    path = folder / f"{key}.sql"
    try:
        source = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"'{path}' is not UTF-8 at byte {error.start}", remedy="save it as UTF-8") from None
    except OSError as error:
        known = ", ".join(sorted(one.stem for one in path.parent.glob("*.sql"))) or "none, there is no such class"
        raise UserError(f"cannot read template '{path}': {error.strerror}", remedy=f"name one of: {known}") from None
    header = parse_header(source, path)
    if header.class_name != path.parent.name:
        raise UserError(
            f"'{path}', line 1: class '{header.class_name}' is in folder '{path.parent.name}'", remedy="move it"
        )
    _check_schema(header, schema, path)
    body = Body.of(_body(source), path)
    _check_names(body, header, schema, source)
    _check_form(source, header, schema, path)
    digest = hashlib.sha256(f"{schema.model_dump_json()}\n{source}".encode()).hexdigest()[:32]
    return QueryTemplate(key, header, body, digest, schema)


def read_templates(folder: Path, keys: Iterable[str], schema: CatalogSchema | None = None) -> dict[str, QueryTemplate]:
    """The named templates, by key."""
    return {key: read_template(folder, key, schema) for key in keys}


def schema_folder(templates: Path, name: str) -> Path:
    """The folder of a schema: ``../schemas`` next to the templates, else that of the shipped ones."""
    own = templates.resolve().parent / "schemas"
    return own if (own / f"{name}.yaml").is_file() else data_folder("queries", "schemas")


def _check_schema(header: Header, schema: CatalogSchema, path: Path) -> None:
    if header.schemas and schema.name not in header.schemas:
        raise NotForSchema(
            f"'{path}', line 4: it is not written for schema '{schema.name}', only for {', '.join(header.schemas)}",
            remedy=f"leave its class out (--leave-out {header.class_name}), or drop it from the workload",
        )


def wanted_columns(templates: Iterable[QueryTemplate]) -> set[tuple[str, str]]:
    """(table, column) pairs whose values the templates' flux windows and nights need."""
    declared = [parameter for template in templates for parameter in template.header.parameters.values()]
    return {(p.table, p.column) for p in declared if isinstance(p, FluxWindowParameter | NightParameter)}


def wanted_rows(templates: Iterable[QueryTemplate]) -> int:
    """Objects that a sample needs, so that lists of ids can be drawn from it."""
    declared = [parameter for template in templates for parameter in template.header.parameters.values()]
    return max([SAMPLE_ROWS, *(2 * p.count for p in declared if isinstance(p, IdsParameter))])


@lru_cache(maxsize=256)
def parse_header(source: str, path: Path) -> Header:
    """The header of a template's text; one that was parsed lately is kept.

    >>> parse_header("-- class: LV\\n-- description: by id\\n-- why: index\\nSELECT 1", Path("x.sql")).why
    'index'
    """
    text = _header_text(source)
    content = parse_yaml(text, f"'{path}': the header")
    if not isinstance(content, dict):
        remedy = "begin it with '-- class:', '-- description:' and '-- why:'"
        raise UserError(f"'{path}', line 1: there is no header", remedy=remedy)
    return validate_located(Header, content, text, f"'{path}'")


def _header_lines(source: str) -> list[str]:
    lines = source.split("\n")
    end = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return lines[:end]


def _header_text(source: str) -> str:
    """The header as the YAML that it is."""
    return "\n".join(line[2:].removeprefix(" ") for line in _header_lines(source))


def _body(source: str) -> str:
    """The text below the header; the header's lines are left empty, so that line numbers are those of the file."""
    count = len(_header_lines(source))
    return "\n" * count + "\n".join(source.split("\n")[count:])


def _check_names(body: Body, header: Header, schema: CatalogSchema, source: str) -> None:
    path, used = body.path, body.names
    for name, line in used.items():
        if name not in header.parameters and name not in schema.tables:
            raise UserError(
                f"'{path}', line {line}: '{name}' is not declared", remedy="add it to the header's parameters"
            )
    for part in body.tree.find_all(nodes.Getattr):
        table = part.node.name if isinstance(part.node, nodes.Name) else ""
        if table in schema.values and part.attr not in schema.values[table]:
            raise UserError(
                f"'{path}', line {part.lineno}: schema '{schema.name}' has no {table}.{part.attr}",
                remedy=f"add it to {schema.name}.yaml, or take the schema from the header",
            )
        if (parameter := header.parameters.get(table)) and part.attr not in (parts := PARTS.get(parameter.type, ())):
            raise UserError(
                f"'{path}', line {part.lineno}: {parameter.type} '{table}' has no part '{part.attr}'",
                remedy=f"use one of: {', '.join(parts)}" if parts else f"write {{{{ {table} }}}}",
            )
    if unused := sorted(set(header.parameters) - set(used)):
        line, _ = find_key(_header_text(source), ["parameters", unused[0]])
        raise UserError(f"'{path}', line {line}: parameter '{unused[0]}' is never used", remedy="use it or drop it")


def _check_form(source: str, header: Header, schema: CatalogSchema, path: Path) -> None:
    form = header.lsdb
    if isinstance(form, LsdbForm) and (fault := form.fault(header.parameters, schema)) is not None:
        message, place = fault
        line, _ = find_key(_header_text(source), [FORM, *place])
        raise UserError(f"'{path}', line {line}: {message}", remedy=f"fix the {FORM} form")
