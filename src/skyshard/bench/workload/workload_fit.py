"""Fits a workload to another schema than its own. Reads templates and schemas.

A template that is not written for the schema, or that uses a table or column which the catalog does not have, is left
out and reported; the others of its class are drawn more often instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from skyshard.basics.errors import UserError
from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.parameters import Draws, draw
from skyshard.bench.workload.query_template import (
    Has,
    NotForSchema,
    QueryTemplate,
    read_template,
    schema_folder,
    wanted_columns,
)
from skyshard.bench.workload.schema_names import DIRECTOR, CatalogSchema, read_schema_file
from skyshard.bench.workload.workload import Workload, template_folder
from skyshard.catalog.schema import Table
from skyshard.host.shipped_data import data_folder

_POSITION = ("id", "ra", "decl")
"""Columns of objects from which every workload draws its parameters."""


class NothingFits(UserError):
    """No template of a workload can be used with a schema."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """The part of a workload that fits, and why templates are left out, by key."""

    workload: Workload
    templates: dict[str, QueryTemplate]
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def sentences(self) -> list[str]:
        """The templates that were left out, as sentences."""
        return [f"left out: {key}: {reason}" for key, reason in self.left_out.items()]

    @property
    def lost_classes(self) -> list[str]:
        """Classes without a template."""
        kept = {key.partition("/")[0] for key in self.templates}
        return list(dict.fromkeys(name for key in self.left_out if (name := key.partition("/")[0]) not in kept))


def names_of(tables: Mapping[str, Table]) -> Has:
    """A test of whether a catalog of these tables has a table or column."""

    def has(table: str, column: str) -> bool:
        return table in tables and (not column or tables[table].find(column) is not None)

    return has


def workload_templates(file: Path, workload: Workload) -> dict[str, QueryTemplate]:
    """The templates of a workload with the names of its own schema, each rendered once with made-up values.

    Raises:
        UserError: one is wrong, or is not written for the schema.
    """
    schema = _schema(file, workload.schema_name)
    templates = {key: read_template(template_folder(file), key, schema) for key in workload.template_keys}
    _try(templates)
    return templates


def fit(file: Path, workload: Workload, schema_name: str, has: Has = lambda table, column: True) -> Fitted:
    """The part of a workload that is written for a schema and whose names a catalog has; classes may become empty.

    Raises:
        UserError: no such schema, a template is wrong, or none can be used.
    """
    schema = _schema(file, schema_name)
    templates: dict[str, QueryTemplate] = {}
    left_out: dict[str, str] = {}
    for key in workload.template_keys:
        try:
            template = read_template(template_folder(file), key, schema)
        except NotForSchema:
            left_out[key] = f"it is not written for schema '{schema_name}'"
            continue
        if missing := template.missing(has):
            left_out[key] = f"there is no {missing}"
        else:
            templates[key] = template
    if not templates:
        why = next(iter(left_out.values()))
        raise NothingFits(
            f"no template of workload '{workload.name}' can be used with the names of schema '{schema_name}': {why}",
            remedy="choose another workload or --schema",
        )
    _try(templates)
    kept = workload.model_copy(update={"schema_name": schema_name}).asking(templates)
    return Fitted(kept, templates, left_out)


def best_fit(file: Path, workload: Workload, has: Has) -> Fitted | None:
    """Fit with the schema that leaves most templates, the workload's own among equals; None where none leaves any."""
    folders = (data_folder("queries", "schemas"), template_folder(file).parent / "schemas")
    known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    found: list[Fitted] = []
    for name in dict.fromkeys([workload.schema_name, *known]):
        objects = _schema(file, name).tables.get(DIRECTOR)
        if objects is not None and all(has(objects.table, objects.columns.get(one, one)) for one in _POSITION):
            with suppress(NothingFits):
                found.append(fit(file, workload, name, has))
    return max(found, key=lambda one: len(one.templates), default=None)


def _schema(file: Path, name: str) -> CatalogSchema:
    return read_schema_file(schema_folder(template_folder(file), name), name)


def _try(templates: dict[str, QueryTemplate]) -> None:
    """Render each template once, so that errors are reported before anything runs."""
    draws = Draws.of(DataProfile.example(wanted_columns(templates.values())), np.random.default_rng(1))
    for template in templates.values():
        values = draw(template.header.parameters, draws)
        template.render(values)
        template.forms(values)
