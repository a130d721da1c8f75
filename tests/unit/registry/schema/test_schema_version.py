"""Versions of registries: whoever changes a table raises the version and writes a step."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from skyshard.basics.errors import UserError
from skyshard.registry.schema.migrations import STEPS
from skyshard.registry.schema.schema_version import CURRENT, REGISTRY, SCHEMA_VERSION, Versions, require_current
from skyshard.registry.stored import sql_tables

TABLES = {
    2: "64a25bd4e8023435",
    3: "f647bf7537811bf3",
    4: "802fe0c4bce5ecf6",
    5: "3ceaa125005f3567",
    6: "6615b34ee90fd54a",
    7: "f110c5eb696d553e",
    8: "646334dfaf81b3dc",
    9: "728aca67a68e361a",
}
"""Version of the registry → digest of its tables; a version that a release had is never changed."""
HERE = Path("/a/cluster")


def tables_digest() -> str:
    texts = [str(CreateTable(table).compile(dialect=mysql.dialect())) for table in sql_tables.metadata.sorted_tables]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def test_changed_tables_have_a_new_version() -> None:
    """The tables are those of the version: raise SCHEMA_VERSION, add a step and its digest here, or undo the change."""
    assert TABLES[SCHEMA_VERSION] == tables_digest()


def test_steps_lead_to_the_version_without_a_gap() -> None:
    """Every older registry can be brought here, from 0.1.0 on."""
    assert [step.version for step in STEPS] == list(range(2, SCHEMA_VERSION + 1))


def test_the_current_version_is_read() -> None:
    """Nothing is said of a registry of this release."""
    require_current(Versions(CURRENT, "0.2.0"), HERE)


def test_an_older_registry_is_refused_with_the_upgrade() -> None:
    """The remedy is one command, ready to be copied."""
    with pytest.raises(UserError, match=r"has version 1, .* run `skyshard cluster upgrade --cluster /a/cluster`"):
        require_current(Versions({REGISTRY: 1}), HERE)


@pytest.mark.parametrize("name", CURRENT)
def test_a_newer_format_is_refused_with_the_release_to_install(name: str) -> None:
    """A registry, or digests, of a later release are not touched."""
    with pytest.raises(UserError, match=rf"the {name} .* has version 99, .*; install Skyshard 9\.9\.0 or a newer"):
        require_current(Versions({**CURRENT, name: 99}, "9.9.0"), HERE)
