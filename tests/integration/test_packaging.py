"""The wheel: it holds every shipped file, and finds them where no checkout is."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).resolve().parents[2]
FOLDERS = ("synth", "ingest", "queries", "k8s")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_ships_every_data_file(wheel: Path) -> None:
    """Each file of synth/, ingest/, queries/ and k8s/ is in the wheel below skyshard/data, byte for byte."""
    with zipfile.ZipFile(wheel) as archive:
        for folder in FOLDERS:
            for path in (PROJECT / folder).rglob("*"):
                if path.is_file():
                    assert archive.read(f"skyshard/data/{path.relative_to(PROJECT)}") == path.read_bytes()


def test_the_wheel_ships_the_package_and_its_types(wheel: Path) -> None:
    """Modules, their templates and the marker for type checkers are inside."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"skyshard/py.typed", "skyshard/cluster/private_cluster.py"} <= names
    templates = list((PROJECT / "src" / "skyshard").rglob("*.j2"))
    assert {str(path.relative_to(PROJECT / "src")) for path in templates} <= names


def test_an_installed_wheel_reads_its_own_copies(wheel: Path, tmp_path: Path) -> None:
    """Unpacked into a folder of packages, the data are found beside the code, not in this checkout."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from skyshard.host.shipped_data import checkout, data_folder;"
        "print(checkout(), data_folder('queries', 'workloads'))"
    )
    answer = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True)
    assert answer.stdout.split() == ["None", str(tmp_path / "skyshard" / "data" / "queries" / "workloads")]
