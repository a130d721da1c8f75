-- class: nearN
-- description: Pairs of objects closer than 54 arcseconds, in an area of about a square degree
-- why: the near-neighbour join that needs sub-chunks and overlap (KPM nearN, radius 0.015 degrees)
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   box: {type: box, width_deg: [0.8, 1.2], height_deg: [0.8, 1.2]}
-- lsdb: {table: Object, box: box, match: {table: Object, columns: [], radius_deg: 0.015}, count: true}
SELECT COUNT(*)
FROM {{ Object.table }} o1, {{ Object.table }} o2
WHERE qserv_areaspec_box({{ box.ra_min }}, {{ box.decl_min }}, {{ box.ra_max }}, {{ box.decl_max }})
  AND scisql_angSep(o1.{{ Object.ra }}, o1.{{ Object.decl }}, o2.{{ Object.ra }}, o2.{{ Object.decl }}) < 0.015
