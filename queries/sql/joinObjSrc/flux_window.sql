-- class: joinObjSrc
-- description: Objects with their sources of a narrow window of flux
-- why: a key join over the whole sky, chunk by chunk (KPM joinObjSrc)
-- parameters:
--   flux: {type: flux_window, table: Source, column: flux_sinc, selectivity: [0.002, 0.01]}
SELECT o.objectId, s.sourceId, o.ra, o.decl, s.flux_sinc
FROM Object o, Source s
WHERE o.objectId = s.objectId AND s.flux_sinc BETWEEN {{ flux.low }} AND {{ flux.high }}
