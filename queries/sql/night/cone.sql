-- class: night
-- description: Objects of a cone at a place that no other query has
-- why: the portal's cone search without what earlier queries left in memory (River, DMTN-354)
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   cone: {type: cone, radius_deg: [0.02, 0.2], around: fresh}
-- lsdb: {table: Object, cone: cone, columns: [id, ra, decl, g_psfFlux, r_psfFlux]}
SELECT {{ Object.id }}, {{ Object.ra }}, {{ Object.decl }}, {{ Object.g_psfFlux }}, {{ Object.r_psfFlux }}
FROM {{ Object.table }}
WHERE qserv_areaspec_circle({{ cone.ra }}, {{ cone.decl }}, {{ cone.radius_deg }})
