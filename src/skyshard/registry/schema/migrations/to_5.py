"""Version 5, release 0.3.0: nodes have states, it is kept when they did not answer, and so are jobs that move chunks.

A node without a row is active, so that nothing is said of the nodes that there are.
"""

from __future__ import annotations

from skyshard.registry.schema.migrations.step import Step, new_tables

_TABLES = {
    "nodes": (
        "(name VARCHAR(64) NOT NULL, state VARCHAR(16) NOT NULL, mark VARCHAR(32) NOT NULL, added_s DOUBLE NOT NULL, "
        "changed_s DOUBLE NOT NULL, seen_s DOUBLE NOT NULL, started_s DOUBLE NOT NULL, down_s DOUBLE NOT NULL, "
        "PRIMARY KEY (name))"
    ),
    "outages": (
        "(node VARCHAR(64) NOT NULL, began_s DOUBLE NOT NULL, ended_s DOUBLE, PRIMARY KEY (node, began_s), "
        "FOREIGN KEY (node) REFERENCES skyshard_registry.nodes (name) ON DELETE CASCADE)"
    ),
    "policies": "(name VARCHAR(64) NOT NULL, value DOUBLE NOT NULL, PRIMARY KEY (name))",
    "jobs": (
        "(id INTEGER NOT NULL AUTO_INCREMENT, kind VARCHAR(16) NOT NULL, subject VARCHAR(64) NOT NULL, "
        "state VARCHAR(16) NOT NULL, attempt INTEGER NOT NULL, rate_bytes_s DOUBLE NOT NULL, grace_s DOUBLE NOT NULL, "
        "begun_s DOUBLE NOT NULL, taken_s DOUBLE NOT NULL, ended_s DOUBLE, error VARCHAR(255) NOT NULL, "
        "PRIMARY KEY (id))"
    ),
    "job_steps": (
        "(job INTEGER NOT NULL, number INTEGER NOT NULL, family VARCHAR(64) NOT NULL, chunk BIGINT NOT NULL, "
        "nodes_before TEXT NOT NULL, nodes_after TEXT NOT NULL, bytes BIGINT NOT NULL, state VARCHAR(16) NOT NULL, "
        "copied_bytes BIGINT NOT NULL, error VARCHAR(255) NOT NULL, ended_s DOUBLE, PRIMARY KEY (job, number), "
        "INDEX steps_by_state (job, state, number), "
        "FOREIGN KEY (job) REFERENCES skyshard_registry.jobs (id) ON DELETE CASCADE)"
    ),
}
"""New tables: name → what follows it in ``CREATE TABLE``."""


STEP = Step(5, (new_tables(_TABLES),), {})
