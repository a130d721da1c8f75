"""Templates with their work and prices, as a projection keeps them: enough to predict again. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skyshard.bench.model.class_time import TemplateWork
from skyshard.bench.model.node_time import Costs
from skyshard.bench.model.work import Answer, CatalogSize, Reach, Work
from skyshard.catalog.strict_files import Strict


class PricedTemplate(Strict):
    """One template: what it reads, its answer on the largest catalog of the trials, and what its work costs there."""

    class_name: str
    template: str
    tables: list[str]
    reach: Reach
    is_near: bool
    area_deg2: float
    answer_chunks: float
    answer_rows: float
    answer_bytes: float
    catalog_rows: dict[str, float]
    catalog_row_bytes: dict[str, float]
    catalog_chunks: float
    chunk_deg2: float
    overhead_s: float
    row_s: float
    pair_s: float
    chunk_s: float
    node_s: float
    answer_s: float
    column_row_bytes: float = 0.0
    """Bytes of column images for each row; 0: rows are read."""

    @classmethod
    def of(cls, one: TemplateWork, costs: Costs) -> PricedTemplate:
        work, size, answer = one.work, one.size, one.answer
        return cls(
            class_name=one.class_name, template=one.template, tables=list(work.tables), reach=work.reach,
            is_near=work.is_near, area_deg2=work.area_deg2, answer_chunks=answer.chunks, answer_rows=answer.rows,
            answer_bytes=answer.bytes, catalog_rows=dict(size.rows), catalog_row_bytes=dict(size.row_bytes),
            catalog_chunks=size.chunks, chunk_deg2=size.chunk_deg2, overhead_s=costs.overhead_s, row_s=costs.row_s,
            pair_s=costs.pair_s, chunk_s=costs.chunk_s, node_s=costs.node_s, answer_s=costs.answer_s,
            column_row_bytes=work.column_row_bytes,
        )  # fmt: skip

    @property
    def work(self) -> TemplateWork:
        return TemplateWork(
            self.class_name,
            self.template,
            Work(tuple(self.tables), self.reach, self.is_near, self.area_deg2, self.column_row_bytes),
            Answer(self.answer_chunks, self.answer_rows, self.answer_bytes),
            CatalogSize(self.catalog_rows, self.catalog_row_bytes, self.catalog_chunks, self.chunk_deg2),
        )

    @property
    def costs(self) -> Costs:
        return Costs(self.overhead_s, self.row_s, self.pair_s, self.chunk_s, self.node_s, self.answer_s)


def priced(classes: Mapping[str, Sequence[TemplateWork]], costs: Mapping[str, Costs]) -> list[PricedTemplate]:
    """Every template with its prices."""
    return [PricedTemplate.of(one, costs[one.template]) for works in classes.values() for one in works]


def unpriced(templates: Sequence[PricedTemplate]) -> tuple[dict[str, list[TemplateWork]], dict[str, Costs]]:
    """The works by class, and the costs by template."""
    classes: dict[str, list[TemplateWork]] = {}
    for one in templates:
        classes.setdefault(one.class_name, []).append(one.work)
    return classes, {one.template: one.costs for one in templates}
