"""docs/explanation/security.md says what is: accounts, ports, and a test for each threat."""

from __future__ import annotations

import re

from tests.support.documented import ROOT

from skyshard.catalog.named_cluster_file import RAY_PORT
from skyshard.cluster.accounts import OFF_HOST
from skyshard.cluster.named_description import NamedNode
from skyshard.db.connection import Account
from skyshard.runtime.ray_settings import RayPorts

PAGE = (ROOT / "docs" / "explanation" / "security.md").read_text(encoding="utf-8")


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, row by row."""
    section = PAGE[PAGE.index(f"## {heading}\n") :].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_accounts_are_those_of_servers() -> None:
    """Each account is in the table, and which of them connect from elsewhere."""
    accounts = {row[0].strip("`"): row[3].strip() for row in rows_of("Accounts")}
    expected = {str(one): "any host" if one in OFF_HOST else "the server's host" for one in Account}
    assert accounts == expected


def test_password_files_are_those_of_the_accounts() -> None:
    """One a duty."""
    (passwords,) = [row for row in rows_of("Secrets") if row[0] == "passwords"]
    assert set(re.findall(r"`(\w+)`", passwords[1])) == {account.duty for account in Account}


def test_ports_are_those_that_the_program_uses() -> None:
    """Of servers and the head as the cluster file has them if it says nothing, and all of Ray's."""
    ports = RayPorts()
    expected = [
        str(NamedNode.model_fields["port"].default),
        str(RAY_PORT),
        f"{ports.node_manager}, {ports.object_manager}",
        f"{ports.first_worker} to {ports.last_worker}",
        f"{ports.runtime_env_agent} to {ports.metrics}",
    ]
    assert [row[0] for row in rows_of("Ports")] == expected


def test_each_threat_has_a_defence_and_a_test_that_is_there() -> None:
    """The last column names files of tests, and tests in them."""
    threats = rows_of("Threats")
    assert len(threats) >= 12
    for threat, defence, held in threats:
        files = re.findall(r"`(tests/[\w/]+\.(?:py|sql))`", held)
        assert defence
        assert files, threat
        text = "".join((ROOT / file).read_text(encoding="utf-8") for file in files)
        for name in re.findall(r"`(test_\w+)`", held):
            assert f"def {name}(" in text, name
