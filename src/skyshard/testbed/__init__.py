"""The Python API: a running cluster and all operations on it; sources by their paths; what an ingest would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports

if TYPE_CHECKING:
    from skyshard.testbed.before_ingest import check_on_server as check_on_server
    from skyshard.testbed.before_ingest import compare_with_ingested as compare_with_ingested
    from skyshard.testbed.before_ingest import survey_source as survey_source
    from skyshard.testbed.open_cluster import TargetName as TargetName
    from skyshard.testbed.opened_sources import source_at as source_at
    from skyshard.testbed.testbed import Testbed as Testbed
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "TargetName": "open_cluster",
            "Testbed": "testbed",
            "check_on_server": "before_ingest",
            "compare_with_ingested": "before_ingest",
            "source_at": "opened_sources",
            "survey_source": "before_ingest",
        },
    )
