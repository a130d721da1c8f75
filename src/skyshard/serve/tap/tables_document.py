"""The VOSI documents: tables, capabilities, availability. Source: VOSI 1.1, VODataService 1.2, TAPRegExt 1.0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

from skyshard.serve.access import Quota
from skyshard.serve.tap.delimited_names import delimited
from skyshard.serve.tap.described_tables import DescribedColumn, DescribedSchema, DescribedTable
from skyshard.serve.tap.result_formats import FORMATS
from skyshard.serve.votable.document import attribute, xml_text

XML_TYPE = "text/xml"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1"'
_ADQL = "ivo://ivoa.net/std/ADQL"
_FEATURES = "ivo://ivoa.net/std/TAPRegExt#features-"
GEOMETRY = (
    "AREA", "BOX", "CENTROID", "CIRCLE", "CONTAINS", "COORD1", "COORD2", "DISTANCE", "INTERSECTS", "POINT", "POLYGON",
)  # fmt: skip
_OBSCORE = '<dataModel ivo-id="ivo://ivoa.net/std/ObsCore#core-1.1">ObsCore-1.1</dataModel>\n'
_OPTIONAL = {
    "adqlgeo": GEOMETRY, "adql-string": ("LOWER", "UPPER", "ILIKE"), "adql-offset": ("OFFSET",),
    "adql-common-table": ("WITH",), "adql-sets": ("UNION", "EXCEPT", "INTERSECT"), "adql-type": ("CAST",),
    "adql-unit": ("IN_UNIT",),
}  # fmt: skip
"""The optional parts of ADQL 2.1 that are answered."""

_ENDPOINTS = {
    "capabilities": "VOSI#capabilities", "availability": "VOSI#availability", "tables": "VOSI#tables-1.1",
    "examples": "DALI#examples",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """Rows of an answer where nothing is asked, and at most; seconds of a job and of its result; rows of an upload and
    bytes of all that come with a query."""

    default_rows: int
    most_rows: int
    duration_s: int
    kept_s: int
    upload_rows: int
    upload_bytes: int

    def within(self, quota: Quota) -> Limits:
        """The same for somebody who may have less."""
        rows, upload = quota.most_rows or self.most_rows, quota.most_upload_bytes or self.upload_bytes
        most_rows = min(self.most_rows, rows)
        return replace(
            self, default_rows=min(self.default_rows, most_rows), most_rows=most_rows,
            upload_bytes=min(self.upload_bytes, upload),
        )  # fmt: skip


def tables_document(schemas: Sequence[DescribedSchema], *, with_columns: bool) -> str:
    """All schemas and tables."""
    root = f'<vosi:tableset xmlns:vosi="http://www.ivoa.net/xml/VOSITables/v1.0" {_XSI}>\n'
    parts = [_DECLARATION, root]
    for schema in schemas:
        described = _element("description", schema.description)
        parts.append(f"<schema>\n{_element('name', delimited(schema.name))}{described}")
        parts += (_table(table, with_columns=with_columns) for table in schema.tables)
        parts.append("</schema>\n")
    return "".join([*parts, "</vosi:tableset>\n"])


def table_document(table: DescribedTable) -> str:
    """One table."""
    root = f'<vosi:table xmlns:vosi="http://www.ivoa.net/xml/VOSITables/v1.0" {_XSI}>\n'
    return f"{_DECLARATION}{root}{_inside(table)}</vosi:table>\n"


def _table(table: DescribedTable, *, with_columns: bool) -> str:
    inside = _inside(table) if with_columns else _named(table)
    return f'<table type="table">\n{inside}</table>\n'


def _named(table: DescribedTable) -> str:
    return _element("name", table.shown) + _element("description", table.description) + _element("utype", table.utype)


def _inside(table: DescribedTable) -> str:
    return "".join([_named(table), *map(_column, table.columns), *_keys(table)])


def _column(column: DescribedColumn) -> str:
    field = column.field
    kind = attribute("arraysize", field.arraysize) + attribute("extendedType", field.xtype)
    parts = [
        f"<column{attribute('std', 'true' if column.is_std else '')}>", _element("name", delimited(field.name)),
        _element("description", field.description), _element("unit", field.unit), _element("ucd", field.ucd),
        _element("utype", field.utype),
        f'<dataType xsi:type="vs:VOTableType"{kind}>{field.datatype}</dataType>',
        "<flag>indexed</flag>" if column.is_indexed else "", "<flag>principal</flag>" if column.is_principal else "",
        "</column>\n",
    ]  # fmt: skip
    return "".join(parts)


def _keys(table: DescribedTable) -> Iterator[str]:
    for key in table.keys:
        pairs = "".join(
            f"<fkColumn>{_element('fromColumn', delimited(one))}{_element('targetColumn', delimited(other))}</fkColumn>"
            for one, other in key.columns
        )
        yield f"<foreignKey>{_element('targetTable', key.target)}{pairs}</foreignKey>\n"


def _element(name: str, text: str) -> str:
    return f"<{name}>{xml_text(text)}</{name}>" if text else ""


def availability_document() -> str:
    """The service is up: one that is not does not answer."""
    return (
        f'{_DECLARATION}<vosi:availability xmlns:vosi="http://www.ivoa.net/xml/VOSIAvailability/v1.0">'
        "<vosi:available>true</vosi:available></vosi:availability>\n"
    )


def capabilities_document(
    root: str, limits: Limits, user_functions: Sequence[str], *, is_open: bool, has_obscore: bool = False
) -> str:
    """What the service below ``root`` can do; ``has_obscore``: it has ``ivoa.ObsCore``."""
    security = "" if is_open else '<securityMethod standardID="ivo://ivoa.net/sso#BasicAA"/>'
    parts = [
        _DECLARATION,
        '<vosi:capabilities xmlns:vosi="http://www.ivoa.net/xml/VOSICapabilities/v1.0" '
        'xmlns:tr="http://www.ivoa.net/xml/TAPRegExt/v1.0" xmlns:vr="http://www.ivoa.net/xml/VOResource/v1.0" '
        f"{_XSI}>\n",
        *(_capability(standard, f"{root}/{name}") for name, standard in _ENDPOINTS.items()),
        '<capability standardID="ivo://ivoa.net/std/TAP" xsi:type="tr:TableAccess">\n',
        f'<interface xsi:type="vs:ParamHTTP" role="std" version="1.1"><accessURL use="base">{escape(root)}</accessURL>'
        f"{security}</interface>\n",
        _OBSCORE * has_obscore,
        _language(user_functions),
        *(_format(one.mime, one.aliases, one.ivo_id) for one in FORMATS),
        *(f'<uploadMethod ivo-id="ivo://ivoa.net/std/TAPRegExt#upload-{way}"/>\n' for way in ("inline", "http")),
        f"<retentionPeriod><default>{limits.kept_s}</default><hard>{limits.kept_s}</hard></retentionPeriod>\n",
        f"<executionDuration><default>{limits.duration_s}</default><hard>{limits.duration_s}</hard></executionDuration>\n",
        f'<outputLimit><default unit="row">{limits.default_rows}</default>'
        f'<hard unit="row">{limits.most_rows}</hard></outputLimit>\n',
        f'<uploadLimit><default unit="row">{limits.upload_rows}</default>'
        f'<hard unit="byte">{limits.upload_bytes}</hard></uploadLimit>\n',
        "</capability>\n</vosi:capabilities>\n",
    ]  # fmt: skip
    return "".join(parts)


def _capability(standard: str, url: str) -> str:
    return (
        f'<capability standardID="ivo://ivoa.net/std/{standard}"><interface xsi:type="vs:ParamHTTP" role="std">'
        f'<accessURL use="full">{escape(url)}</accessURL></interface></capability>\n'
    )


def _language(user_functions: Sequence[str]) -> str:
    versions = f'<version ivo-id="{_ADQL}#v2.0">2.0</version><version ivo-id="{_ADQL}#v2.1">2.1</version>'
    features = [_features(name, forms) for name, forms in _OPTIONAL.items()]
    features.append(_features("udf", user_functions))
    return f"<language><name>ADQL</name>{versions}<description>ADQL</description>\n{''.join(features)}</language>\n"


def _features(name: str, forms: Sequence[str]) -> str:
    inside = "".join(f"<feature><form>{escape(form)}</form></feature>" for form in forms)
    return f'<languageFeatures type="{_FEATURES}{name}">{inside}</languageFeatures>\n'


def _format(mime: str, aliases: Sequence[str], ivo_id: str) -> str:
    named = "".join(f"<alias>{alias}</alias>" for alias in aliases)
    return f"<outputFormat{attribute('ivo-id', ivo_id)}><mime>{escape(mime)}</mime>{named}</outputFormat>\n"
