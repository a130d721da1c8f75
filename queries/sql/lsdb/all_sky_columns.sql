-- class: lsdb
-- description: Id and one flux of every object
-- why: projection of few columns over all partitions (lsdb issue 1557)
-- schemas: [synth, kpm, dp1, hsc]
-- lsdb: {table: Object, columns: [id, r_psfFlux]}
SELECT {{ Object.id }}, {{ Object.r_psfFlux }} FROM {{ Object.table }}
