-- class: LV
-- description: Sources of the objects of a small area
-- why: a key join within one or two chunks (KPM LV)
-- parameters:
--   box: {type: box, width_deg: [0.01, 0.1], height_deg: [0.01, 0.1]}
SELECT o.objectId, o.ra, o.decl, s.sourceId, s.ra AS sourceRa, s.decl AS sourceDecl, s.parent
FROM Object o, Source s
WHERE qserv_areaspec_box({{ box.ra_min }}, {{ box.decl_min }}, {{ box.ra_max }}, {{ box.decl_max }})
  AND o.objectId = s.objectId
