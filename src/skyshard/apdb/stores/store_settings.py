"""How a store keeps its tables: what a user chooses, kept in the store itself so that it is opened as it was made."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Literal

from pydantic import Field, ValidationError

from skyshard.basics.errors import UserError
from skyshard.catalog.strict_files import Strict
from skyshard.host.file_versions import refuse_newer

STORE_VERSION: Literal[1] = 1
"""Of the tables and of :class:`KeptSettings`."""


TRANSACTIONAL = ("InnoDB", "MyRocks")
"""Engines whose transactions are undone when their writer or their server is killed."""


class Upsert(StrEnum):
    """How a newer version of an object takes the place of an older one in DiaObjectLast."""

    REPLACE = "replace"
    DELETE_INSERT = "delete-insert"
    ON_DUPLICATE = "on-duplicate"


class Pixels(StrEnum):
    """By which pieces of the sky rows are clustered."""

    CHUNKS = "chunks"
    """(chunk, sub-chunk) of the striping, as in every other database."""
    MQ3C_10 = "mq3c-10"
    MQ3C_11 = "mq3c-11"
    HTM_20 = "htm-20"
    Q3C = "q3c"
    """No pieces: PostgreSQL's own index of the sky finds the rows of a region."""


class StoreSettings(Strict):
    """Choices for a new store; one that is opened again must have been made with the same."""

    engine: Literal["InnoDB", "MyRocks", "Aria", "MyISAM"] = "InnoDB"
    """Storage engine; MariaDB only."""
    upsert: Upsert | None = None
    """None: ``on-duplicate``, or ``replace`` on SQLite, where one writer waits for no other."""
    pixels: Pixels = Pixels.CHUNKS
    stripes: int = Field(default=340, ge=1)
    substripes: int = Field(default=12, ge=1)
    """Cells of 2.6 arcminutes, against 16 of a tile with its margin: of what is scanned, a fifth is outside."""
    drift_arcsec: float = Field(default=5.0, ge=0.0, le=60.0)
    """An object stays in the piece of the sky of its first position. Later positions may be so far outside of it."""


class KeptSettings(Strict):
    """What a store says of itself."""

    version: Literal[1] = STORE_VERSION
    settings: StoreSettings


def kept_text(settings: StoreSettings) -> str:
    """What a store made with these settings keeps of itself."""
    return KeptSettings(settings=settings).model_dump_json()


def check_kept(text: str, settings: StoreSettings, where: str) -> None:
    """See that a store was made by this release, and with these settings.

    Raises:
        UserError: it was not.
    """
    content = json.loads(text)
    refuse_newer(content, (STORE_VERSION,), where)
    try:
        kept = KeptSettings.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{where}: {error.errors()[0]['msg']}", remedy="it was made by another release") from None
    for name in StoreSettings.model_fields:
        there, here = getattr(kept.settings, name), getattr(settings, name)
        if there != here:
            raise UserError(f"{where} was made with {name} {there}, not {here}", remedy="open it as it was made")
