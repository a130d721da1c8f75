-- class: mobu
-- description: Objects by magnitude in r, in bins of one
-- why: the monitor's histogram-magnitude; GROUP BY an expression over every object
-- schemas: [synth, kpm, dp1, hsc]
-- lsdb: a form has no GROUP BY
SELECT FLOOR(-2.5 * LOG10({{ Object.r_psfFlux }}) + 31.4) AS bin, COUNT(*) AS n
FROM {{ Object.table }}
WHERE {{ Object.r_psfFlux }} > 0
GROUP BY bin
ORDER BY bin
