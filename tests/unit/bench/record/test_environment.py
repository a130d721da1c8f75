"""The environment of a trial."""

from __future__ import annotations

import getpass
import platform

from skyshard.bench.record.environment import Environment, NodeMachine, capture_environment


def test_the_environment_tells_code_packages_and_hardware() -> None:
    """What a comparison needs to know is there."""
    found = capture_environment()
    assert found.python == platform.python_version()
    assert "pyarrow" in found.packages
    assert found.cores >= 1
    assert found.memory_bytes > 1 << 20
    assert found.cpu_model


def test_the_environment_names_neither_host_nor_user() -> None:
    """A trial folder may be published."""
    text = capture_environment().model_dump_json()
    assert f'"{platform.node()}"' not in text
    assert f'"{getpass.getuser()}"' not in text


def machine(cores: int = 16) -> NodeMachine:
    return NodeMachine(
        skyshard="0.3.0", python="3.11.7", ray="2.60.0", cpu_model="EPYC", cores=cores, memory_bytes=64 << 30,
        kernel="Linux 6",
    )  # fmt: skip


def test_machines_of_nodes_come_with_it() -> None:
    """A trial over several hosts says what each of them is."""
    found = capture_environment({"node1": machine()})
    assert found.nodes["node1"].hardware == "EPYC, 16 cores, 64 GiB"
    assert Environment.model_validate_json(found.model_dump_json()) == found
    assert capture_environment().nodes == {}
