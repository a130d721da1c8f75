-- class: FTSObj
-- description: Positions and fluxes of objects with more flux in y than in u, in a window of y
-- why: compares two columns (KPM FTSObj), with a window so that the answer stays small
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   y: {type: flux_window, table: Object, column: y_instFlux, selectivity: [0.005, 0.02]}
-- lsdb:
--   table: Object
--   where: [{column: y_instFlux, above_column: u_instFlux, at_least: y.low, at_most: y.high}]
--   columns: [ra, decl, u_psfFlux, g_psfFlux, r_psfFlux]
SELECT {{ Object.ra }}, {{ Object.decl }}, {{ Object.u_psfFlux }}, {{ Object.g_psfFlux }}, {{ Object.r_psfFlux }}
FROM {{ Object.table }}
WHERE {{ Object.y_instFlux }} > {{ Object.u_instFlux }} AND {{ Object.y_instFlux }} BETWEEN {{ y.low }} AND {{ y.high }}
