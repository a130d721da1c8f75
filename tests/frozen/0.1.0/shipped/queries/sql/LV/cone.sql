-- class: LV
-- description: Bright objects of a cone, brightest first
-- why: the portal's cone search with sorting and a limit
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   cone: {type: cone, radius_deg: [0.02, 0.2]}
-- lsdb: the operations of a form neither sort nor limit
SELECT {{ Object.id }}, {{ Object.ra }}, {{ Object.decl }}, {{ Object.r_psfFlux }}
FROM {{ Object.table }}
WHERE qserv_areaspec_circle({{ cone.ra }}, {{ cone.decl }}, {{ cone.radius_deg }})
ORDER BY {{ Object.r_psfFlux }} DESC, {{ Object.id }}
LIMIT 50
