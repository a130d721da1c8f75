"""Runs commands in processes of their own: such as outlive this one, and such as are waited for."""

from __future__ import annotations

import subprocess
import sys

from skyshard.basics.errors import ClusterError


def start_detached(*words: str) -> None:
    """Run a command of Skyshard in a process of its own, without a terminal and without output.

    A shell starts it and exits at once, so the process is no child of this one and outlives it.
    """
    command = _command(words)
    text = '"$@" </dev/null >/dev/null 2>&1 &'
    subprocess.run(["sh", "-c", text, "sh", *command], check=True, start_new_session=True)


def run_apart(*words: str) -> None:
    """Run a command of Skyshard in a process of its own, and wait for its end.

    Raises:
        ClusterError: it failed; with the last line that it wrote.
    """
    done = subprocess.run(_command(words), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise ClusterError(f"`skyshard {' '.join(words[:2])}` failed: {said}")


def _command(words: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "skyshard.cli.app", *words]
