-- class: alerts
-- description: Detections of one night in a cone of half a degree to a degree
-- why: cone search over a particular night (lsdb issue 1533)
-- schemas: [synth, dp1]
-- parameters:
--   cone: {type: cone, radius_deg: [0.5, 1], around: fresh}
--   night: {type: night, table: Detection, column: time}
-- lsdb:
--   table: Detected
--   cone: cone
--   columns: [id]
--   join: {table: Detection, columns: [id, time, flux], where: [{column: time, at_least: night.low, below: night.high}]}
SELECT o.{{ Detected.id }}, s.{{ Detection.id }}, s.{{ Detection.time }}, s.{{ Detection.flux }}
FROM {{ Detected.table }} o, {{ Detection.table }} s
WHERE qserv_areaspec_circle({{ cone.ra }}, {{ cone.decl }}, {{ cone.radius_deg }})
  AND o.{{ Detected.id }} = s.{{ Detection.object }}
  AND s.{{ Detection.time }} >= {{ night.low }} AND s.{{ Detection.time }} < {{ night.high }}
