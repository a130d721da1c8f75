-- class: mobu
-- description: Ids and positions of the objects in a window of r flux
-- why: the monitor's scan-magnitude
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   r: {type: flux_window, table: Object, column: r_psfFlux, selectivity: [0.005, 0.02]}
-- lsdb: {table: Object, where: [{column: r_psfFlux, at_least: r.low, at_most: r.high}], columns: [id, ra, decl, r_psfFlux]}
SELECT {{ Object.id }}, {{ Object.ra }}, {{ Object.decl }}, {{ Object.r_psfFlux }}
FROM {{ Object.table }}
WHERE {{ Object.r_psfFlux }} BETWEEN {{ r.low }} AND {{ r.high }}
