-- class: FTSObj
-- description: Extent of the objects faint in z
-- why: aggregates with a filter that most rows pass (KPM FTSObj)
-- schemas: [synth, kpm, dp1, hsc]
-- lsdb: a form counts rows and has no MIN or MAX
SELECT MIN({{ Object.ra }}), MAX({{ Object.ra }}), MIN({{ Object.decl }}), MAX({{ Object.decl }}) FROM {{ Object.table }} WHERE {{ Object.z_instFlux }} < 3
