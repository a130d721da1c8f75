"""Types of results: what is counted needs no server to say so; a server that does not answer is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import ClusterError
from skyshard.czar.plan.query_plan import Kind, QueryPlan
from skyshard.czar.run.result_types import result_types
from skyshard.db.connection import Endpoint
from skyshard.db.sessions import Sessions
from skyshard.rowimage.sqltype import parse_type


def test_a_count_is_a_bigint_without_a_question(tmp_path: Path) -> None:
    """As MariaDB has COUNT(*); the czar's server need not be there for it."""
    nobody = Sessions(Endpoint(socket=str(tmp_path / "czar.sock")))
    (column,) = result_types(nobody, QueryPlan(Kind.COUNT, ("n",)), "")
    assert (column.name, column.type) == ("c0", parse_type("bigint"))


def test_types_of_other_plans_are_the_servers_word(tmp_path: Path) -> None:
    """Where it does not answer, the error names the place."""
    nobody = Sessions(Endpoint(socket=str(tmp_path / "czar.sock")))
    with pytest.raises(ClusterError, match=r"czar\.sock"):
        result_types(nobody, QueryPlan(Kind.GATHER, ("n",)), "SELECT 1")
