"""The groups, and the commands in them: ``skyshard bench run`` and its like. Data alone."""

from __future__ import annotations

from skyshard.cli.command_rows import CommandRow, GroupRow

GROUPS = (
    GroupRow("cluster", "The private cluster: MariaDB nodes and the czar's own server."),
    GroupRow(
        "transactions",
        "List transactions: state, source, duration, error; or abort one.",
        "transactions:transactions",
    ),
    GroupRow("story", "What happened to a query, a transaction or a node, in order, with times."),
    GroupRow("node", "A node of a cluster on many machines, on its host."),
    GroupRow("nodes", "The nodes of a cluster: what is decided of each, and seen; nodes that come and go."),
    GroupRow("head", "The czar's server and the Ray head of a cluster on many machines, on their host."),
    GroupRow("index", "The director index."),
    GroupRow("replicas", "The replication index: how many good replicas there are, and where."),
    GroupRow("apdb", "Alert production databases: tables that visits change, on the nodes."),
    GroupRow("columns", "Column images: rows once more, column by column, for scans of few columns."),
    GroupRow("registry", "The registry, which only the czar's server holds: dumps, and what nodes keep of it."),
    GroupRow(
        "jobs",
        "List jobs that move chunks: state, progress, rate; or show, pause, resume, cancel one.",
        "jobs:jobs",
    ),
    GroupRow("token", "Tokens, by which `skyshard serve` knows who asks, and for what."),
    GroupRow("mono", "The unsharded oracle."),
    GroupRow("bench", "Run workloads, keep trials, read and compare reports."),
    GroupRow("schema", "Felis catalogs and tables: columns, types, bytes; what changed between two."),
)
"""In the order that ``skyshard --help`` has, after the single commands."""

