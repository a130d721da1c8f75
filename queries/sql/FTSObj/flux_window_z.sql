-- class: FTSObj
-- description: Positions and fluxes in a window of z flux
-- why: a scan with an answer of a chosen size (KPM FTSObj)
-- parameters:
--   z: {type: flux_window, table: Object, column: z_apFlux, selectivity: [0.005, 0.02]}
SELECT ra, decl, u_psfFlux, g_psfFlux, r_psfFlux FROM Object WHERE z_apFlux BETWEEN {{ z.low }} AND {{ z.high }}
