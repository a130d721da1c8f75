-- class: FTSObj
-- description: Objects and mean position of each chunk
-- why: GROUP BY with AVG in two steps; an answer row per chunk (KPM FTSObj, DMTR-21 HV3)
-- schemas: [synth, kpm, dp1, hsc]
-- lsdb: HATS has no chunks to group by
SELECT COUNT(*) AS n, AVG({{ Object.ra }}), AVG({{ Object.decl }}), chunkId FROM {{ Object.table }} GROUP BY chunkId
