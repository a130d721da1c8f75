"""The parts of a form; files are on disk, and gone afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from skyshard.basics.errors import UserError

NO_FORM = (MultiPartException, FormParserError)
"""What is raised where parts cannot be told apart, by whichever of the two libraries finds it."""
MOST_PARTS = 100
"""Files, and others, where nobody says less."""
MOST_PART_BYTES = 1 << 20
"""Of a part that is no file, where nobody says more."""


@contextlib.asynccontextmanager
async def open_form(
    request: Request,
    *,
    most_files: int = MOST_PARTS,
    most_fields: int = MOST_PARTS,
    most_part_bytes: int = MOST_PART_BYTES,
) -> AsyncIterator[FormData]:
    """Whatever a client may have sent instead of one.

    Raises:
        UserError: it cannot be read, or has too many parts, or one that is too long.
    """
    async with contextlib.AsyncExitStack() as opened:
        try:
            form = await opened.enter_async_context(
                request.form(max_files=most_files, max_fields=most_fields, max_part_size=most_part_bytes)
            )
        except (*NO_FORM, AssertionError) as error:
            raise UserError(f"the form cannot be read: {error}", remedy="send multipart/form-data") from None
        yield form
