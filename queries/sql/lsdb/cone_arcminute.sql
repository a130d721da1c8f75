-- class: lsdb
-- description: Objects within an arcminute
-- why: a small cone reads one partition or two (lsdb issue 1557)
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   cone: {type: cone, radius_deg: [0.016666666666666666, 0.016666666666666666]}
-- lsdb: {table: Object, cone: cone, columns: [ra, decl, u_psfFlux, g_psfFlux, r_psfFlux]}
SELECT {{ Object.ra }}, {{ Object.decl }}, {{ Object.u_psfFlux }}, {{ Object.g_psfFlux }}, {{ Object.r_psfFlux }}
FROM {{ Object.table }}
WHERE qserv_areaspec_circle({{ cone.ra }}, {{ cone.decl }}, {{ cone.radius_deg }})
