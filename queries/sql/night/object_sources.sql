-- class: night
-- description: Detections of the objects of a box at a place that no other query has
-- why: a key join where neither table's rows are in memory
-- schemas: [synth, kpm]
-- parameters:
--   box: {type: box, width_deg: [0.05, 0.2], height_deg: [0.05, 0.2], around: fresh}
-- lsdb:
--   table: Object
--   box: box
--   columns: [id, ra, decl]
--   join: {table: Source, columns: [id, psfFlux]}
SELECT o.{{ Object.id }}, o.{{ Object.ra }}, o.{{ Object.decl }}, s.{{ Source.id }}, s.{{ Source.psfFlux }}
FROM {{ Object.table }} o, {{ Source.table }} s
WHERE qserv_areaspec_box({{ box.ra_min }}, {{ box.decl_min }}, {{ box.ra_max }}, {{ box.decl_max }})
  AND o.{{ Object.id }} = s.{{ Source.object }}
