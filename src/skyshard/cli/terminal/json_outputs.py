"""What commands print with ``--json``, as strict models: the contract with programs that read it. No I/O.

Rules: keys are only added, never renamed, removed or given another type, and lists stay lists, so that a program
written for one release reads what later releases print. A new key is added to its model in ``json_models``, with a
default if an earlier release did not print it. A change that breaks this raises ``OUTPUT_VERSION`` and is named in
the changelog. docs/reference/formats.md lists the commands; ``python -m skyshard.cli.terminal.json_outputs COMMAND``
prints a schema.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from skyshard.cli.terminal.json_models.apdb_outputs import (
    ApdbStatusOutput,
    ObsCoreOutput,
    PublishedChunkOutput,
    UpkeepOutput,
)
from skyshard.cli.terminal.json_models.catalog_outputs import (
    FirstMappingOutput,
    SchemaColumnOutput,
    SchemaOutput,
    SchemaTableOutput,
    SynthOutput,
)
from skyshard.cli.terminal.json_models.cluster_outputs import ClusterCheckOutput, ClusterStatus, ClusterUpgrade
from skyshard.cli.terminal.json_models.column_outputs import ColumnImagesOutput
from skyshard.cli.terminal.json_models.database_outputs import AliasOutput, DatabaseOutput, DropOutput, RenameOutput
from skyshard.cli.terminal.json_models.door_outputs import (
    TokenMadeOutput,
    TokenOutput,
    TokenQuotaOutput,
    TokenRevokedOutput,
)
from skyshard.cli.terminal.json_models.ingest_outputs import (
    AbortOutput,
    CheckOutput,
    CompactOutput,
    ContributionOutput,
    IngestOutput,
    PlanOutput,
    TransactionOutput,
)
from skyshard.cli.terminal.json_models.node_outputs import (
    DownAfterOutput,
    NodeAddedOutput,
    NodeOutput,
    NodeStateOutput,
)
from skyshard.cli.terminal.json_models.origin_outputs import InputFileOutput, WhereFromOutput
from skyshard.cli.terminal.json_models.output import Counts, Output, RowsOutput
from skyshard.cli.terminal.json_models.query_outputs import (
    ExplainOutput,
    QueryOutput,
    QueryStatusOutput,
    StoryOutput,
    SubmitOutput,
)
from skyshard.cli.terminal.json_models.registry_outputs import DumpedOutput, RebuiltOutput, RestoredOutput
from skyshard.cli.terminal.json_models.replica_outputs import (
    ChunkExplanationOutput,
    JobOutput,
    MovePlanOutput,
    RepairedOutput,
    RepairPlanOutput,
    ReplicaStatusOutput,
    ScrubbedOutput,
)
from skyshard.releases.differences.difference import DatabaseDifference
from skyshard.releases.quality.database_quality import DatabaseQuality
from skyshard.releases.schema_changes.schema_difference import SchemaDifference

OUTPUT_VERSION = 1


class CalibrationOutput(Output):
    """``bench calibrate``: trial folders, and the hardware file beside them."""

    trials: list[str]
    hardware: str


OUTPUTS: Mapping[str, Any] = {
    "alias": list[AliasOutput],
    "apdb create": ApdbStatusOutput,
    "apdb publish": list[PublishedChunkOutput],
    "apdb status": ApdbStatusOutput,
    "apdb upkeep": UpkeepOutput,
    "bench calibrate": CalibrationOutput,
    "cancel": QueryStatusOutput,
    "cluster check": ClusterCheckOutput,
    "cluster status": ClusterStatus,
    "cluster upgrade": ClusterUpgrade,
    "columns build": ColumnImagesOutput,
    "columns drop": ColumnImagesOutput,
    "columns status": ColumnImagesOutput,
    "compact": CompactOutput,
    "contributions": list[ContributionOutput],
    "diff": DatabaseDifference,
    "databases": list[DatabaseOutput],
    "drop": DropOutput,
    "quality": DatabaseQuality,
    "explain": ExplainOutput,
    "files": list[InputFileOutput],
    "index rebuild": Counts,
    "ingest": IngestOutput,
    "jobs": list[JobOutput],
    "jobs cancel": JobOutput,
    "jobs pause": JobOutput,
    "jobs resume": JobOutput,
    "jobs show": JobOutput,
    "mapping": FirstMappingOutput,
    "mono load": Counts,
    "nodes add": list[NodeAddedOutput],
    "nodes down-after": DownAfterOutput,
    "nodes enable": NodeAddedOutput,
    "nodes list": list[NodeOutput],
    "nodes read-only": NodeStateOutput,
    "nodes remove": NodeStateOutput,
    "obscore": ObsCoreOutput,
    "plan": PlanOutput,
    "queries": list[QueryOutput],
    "query": RowsOutput,
    "registry dump": DumpedOutput,
    "registry rebuild": RebuiltOutput,
    "registry restore": RestoredOutput,
    "rename": RenameOutput,
    "replicas drain": JobOutput | MovePlanOutput,
    "replicas fill": JobOutput | MovePlanOutput,
    "replicas level": MovePlanOutput,
    "replicas rebalance": JobOutput | MovePlanOutput,
    "replicas explain": ChunkExplanationOutput,
    "replicas repair": list[RepairedOutput] | list[RepairPlanOutput],
    "replicas status": ReplicaStatusOutput,
    "replicas verify": list[ScrubbedOutput],
    "result": RowsOutput,
    "schema diff": SchemaDifference,
    "schema list": list[SchemaOutput],
    "schema show": list[SchemaTableOutput] | list[SchemaColumnOutput],
    "status": QueryStatusOutput,
    "story node": StoryOutput,
    "story query": StoryOutput,
    "story transaction": StoryOutput,
    "submit": SubmitOutput,
    "synth": SynthOutput,
    "token create": TokenMadeOutput,
    "token list": list[TokenOutput],
    "token quota": TokenQuotaOutput,
    "token revoke": TokenRevokedOutput,
    "transactions": list[TransactionOutput],
    "transactions abort": AbortOutput,
    "verify": list[CheckOutput],
    "where-from": WhereFromOutput,
}
"""By command. Other commands of ``bench`` print the models of their files: TrialSummary, Comparison, Sweep ..."""


def validate_output(command: str, text: str) -> Any:
    """What a command printed, as its model; pydantic's error names a key that is wrong or not described."""
    adapter: TypeAdapter[Any] = TypeAdapter(OUTPUTS[command])
    return adapter.validate_json(text, strict=False)


def output_schema(command: str) -> dict[str, Any]:
    """The JSON schema of what a command prints.

    >>> output_schema("submit")["required"]
    ['query']
    """
    adapter: TypeAdapter[Any] = TypeAdapter(OUTPUTS[command])
    return adapter.json_schema()


if __name__ == "__main__":
    print(json.dumps(output_schema(" ".join(sys.argv[1:])), indent=1))
