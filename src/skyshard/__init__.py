"""Skyshard: an open testbed for survey databases.

``Testbed`` is the Python API; the commands work through it too. The names exported here are public, and imported at
first use; modules below may change with every release.

    import skyshard

    with skyshard.Testbed(".skyshard") as testbed:
        testbed.ingest("synth/recipes/tiny.yaml")
        table = testbed.query("SELECT COUNT(*) AS n FROM Object", database="tiny").table
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports
from skyshard.basics.release import VERSION

__version__ = VERSION

__all__ = [
    "Analysis",
    "Answer",
    "BroughtBack",
    "Bug",
    "CalibrationRun",
    "ChunkExplanation",
    "Cluster",
    "ClusterError",
    "ClusterFile",
    "ColumnImages",
    "Compacted",
    "DatabaseDifference",
    "DatabaseFacts",
    "DatabaseQuality",
    "DemoResult",
    "Dropped",
    "DroppedRows",
    "Dumped",
    "Estimate",
    "ExperimentOutcome",
    "Explanation",
    "FaultyReplica",
    "IngestPlan",
    "IngestReport",
    "InputFile",
    "JobPlan",
    "JobReport",
    "KeptReleases",
    "Layout",
    "Loader",
    "LostRows",
    "NoRoom",
    "NodeStatus",
    "Progress",
    "Projection",
    "ProjectionRun",
    "QueryResult",
    "QueryStats",
    "QueryStatus",
    "Rebuilt",
    "Recipe",
    "Refusal",
    "RepairPlan",
    "Repaired",
    "ReplicaStatus",
    "Restored",
    "RowOrigin",
    "RowOrigins",
    "Scrubbed",
    "ServerState",
    "SkyshardError",
    "Source",
    "Stories",
    "Story",
    "SweepRun",
    "TableEstimate",
    "TableImages",
    "TableReport",
    "Testbed",
    "TrialResult",
    "TrialRun",
    "TrialSummary",
    "UserError",
    "VerifyCheck",
    "Watcher",
    "Workload",
    "__version__",
    "read_cluster_file",
    "read_layout",
    "read_recipe",
    "read_workload",
    "run_demo",
    "run_experiment",
    "source_at",
    "write_catalog",
]

if TYPE_CHECKING:
    from skyshard.backup.brought_back import BroughtBack as BroughtBack
    from skyshard.backup.dump import Dumped as Dumped
    from skyshard.backup.rebuild import Rebuilt as Rebuilt
    from skyshard.backup.restore import Restored as Restored
    from skyshard.basics.errors import Bug as Bug
    from skyshard.basics.errors import ClusterError as ClusterError
    from skyshard.basics.errors import NoRoom as NoRoom
    from skyshard.basics.errors import Refusal as Refusal
    from skyshard.basics.errors import SkyshardError as SkyshardError
    from skyshard.basics.errors import UserError as UserError
    from skyshard.basics.progress import Progress as Progress
    from skyshard.basics.progress import Watcher as Watcher
    from skyshard.bench.model.projection import Projection as Projection
    from skyshard.bench.record.latency_stats import TrialSummary as TrialSummary
    from skyshard.bench.trial.trial_setup import TrialResult as TrialResult
    from skyshard.bench.workload.workload import Workload as Workload
    from skyshard.bench.workload.workload import read_workload as read_workload
    from skyshard.catalog.cluster_file import ClusterFile as ClusterFile
    from skyshard.catalog.cluster_file import read_cluster_file as read_cluster_file
    from skyshard.catalog.layout import Layout as Layout
    from skyshard.catalog.layout import read_layout as read_layout
    from skyshard.cluster.cluster import Cluster as Cluster
    from skyshard.cluster.server_status import NodeStatus as NodeStatus
    from skyshard.cluster.server_status import ServerState as ServerState
    from skyshard.czar.explain import Explanation as Explanation
    from skyshard.czar.result.analysis import Analysis as Analysis
    from skyshard.czar.result.answer import Answer as Answer
    from skyshard.czar.result.answer import QueryResult as QueryResult
    from skyshard.czar.result.answer import QueryStats as QueryStats
    from skyshard.czar.submitted_queries import QueryStatus as QueryStatus
    from skyshard.ingest.check.check_truth import VerifyCheck as VerifyCheck
    from skyshard.ingest.estimate import Estimate as Estimate
    from skyshard.ingest.estimate import TableEstimate as TableEstimate
    from skyshard.ingest.plan.ingest_plan import IngestPlan as IngestPlan
    from skyshard.ingest.source import Source as Source
    from skyshard.ingest.transaction.ingest_report import IngestReport as IngestReport
    from skyshard.ingest.transaction.ingest_report import TableReport as TableReport
    from skyshard.ingest.upkeep.drop_lost import DroppedRows as DroppedRows
    from skyshard.ingest.upkeep.remade_tables import Compacted as Compacted
    from skyshard.node.messages import Loader as Loader
    from skyshard.registry.catalog.replication_index import FaultyReplica as FaultyReplica
    from skyshard.registry.stored.records import InputFile as InputFile
    from skyshard.releases.differences.difference import DatabaseDifference as DatabaseDifference
    from skyshard.releases.life.database_facts import DatabaseFacts as DatabaseFacts
    from skyshard.releases.life.drop import Dropped as Dropped
    from skyshard.releases.life.old_releases import KeptReleases as KeptReleases
    from skyshard.releases.origin.where_from import RowOrigin as RowOrigin
    from skyshard.releases.origin.where_from import RowOrigins as RowOrigins
    from skyshard.releases.quality.database_quality import DatabaseQuality as DatabaseQuality
    from skyshard.replicate.explain import ChunkExplanation as ChunkExplanation
    from skyshard.replicate.health import ReplicaStatus as ReplicaStatus
    from skyshard.replicate.image_work import ColumnImages as ColumnImages
    from skyshard.replicate.image_work import TableImages as TableImages
    from skyshard.replicate.job_plans import JobPlan as JobPlan
    from skyshard.replicate.jobs import JobReport as JobReport
    from skyshard.replicate.repair import LostRows as LostRows
    from skyshard.replicate.repair import Repaired as Repaired
    from skyshard.replicate.repair_plan import RepairPlan as RepairPlan
    from skyshard.replicate.scrub import Scrubbed as Scrubbed
    from skyshard.scenarios.calibration_run import CalibrationRun as CalibrationRun
    from skyshard.scenarios.demo import DemoResult as DemoResult
    from skyshard.scenarios.demo import run_demo as run_demo
    from skyshard.scenarios.experiment.run_experiment import ExperimentOutcome as ExperimentOutcome
    from skyshard.scenarios.experiment.run_experiment import run_experiment as run_experiment
    from skyshard.scenarios.projection_run import ProjectionRun as ProjectionRun
    from skyshard.scenarios.sweep_run import SweepRun as SweepRun
    from skyshard.scenarios.trial_run import TrialRun as TrialRun
    from skyshard.story.read_story import Stories as Stories
    from skyshard.story.timeline import Story as Story
    from skyshard.synth.recipe.recipe import Recipe as Recipe
    from skyshard.synth.recipe.recipe import read_recipe as read_recipe
    from skyshard.synth.write.write_catalog import write_catalog as write_catalog
    from skyshard.testbed.opened_sources import source_at as source_at
    from skyshard.testbed.testbed import Testbed as Testbed
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "Analysis": "czar.result.analysis",
            "Answer": "czar.result.answer",
            "BroughtBack": "backup.brought_back",
            "Bug": "basics.errors",
            "Dumped": "backup.dump",
            "Rebuilt": "backup.rebuild",
            "Restored": "backup.restore",
            "CalibrationRun": "scenarios.calibration_run",
            "ColumnImages": "replicate.image_work",
            "TableImages": "replicate.image_work",
            "Cluster": "cluster.cluster",
            "ClusterFile": "catalog.cluster_file",
            "ClusterError": "basics.errors",
            "Compacted": "ingest.upkeep.remade_tables",
            "DatabaseDifference": "releases.differences.difference",
            "DatabaseQuality": "releases.quality.database_quality",
            "DatabaseFacts": "releases.life.database_facts",
            "DemoResult": "scenarios.demo",
            "Dropped": "releases.life.drop",
            "Estimate": "ingest.estimate",
            "ExperimentOutcome": "scenarios.experiment.run_experiment",
            "Explanation": "czar.explain",
            "IngestPlan": "ingest.plan.ingest_plan",
            "IngestReport": "ingest.transaction.ingest_report",
            "InputFile": "registry.stored.records",
            "KeptReleases": "releases.life.old_releases",
            "Layout": "catalog.layout",
            "Loader": "node.messages",
            "NoRoom": "basics.errors",
            "NodeStatus": "cluster.server_status",
            "Progress": "basics.progress",
            "Projection": "bench.model.projection",
            "ProjectionRun": "scenarios.projection_run",
            "QueryResult": "czar.result.answer",
            "QueryStats": "czar.result.answer",
            "QueryStatus": "czar.submitted_queries",
            "ChunkExplanation": "replicate.explain",
            "FaultyReplica": "registry.catalog.replication_index",
            "ReplicaStatus": "replicate.health",
            "JobPlan": "replicate.job_plans",
            "JobReport": "replicate.jobs",
            "RepairPlan": "replicate.repair_plan",
            "LostRows": "replicate.repair",
            "DroppedRows": "ingest.upkeep.drop_lost",
            "Repaired": "replicate.repair",
            "Scrubbed": "replicate.scrub",
            "Recipe": "synth.recipe.recipe",
            "Refusal": "basics.errors",
            "RowOrigin": "releases.origin.where_from",
            "RowOrigins": "releases.origin.where_from",
            "ServerState": "cluster.server_status",
            "SkyshardError": "basics.errors",
            "Source": "ingest.source",
            "Stories": "story.read_story",
            "Story": "story.timeline",
            "SweepRun": "scenarios.sweep_run",
            "TableEstimate": "ingest.estimate",
            "TableReport": "ingest.transaction.ingest_report",
            "Testbed": "testbed.testbed",
            "TrialResult": "bench.trial.trial_setup",
            "TrialRun": "scenarios.trial_run",
            "TrialSummary": "bench.record.latency_stats",
            "UserError": "basics.errors",
            "VerifyCheck": "ingest.check.check_truth",
            "Watcher": "basics.progress",
            "Workload": "bench.workload.workload",
            "read_cluster_file": "catalog.cluster_file",
            "read_layout": "catalog.layout",
            "read_recipe": "synth.recipe.recipe",
            "read_workload": "bench.workload.workload",
            "run_demo": "scenarios.demo",
            "run_experiment": "scenarios.experiment.run_experiment",
            "source_at": "testbed.opened_sources",
            "write_catalog": "synth.write.write_catalog",
        },
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
