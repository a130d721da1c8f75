"""The commands that are in no group: ``skyshard query`` and its like. Data alone."""

from __future__ import annotations

from skyshard.cli.command_rows import CommandRow

SINGLE_COMMANDS = (
    CommandRow(
        "demo",
        "demo:demo",
        "The main job, end to end: cluster, sky, ingest, verification, workload, report; then the cluster is stopped.",
    ),
    CommandRow(
        "synth",
        "synth:synth",
        "Make a synthetic catalog: Parquet per table and chunk, and a manifest with the truth about it.",
    ),
    CommandRow(
        "mapping",
        "mapping:mapping",
        "Write a first mapping for a folder, and say what of the folder it does not take.",
    ),
    CommandRow("plan", "ingest:plan", "Show what an ingest would do; changes nothing."),
    CommandRow(
        "ingest",
        "ingest:ingest",
        "Ingest a source into sharded chunk tables and publish it; run again to go on after an interruption.",
    ),
    CommandRow(
        "contributions",
        "ingest:contributions",
        "List contributions: what each input part brought to each chunk table, and how fast the part was read.",
    ),
    CommandRow(
        "files",
        "origin:files",
        "List the files that a database was ingested from, with dataset, run, rows and transaction.",
    ),
    CommandRow(
        "where-from",
        "origin:where_from",
        "Say which file, row, run and transaction a row comes from; exit 1 if there is no such row.",
    ),
    CommandRow("query", "query:query", "Answer one SQL statement."),
    CommandRow(
        "explain", "explain:explain", "Show how a statement would be answered: chunks and why, statements, merge."
    ),
    CommandRow("submit", "queries:submit", "Answer a statement in the background; prints its number."),
    CommandRow("status", "queries:status", "Show where a submitted query is: state, chunks done, rows, bytes, ETA."),
    CommandRow(
        "result",
        "queries:result",
        "Print the rows of a submitted query, or write them to a file; they are kept for seven days.",
    ),
    CommandRow("cancel", "queries:cancel", "Stop a submitted query on all nodes."),
    CommandRow("queries", "queries:queries", "List past and running queries, with their statistics."),
    CommandRow("run-query", "queries:run_query", "Answer a submitted query; `submit` starts this.", is_hidden=True),
    CommandRow(
        "verify",
        "ingest:verify",
        "Read a database back from every node and check counts, digests, replicas, director index; exit 1 on a "
        "failure.",
    ),
    CommandRow(
        "compact",
        "ingest:compact",
        "Merge the parts that transactions added to chunk tables and director indexes; queries go on meanwhile.",
    ),
    CommandRow(
        "databases",
        "databases:databases",
        "List databases: rows, bytes, state, aliases, tables, when they were made and changed, and from what.",
    ),
    CommandRow(
        "obscore",
        "obscore:obscore",
        "Make ivoa.ObsCore of the visit tables of releases; what it was before is replaced in one step.",
    ),
    CommandRow(
        "alias",
        "databases:alias",
        "Give a database a further name, move one to another database in one step, or list them.",
        kind="databases:SignBetweenNames",
    ),
    CommandRow(
        "rename",
        "databases:rename",
        "Give a database another name, in one step and at any size; its aliases go on to name it.",
    ),
    CommandRow(
        "drop",
        "databases:drop",
        "Drop a database from all servers, or the oldest releases of a prefix; asks first. Run it again to go on.",
    ),
    CommandRow(
        "quality",
        "quality:quality",
        "Show what the rows of a database hold, as counted when they came in. Exit code 1 where --expect is not met.",
    ),
    CommandRow(
        "diff",
        "diff:diff",
        "Say what changed from one database to another: rows, objects, columns, where. Exit code 1 beyond thresholds.",
    ),
    CommandRow(
        "serve",
        "serve:serve",
        "Answer clients until SIGTERM or Ctrl-C: Qserv's REST over HTTP, and what serve.yaml opens.",
    ),
    CommandRow("locate", "locate:locate", "Chunk and sub-chunk of each position, and the overlap copies of it."),
    CommandRow("completion", "completion:completion", "Print the script that completes skyshard's words in a shell."),
    CommandRow("run-job", "jobs:run_job", "Work on a job; `--background` starts this.", is_hidden=True),
)
"""In the order that ``skyshard --help`` has."""
