-- Plans: statement => kind | chunks kept of 4 | chunk statement of the first chunk | merge statement.
-- The catalog is that of tests/unit/test_czar_planner.py: chunks 324, 325, 361, 362; overlap 0.1 deg; nodes a and b.
-- An empty part is not checked.

SELECT COUNT(*) FROM Object => registry count | 0
SELECT filterName FROM Filter => regular | 0
-- one step, nothing to merge
SELECT ra r, mag FROM Object o WHERE mag > 3 => local | 4 | SELECT `o`.`ra` AS c0, `o`.`mag` AS c1 FROM `sky`.`Object_324` AS `o` WHERE `o`.`mag` > 3
-- the director index knows key 5
SELECT ra FROM Object WHERE objectId = 5 => local | 1 | SELECT `Object`.`ra` AS c0 FROM `sky`.`Object_325` AS `Object` WHERE `Object`.`objectId` = 5
-- a chunk number is the chunk
SELECT ra FROM Object WHERE chunkId = 325 AND mag > 3 => local | 1 | SELECT `Object`.`ra` AS c0 FROM `sky`.`Object_325` AS `Object` WHERE `Object`.`chunkId` = 325 AND `Object`.`mag` > 3
SELECT COUNT(*) FROM Object WHERE chunkId IN (325, 361) => aggregate | 2
SELECT COUNT(*) FROM Object WHERE chunkId = 7 => aggregate | 0
SELECT a.ra FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.1 AND a.chunkId = 325 => near neighbour | 1
-- and not key 6; a director has no orphans
SELECT ra FROM Object WHERE objectId = 6 => local | 0
-- sources without director are in chunk 361
SELECT t FROM Source WHERE objectId = 6 => local | 1
SELECT t FROM Source WHERE objectId IN (5, 6) => local | 2
SELECT s.t FROM Source s, Object o WHERE s.objectId = o.objectId AND s.objectId IN (5, 6) => local | 1
SELECT t FROM Source WHERE objectId = 5 OR t > 1 => local | 4
-- LIMIT + OFFSET rows of each chunk
SELECT ra FROM Object ORDER BY ra DESC LIMIT 5 OFFSET 2 => local | 4 | SELECT `Object`.`ra` AS c0 FROM `sky`.`Object_324` AS `Object` ORDER BY `Object`.`ra` DESC LIMIT 7 | SELECT c0 FROM p0 ORDER BY c0 DESC LIMIT 5 OFFSET 2
-- aggregates in two steps
SELECT COUNT(*) / 2 FROM Object WHERE mag > 3 => aggregate | 4 | SELECT COUNT(*) AS a0 FROM `sky`.`Object_324` AS `Object` WHERE `Object`.`mag` > 3 | SELECT (CAST(COALESCE(SUM(a0), 0) AS SIGNED) / 2) AS c0 FROM p0
SELECT mag m, AVG(ra) FROM Object GROUP BY m HAVING AVG(ra) > 2 => aggregate | 4 | SELECT `Object`.`mag` AS g0, SUM(`Object`.`ra`) AS a0, COUNT(`Object`.`ra`) AS a1 FROM `sky`.`Object_324` AS `Object` GROUP BY `Object`.`mag` | SELECT (g0) AS c0, ((SUM(a0) / SUM(a1))) AS c1 FROM p0 GROUP BY g0 HAVING ((SUM(a0) / SUM(a1)) > 2)
SELECT ra, MAX(mag) FROM Object => aggregate | 4 | SELECT `Object`.`ra` AS p0, MAX(`Object`.`mag`) AS a0 FROM `sky`.`Object_324` AS `Object` HAVING COUNT(*) > 0
-- arguments of DISTINCT are grouped by in each chunk
SELECT COUNT(DISTINCT mag), COUNT(*) FROM Object => aggregate | 4 | SELECT `Object`.`mag` AS d0, COUNT(*) AS a0 FROM `sky`.`Object_324` AS `Object` GROUP BY `Object`.`mag` | SELECT (COUNT(DISTINCT d0)) AS c0, (CAST(COALESCE(SUM(a0), 0) AS SIGNED)) AS c1 FROM p0
SELECT kind, GROUP_CONCAT(DISTINCT mag ORDER BY mag DESC) FROM Object GROUP BY kind => aggregate | 4 | SELECT `Object`.`kind` AS g0, `Object`.`mag` AS d0 FROM `sky`.`Object_324` AS `Object` GROUP BY `Object`.`kind`, `Object`.`mag` | SELECT (g0) AS c0, (GROUP_CONCAT(DISTINCT d0 ORDER BY d0 DESC SEPARATOR ',')) AS c1 FROM p0 GROUP BY g0
SELECT BIT_OR(kind) FROM Object => aggregate | 4 | SELECT BIT_OR(`Object`.`kind`) AS a0 FROM `sky`.`Object_324` AS `Object` | SELECT (BIT_OR(a0)) AS c0 FROM p0
-- variances: within chunks, and of their means
SELECT VAR_POP(mag) FROM Object => aggregate | 4 | SELECT COUNT(`Object`.`mag`) AS a0, AVG(CAST(`Object`.`mag` AS DOUBLE)) AS a1, VAR_POP(`Object`.`mag`) * COUNT(`Object`.`mag`) AS a2 FROM `sky`.`Object_324` AS `Object` | SELECT (((SUM(a2) + SUM(a0 * POW(a1 - a1m, 2))) / SUM(a0))) AS c0 FROM (SELECT q.*, a1l + SUM(a0 * (a1 - a1l)) OVER () / SUM(a0) OVER () AS a1m FROM (SELECT p.*, MIN(a1) OVER () AS a1l FROM p0 AS p) AS q) AS r
-- near neighbours: own and overlap rows, sub-chunk by sub-chunk
SELECT a.ra FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.1 AND b.mag > 2 => near neighbour | 4
SELECT a.ra FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.1 AND b.objectId = 5 => near neighbour | 1
-- not local, or not to be merged
SELECT GROUP_CONCAT(mag) FROM Object => gather | 4 | SELECT `Object`.`mag` FROM `sky`.`Object_324` AS `Object` | SELECT GROUP_CONCAT(mag SEPARATOR ',') FROM p0 AS `Object`
-- one chunk answers by itself
SELECT GROUP_CONCAT(mag) FROM Object o WHERE objectId = 5 => aggregate | 1 | SELECT GROUP_CONCAT(`o`.`mag` SEPARATOR ',') AS c0 FROM `sky`.`Object_325` AS `o` WHERE `o`.`objectId` = 5
-- subqueries whose rows stand in the asking row's chunk
SELECT t FROM Source WHERE objectId IN (SELECT objectId FROM Object WHERE mag > 3) => local | 4 | SELECT `Source`.`t` AS c0 FROM `sky`.`Source_324` AS `Source` WHERE `Source`.`objectId` IN (SELECT objectId FROM `sky`.`Object_324` AS `Object` WHERE mag > 3)
SELECT COUNT(*) FROM Object o WHERE NOT EXISTS (SELECT 1 FROM Source s WHERE s.objectId = o.objectId AND s.t > 2) => aggregate | 4
SELECT ra, (SELECT MAX(t) FROM Source s WHERE s.objectId = o.objectId) m FROM Object o ORDER BY m LIMIT 2 => local | 4
SELECT ra FROM Object o WHERE kind IN (SELECT filterId FROM Filter) AND objectId IN (5, 15) => local | 2
SELECT ra FROM Object WHERE mag > (SELECT AVG(mag) FROM Object) => gather | 4
SELECT ra FROM Object WHERE objectId NOT IN (SELECT objectId FROM Source) => gather | 4
SELECT ra FROM Object WHERE objectId IN (SELECT objectId FROM Source LIMIT 2) => gather | 4
SELECT ra FROM Object WHERE objectId IN (SELECT objectId FROM Source) OR mag > 3 => gather | 4
-- two dependents that both may have rows without director
SELECT t FROM Source s WHERE EXISTS (SELECT 1 FROM Source x WHERE x.objectId = s.objectId AND x.t > s.t) => gather | 4
SELECT COUNT(*), SUM((SELECT MAX(t) FROM Source s WHERE s.objectId = o.objectId)) FROM Object o => gather | 4
SELECT filterName FROM Filter WHERE EXISTS (SELECT 1 FROM Source WHERE t > filterId) => gather | 4
SELECT (SELECT COUNT(*) FROM Object) => gather | 4
