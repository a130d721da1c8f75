-- class: lsdb
-- description: Pairs of different objects within two arcseconds, in a degree
-- why: a positional cross-match, here of the catalog with itself (lsdb issue 1557)
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   box: {type: box, width_deg: [1, 1], height_deg: [1, 1]}
-- lsdb:
--   table: Object
--   box: box
--   columns: [id]
--   match: {table: Object, columns: [id], radius_deg: 0.0005555555555555556, is_other: true}
SELECT o1.{{ Object.id }} AS id1, o2.{{ Object.id }} AS id2
FROM {{ Object.table }} o1, {{ Object.table }} o2
WHERE qserv_areaspec_box({{ box.ra_min }}, {{ box.decl_min }}, {{ box.ra_max }}, {{ box.decl_max }})
  AND scisql_angSep(o1.{{ Object.ra }}, o1.{{ Object.decl }}, o2.{{ Object.ra }}, o2.{{ Object.decl }}) < 0.0005555555555555556
  AND o1.{{ Object.id }} <> o2.{{ Object.id }}
