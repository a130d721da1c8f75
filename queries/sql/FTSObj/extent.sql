-- class: FTSObj
-- description: Extent of all objects
-- why: four aggregates over every row (KPM FTSObj)
-- schemas: [synth, kpm, dp1, hsc]
SELECT MIN({{ Object.ra }}), MAX({{ Object.ra }}), MIN({{ Object.decl }}), MAX({{ Object.decl }}) FROM {{ Object.table }}
