"""The columns of ``ivoa.ObsCore`` as Skyshard stores them: ObsCore 1.1's mandatory ones, Rubin's, those of the region.

Values only. What TAP says of a column is Felis' (``ivoa_obscore``), but for the two that it leaves out.
"""

from __future__ import annotations

from dataclasses import replace

from skyshard.catalog.felis_schemas import SchemaColumn, read_schema
from skyshard.catalog.region_columns import BOUNDS_SUFFIX, SCISQL_SUFFIX, normal_names
from skyshard.catalog.schema import Column
from skyshard.rowimage.sqltype import parse_type

OBSCORE_SCHEMA, OBSCORE_TABLE = "ivoa", "ObsCore"
FELIS_SCHEMA = "ivoa_obscore"
REGION = "s_region"
BOUNDS = REGION + BOUNDS_SUFFIX
_WORD, _NUMBER = "varchar(128)", "bigint(20)"
_TYPES: dict[str, str] = {
    "dataproduct_type": _WORD, "dataproduct_subtype": "varchar(64)", "calib_level": "int(11)",
    "obs_collection": _WORD, "obs_id": _WORD, "obs_publisher_did": "varchar(256)", "obs_title": "varchar(256)",
    "access_url": "varchar(512)", "access_format": _WORD, "access_estsize": _NUMBER, "target_name": "varchar(32)",
    "s_ra": "double", "s_dec": "double", "s_fov": "double", "s_region": "varchar(512)", "s_resolution": "double",
    "s_xel1": _NUMBER, "s_xel2": _NUMBER, "t_min": "double", "t_max": "double", "t_exptime": "double",
    "t_resolution": "double", "t_xel": _NUMBER, "em_min": "double", "em_max": "double", "em_res_power": "double",
    "em_xel": _NUMBER, "o_ucd": "varchar(32)", "pol_states": "varchar(32)", "pol_xel": _NUMBER,
    "facility_name": _WORD, "instrument_name": _WORD, "lsst_visit": _NUMBER, "lsst_detector": _NUMBER,
    "lsst_tract": _NUMBER, "lsst_patch": _NUMBER, "lsst_band": "varchar(10)", "lsst_filter": "varchar(32)",
}  # fmt: skip
_NEEDED = frozenset(("dataproduct_subtype", "calib_level", "obs_collection", "obs_id", "obs_publisher_did"))
INDEXES = ((BOUNDS,), ("lsst_visit", "lsst_detector"), ("lsst_tract", "lsst_patch"), ("dataproduct_subtype",),
           ("lsst_band",), ("t_min",))  # fmt: skip
"""Indexes of the table; the one of a GEOMETRY is a SPATIAL one."""
LEFT_OUT = (
    SchemaColumn(
        "access_estsize", _NUMBER, True, "kbyte", "phys.size;meta.file", "Estimated size of the dataset in kilobytes",
        utype="Access.size", place=255, is_principal=True, is_standard=True,
    ),
    SchemaColumn(
        "pol_states", "varchar(32)", True, "", "meta.code;phys.polarization", "List of polarization states",
        utype="Char.PolarizationAxis.stateList", place=325, is_standard=True,
    ),
)  # fmt: skip
"""Mandatory columns that Rubin's schema does without. Source: ObsCore 1.1, table 6."""


_UTYPES = {
    "obs_collection": "DataID.Collection", "obs_title": "DataID.Title", "obs_publisher_did": "Curation.PublisherDID",
    "access_url": "Access.Reference", "access_format": "Access.Format", "access_estsize": "Access.Size",
    "target_name": "Target.Name", "facility_name": "Provenance.ObsConfig.facility.name",
    "instrument_name": "Provenance.ObsConfig.instrument.name",
}  # fmt: skip
"""Utypes that the standard spells otherwise than Felis does. Source: ObsCore 1.1, tables 5 and 6."""


def standard_descriptions() -> dict[str, SchemaColumn]:
    """What is known of each column, by name: Rubin's schema, with utypes as the standard spells them."""
    described = [column for table in read_schema(FELIS_SCHEMA) for column in table.columns]
    found = {column.name: column for column in (*described, *LEFT_OUT)}
    return {
        name: replace(column, utype=f"obscore:{_UTYPES.get(name, column.utype)}" if column.utype else "")
        for name, column in found.items()
    }


def obscore_columns(edges: int = 4) -> tuple[Column, ...]:
    """All columns, with the normals of so many edges."""
    shown = [Column(name, parse_type(kind), name not in _NEEDED) for name, kind in _TYPES.items()]
    normals = [Column(name, parse_type("double"), False) for names in normal_names(REGION, edges) for name in names]
    packed = Column(REGION + SCISQL_SUFFIX, parse_type(f"varbinary({24 * (edges + 1)})"), False)
    return (*shown, packed, *normals, Column(BOUNDS, parse_type("geometry"), False))
