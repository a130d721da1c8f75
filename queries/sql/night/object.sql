-- class: night
-- description: One object by an id that no other query has
-- why: the director index and one row, both from disk
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   ids: {type: ids, count: 1}
-- lsdb: a form takes one id, not a list
SELECT {{ Object.ra }}, {{ Object.decl }}, {{ Object.g_psfFlux }}, {{ Object.r_psfFlux }}
FROM {{ Object.table }}
WHERE {{ Object.id }} IN ({{ ids | join(', ') }})
