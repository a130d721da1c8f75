-- class: LV
-- description: Sources of the objects of a small area
-- why: a key join within one or two chunks (KPM LV)
-- schemas: [synth, kpm]
-- parameters:
--   box: {type: box, width_deg: [0.01, 0.1], height_deg: [0.01, 0.1]}
-- lsdb:
--   table: Object
--   box: box
--   columns: [id, ra, decl]
--   join: {table: Source, columns: [id, ra, decl, parent]}
SELECT o.{{ Object.id }}, o.{{ Object.ra }}, o.{{ Object.decl }}, s.{{ Source.id }}, s.{{ Source.ra }} AS sourceRa, s.{{ Source.decl }} AS sourceDecl, s.{{ Source.parent }}
FROM {{ Object.table }} o, {{ Source.table }} s
WHERE qserv_areaspec_box({{ box.ra_min }}, {{ box.decl_min }}, {{ box.ra_max }}, {{ box.decl_max }})
  AND o.{{ Object.id }} = s.{{ Source.object }}
