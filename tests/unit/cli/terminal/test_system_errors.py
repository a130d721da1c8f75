"""Trouble of the machine: one line with what, where and the remedy, and who has to mend it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.cli.terminal.standard_streams import HANDLER, prepare_streams
from skyshard.cli.terminal.system_errors import trouble_of


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, UserError),
        (errno.EACCES, UserError),
        (errno.EISDIR, UserError),
        (errno.ENOTDIR, UserError),
        (errno.ENOSPC, ClusterError),
        (errno.EDQUOT, ClusterError),
        (errno.EROFS, ClusterError),
        (errno.EMFILE, ClusterError),
        (errno.EIO, ClusterError),
        (errno.ECHILD, ClusterError),
    ],
)
def test_what_the_system_refuses_is_no_bug(number: int, kind: type[SkyshardError]) -> None:
    """The line names the file and the reason, and goes on with a remedy."""
    found = trouble_of(OSError(number, os.strerror(number), "/data/x"))
    assert isinstance(found, kind)
    assert str(found).startswith(f"'/data/x': {os.strerror(number)}; ")


def test_limits_of_python_are_no_bug() -> None:
    """Memory and threads that are refused are the machine's; any other error is not."""
    assert isinstance(trouble_of(MemoryError()), ClusterError)
    assert isinstance(trouble_of(RuntimeError("can't start new thread")), ClusterError)
    assert trouble_of(RuntimeError("dictionary changed size during iteration")) is None
    assert trouble_of(KeyError("x")) is None


def test_a_name_that_is_no_text_is_said() -> None:
    """A file's name in another encoding is the user's to mend; any other text that cannot be encoded is ours."""
    with pytest.raises(UnicodeEncodeError) as caught:
        "sky_\udce9.csv".encode()
    assert isinstance(trouble_of(caught.value), UserError)
    with pytest.raises(UnicodeEncodeError) as caught:
        "é".encode("ascii")
    assert trouble_of(caught.value) is None


def test_a_working_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    """The system's own error names no file."""
    folder, back = tmp_path / "gone", Path.cwd()
    folder.mkdir()
    os.chdir(folder)
    folder.rmdir()
    try:
        with pytest.raises(FileNotFoundError) as caught:
            os.getcwd()
        assert "the working folder is gone" in str(trouble_of(caught.value))
    finally:
        os.chdir(back)


@pytest.mark.parametrize(
    ("text", "encoding", "printed"),
    [
        ("a → b…", "ascii", b"a -> b..."),
        ("12° ± é", "latin-1", b"12\xb0 \xb1 \xe9"),
        ("5σ → é☃", "ascii", b"5sigma -> \\xe9\\u2603"),
        ("sky_\udce9.csv", "utf-8", b"sky_\\xe9.csv"),
    ],
)
def test_letters_that_a_terminal_has_not_are_spelt(text: str, encoding: str, printed: bytes) -> None:
    """Every text can be printed in every encoding, and what the encoding has stays."""
    prepare_streams()
    assert text.encode(encoding, HANDLER) == printed
