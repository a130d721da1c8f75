-- class: night
-- description: Pairs of objects closer than 18 arcseconds, in a box at a place that no other query has
-- why: near neighbours at random places; sub-chunks and overlap from disk
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   box: {type: box, width_deg: [0.2, 0.4], height_deg: [0.2, 0.4], around: fresh}
-- lsdb: {table: Object, box: box, match: {table: Object, columns: [], radius_deg: 0.005}, count: true}
SELECT COUNT(*)
FROM {{ Object.table }} o1, {{ Object.table }} o2
WHERE qserv_areaspec_box({{ box.ra_min }}, {{ box.decl_min }}, {{ box.ra_max }}, {{ box.decl_max }})
  AND scisql_angSep(o1.{{ Object.ra }}, o1.{{ Object.decl }}, o2.{{ Object.ra }}, o2.{{ Object.decl }}) < 0.005
