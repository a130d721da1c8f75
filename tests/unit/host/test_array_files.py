"""Arrays in files: read whole or mapped, from any thread."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import skyshard
from skyshard.host.array_files import load_array, map_array, save_array

SOURCE = Path(skyshard.__file__).parent


@pytest.mark.parametrize("shape", [(0,), (0, 2), (5,), (3, 2)])
@pytest.mark.parametrize("kind", ["<i4", "<u8", "<f8"])
def test_an_array_comes_back_as_it_was_written(tmp_path: Path, shape: tuple[int, ...], kind: str) -> None:
    """Whole and mapped, an empty one too."""
    array = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    save_array(tmp_path / "a.npy", array)
    for read in (load_array, map_array):
        found = read(tmp_path / "a.npy")
        assert found.dtype == array.dtype
        assert found.tolist() == array.tolist()


@pytest.mark.parametrize("read", [load_array, map_array])
def test_what_is_no_array_is_refused(tmp_path: Path, read: Callable[[Path], object]) -> None:
    """A text, and an array of objects, which would be unpickled."""
    (tmp_path / "text.npy").write_text("no array")
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    for name in ("text.npy", "objects.npy"):
        with pytest.raises(ValueError, match="pickle"):
            read(tmp_path / name)


def test_only_one_module_each_reads_arrays_and_python_syntax() -> None:
    """Elsewhere the lock would be forgotten."""
    homes = {"np.load(": "host/array_files.py", "ast.parse(": "basics/python_syntax.py", "literal_eval(": ""}
    for path in SOURCE.rglob("*.py"):
        code = [line for line in path.read_text().splitlines() if ">>>" not in line]
        for call, home in homes.items():
            if path.relative_to(SOURCE).as_posix() != home:
                assert not any(call in line for line in code), f"{path.name} calls {call}"
