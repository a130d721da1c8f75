-- class: FTSObj
-- description: Positions and fluxes in a window of shape
-- why: a scan that returns rows; the KPM window is 20 to 20.2
-- parameters:
--   low: {type: uniform, range: [20.0, 20.2]}
SELECT ra, decl, u_psfFlux, g_psfFlux, r_psfFlux FROM Object WHERE y_shapeIxx BETWEEN {{ low }} AND {{ low + 0.2 }}
