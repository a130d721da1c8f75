-- class: alerts
-- description: Objects whose first detection was in one night
-- why: new objects of a particular night, a group of every object over all detections (lsdb issue 1533)
-- schemas: [synth, dp1]
-- parameters:
--   night: {type: night, table: Detection, column: time}
-- lsdb: a form has no GROUP BY
SELECT {{ Detection.object }}, COUNT(*) AS n, MIN({{ Detection.time }}) AS first
FROM {{ Detection.table }}
GROUP BY {{ Detection.object }}
HAVING MIN({{ Detection.time }}) >= {{ night.low }} AND MIN({{ Detection.time }}) < {{ night.high }}
