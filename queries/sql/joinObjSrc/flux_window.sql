-- class: joinObjSrc
-- description: Objects with their sources of a narrow window of flux
-- why: a key join over the whole sky, chunk by chunk (KPM joinObjSrc)
-- schemas: [synth, kpm, dp1]
-- parameters:
--   flux: {type: flux_window, table: Detection, column: flux, selectivity: [0.002, 0.01]}
-- lsdb: the answer's columns alternate between the two tables
SELECT o.{{ Detected.id }}, s.{{ Detection.id }}, o.{{ Detected.ra }}, o.{{ Detected.decl }}, s.{{ Detection.flux }}
FROM {{ Detected.table }} o, {{ Detection.table }} s
WHERE o.{{ Detected.id }} = s.{{ Detection.object }} AND s.{{ Detection.flux }} BETWEEN {{ flux.low }} AND {{ flux.high }}
