-- class: mobu
-- description: All columns of one object
-- why: the monitor's object-one
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   id: {type: id}
-- lsdb: a form names its columns
SELECT * FROM {{ Object.table }} WHERE {{ Object.id }} = {{ id }}
