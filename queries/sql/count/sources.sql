-- class: count
-- description: Rows of Source
-- why: are all rows there before anything is measured (LVV-T1017)
-- schemas: [synth, kpm, dp1, hsc]
-- lsdb: {table: Source, count: true}
SELECT COUNT(*) FROM {{ Source.table }}
