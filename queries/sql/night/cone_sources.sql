-- class: night
-- description: Detections in a cone at a place that no other query has
-- why: a cone over the longer table, whose rows are hardly ever in memory
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   cone: {type: cone, radius_deg: [0.02, 0.1], around: fresh}
-- lsdb: {table: Source, cone: cone, columns: [id, ra, decl, psfFlux]}
SELECT {{ Source.id }}, {{ Source.ra }}, {{ Source.decl }}, {{ Source.psfFlux }}
FROM {{ Source.table }}
WHERE qserv_areaspec_circle({{ cone.ra }}, {{ cone.decl }}, {{ cone.radius_deg }})