GROUPED_COMMANDS = (
    CommandRow(
        "cluster start", "cluster:start", "Make the cluster if there is none, and start servers that are not running."
    ),
    CommandRow(
        "cluster set",
        "cluster:set_settings",
        "Change settings of servers: at once where MariaDB can, else by restarting one server after another.",
    ),
    CommandRow("cluster stop", "cluster:stop", "Stop every server; the data stays."),
    CommandRow(
        "cluster status", "cluster:status", "Show every server: its state, process, memory, data, caches and settings."
    ),
    CommandRow(
        "cluster check",
        "cluster_check:check",
        "Ask every server, and the worker beside it: reached, TLS, versions, data folder, user, disk, clock, Ray.",
    ),
    CommandRow(
        "cluster upgrade",
        "cluster:upgrade",
        "Bring what an older release left in a cluster to this release's formats.",
    ),
    CommandRow("cluster destroy", "cluster:destroy", "Stop every server and remove the cluster with all its data."),
    CommandRow(
        "transactions abort",
        "transactions:abort",
        "Abort an unfinished transaction and undo all that it did.",
    ),
    CommandRow(
        "story query", "story:query", "Show what happened to a query: plan, rounds, failures and fail-overs, end."
    ),
    CommandRow(
        "story transaction",
        "story:transaction",
        "Show what happened to an ingest transaction: tables, chunks, indexes, interruptions, end.",
    ),
    CommandRow(
        "story node",
        "story:node",
        "Show what happened to a node: starts, stops, outages, what was decided of it, tables made, failed queries.",
    ),
    CommandRow(
        "node run",
        "node:run_node",
        "Run a node on its host, in the foreground: MariaDB and Ray, started again when they end.",
    ),
    CommandRow(
        "nodes list",
        "nodes:list_nodes",
        "List the nodes: state, whether they answer and since when not, outages, what they hold, free disk, version.",
    ),
    CommandRow(
        "nodes add",
        "nodes:add",
        "Add a node beside running queries and ingests: a private one, or those that a cluster file names anew.",
    ),
    CommandRow(
        "nodes remove",
        "nodes:remove",
        "Take a node that holds no chunk out of the cluster. Run it again to go on.",
    ),
    CommandRow(
        "nodes read-only",
        "nodes:read_only",
        "Let no new chunks come to a node; it serves queries, and gets rows of the chunks that it holds.",
    ),
    CommandRow("nodes enable", "nodes:enable", "Let new chunks come to a node again."),
    CommandRow(
        "nodes down-after",
        "nodes:down_after",
        "Say, or choose, after how long without an answer a node counts as gone for good.",
    ),
    CommandRow(
        "head run",
        "node:run_head",
        "Run the czar's MariaDB and the Ray head on the host of the commands, in the foreground.",
    ),
    CommandRow(
        "index rebuild", "ingest:index_rebuild", "Rebuild the director indexes from the chunk tables on the nodes."
    ),
    CommandRow(
        "replicas status",
        "replicas:status",
        "Show how many good replicas there are of what, and what each node holds. Exit code 1 below the wanted level.",
    ),
    CommandRow(
        "replicas explain",
        "replicas:explain",
        "Show which nodes hold a chunk, in what state, and why others do not.",
    ),
    CommandRow(
        "replicas verify",
        "replicas:verify",
        "Read every replica beside its data, and mark what is bad; queries leave it at once. Exit code 1 if any is.",
    ),
    CommandRow(
        "replicas repair",
        "replicas:repair",
        "Make bad replicas good again, each from a good one on another node. Exit code 1 if something is left or lost.",
    ),
    CommandRow(
        "replicas drain",
        "moves:drain",
        "Move all chunks of a node to the others, as a job; it gets no new ones. Exit code 1 if something is left.",
    ),
    CommandRow(
        "replicas rebalance",
        "moves:rebalance",
        "Even out what nodes hold, by bytes and with as few as that takes, as a job. Exit code 1 if something is left.",
    ),
    CommandRow(
        "replicas fill",
        "moves:fill",
        "Make missing replicas on other nodes, as a job, until each chunk is at its level. Exit code 1 if one stays "
        "below.",
    ),
    CommandRow(
        "replicas level",
        "moves:level",
        "Have a database ask for more replicas, or fewer; `skyshard replicas fill` then makes or removes them.",
    ),
    CommandRow(
        "apdb create",
        "apdb:create",
        "Make an alert production database, whose tables visits change; run it again after an interruption.",
    ),
    CommandRow(
        "apdb status",
        "apdb:status",
        "Show an alert production database: rows, bytes and months on each node, its stores, how far it is published.",
    ),
    CommandRow(
        "apdb publish",
        "apdb:publish",
        "Copy stores into a published database, ten minutes of them at a time, in order, each exactly once.",
    ),
    CommandRow(
        "apdb upkeep",
        "apdb:upkeep",
        "Do to a database what is done beside visits: scan, reassociate, withdraw, deduplicate, months, compact.",
    ),
    CommandRow(
        "apdb drop-month",
        "apdb:drop_month",
        "Drop a month of sources and forced sources on every node, in one step each.",
    ),
    CommandRow(
        "columns status", "columns:status", "Show which column images a database has on each node, and what they lack."
    ),
    CommandRow(
        "columns build",
        "columns:build",
        "Write the column images that a database lacks, and remove stale ones; run it again after an interruption.",
    ),
    CommandRow("columns drop", "columns:drop", "Remove all column images of a database; its rows stay as they are."),
    CommandRow(
        "registry dump",
        "registry:dump",
        "Write the registry, and all else that only the czar's server holds, into one file, beside ingests and "
        "queries.",
    ),
    CommandRow(
        "registry restore",
        "registry:restore",
        "Bring the registry back from a dump, and say what nodes hold beyond it. Exit code 1 if something is left to "
        "do.",
    ),
    CommandRow(
        "registry rebuild",
        "registry:rebuild",
        "Make the registry anew of the records that nodes keep, without a dump. Exit code 1 if something is left to "
        "do.",
    ),
    CommandRow(
        "jobs show",
        "jobs:show",
        "Show a job: state, steps, bytes, rate, time left, and the first steps that were not taken.",
    ),
    CommandRow(
        "jobs pause", "jobs:pause", "Have a job stop within seconds; what it has moved stays, and it can go on."
    ),
    CommandRow(
        "jobs resume",
        "jobs:resume",
        "Go on with a job that was paused or interrupted. Exit code 1 if something is left.",
    ),
    CommandRow(
        "jobs cancel",
        "jobs:cancel",
        "End a job before it is done: what it has moved stays where it is now, nothing half made is left.",
    ),
    CommandRow(
        "token create",
        "token:create",
        "Make a token for the doors of `skyshard serve`; it is shown once, and kept as a digest.",
    ),
    CommandRow("token list", "token:list_tokens", "List tokens: name, scope, quota, when they were made."),
    CommandRow(
        "token quota",
        "token:change_quota",
        "Give a token another quota, in place of the one that it has; without options that of the doors.",
    ),
    CommandRow("token revoke", "token:revoke", "Forget a token; doors refuse it within a second."),
    CommandRow(
        "mono load",
        "ingest:mono_load",
        "Copy a database, unsharded, to the mono server, which is started if necessary.",
    ),
    CommandRow("bench run", "bench_run:run", "Run a workload and leave a trial folder with its report."),
    CommandRow(
        "bench report",
        "bench_compare:report",
        "Check a trial folder and render its report again, from the folder alone.",
    ),
    CommandRow(
        "bench compare",
        "bench_compare:compare",
        "Compare two releases, several trials a side. Exit code 1 on a regression beyond the threshold.",
        kind="bench_compare:SeveralAfterAgainst",
    ),
    CommandRow(
        "bench doors",
        "doors:doors",
        "Say what each front door adds to the czar, for each query and row, from runs with several targets.",
    ),
    CommandRow(
        "bench export",
        "bench_visits:export",
        "Write a trial of visits as CSV, a line a visit, in the form that l1dbproto's log2csv has.",
    ),
    CommandRow("bench trend", "bench_compare:trend", "Follow each class over releases and find the steps."),
    CommandRow(
        "bench sweep",
        "bench_project:sweep",
        "Measure a workload at several fractions of DR1 and node counts, and fit how times grow.",
    ),
    CommandRow(
        "bench experiment",
        "experiment:experiment",
        "Try every combination of engines, layouts, nodes, settings in randomised blocks, and say what each does.",
    ),
    CommandRow(
        "bench calibrate",
        "bench_project:calibrate",
        "Measure what chunks, rows and reads from disk cost on this machine, for `skyshard bench project`.",
    ),
    CommandRow(
        "bench project",
        "bench_project:project",
        "Say which class would meet its target at a share of DR1, on how many nodes of which hardware.",
    ),
    CommandRow("schema list", "schema:list_schemas", "List the catalogs and how many tables and columns they have."),
    CommandRow(
        "schema diff",
        "schema:diff_schemas",
        "Show what the second of two schemas has otherwise: files, Felis schemas, mappings, databases. Exit code 1 if "
        "anything.",
    ),
    CommandRow("schema show", "schema:show_schema", "Show the tables of a catalog, or the columns of a table."),
)
"""Group by group, each in the order of its ``--help``."""
