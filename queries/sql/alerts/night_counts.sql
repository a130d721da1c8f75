-- class: alerts
-- description: Detections of one night by band
-- why: aggregate counts of a night and a band (lsdb issue 1533)
-- schemas: [synth, dp1]
-- parameters:
--   night: {type: night, table: Detection, column: time}
-- lsdb: a form has no GROUP BY
SELECT {{ Detection.band }}, COUNT(*) AS n
FROM {{ Detection.table }}
WHERE {{ Detection.time }} >= {{ night.low }} AND {{ Detection.time }} < {{ night.high }}
GROUP BY {{ Detection.band }}
