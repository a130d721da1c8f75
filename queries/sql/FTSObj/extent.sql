-- class: FTSObj
-- description: Extent of all objects
-- why: four aggregates over every row (KPM FTSObj)
-- schemas: [synth, kpm, dp1, hsc]
-- lsdb: a form counts rows and has no MIN or MAX
SELECT MIN({{ Object.ra }}), MAX({{ Object.ra }}), MIN({{ Object.decl }}), MAX({{ Object.decl }}) FROM {{ Object.table }}
