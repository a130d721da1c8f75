-- Statements over the split skies of tests/integration/test_czar_split.py: what once went wrong, or could easily.
-- Each is held against one server on every sky.

-- right ascensions below 0 are those below 360
SELECT COUNT(*) FROM Star WHERE ra BETWEEN -20 AND 20
SELECT starId FROM Star WHERE qserv_areaspec_box(200, -90, 359, 90)
SELECT COUNT(*) FROM Star WHERE ra > 340 OR ra < -100
-- a row of a match table counts once
SELECT COUNT(*), SUM(weight), COUNT(starId), COUNT(galaxyId) FROM Pair
SELECT * FROM Loose
SELECT p.flag, COUNT(*) FROM Pair p JOIN Galaxy g ON p.galaxyId = g.galaxyId GROUP BY p.flag
SELECT s.starId, g.galaxyId FROM Star s, Pair p, Galaxy g WHERE s.starId = p.starId AND p.galaxyId = g.galaxyId
SELECT COUNT(*) FROM Loose WHERE galaxyId > 1000000
SELECT COUNT(*) FROM Pair p LEFT JOIN Galaxy g ON p.galaxyId = g.galaxyId
SELECT COUNT(*) FROM Galaxy g LEFT JOIN Pair p ON p.galaxyId = g.galaxyId WHERE p.flag <> 2 OR p.flag IS NULL
-- a director near a dependent's copied position, and the other way round
SELECT s.starId, e.epochId FROM Star s, Epoch e WHERE scisql_angSep(s.ra, s.decl, e.raStar, e.declStar) < 0.5
SELECT s.starId, COUNT(e.epochId) FROM Star s LEFT JOIN Epoch e ON scisql_angSep(s.ra, s.decl, e.raStar, e.declStar) < 0.5 GROUP BY s.starId
SELECT e.epochId, s.starId FROM Epoch e LEFT JOIN Star s ON scisql_angSep(s.ra, s.decl, e.raStar, e.declStar) < 0.5
-- areas are held by tables that an outer join may not leave out
SELECT s.starId, e.epochId FROM Star s LEFT JOIN Epoch e ON s.starId = e.starId WHERE qserv_areaspec_circle(0, 0, 60)
SELECT COUNT(*) FROM Star WHERE NOT qserv_areaspec_circle(0, 0, 60) OR kind = 1
SELECT qserv_areaspec_circle(0, 90, 40) near, COUNT(*) FROM Galaxy GROUP BY near
SELECT COUNT(*) FROM Star WHERE qserv_areaspec_box(10, 5, -3, 3)
-- subqueries: tied to the chunk, or not
SELECT starId, (SELECT COUNT(*) FROM Epoch e WHERE e.starId = s.starId AND e.flux > s.mag) FROM Star s
SELECT epochId FROM Epoch e WHERE starId IN (SELECT starId FROM Pair WHERE weight > 3) AND flux > (SELECT AVG(flux) FROM Epoch x WHERE x.starId = 7)
SELECT starId FROM Star WHERE starId NOT IN (SELECT starId FROM Epoch)
SELECT e.epochId FROM Epoch e WHERE EXISTS (SELECT 1 FROM Epoch x WHERE x.starId = e.starId AND x.t > e.t)
SELECT (SELECT COUNT(*) FROM Star), (SELECT MAX(t) FROM Epoch)
-- variances of equal values are 0, whatever the chunk
SELECT STD(1e5), VAR_POP(kind * 0 + 123456.789), STDDEV_SAMP(CASE WHEN starId = 7 THEN 1 END) FROM Star
SELECT kind, 2 / VARIANCE(mag), STD(mag) * STD(mag) FROM Star GROUP BY kind
SELECT GROUP_CONCAT(DISTINCT kind ORDER BY kind DESC), COUNT(DISTINCT kind, name), BIT_XOR(starId) FROM Star WHERE starId <> 13
-- LIMIT without ORDER BY: the same value may come from many chunks; rows of neighbours are cut once
SELECT DISTINCT bandId FROM Epoch LIMIT 10
SELECT DISTINCT a.kind FROM Star a, Star b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.6 LIMIT 7
SELECT 1 FROM Star a, Star b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.6 LIMIT 5
SELECT 1 FROM Star s, Epoch e WHERE scisql_angSep(s.ra, s.decl, e.raStar, e.declStar) < 0.5 LIMIT 5 OFFSET 2
-- a subquery as a whole condition keeps its parentheses
SELECT starId FROM Star WHERE (SELECT 1)
SELECT starId FROM Star s WHERE (SELECT COUNT(*) FROM Epoch e WHERE e.starId = s.starId) AND kind = 1
-- parentheses within parentheses of FROM
SELECT * FROM ((Pair p JOIN Epoch e ON p.starId = e.starId) RIGHT JOIN Star s ON s.starId = p.starId AND s.kind < 4) WHERE s.starId = p.starId
SELECT COUNT(*) FROM Star s JOIN ((Pair p JOIN Star t ON p.starId = t.starId) LEFT JOIN Galaxy g ON g.galaxyId = p.galaxyId) ON p.starId = s.starId
SELECT * FROM ((Run r, Band b) JOIN Star s ON s.kind = b.bandId) WHERE r.bandId = b.bandId AND r.runId < 6
SELECT COUNT(*) FROM (((Star s)) JOIN ((Epoch e)) USING (starId))
