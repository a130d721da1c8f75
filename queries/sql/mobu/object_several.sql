-- class: mobu
-- description: All columns of ten objects
-- why: the monitor's object-several; ten places of the director index
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   ids: {type: ids, count: 10}
-- lsdb: a form takes one id, not a list
SELECT * FROM {{ Object.table }} WHERE {{ Object.id }} IN ({{ ids | join(', ') }})
