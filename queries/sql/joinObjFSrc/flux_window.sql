-- class: joinObjFSrc
-- description: Objects with their forced sources of a narrow window of flux
-- why: a key join with the longest table (KPM joinObjFSrc)
-- schemas: [synth, kpm, dp1]
-- parameters:
--   flux: {type: flux_window, table: ForcedSource, column: psfFlux, selectivity: [0.001, 0.005]}
-- lsdb:
--   table: Object
--   columns: [id]
--   join: {table: ForcedSource, columns: [psfFlux], where: [{column: psfFlux, at_least: flux.low, at_most: flux.high}]}
SELECT o.{{ Object.id }}, f.{{ ForcedSource.psfFlux }}
FROM {{ Object.table }} o, {{ ForcedSource.table }} f
WHERE o.{{ Object.id }} = f.{{ ForcedSource.object }} AND f.{{ ForcedSource.psfFlux }} BETWEEN {{ flux.low }} AND {{ flux.high }}
