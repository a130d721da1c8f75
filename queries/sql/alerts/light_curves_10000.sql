-- class: alerts
-- description: The detections of 10,000 objects
-- why: a long list of ids for parser, director index and many chunks (lsdb issue 1533, N = 10,000)
-- schemas: [synth, dp1]
-- parameters:
--   ids: {type: ids, count: 10000}
-- lsdb: a form takes one id, not a list
SELECT {{ Detection.object }}, {{ Detection.id }}, {{ Detection.time }}, {{ Detection.flux }}
FROM {{ Detection.table }}
WHERE {{ Detection.object }} IN ({{ ids | join(', ') }})
