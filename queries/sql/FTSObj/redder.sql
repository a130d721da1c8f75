-- class: FTSObj
-- description: Positions and fluxes of objects with more flux in y than in u, in a window of y
-- why: compares two columns (KPM FTSObj), with a window so that the answer stays small
-- parameters:
--   y: {type: flux_window, table: Object, column: y_instFlux, selectivity: [0.005, 0.02]}
SELECT ra, decl, u_psfFlux, g_psfFlux, r_psfFlux
FROM Object
WHERE y_instFlux > u_instFlux AND y_instFlux BETWEEN {{ y.low }} AND {{ y.high }}
