"""Changes settings of a cluster and kills itself: ``settings_driver.py FOLDER WORD SETTING ...``.

It ends with SIGKILL when a line is reported that begins with WORD.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from skyshard.cluster.private_cluster import PrivateCluster


def main(folder: Path, word: str, settings: list[str]) -> None:
    def report(line: str) -> None:
        if line.startswith(word):
            os.kill(os.getpid(), signal.SIGKILL)

    PrivateCluster(folder).change_settings(settings, report=report)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
