-- class: count
-- description: Rows of ForcedSource
-- why: are all rows there before anything is measured (LVV-T1017)
-- schemas: [synth, kpm, dp1]
-- lsdb: {table: ForcedSource, count: true}
SELECT COUNT(*) FROM {{ ForcedSource.table }}
