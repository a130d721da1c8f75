-- class: mobu
-- description: The twelve objects brightest in r
-- why: ORDER BY with a limit over every object, as the monitor's medium scans ask
-- schemas: [synth, kpm, dp1, hsc]
-- lsdb: the operations of a form neither sort nor limit
SELECT {{ Object.id }}, {{ Object.ra }}, {{ Object.decl }}, {{ Object.r_psfFlux }}
FROM {{ Object.table }}
WHERE {{ Object.r_psfFlux }} > 0
ORDER BY {{ Object.r_psfFlux }} DESC, {{ Object.id }}
LIMIT 12
