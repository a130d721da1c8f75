-- class: FTSObj
-- description: Extent in right ascension of the objects with a z flux from 1 to 2
-- why: aggregates with a filter that few rows pass (KPM FTSObj)
-- schemas: [synth, kpm, dp1, hsc]
-- lsdb: a form counts rows and has no MIN or MAX
SELECT MIN({{ Object.ra }}), MAX({{ Object.ra }}) FROM {{ Object.table }} WHERE {{ Object.z_apFlux }} BETWEEN 1 AND 2
