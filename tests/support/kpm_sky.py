"""A synthetic sky with the tables of the KPM tests: deepSourceId and the other names, and u flux errors of 1e-30."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

NAMES = {
    "Object": {"objectId": "deepSourceId"},
    "Source": {
        "sourceId": "id", "ra": "coord_ra", "decl": "coord_decl", "psfFlux": "flux_psf", "psfFluxSigma": "flux_psf_err",
    },
    "ForcedSource": {"objectId": "deepSourceId", "visitId": "scienceCcdExposureId"},
}  # fmt: skip
SIGMA = "u_apFluxSigma"
"""In erg/s/cm²/Hz, so that the bounds of the KPM queries select some."""


def rename_to_kpm(sky: Path) -> Path:
    """Give the tables of a ``tiny`` sky the KPM names, files and manifest; what the generator knew of it is dropped."""
    manifest: dict[str, Any] = json.loads((sky / "manifest.json").read_text())
    manifest["recipe"]["name"] = "kpm"
    manifest.pop("truth", None)
    for table, names in NAMES.items():
        entry = manifest["tables"][table]
        for file in entry["files"]:
            _rename(sky / file["path"], names)
            file |= {"bytes": (sky / file["path"]).stat().st_size, "xxh3": "", "digest": ""}
        for column in entry["columns"]:
            column["name"] = names.get(column["name"], column["name"])
        entry["key"] = names.get(entry["key"], entry["key"])
        entry["primary_key"] = [names.get(name, name) for name in entry["primary_key"]]
        entry["indexes"] = [[names.get(name, name) for name in index] for index in entry["indexes"]]
    (sky / "manifest.json").write_text(json.dumps(manifest))
    return sky


def _rename(path: Path, names: dict[str, str]) -> None:
    table = pq.read_table(path).replace_schema_metadata()
    if SIGMA in table.column_names:
        place = table.column_names.index(SIGMA)
        field = table.schema.field(place)
        # the shallowest rows of the sky get the largest KPM bound
        least = pc.min(table[SIGMA]).as_py()
        scaled = pc.multiply(pc.divide(table[SIGMA].cast(pa.float64()), least), 1.6e-30)
        table = table.set_column(place, field, scaled.cast(field.type))
    pq.write_table(table.rename_columns([names.get(name, name) for name in table.column_names]), path)
