-- class: mobu
-- description: Pairs of different objects closer than 18 arcseconds, in a cone
-- why: the monitor's near-neighbor
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   cone: {type: cone, radius_deg: [0.02, 0.18], around: fresh}
-- lsdb: {table: Object, cone: cone, columns: [id], match: {table: Object, columns: [id], radius_deg: 0.005, is_other: true}}
SELECT o1.{{ Object.id }} AS id1, o2.{{ Object.id }} AS id2
FROM {{ Object.table }} o1, {{ Object.table }} o2
WHERE qserv_areaspec_circle({{ cone.ra }}, {{ cone.decl }}, {{ cone.radius_deg }})
  AND scisql_angSep(o1.{{ Object.ra }}, o1.{{ Object.decl }}, o2.{{ Object.ra }}, o2.{{ Object.decl }}) < 0.005
  AND o1.{{ Object.id }} <> o2.{{ Object.id }}
