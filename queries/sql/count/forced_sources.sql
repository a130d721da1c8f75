-- class: count
-- description: Rows of ForcedSource
-- why: are all rows there before anything is measured (LVV-T1017)
-- schemas: [synth, kpm, dp1]
SELECT COUNT(*) FROM {{ ForcedSource.table }}
