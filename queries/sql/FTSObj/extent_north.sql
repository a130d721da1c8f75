-- class: FTSObj
-- description: Extent in right ascension of the objects north of +3 degrees
-- why: MIN and MAX over a scan; no spatial function, so no chunk may be pruned (KPM FTSObj)
-- schemas: [synth, kpm, dp1, hsc]
-- lsdb: a form counts rows and has no MIN or MAX
SELECT MIN({{ Object.ra }}), MAX({{ Object.ra }}) FROM {{ Object.table }} WHERE {{ Object.decl }} > 3
