-- class: night
-- description: The light curve of one object that no other query asks for
-- why: rows of the longest table, found by key, from disk
-- schemas: [synth, dp1]
-- parameters:
--   ids: {type: ids, count: 1}
-- lsdb: a form takes one id, not a list
SELECT {{ ForcedSource.visit }}, {{ ForcedSource.band }}, {{ ForcedSource.psfFlux }}, {{ ForcedSource.psfFluxSigma }}
FROM {{ ForcedSource.table }}
WHERE {{ ForcedSource.object }} IN ({{ ids | join(', ') }})
