"""Why a server shows its carrying account no file of a scratch table, and the remedy. No I/O.

Rules: ``FACTS`` are columns of a statement of that account; what they give is what ``why_not_shown`` takes.
"""

from __future__ import annotations

from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.db.connection import Account

FACTS = (
    "@@datadir, COALESCE(@@secure_file_priv, ''), "
    "(SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'FILE')"
)


def why_not_shown(data: object, allowed: object, may: object) -> str:
    """What keeps the carrying account from files that are there.

    Args:
        data: the server's data folder.
        allowed: its ``secure_file_priv``: a folder, empty for all.
        may: whether the account has the privilege FILE.

    >>> why_not_shown("/data/", "/backups/", may=True)
    'secure-file-priv is /backups/, which does not hold /data/skyshard_scratch; set it to that'
    """
    folder = f"{str(data).rstrip('/')}/{SCRATCH_DATABASE}"
    if not may:
        return f"account {Account.CARRIER} has not the privilege FILE; grant it"
    if allowed and not f"{folder}/".startswith(f"{str(allowed).rstrip('/')}/"):
        return f"secure-file-priv is {allowed}, which does not hold {folder}; set it to that"
    return "the server may not show its files; start it with UMASK=0664 in its environment"
