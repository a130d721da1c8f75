-- class: joinObjSrc
-- description: Objects with their sources of one of the three KPM windows of flux
-- why: a key join over the whole sky with the KPM constants
-- schemas: [synth, kpm]
-- parameters:
--   low: {type: choice, values: [0.13, 0.3, 0.7]}
-- lsdb: the upper bound is worked out in the SQL
SELECT o.{{ Object.id }}, s.{{ Source.object }}, s.{{ Source.id }}, o.{{ Object.ra }}, o.{{ Object.decl }}
FROM {{ Object.table }} o, {{ Source.table }} s
WHERE o.{{ Object.id }} = s.{{ Source.object }}
  AND s.{{ Source.flux }} BETWEEN {{ low }} AND {{ low + (0.02 if low == 0.7 else 0.01) }}
