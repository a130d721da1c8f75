-- class: FTSObj
-- description: Positions and fluxes in a window of z flux
-- why: a scan with an answer of a chosen size (KPM FTSObj)
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   z: {type: flux_window, table: Object, column: z_apFlux, selectivity: [0.005, 0.02]}
-- lsdb:
--   table: Object
--   where: [{column: z_apFlux, at_least: z.low, at_most: z.high}]
--   columns: [ra, decl, u_psfFlux, g_psfFlux, r_psfFlux]
SELECT {{ Object.ra }}, {{ Object.decl }}, {{ Object.u_psfFlux }}, {{ Object.g_psfFlux }}, {{ Object.r_psfFlux }}
FROM {{ Object.table }}
WHERE {{ Object.z_apFlux }} BETWEEN {{ z.low }} AND {{ z.high }}
