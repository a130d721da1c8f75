-- class: count
-- description: Rows of Object
-- why: are all rows there before anything is measured (LVV-T1017)
-- schemas: [synth, kpm, dp1, hsc]
-- lsdb: {table: Object, count: true}
SELECT COUNT(*) FROM {{ Object.table }}
