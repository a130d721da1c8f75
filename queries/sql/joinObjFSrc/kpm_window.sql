-- class: joinObjFSrc
-- description: Objects with their forced sources of a flux from 0.13 to 0.14
-- why: the KPM constants (KPM joinObjFSrc)
-- schemas: [synth, kpm, dp1]
-- lsdb:
--   table: Object
--   columns: [id]
--   join: {table: ForcedSource, columns: [psfFlux], where: [{column: psfFlux, at_least: 0.13, at_most: 0.14}]}
SELECT o.{{ Object.id }}, f.{{ ForcedSource.psfFlux }}
FROM {{ Object.table }} o, {{ ForcedSource.table }} f
WHERE o.{{ Object.id }} = f.{{ ForcedSource.object }} AND f.{{ ForcedSource.psfFlux }} BETWEEN 0.13 AND 0.14
