-- class: mobu
-- description: All columns of one object and of its forced sources
-- why: the monitor's time-series-one
-- schemas: [synth, dp1]
-- parameters:
--   id: {type: id}
-- lsdb: a form names its columns
SELECT * FROM {{ Object.table }} o JOIN {{ ForcedSource.table }} f ON o.{{ Object.id }} = f.{{ ForcedSource.object }}
WHERE o.{{ Object.id }} = {{ id }}
