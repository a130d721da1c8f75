"""The replication index at work: what is whole, what is damaged, and how it is mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports

if TYPE_CHECKING:
    from skyshard.replicate.column_images import build_images as build_images
    from skyshard.replicate.column_images import drop_images as drop_images
    from skyshard.replicate.column_images import image_status as image_status
    from skyshard.replicate.column_images import mend_images as mend_images
    from skyshard.replicate.doubt_keeper import DoubtKeeper as DoubtKeeper
    from skyshard.replicate.explain import ChunkExplanation as ChunkExplanation
    from skyshard.replicate.explain import explain_chunk as explain_chunk
    from skyshard.replicate.filled_nodes import Filled as Filled
    from skyshard.replicate.filled_nodes import fill_node as fill_node
    from skyshard.replicate.health import ReplicaStatus as ReplicaStatus
    from skyshard.replicate.image_work import ColumnImages as ColumnImages
    from skyshard.replicate.image_work import TableImages as TableImages
    from skyshard.replicate.job_plans import JobPlan as JobPlan
    from skyshard.replicate.job_plans import make_drain_plan as make_drain_plan
    from skyshard.replicate.job_plans import make_even_plan as make_even_plan
    from skyshard.replicate.job_plans import make_fill_plan as make_fill_plan
    from skyshard.replicate.job_run import run_job as run_job
    from skyshard.replicate.jobs import JobReport as JobReport
    from skyshard.replicate.jobs import begin_job as begin_job
    from skyshard.replicate.jobs import cancel_job as cancel_job
    from skyshard.replicate.jobs import pause_job as pause_job
    from skyshard.replicate.jobs import read_job as read_job
    from skyshard.replicate.jobs import read_jobs as read_jobs
    from skyshard.replicate.jobs import resume_job as resume_job
    from skyshard.replicate.jobs import set_level as set_level
    from skyshard.replicate.node_watch import look_at_nodes as look_at_nodes
    from skyshard.replicate.node_watch import watch_nodes as watch_nodes
    from skyshard.replicate.place import NodePlace as NodePlace
    from skyshard.replicate.place import ReplayedRows as ReplayedRows
    from skyshard.replicate.place import Replayer as Replayer
    from skyshard.replicate.place import ReplicaPlace as ReplicaPlace
    from skyshard.replicate.repair import LostRows as LostRows
    from skyshard.replicate.repair import Repaired as Repaired
    from skyshard.replicate.repair import make_repair_plan as make_repair_plan
    from skyshard.replicate.repair import repair_replicas as repair_replicas
    from skyshard.replicate.repair_plan import RepairPlan as RepairPlan
    from skyshard.replicate.scrub import Scrubbed as Scrubbed
    from skyshard.replicate.scrub import scrub_all as scrub_all
    from skyshard.replicate.scrub import scrub_replicas as scrub_replicas
    from skyshard.replicate.status import read_status as read_status
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "ChunkExplanation": "explain",
            "ColumnImages": "image_work",
            "TableImages": "image_work",
            "build_images": "column_images",
            "drop_images": "column_images",
            "image_status": "column_images",
            "mend_images": "column_images",
            "DoubtKeeper": "doubt_keeper",
            "explain_chunk": "explain",
            "Filled": "filled_nodes",
            "look_at_nodes": "node_watch",
            "watch_nodes": "node_watch",
            "fill_node": "filled_nodes",
            "ReplicaStatus": "health",
            "JobPlan": "job_plans",
            "make_drain_plan": "job_plans",
            "make_even_plan": "job_plans",
            "make_fill_plan": "job_plans",
            "run_job": "job_run",
            "JobReport": "jobs",
            "begin_job": "jobs",
            "cancel_job": "jobs",
            "pause_job": "jobs",
            "read_job": "jobs",
            "read_jobs": "jobs",
            "resume_job": "jobs",
            "set_level": "jobs",
            "NodePlace": "place",
            "ReplayedRows": "place",
            "Replayer": "place",
            "ReplicaPlace": "place",
            "RepairPlan": "repair_plan",
            "LostRows": "repair",
            "Repaired": "repair",
            "repair_replicas": "repair",
            "make_repair_plan": "repair",
            "Scrubbed": "scrub",
            "scrub_replicas": "scrub",
            "scrub_all": "scrub",
            "read_status": "status",
        },
    )
