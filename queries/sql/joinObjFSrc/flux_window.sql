-- class: joinObjFSrc
-- description: Objects with their forced sources of a narrow window of flux
-- why: a key join with the longest table (KPM joinObjFSrc)
-- parameters:
--   flux: {type: flux_window, table: ForcedSource, column: psfFlux, selectivity: [0.001, 0.005]}
SELECT o.objectId, f.psfFlux
FROM Object o, ForcedSource f
WHERE o.objectId = f.objectId AND f.psfFlux BETWEEN {{ flux.low }} AND {{ flux.high }}
