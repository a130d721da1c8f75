"""Hardware files."""

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.model.hardware import read_hardware
from skyshard.host.shipped_data import data_folder

SHIPPED = sorted(data_folder("queries", "hardware").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_hardware_is_read_by_its_name(path: Path) -> None:
    """The name in the file is the file's."""
    assert read_hardware(path.stem).name == path.stem


def test_an_unknown_name_lists_those_that_there_are() -> None:
    """One line, with the remedy."""
    with pytest.raises(UserError, match="no hardware 'nope'") as error:
        read_hardware("nope")
    assert "ldm-552-2018" in str(error.value.remedy)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("disk_mb_per_s: 0", "greater than"),
        ("disk_iops: 1e-300", "disk_iops"),
        ("cores: 1e+300", "cores"),
        ("discs: 3", "discs"),
        ("memory_for_data: 2", "memory_for_data"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, line: str, words: str) -> None:
    """Zero, unknown and too large are refused with file and key."""
    text = SHIPPED[0].read_text()
    name = line.partition(":")[0]
    kept = [one for one in text.splitlines() if not one.startswith(f"{name}:")]
    file = tmp_path / "h.yaml"
    file.write_text("\n".join([*kept, line]) + "\n")
    with pytest.raises(UserError, match=r"h\.yaml") as error:
        read_hardware(file)
    assert words in str(error.value)
