-- class: alerts
-- description: The detections of one object
-- why: a light curve by id (lsdb issue 1533, N = 1)
-- schemas: [synth, dp1]
-- parameters:
--   ids: {type: ids, count: 1}
-- lsdb: a form takes one id, not a list
SELECT {{ Detection.object }}, {{ Detection.id }}, {{ Detection.time }}, {{ Detection.flux }}
FROM {{ Detection.table }}
WHERE {{ Detection.object }} IN ({{ ids | join(', ') }})
