-- class: FTSObj
-- description: Objects and mean position of each chunk
-- why: GROUP BY with AVG in two steps; an answer row per chunk (KPM FTSObj, DMTR-21 HV3)
SELECT COUNT(*) AS n, AVG(ra), AVG(decl), chunkId FROM Object GROUP BY chunkId
