-- class: lsdb
-- description: Light curves of the objects of a small cone
-- why: time series of many objects at once (lsdb issue 1557)
-- schemas: [synth, dp1]
-- parameters:
--   cone: {type: cone, radius_deg: [0.016666666666666666, 0.05]}
-- lsdb:
--   table: Object
--   cone: cone
--   columns: [id]
--   join: {table: ForcedSource, columns: [visit, band, psfFlux]}
SELECT o.{{ Object.id }}, f.{{ ForcedSource.visit }}, f.{{ ForcedSource.band }}, f.{{ ForcedSource.psfFlux }}
FROM {{ Object.table }} o, {{ ForcedSource.table }} f
WHERE qserv_areaspec_circle({{ cone.ra }}, {{ cone.decl }}, {{ cone.radius_deg }})
  AND o.{{ Object.id }} = f.{{ ForcedSource.object }}
