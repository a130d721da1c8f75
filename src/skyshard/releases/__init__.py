"""Releases of a catalog, one after the other: what changed, what is kept, where rows came from; names and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports

if TYPE_CHECKING:
    from skyshard.releases.differences.compare_databases import DiffRequest as DiffRequest
    from skyshard.releases.differences.compare_databases import compare_databases as compare_databases
    from skyshard.releases.differences.difference import DatabaseDifference as DatabaseDifference
    from skyshard.releases.life.database_facts import DatabaseFacts as DatabaseFacts
    from skyshard.releases.life.database_facts import list_databases as list_databases
    from skyshard.releases.life.drop import Dropped as Dropped
    from skyshard.releases.life.drop import drop as drop
    from skyshard.releases.life.drop import finish_drops as finish_drops
    from skyshard.releases.life.names import list_aliases as list_aliases
    from skyshard.releases.life.names import remove_alias as remove_alias
    from skyshard.releases.life.names import rename as rename
    from skyshard.releases.life.names import set_alias as set_alias
    from skyshard.releases.life.old_releases import KeptReleases as KeptReleases
    from skyshard.releases.life.old_releases import old_releases as old_releases
    from skyshard.releases.life.servers import LifePlace as LifePlace
    from skyshard.releases.life.take_over import take_over as take_over
    from skyshard.releases.origin.where_from import RowOrigin as RowOrigin
    from skyshard.releases.origin.where_from import RowOrigins as RowOrigins
    from skyshard.releases.origin.where_from import known_files as known_files
    from skyshard.releases.origin.where_from import where_from as where_from
    from skyshard.releases.quality.add_up import quality_of as quality_of
    from skyshard.releases.quality.database_quality import DatabaseQuality as DatabaseQuality
    from skyshard.releases.schema_changes.compare_schemas import compare_schemas as compare_schemas
    from skyshard.releases.schema_changes.database_tables import ClusterTables as ClusterTables
    from skyshard.releases.schema_changes.open_side import open_side as open_side
    from skyshard.releases.schema_changes.previous_release import previous_release as previous_release
    from skyshard.releases.schema_changes.schema_difference import SchemaDifference as SchemaDifference
    from skyshard.releases.schema_changes.schema_side import side_of_source as side_of_source
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "ClusterTables": "schema_changes.database_tables",
            "SchemaDifference": "schema_changes.schema_difference",
            "compare_schemas": "schema_changes.compare_schemas",
            "open_side": "schema_changes.open_side",
            "previous_release": "schema_changes.previous_release",
            "side_of_source": "schema_changes.schema_side",
            "DatabaseDifference": "differences.difference",
            "DatabaseQuality": "quality.database_quality",
            "DiffRequest": "differences.compare_databases",
            "RowOrigin": "origin.where_from",
            "RowOrigins": "origin.where_from",
            "compare_databases": "differences.compare_databases",
            "DatabaseFacts": "life.database_facts",
            "Dropped": "life.drop",
            "KeptReleases": "life.old_releases",
            "LifePlace": "life.servers",
            "drop": "life.drop",
            "take_over": "life.take_over",
            "finish_drops": "life.drop",
            "list_aliases": "life.names",
            "list_databases": "life.database_facts",
            "old_releases": "life.old_releases",
            "remove_alias": "life.names",
            "rename": "life.names",
            "set_alias": "life.names",
            "known_files": "origin.where_from",
            "where_from": "origin.where_from",
            "quality_of": "quality.add_up",
        },
    )
