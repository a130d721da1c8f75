"""The package as it is handed over: sdist, the wheel that is built from it, and a fresh environment with that wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from skyshard import __version__

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

PROJECT = Path(__file__).resolve().parents[2]
FOLDERS = ("synth", "ingest", "queries", "k8s")


def _build(target: str, source: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of this checkout."""
    return _build("sdist", PROJECT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the unpacked sdist gives: what an index's users get."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return _build("wheel", source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in an environment of its own, where pip has installed the wheel.

    Its dependencies are those of this environment, by a path: the package itself is not on it.
    """
    folder = tmp_path_factory.mktemp("environment") / "fresh"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        wheel,
    ]
    subprocess.run(pip, check=True, capture_output=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "skyshard"


def _run(command: Path, words: str | list[str], folder: Path, text: str = "") -> str:
    """What a command prints, run in a folder without a checkout; fails unless it ends well."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "SKYSHARD_CLUSTER")}
    line = [str(command), *(words.split() if isinstance(words, str) else words)]
    ended = subprocess.run(line, cwd=folder, env=environment, input=text, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


def test_the_sdist_has_what_building_and_testing_need(sdist: Path) -> None:
    """Code, data, tests, tools and docs, and no environment, cluster or cache of this checkout."""
    with tarfile.open(sdist) as archive:
        top = {Path(name).parts[1] for name in archive.getnames() if len(Path(name).parts) > 1}
    assert {*FOLDERS, "src", "tests", "docs", "tools", "Makefile", "requirements.lock", "README.md", "LICENSE"} <= top
    assert not top & {".venv", ".skyshard", ".mariadb", "build", "dist", "demo-out", "comparison"}


def test_the_wheel_ships_every_data_file(wheel: Path) -> None:
    """Each file of synth/, ingest/, queries/ and k8s/ is in the wheel below skyshard/data, byte for byte."""
    with zipfile.ZipFile(wheel) as archive:
        for folder in FOLDERS:
            for path in (PROJECT / folder).rglob("*"):
                if path.is_file():
                    assert archive.read(f"skyshard/data/{path.relative_to(PROJECT)}") == path.read_bytes()


def test_the_wheel_ships_the_package_and_its_types(wheel: Path) -> None:
    """Every module, their templates and the marker for type checkers are inside; tests and docs are not."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    source = PROJECT / "src"
    wanted = {*source.rglob("*.py"), *source.rglob("*.j2"), source / "skyshard" / "py.typed"}
    assert {str(path.relative_to(source)) for path in wanted} <= names
    assert {name.split("/")[0] for name in names} == {"skyshard", f"skyshard-{__version__}.dist-info"}


def test_an_installed_wheel_answers_from_its_own_files(installed: Path, tmp_path: Path) -> None:
    """The command tells the release, computes chunk numbers, and finds shipped files without a checkout."""
    assert _run(installed, "--version", tmp_path).strip() == f"skyshard {__version__}"
    located = _run(installed, "locate --stripes 85 --substripes 12 --overlap 0.01667", tmp_path, "ra,dec\n10.0,20.0\n")
    assert located.splitlines()[0] == "row,chunkId,subChunkId,overlap"
    assert "recipe mini" in _run(installed, "synth mini --out sky --dry-run", tmp_path)
    code = "from skyshard.host.shipped_data import checkout, data_folder; print(checkout(), data_folder('queries'))"
    printed = _run(installed.with_name("python"), ["-c", code], tmp_path)
    (data,) = installed.parents[1].glob("lib/python*/site-packages/skyshard/data/queries")
    assert printed.split() == ["None", str(data)]


def test_an_installed_wheel_ingests_and_answers(installed: Path, tmp_path: Path) -> None:
    """The way of the README from a shipped recipe to an answer, on a private cluster of its own."""
    try:
        _run(installed, "cluster start --nodes 1", tmp_path)
        _run(installed, "synth mini --out sky", tmp_path)
        _run(installed, "ingest sky --runtime inline", tmp_path)
        answer = _run(
            installed, "query --database mini --format csv --no-header -", tmp_path, "SELECT COUNT(*) FROM Object"
        )
        assert int(answer) > 5_000
        assert "good" in _run(installed, "verify mini", tmp_path)
    finally:
        _run(installed, "cluster destroy", tmp_path)
