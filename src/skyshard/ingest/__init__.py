"""Ingest: from a source to published chunk tables.

``source`` is the seam to catalogs as they are handed over, with one adapter a module in ``sources``. ``plan`` decides
what will happen, ``partition`` turns input slices into bundles, ``transaction`` carries a plan out on the nodes. Never
imports the czar or the generator of synthetic skies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports

if TYPE_CHECKING:
    from skyshard.ingest.check.check_truth import VerifyCheck as VerifyCheck
    from skyshard.ingest.check.mono_copy import MonoCopy as MonoCopy
    from skyshard.ingest.check.verify import Verifier as Verifier
    from skyshard.ingest.estimate import Estimate as Estimate
    from skyshard.ingest.estimate import survey as survey
    from skyshard.ingest.on_nodes.earlier_rows import what_is_new as what_is_new
    from skyshard.ingest.on_nodes.ingest_site import Site as Site
    from skyshard.ingest.on_nodes.ingest_site import SiteFolders as SiteFolders
    from skyshard.ingest.on_nodes.moved_blocks import AwayHost as AwayHost
    from skyshard.ingest.plan.ingest_plan import IngestPlan as IngestPlan
    from skyshard.ingest.plan.ingest_plan import make_plan as make_plan
    from skyshard.ingest.plan.kept_columns import with_kept_columns as with_kept_columns
    from skyshard.ingest.plan.server_check import require_makeable as require_makeable
    from skyshard.ingest.source import Source as Source
    from skyshard.ingest.sources.first_mapping import FirstMapping as FirstMapping
    from skyshard.ingest.sources.first_mapping import first_mapping as first_mapping
    from skyshard.ingest.sources.open_source import open_source as open_source
    from skyshard.ingest.transaction.ending import abort as abort
    from skyshard.ingest.transaction.ingest_report import IngestReport as IngestReport
    from skyshard.ingest.transaction.ingest_run import Ingest as Ingest
    from skyshard.ingest.transaction.kept_truth import Known as Known
    from skyshard.ingest.transaction.kept_truth import is_outgrown as is_outgrown
    from skyshard.ingest.transaction.kept_truth import read_known as read_known
    from skyshard.ingest.transaction.replacement_cost import IngestedBefore as IngestedBefore
    from skyshard.ingest.transaction.replacement_cost import ingested_before as ingested_before
    from skyshard.ingest.upkeep.compaction import compact as compact
    from skyshard.ingest.upkeep.drop_lost import DroppedRows as DroppedRows
    from skyshard.ingest.upkeep.drop_lost import drop_lost as drop_lost
    from skyshard.ingest.upkeep.drop_table import drop_table as drop_table
    from skyshard.ingest.upkeep.index_rebuild import rebuild_indexes as rebuild_indexes
    from skyshard.ingest.upkeep.remade_tables import Compacted as Compacted
    from skyshard.ingest.upkeep.replay import replayed as replayed
    from skyshard.ingest.upkeep.table_indexes import TableIndex as TableIndex
    from skyshard.ingest.upkeep.table_indexes import add_index as add_index
    from skyshard.ingest.upkeep.table_indexes import drop_index as drop_index
    from skyshard.ingest.upkeep.table_indexes import indexes_of as indexes_of
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "AwayHost": "on_nodes.moved_blocks",
            "Compacted": "upkeep.remade_tables",
            "DroppedRows": "upkeep.drop_lost",
            "drop_lost": "upkeep.drop_lost",
            "drop_table": "upkeep.drop_table",
            "Estimate": "estimate",
            "FirstMapping": "sources.first_mapping",
            "Ingest": "transaction.ingest_run",
            "IngestedBefore": "transaction.replacement_cost",
            "IngestPlan": "plan.ingest_plan",
            "IngestReport": "transaction.ingest_report",
            "Known": "transaction.kept_truth",
            "MonoCopy": "check.mono_copy",
            "Site": "on_nodes.ingest_site",
            "SiteFolders": "on_nodes.ingest_site",
            "Source": "source",
            "Verifier": "check.verify",
            "VerifyCheck": "check.check_truth",
            "TableIndex": "upkeep.table_indexes",
            "abort": "transaction.ending",
            "add_index": "upkeep.table_indexes",
            "compact": "upkeep.compaction",
            "drop_index": "upkeep.table_indexes",
            "first_mapping": "sources.first_mapping",
            "indexes_of": "upkeep.table_indexes",
            "ingested_before": "transaction.replacement_cost",
            "is_outgrown": "transaction.kept_truth",
            "make_plan": "plan.ingest_plan",
            "open_source": "sources.open_source",
            "read_known": "transaction.kept_truth",
            "rebuild_indexes": "upkeep.index_rebuild",
            "replayed": "upkeep.replay",
            "require_makeable": "plan.server_check",
            "survey": "estimate",
            "what_is_new": "on_nodes.earlier_rows",
            "with_kept_columns": "plan.kept_columns",
        },
    )
