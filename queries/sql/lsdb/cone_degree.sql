-- class: lsdb
-- description: Objects within a degree
-- why: a large cone reads several partitions (lsdb issue 1557)
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   cone: {type: cone, radius_deg: [1, 1]}
-- lsdb: {table: Object, cone: cone, columns: [ra, decl, u_psfFlux, g_psfFlux, r_psfFlux]}
SELECT {{ Object.ra }}, {{ Object.decl }}, {{ Object.u_psfFlux }}, {{ Object.g_psfFlux }}, {{ Object.r_psfFlux }}
FROM {{ Object.table }}
WHERE qserv_areaspec_circle({{ cone.ra }}, {{ cone.decl }}, {{ cone.radius_deg }})
