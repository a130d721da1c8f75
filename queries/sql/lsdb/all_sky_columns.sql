-- class: lsdb
-- description: Id and one flux of every object
-- why: projection of few columns over all partitions (lsdb issue 1557)
-- schemas: [synth, kpm, dp1, hsc]
SELECT {{ Object.id }}, {{ Object.r_psfFlux }} FROM {{ Object.table }}
