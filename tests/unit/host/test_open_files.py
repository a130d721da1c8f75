"""How many files a process may have open: raised to what it may have without rights, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource
from skyshard.host.open_files import open_files_limit, raise_open_files
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (100, {hard}))
print(raise_open_files(), open_files_limit(), raise_open_files())
"""


def test_the_limit_is_raised_as_far_as_it_goes() -> None:
    """And not lowered by asking again."""
    program = PROGRAM.format(hard=500)
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "(100, 500) 500 (500, 500)"
