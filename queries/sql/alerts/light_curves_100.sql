-- class: alerts
-- description: The detections of 100 objects
-- why: light curves of a list of ids (lsdb issue 1533, N = 100)
-- schemas: [synth, dp1]
-- parameters:
--   ids: {type: ids, count: 100}
-- lsdb: a form takes one id, not a list
SELECT {{ Detection.object }}, {{ Detection.id }}, {{ Detection.time }}, {{ Detection.flux }}
FROM {{ Detection.table }}
WHERE {{ Detection.object }} IN ({{ ids | join(', ') }})
