"""Scans of column images beside scans of rows: which observations are of which, and the prices of both. No I/O.

What columns of a row a statement reads, in bytes, is measured: a trial says how many bytes of images were read. Only
statements that columns answered have such prices; all others keep those of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from skyshard.basics.errors import UserError
from skyshard.bench.model.class_time import TemplateWork, template_works
from skyshard.bench.model.fit_costs import FittedCosts, fit_costs
from skyshard.bench.model.observations import Observation

Classes = Mapping[str, Sequence[TemplateWork]]


def parted(observations: Sequence[Observation]) -> tuple[list[Observation], list[Observation]]:
    """Those that read rows, and those that read columns."""
    columns = [one for one in observations if one.work.column_row_bytes]
    return [one for one in observations if not one.work.column_row_bytes], columns


def fit_columns(observations: Sequence[Observation], rows: FittedCosts) -> FittedCosts | None:
    """The prices of statements by columns, and of the others as rows; None where too few sizes were measured."""
    try:
        found = fit_costs(observations)
    except UserError:
        return None
    drawn = [{**one, **other} for one, other in zip(rows.drawn, found.drawn, strict=True)]
    return replace(found, costs={**rows.costs, **found.costs}, drawn=drawn)


def with_columns(classes: Classes, observations: Sequence[Observation]) -> dict[str, list[TemplateWork]]:
    """The classes whose statements are answered by columns, all or some; the other statements of these as rows."""
    found = {}
    for name, works in template_works(observations).items():
        mine = {one.template: one for one in works}
        found[name] = [mine.pop(one.template, one) for one in classes.get(name, ())] + [*mine.values()]
    return found
