"""Refuses to leave out rows that others stand for: of files that were chunked beforehand, and of generators."""

from __future__ import annotations

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role
from skyshard.ingest.source import SourceTable


def require_free_rows(table: SourceTable) -> None:
    """Refuse policies that leave rows out of a director whose rows are known beforehand.

    Raises:
        UserError: says the policy, and who knows the rows.
    """
    layout = table.layout
    policies = {"duplicates": layout.duplicates == "keep-first", "bad_positions": layout.bad_positions != "refuse"}
    asked = next((name for name, is_asked in policies.items() if is_asked), "")
    if layout.role is not Role.DIRECTOR or not asked:
        return
    if any(piece.chunk is not None or piece.is_overlap for piece in table.slices):
        raise UserError(
            f"director '{table.name}' has {asked}: {getattr(layout, asked)}, but files that were chunked beforehand, "
            "whose overlap rows are copies of all own rows",
            remedy="leave the policy out, or give files that are not chunked",
        )
    if any(piece.made or piece.digest for piece in table.slices):
        raise UserError(
            f"director '{table.name}' has {asked}: {getattr(layout, asked)}, but rows that their generator answers for",
            remedy="leave the policy out: a synthetic catalog has each key and position once",
        )
