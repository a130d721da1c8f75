-- class: alerts
-- description: Detections of one night brighter by a magnitude than their object's r flux
-- why: brightened by more than so much in a particular night (lsdb issue 1533)
-- schemas: [synth, dp1]
-- parameters:
--   night: {type: night, table: Detection, column: time}
-- lsdb: a form does not compute with columns
SELECT o.{{ Detected.id }}, s.{{ Detection.id }}, s.{{ Detection.flux }}, o.{{ Detected.flux }}
FROM {{ Detected.table }} o, {{ Detection.table }} s
WHERE o.{{ Detected.id }} = s.{{ Detection.object }}
  AND s.{{ Detection.time }} >= {{ night.low }} AND s.{{ Detection.time }} < {{ night.high }}
  AND s.{{ Detection.flux }} > 2.512 * o.{{ Detected.flux }}
