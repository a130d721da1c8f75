-- Over tests/support/grown_sky.py: rows of every role before and after their directors, regular tables of several transactions.
-- regular tables
SELECT COUNT(*), SUM(runId), MIN(kind) FROM Run
SELECT r.runId, b.bandName FROM Run r LEFT JOIN Band b USING (bandId)
SELECT COUNT(*) FROM Run WHERE bandId IN (SELECT bandId FROM Band WHERE bandName IS NOT NULL)
WITH x AS (SELECT kind, COUNT(*) n FROM Run GROUP BY kind) SELECT x.kind, x.n, Run.remark FROM x JOIN Run ON Run.runId = x.n
SELECT runId FROM Run UNION ALL SELECT bandId FROM Band
SELECT e.epochId, b.width FROM Epoch e JOIN Band b ON b.bandId = e.bandId
SELECT COUNT(*) FROM Star s WHERE EXISTS (SELECT 1 FROM Run r WHERE r.kind = s.kind)
-- dependents before their directors
SELECT epochId FROM Epoch WHERE starId = 7
SELECT epochId FROM Epoch WHERE starId IN (7, 10, 13, 16, 19, 22, 25, 28, -3)
SELECT starId, COUNT(*), MAX(t) FROM Epoch WHERE starId BETWEEN 0 AND 100 GROUP BY starId
SELECT COUNT(*), COUNT(DISTINCT starId) FROM Epoch
SELECT s.starId, e.epochId FROM Star s JOIN Epoch e USING (starId)
SELECT s.starId, e.epochId FROM Star s JOIN Epoch e USING (starId) WHERE s.starId = 31
SELECT s.starId FROM Star s LEFT JOIN Epoch e USING (starId) WHERE e.epochId IS NULL
SELECT e.epochId FROM Epoch e LEFT JOIN Star s USING (starId) WHERE s.starId IS NULL
SELECT starId FROM Star s WHERE NOT EXISTS (SELECT 1 FROM Epoch e WHERE e.starId = s.starId)
SELECT starId FROM Star WHERE starId NOT IN (SELECT starId FROM Epoch WHERE starId IS NOT NULL)
SELECT galaxyId, (SELECT COUNT(*) FROM Spectrum n WHERE n.galaxyId = g.galaxyId) FROM Galaxy g
SELECT e.epochId, f.epochId FROM Epoch e JOIN Epoch f USING (starId) WHERE e.epochId < f.epochId
SELECT g.galaxyId, COUNT(n.spectrumId) FROM Galaxy g LEFT JOIN Spectrum n USING (galaxyId) GROUP BY g.galaxyId
SELECT s.starId, e.epochId FROM Star s, Epoch e WHERE scisql_angSep(s.ra, s.decl, e.raStar, e.declStar) < 0.3
SELECT COUNT(*) FROM Epoch WHERE qserv_areaspec_box(0, -90, 180, 90)
SELECT COUNT(*) FROM Star s JOIN Epoch e USING (starId) WHERE qserv_areaspec_box(0, -90, 180, 90)
SELECT COUNT(*) FROM Galaxy g JOIN Spectrum n USING (galaxyId) WHERE qserv_areaspec_circle(20, 10, 80)
-- pairs before one of their directors
SELECT COUNT(*), SUM(weight) FROM Pair
SELECT starId, galaxyId, weight FROM Pair
SELECT COUNT(*), COUNT(starId), COUNT(galaxyId) FROM Loose
SELECT * FROM Pair p JOIN Star s ON s.starId = p.starId WHERE p.weight > 3 AND s.chunkId < 0
SELECT p.weight FROM Pair p JOIN Star s ON s.starId = p.starId JOIN Galaxy g ON g.galaxyId = p.galaxyId
SELECT s.starId FROM Star s LEFT JOIN Pair p ON p.starId = s.starId WHERE p.weight IS NULL
SELECT g.galaxyId FROM Galaxy g WHERE NOT EXISTS (SELECT 1 FROM Loose l WHERE l.galaxyId = g.galaxyId)
SELECT weight FROM Pair WHERE starId = 16 OR galaxyId = 100004
