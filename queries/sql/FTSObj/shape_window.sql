-- class: FTSObj
-- description: Positions and fluxes in a window of shape
-- why: a scan that returns rows; the KPM window is 20 to 20.2
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   low: {type: uniform, range: [20.0, 20.2]}
-- lsdb: the upper bound is worked out in the SQL
SELECT {{ Object.ra }}, {{ Object.decl }}, {{ Object.u_psfFlux }}, {{ Object.g_psfFlux }}, {{ Object.r_psfFlux }}
FROM {{ Object.table }}
WHERE {{ Object.y_shapeIxx }} BETWEEN {{ low }} AND {{ low + 0.2 }}
