-- Statements that the czar must answer exactly as one server does, over the sky of tests/integration/test_czar.py.
-- A line is: [kind of plan] [ordered] statement. Both marks may be left out.

-- plain selects
[local] SELECT objectId, ra, decl FROM Object
[local] SELECT * FROM Object
[local] SELECT o.* FROM Object o WHERE o.kind = 2
[local] SELECT *, t AS again, t FROM Source, Filter WHERE Source.filterId = Filter.filterId
[local] SELECT objectId, objectId, ra + 1, ra+1 FROM Object
[local] SELECT mag, flux, price, name, code, seen, flag, raw, big FROM Object
[local] SELECT mag + 0, mag * 2, -mag, price / 3, price * price, big + 1, flag + 0, HEX(raw), CONCAT(name, code) FROM Object
[local] SELECT DISTINCT kind FROM Object
[local] SELECT DISTINCT kind, code FROM Object WHERE mag IS NOT NULL
[local] SELECT DISTINCT mag FROM Object
[local] SELECT NULL, '', 'a b', 1.50, 1e3, TRUE, x'41', NOW() IS NULL FROM Object
[local] SELECT noteId, body, stamp FROM Note
[local] SELECT * FROM Note WHERE body LIKE '%x%'
[local] [ordered] SELECT noteId, body FROM Note ORDER BY noteId DESC LIMIT 5
[local] SELECT ROUND(flux, 3), ROUND(mag, 1), TRUNCATE(ra, 2), FLOOR(decl), ra DIV 7, ra MOD 7, kind % 3 FROM Object
[local] SELECT CASE kind WHEN 0 THEN 'zero' WHEN 1 THEN 'one' ELSE code END AS word FROM Object
[local] SELECT IF(kind > 1, mag, flux), IFNULL(name, 'none'), COALESCE(mag, 0), NULLIF(kind, 2) FROM Object
[aggregate] SELECT COUNT(*) IS NULL FROM Object GROUP BY objectId HAVING COUNT(*) > 1
[local] SELECT DATE(seen), YEAR(seen), DATE_FORMAT(seen, '%d.%m.%y'), seen + INTERVAL 1 DAY FROM Object
[local] SELECT objectId FROM trouble.Object WHERE trouble.Object.kind = 1
[local] SELECT OBJECTID, Ra FROM Object WHERE DECL > 0

-- keys
[local] SELECT * FROM Object WHERE objectId = 4611686018427387904
[local] SELECT ra FROM Object WHERE 4611686018427387907 = objectId
[local] SELECT ra FROM Object WHERE objectId = 1
[local] SELECT * FROM Object WHERE objectId = 1
[local] SELECT objectId FROM Object WHERE objectId IN (4611686018427387904, 4611686018427387913, 5)
[local] SELECT objectId FROM Object WHERE objectId NOT IN (4611686018427387904, 4611686018427387913, 5)
[local] SELECT objectId FROM Object WHERE objectId BETWEEN 4611686018427387904 AND 4611686018427387993
[local] SELECT objectId FROM Object WHERE objectId > 4611686018427388100 AND objectId <= 4611686018427388203
[local] SELECT objectId FROM Object WHERE objectId NOT BETWEEN 4611686018427387904 AND 4611686018427388203
[local] SELECT objectId FROM Object WHERE objectId = 4611686018427387904 OR objectId = 4611686018427387919
[local] SELECT objectId FROM Object WHERE (objectId = 4611686018427387904 OR kind = 3) AND mag > 15
[local] SELECT objectId FROM Object WHERE objectId = 4611686018427387904.5
[local] SELECT objectId FROM Object WHERE objectId = 4.611686018427387904e18
[local] SELECT objectId FROM Object WHERE objectId = '4611686018427387904'
[local] SELECT objectId FROM Object WHERE objectId < 4611686018427387999.5 AND objectId > 4611686018427387990.5
[local] SELECT sourceId FROM Source WHERE objectId = 4611686018427387925
[local] SELECT sourceId, label FROM Source WHERE objectId = 77
[local] SELECT sourceId FROM Source WHERE objectId IN (77, 79, 4611686018427387925)
[local] SELECT sourceId FROM Source WHERE objectId < 1000
[local] SELECT sourceId FROM Source WHERE objectId BETWEEN 0 AND 4611686018427387925
[local] SELECT sourceId FROM Source WHERE objectId <=> NULL
[local] SELECT sourceId FROM Source WHERE objectId IS NULL OR objectId = 77
[local] SELECT noteId FROM Note WHERE objectId = 5
[aggregate] SELECT COUNT(*) AS N FROM Source WHERE objectId IN (4611686018427387925, 4611686018427387928)
[aggregate] SELECT COUNT(*), SUM(n), AVG(n), MIN(label), MAX(t) FROM Source WHERE objectId = 123456
[local] SELECT objectId FROM Object WHERE objectId = 4611686018427387904 AND objectId = 4611686018427387907

-- areas
[local] SELECT objectId FROM Object WHERE qserv_areaspec_box(0, -6, 40, 60)
[local] SELECT objectId FROM Object WHERE qserv_areaspec_box(350, -10, 10, 10)
[local] SELECT objectId FROM Object WHERE qserv_areaspec_box(359.5, -10, 360, 10)
[local] SELECT objectId FROM Object WHERE 1 = QSERV_areaSpec_Box(0, -6, 40, 60) AND kind < 3
[local] SELECT objectId FROM Object WHERE qserv_areaspec_box(0, 89, 360, 90) = 1
[local] SELECT objectId FROM Object WHERE qserv_areaspec_box(0, 5, 10, -5)
[aggregate] SELECT COUNT(*) FROM Object WHERE qserv_areaspec_box(100, 20, 100.001, 20.001)
[local] SELECT objectId FROM Object WHERE qserv_areaspec_circle(20, 10, 0.3)
[local] SELECT objectId FROM Object WHERE qserv_areaspec_circle(0, 90, 2)
[local] SELECT objectId FROM Object WHERE qserv_areaspec_circle(100, -89.5, 1.5)
[local] SELECT objectId FROM Object WHERE qserv_areaspec_circle(0, 0, 180)
[local] SELECT objectId FROM Object WHERE qserv_areaspec_ellipse(359.9, 5, 3600, 1000, 30)
[local] SELECT objectId FROM Object WHERE qserv_areaspec_poly(10, 0, 40, 0, 40, 30, 10, 30)
[local] SELECT objectId FROM Object WHERE qserv_areaspec_poly(350, -10, 10, -10, 10, 10, 350, 10)
[local] SELECT objectId FROM Object WHERE scisql_s2PtInBox(ra, decl, 0, -6, 40, 60) = 1
[local] SELECT objectId FROM Object WHERE scisql_s2PtInBox(ra, decl, 0, -6, 40, 60) = 0
[local] SELECT objectId FROM Object WHERE NOT scisql_s2PtInCircle(ra, decl, 20, 10, 40)
[local] SELECT objectId FROM Object WHERE scisql_s2PtInCircle(ra, decl, 20, 10, 0.3) = 1 OR scisql_s2PtInCircle(ra, decl, 0, 0, 0.3) = 1
[local] SELECT objectId, scisql_s2PtInCPoly(ra, decl, 10, 0, 40, 0, 40, 30, 10, 30) FROM Object
[local] SELECT objectId, scisql_s2PtInEllipse(ra, decl, 20, 10, 2000, 1000, 45) e FROM Object WHERE scisql_s2PtInBox(ra, decl, ra - 1, -90, ra + 1, 90) = 1
[local] SELECT objectId FROM Object WHERE scisql_s2PtInCircle(ra, decl, ra, decl, 0.1) = 1
[local] SELECT objectId FROM Object WHERE ra BETWEEN 0 AND 40 AND decl BETWEEN -6 AND 60
[local] SELECT objectId FROM Object WHERE ra > 355 AND decl < 10
[local] SELECT objectId FROM Object WHERE ra BETWEEN 40 AND 0
[local] SELECT objectId FROM Object WHERE ra < -1
[local] SELECT objectId FROM Object WHERE decl >= 89.5
[local] SELECT objectId FROM Object WHERE scisql_angSep(20, 10, ra, decl) < 0.3
[local] SELECT objectId FROM Object WHERE 1.5 >= scisql_angSep(ra, decl, 0, 90)
[local] SELECT sourceId FROM Source WHERE qserv_areaspec_box(350, -10, 10, 10)
[local] SELECT sourceId FROM Source WHERE scisql_s2PtInBox(raObject, declObject, 0, -90, 360, 90) = 0
[local] SELECT sourceId, raObject FROM Source WHERE raObject BETWEEN 0 AND 40
[local] SELECT s.sourceId FROM Object o, Source s WHERE o.objectId = s.objectId AND qserv_areaspec_circle(20, 10, 1)
[local] SELECT n.noteId FROM Object o JOIN Note n USING (objectId) WHERE qserv_areaspec_box(0, -60, 60, 60)
[local] SELECT filterName, o.objectId FROM Filter, Object o WHERE qserv_areaspec_box(0, -6, 40, 60) AND filterId = kind

-- functions
[local] SELECT scisql_fluxToAbMag(flux), scisql_fluxToAbMagSigma(flux, 0.1), scisql_nanojanskyToAbMag(flux), scisql_nanojanskyToAbMagSigma(flux, mag) FROM Object
[local] SELECT scisql_abMagToFlux(mag), scisql_abMagToFluxSigma(mag, 0.1), SCISQL_ABMAGTONANOJANSKY(mag), scisql_abMagToNanojanskySigma(mag, mag) FROM Object
[local] SELECT scisql_angSep(ra, decl, 20, 10), scisql_angSep(NULL, decl, ra, 1), scisql_angSep(ra, decl, ra + 180, -decl) FROM Object
[local] SELECT objectId FROM Object WHERE scisql_fluxToAbMag(flux) - scisql_nanojanskyToAbMag(flux) BETWEEN -100 AND 0

-- operators
[local] SELECT objectId FROM Object WHERE kind > 1 && mag < 16 || name = 'n3'
[local] SELECT objectId FROM Object WHERE NOT kind = 1 AND ! (mag > 15)
[local] SELECT objectId & 7, objectId | 1, kind ^ 3, kind << 2, objectId >> 40, ~kind FROM Object
[local] SELECT name FROM Object WHERE name NOT LIKE 'n1%' AND name REGEXP '[02468]$'
[local] SELECT objectId FROM Object WHERE kind NOT IN (0, 1) AND mag IS NOT NULL AND mag <> 15
[local] SELECT objectId FROM Object WHERE (kind, code) IN ((0, 'c0'), (1, 'c2'))

-- order and limit
[local] [ordered] SELECT objectId, ra FROM Object ORDER BY ra, objectId
[local] [ordered] SELECT objectId FROM Object ORDER BY decl DESC, objectId LIMIT 7
[local] [ordered] SELECT objectId FROM Object ORDER BY ABS(decl), objectId LIMIT 7 OFFSET 5
[local] [ordered] SELECT objectId r FROM Object ORDER BY r DESC LIMIT 3, 4
[local] [ordered] SELECT mag, objectId FROM Object ORDER BY 1 DESC, 2
[local] [ordered] SELECT name, objectId FROM Object ORDER BY name, objectId
[local] [ordered] SELECT -ra AS ra, objectId FROM Object ORDER BY ra, objectId
[local] [ordered] SELECT -ra AS ra, objectId FROM Object ORDER BY ra + 0, objectId
[local] [ordered] SELECT DISTINCT kind, code FROM Object ORDER BY code DESC, kind
[local] [ordered] SELECT DISTINCT kind FROM Object ORDER BY kind LIMIT 2
[gather] SELECT DISTINCT kind FROM Object WHERE kind < 1 ORDER BY objectId
[local] [ordered] SELECT o.objectId, s.sourceId FROM Object o, Source s WHERE o.objectId = s.objectId ORDER BY s.flux DESC, s.sourceId LIMIT 9
[local] [ordered] SELECT objectId AS c0, ra AS o0 FROM Object ORDER BY c0 LIMIT 5
[local] SELECT objectId FROM Object WHERE kind = 0 LIMIT 1000
[local] SELECT objectId FROM Object LIMIT 0
[local] [ordered] SELECT ra AS x FROM Object HAVING x > 200 ORDER BY x
[local] [ordered] SELECT seen, flag, raw, objectId FROM Object ORDER BY seen DESC, raw, objectId

-- aggregates in two steps
[registry count] SELECT COUNT(*) FROM Object
[registry count] SELECT count( * ) FROM Source LIMIT 5
[aggregate] SELECT COUNT(*) AS n, COUNT(mag), COUNT(name) FROM Object WHERE kind >= 0
[aggregate] SELECT SUM(kind), SUM(mag), SUM(flux), SUM(price), SUM(objectId), SUM(big) FROM Object
[aggregate] SELECT MIN(ra), MAX(ra), MIN(mag), MAX(price), MIN(name), MAX(seen), MIN(code), MAX(objectId), MAX(big) FROM Object
[aggregate] SELECT AVG(kind), AVG(mag), AVG(Source.flux), AVG(price), AVG(n) FROM Object, Source WHERE Object.objectId = Source.objectId
[aggregate] SELECT ROUND(AVG(kind), 2), COUNT(*) / 2, MAX(ra) - MIN(ra), COUNT(*) DIV 7, -SUM(kind), AVG(price) * 3 FROM Object
[aggregate] SELECT SUM(kind / 3), AVG(kind / 7), SUM(price / 7), MAX(price / 3), SUM(kind / 3 / 3) FROM Object
[aggregate] SELECT SUM(kind = 2), SUM(IF(mag > 15, 1, 0)), SUM(CASE WHEN kind = 1 THEN flux END) FROM Object
[aggregate] SELECT COUNT(*), SUM(kind), AVG(kind), MIN(ra), MAX(name) FROM Object WHERE ra < 0
[aggregate] SELECT kind, COUNT(*) FROM Object GROUP BY kind
[aggregate] SELECT kind, COUNT(*) FROM Object WHERE ra < 0 GROUP BY kind
[aggregate] SELECT COUNT(*), kind FROM Object GROUP BY 2
[aggregate] SELECT COUNT(*) FROM Object GROUP BY kind, code
[aggregate] SELECT kind + 1 AS k, AVG(mag) FROM Object GROUP BY k
[aggregate] SELECT kind + 1 AS k, k2.filterName, COUNT(*) FROM Object, Filter k2 WHERE filterId = kind GROUP BY k, filterName
[aggregate] SELECT mag, COUNT(*) FROM Object GROUP BY mag
[aggregate] SELECT name, COUNT(*), MAX(objectId) FROM Object GROUP BY name
[aggregate] SELECT FLOOR(decl / 30) band, COUNT(*) n, AVG(flux) f FROM Object GROUP BY band HAVING n > 3
[aggregate] [ordered] SELECT kind, COUNT(*) c FROM Object GROUP BY kind ORDER BY c DESC, kind LIMIT 2
[aggregate] [ordered] SELECT kind, MAX(ra) FROM Object GROUP BY kind ORDER BY MAX(ra) - MIN(ra), kind
[aggregate] [ordered] SELECT code, SUM(price) FROM Object GROUP BY code ORDER BY 1 DESC LIMIT 1 OFFSET 1
[aggregate] SELECT objectId, MAX(t) - MIN(t) AS span FROM Source GROUP BY objectId HAVING span > 0.5
[aggregate] SELECT objectId, MAX(t) - MIN(t) FROM Source GROUP BY objectId HAVING MAX(t)-MIN(t) > 0.5
[aggregate] SELECT objectId, filterId FROM Source GROUP BY objectId, filterId
[aggregate] SELECT chunkId, COUNT(*) AS n, AVG(ra), AVG(decl) FROM Object GROUP BY chunkId
[aggregate] SELECT DISTINCT COUNT(*) FROM Object GROUP BY kind, code
[aggregate] SELECT objectId, ra, COUNT(*) FROM Object GROUP BY objectId
[aggregate] SELECT COUNT(*) FROM Object HAVING COUNT(*) > 10
[aggregate] SELECT COUNT(*) FROM Object HAVING COUNT(*) > 10000
[aggregate] SELECT COUNT(*) FROM Object WHERE kind = 1 LIMIT 10
[aggregate] SELECT MAX(mag) + MIN(mag) * 2 AS m, COUNT(*) % 7 FROM Object
[aggregate] SELECT kind, ROUND(AVG(flux), 4) FROM Object GROUP BY kind HAVING AVG(flux) IS NOT NULL
[aggregate] SELECT YEAR(seen), DAY(seen) d, COUNT(*) FROM Object GROUP BY YEAR(seen), d
[aggregate] SELECT COUNT(*) FROM Object o JOIN Source s ON o.objectId = s.objectId AND s.flux > 10 WHERE o.kind > 0

-- joins on keys
[local] SELECT o.objectId, s.sourceId FROM Object o, Source s WHERE o.objectId = s.objectId
[local] SELECT s.flux, o.mag FROM Object o JOIN Source s USING (objectId) WHERE o.kind = 3 AND s.t > o.mag - 20
[local] SELECT objectId, sourceId, filterName FROM Source JOIN Object USING (objectId) JOIN Filter USING (filterId) WHERE filterName = 'g'
[local] SELECT * FROM Object JOIN Source USING (objectId) WHERE kind = 1
[local] SELECT * FROM Source NATURAL JOIN Filter
[local] SELECT Object.chunkId, Source.chunkId FROM Object JOIN Source ON Object.objectId = Source.objectId
[local] SELECT sourceId, filterName FROM Source s INNER JOIN Filter f ON s.filterId = f.filterId AND f.width > 0.5
[local] SELECT s.sourceId, n.noteId FROM Source s, Object o, Note n WHERE s.objectId = o.objectId AND o.objectId = n.objectId
[gather] SELECT s.sourceId, n.noteId FROM Source s, Note n WHERE s.objectId = n.objectId
[local] SELECT o.objectId, s.sourceId FROM Object o LEFT JOIN Source s ON o.objectId = s.objectId
[local] SELECT o.objectId, s.sourceId FROM Object o LEFT JOIN Source s ON o.objectId = s.objectId AND s.flux > 50
[local] SELECT o.objectId FROM Object o LEFT JOIN Source s ON o.objectId = s.objectId WHERE s.sourceId IS NULL
[aggregate] SELECT o.objectId, COUNT(s.sourceId) n FROM Object o LEFT JOIN Source s ON s.objectId = o.objectId GROUP BY o.objectId
[local] SELECT s.sourceId, o.objectId FROM Source s LEFT JOIN Object o ON s.objectId = o.objectId
[local] SELECT s.sourceId, f.filterName FROM Source s LEFT JOIN Filter f ON s.filterId = f.filterId AND f.filterName <> 'g'
[local] SELECT o.objectId, s.sourceId, n.noteId FROM Object o LEFT JOIN Source s USING (objectId) LEFT JOIN Note n ON n.objectId = o.objectId
[gather] SELECT f.filterName, s.sourceId FROM Filter f LEFT JOIN Source s ON s.filterId = f.filterId AND s.flux > 80
[gather] SELECT o.objectId, s.sourceId FROM Source s RIGHT JOIN Object o ON s.objectId = o.objectId
[local] SELECT s.sourceId, f.filterName FROM Filter f RIGHT JOIN Source s ON s.filterId = f.filterId
[local] SELECT a.objectId, b.mag FROM Object a JOIN Object b ON a.objectId = b.objectId WHERE a.kind = 2
[local] SELECT a.sourceId, b.sourceId FROM Object o, Source a, Source b WHERE a.objectId = o.objectId AND b.objectId = o.objectId AND a.t < b.t
[gather] SELECT a.ra, b.ra FROM Object a, Object b WHERE a.objectId = 4611686018427387904 AND b.objectId = 4611686018427387907
[gather] SELECT a.sourceId, b.sourceId FROM Source a, Source b WHERE a.n = b.n AND a.sourceId < b.sourceId

-- near neighbours
[near neighbour] SELECT a.objectId, b.objectId FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.3
[near neighbour] SELECT a.objectId, b.objectId, scisql_angSep(a.ra, a.decl, b.ra, b.decl) AS distance FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) <= 0.4 AND a.objectId <> b.objectId
[near neighbour] SELECT COUNT(*) FROM Object a, Object b WHERE qserv_areaspec_box(355, -5, 5, 10) AND scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.35
[near neighbour] SELECT b.objectId FROM Object a, Object b WHERE a.objectId = 4611686018427388180 AND 0.3 > scisql_angSep(a.ra, a.decl, b.ra, b.decl) AND b.mag > 1
[near neighbour] SELECT a.objectId, b.name FROM Object a JOIN Object b ON scisql_angSep(b.ra, b.decl, a.ra, a.decl) < 0.25 WHERE a.kind = b.kind AND b.kind > 0
[near neighbour] SELECT a.objectId, b.objectId FROM Object a LEFT JOIN Object b ON scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.3 AND a.objectId <> b.objectId
[near neighbour] SELECT a.objectId, COUNT(b.objectId) n, MIN(b.mag) FROM Object a LEFT JOIN Object b ON scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.3 AND a.objectId <> b.objectId AND b.kind = 1 GROUP BY a.objectId
[near neighbour] SELECT a.objectId, b.objectId, s.sourceId FROM Object a, Object b, Source s WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.3 AND s.objectId = a.objectId
[near neighbour] SELECT a.objectId, b.objectId, s.sourceId FROM Object a, Object b, Source s WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.3 AND s.objectId = b.objectId
[near neighbour] SELECT a.objectId, b.objectId, c.objectId FROM Object a, Object b, Object c WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.2 AND scisql_angSep(b.ra, b.decl, c.ra, c.decl) < 0.2
[near neighbour] SELECT a.objectId, b.objectId, c.objectId FROM Object a, Object b, Object c WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.3 AND scisql_angSep(b.ra, b.decl, c.ra, c.decl) < 0.3
[near neighbour] SELECT a.chunkId, b.mag FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.3
[gather] SELECT a.chunkId, b.chunkId FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.3
[gather] SELECT * FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.1 AND a.objectId < b.objectId
[gather] SELECT a.objectId, s.sourceId, r.sourceId FROM Object a, Object b, Source s, Source r WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.3 AND s.objectId = a.objectId AND r.objectId = b.objectId
[near neighbour] [ordered] SELECT a.objectId, b.objectId FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) BETWEEN 0.01 AND 0.3 ORDER BY 1, 2 LIMIT 20
[aggregate] SELECT COUNT(*) FROM Object a, Object b WHERE a.objectId = b.objectId AND scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 50

-- gathered
[aggregate] SELECT COUNT(DISTINCT kind), COUNT(DISTINCT kind, code), SUM(DISTINCT kind) FROM Object
[aggregate] SELECT STD(mag), STDDEV_SAMP(flux), VARIANCE(kind), VAR_SAMP(ra) FROM Object
[gather] SELECT kind, GROUP_CONCAT(name ORDER BY name SEPARATOR '-') FROM Object GROUP BY kind
[aggregate] SELECT BIT_OR(kind), BIT_AND(objectId), BIT_XOR(kind) FROM Object
[local] SELECT sourceId FROM Source WHERE objectId IN (SELECT objectId FROM Object WHERE ra BETWEEN 0 AND 60)
[local] SELECT objectId FROM Object o WHERE EXISTS (SELECT 1 FROM Source s WHERE s.objectId = o.objectId AND s.flux > 60)
[gather] SELECT objectId FROM Object WHERE mag > (SELECT AVG(mag) FROM Object)
[local] SELECT objectId, (SELECT COUNT(*) FROM Source s WHERE s.objectId = Object.objectId) n FROM Object
[gather] SELECT k, COUNT(*) FROM (SELECT kind AS k, mag FROM Object WHERE mag > 15) AS bright GROUP BY k
[gather] SELECT x.*, f.filterName FROM (SELECT filterId, COUNT(*) AS n FROM Source GROUP BY filterId) x JOIN Filter f USING (filterId)
[gather] SELECT objectId FROM Object WHERE kind = 1 UNION SELECT objectId FROM Source WHERE flux > 60
[gather] [ordered] SELECT ra FROM Object WHERE kind = 1 UNION ALL SELECT t FROM Source WHERE n = 3 ORDER BY ra DESC LIMIT 5
[gather] (SELECT objectId FROM Object ORDER BY ra LIMIT 3) UNION (SELECT objectId FROM Object ORDER BY ra DESC LIMIT 3)
[gather] WITH bright AS (SELECT objectId, mag FROM Object WHERE mag > 16) SELECT COUNT(*), MAX(mag) FROM bright
[gather] WITH a AS (SELECT kind, COUNT(*) n FROM Object GROUP BY kind), b AS (SELECT MAX(n) m FROM a) SELECT a.* FROM a, b WHERE a.n = b.m
[gather] SELECT objectId, ROW_NUMBER() OVER (PARTITION BY kind ORDER BY ra) r FROM Object
[gather] SELECT kind, COUNT(*) FROM Object GROUP BY kind WITH ROLLUP
[local] SELECT o.objectId, v.visitId FROM Object o LEFT JOIN (Visit v JOIN Filter f ON v.filterId = f.filterId) ON o.kind = v.filterId AND v.visitId < 4 WHERE o.objectId IN (SELECT objectId FROM Source)
[gather] SELECT v.visitId, o.objectId FROM Visit v LEFT JOIN Object o ON o.kind = v.filterId AND o.mag > 18
[gather] SELECT objectId, ra FROM Object WHERE (kind, ra) IN (SELECT kind, MAX(ra) FROM Object GROUP BY kind)
[gather] SELECT COUNT(*) FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < a.mag / 1000
[gather] SELECT * FROM (SELECT objectId, ra FROM Object WHERE qserv_areaspec_box(0, -6, 40, 60)) q WHERE ra > 10
[local] SELECT body FROM Note WHERE objectId IN (SELECT objectId FROM Object WHERE kind = 0) AND body IS NOT NULL
[gather] SELECT JSON_ARRAYAGG(kind) IS NULL, MAX(body) FROM Object JOIN Note USING (objectId)

-- chunk numbers: one chunk is read, and what is not certain is read everywhere
[local] SELECT objectId, chunkId, subChunkId FROM Object WHERE chunkId = 361
[local] SELECT objectId FROM Object WHERE 361 = CHUNKID AND mag > 15 AND subChunkId = 5
[local] SELECT objectId FROM Object WHERE chunkId IN (361, 612, 0, NULL, 77)
[local] SELECT objectId FROM Object WHERE chunkId NOT IN (361, 612)
[local] SELECT objectId FROM Object WHERE chunkId NOT IN (361, NULL)
[local] SELECT objectId FROM Object WHERE subChunkId = 5
[local] SELECT objectId FROM Object WHERE chunkId = 361 OR chunkId = 470 OR objectId = 4611686018427387904
[local] SELECT objectId FROM Object WHERE chunkId = 361 OR mag > 17
[local] SELECT objectId FROM Object WHERE NOT chunkId = 361
[local] SELECT objectId FROM Object WHERE NOT (chunkId <> 361 OR mag < 15)
[local] SELECT objectId FROM Object WHERE chunkId = '361'
[local] SELECT objectId FROM Object WHERE chunkId = ' 361'
[local] SELECT objectId FROM Object WHERE chunkId = '0361'
[local] SELECT objectId FROM Object WHERE chunkId IN ('361', 470, '612.0')
[local] SELECT objectId FROM Object WHERE chunkId BETWEEN '324' AND 361
[local] SELECT objectId FROM Object WHERE chunkId > 361.5 AND chunkId <= 1e3
[local] SELECT objectId FROM Object WHERE chunkId = 3.61e2
[local] SELECT objectId FROM Object WHERE chunkId = 361.5
[local] SELECT objectId FROM Object WHERE chunkId = 99999999999
[local] SELECT objectId FROM Object WHERE chunkId = -361
[local] SELECT objectId FROM Object WHERE -chunkId = -361
[local] SELECT objectId FROM Object WHERE chunkId = NULL
[local] SELECT objectId FROM Object WHERE chunkId <=> NULL
[local] SELECT objectId FROM Object WHERE chunkId IS NOT NULL AND chunkId = 0
[local] SELECT objectId FROM Object WHERE (chunkId = 361) IS NULL
[local] SELECT objectId FROM Object WHERE (chunkId = 361) = 0
[aggregate] SELECT COUNT(*) FROM Object WHERE chunkId = 361
[aggregate] SELECT COUNT(*), MAX(mag) FROM Object WHERE chunkId = 77
[aggregate] SELECT chunkId, COUNT(*) FROM Object WHERE chunkId IN (324, 361) GROUP BY chunkId HAVING COUNT(*) > 2
[local] SELECT o.objectId, s.sourceId FROM Object o JOIN Source s ON o.objectId = s.objectId WHERE s.chunkId = 361
[local] SELECT o.objectId, s.sourceId FROM Object o LEFT JOIN Source s ON o.objectId = s.objectId AND s.chunkId = 361
[local] SELECT o.objectId, s.sourceId FROM Object o LEFT JOIN Source s ON o.objectId = s.objectId WHERE s.chunkId = 361
[local] SELECT o.objectId, s.sourceId FROM Object o, Source s WHERE o.objectId = s.objectId AND o.chunkId = 361 AND s.chunkId = 470
[near neighbour] SELECT a.objectId, b.objectId FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.3 AND a.chunkId = 358
[gather] SELECT a.objectId, b.objectId FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.3 AND a.chunkId = 358 AND b.chunkId = 324
[gather] SELECT a.objectId, b.objectId FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.3 AND b.chunkId IN (612, 613)
SELECT objectId FROM Object WHERE objectId IN (SELECT objectId FROM Source WHERE chunkId = 361)
SELECT q.objectId FROM (SELECT objectId, chunkId FROM Object) q WHERE q.chunkId = 361
SELECT COUNT(*) FROM Object WHERE chunkId = 361 AND qserv_areaspec_box(19, 9, 21, 11)
SELECT objectId FROM Object WHERE chunkId = 361 AND objectId IN (4611686018427387904, 4611686018427388100)

-- regular tables, and none
[regular] SELECT * FROM Filter
[regular] [ordered] SELECT filterName, width FROM Filter ORDER BY width DESC
[regular] SELECT f.filterName, COUNT(*), GROUP_CONCAT(DISTINCT v.remark ORDER BY v.remark) FROM Visit v LEFT JOIN Filter f USING (filterId) GROUP BY f.filterName
[regular] SELECT * FROM Filter JOIN Visit USING (filterId)
[regular] SELECT * FROM Filter RIGHT JOIN Visit USING (filterId)
[regular] SELECT * FROM Filter a NATURAL LEFT JOIN Visit b
[regular] SELECT COUNT(*) FROM Filter
[regular] SELECT * FROM Nothing
[regular] SELECT SUM(x), COUNT(*) FROM Nothing
[regular] SELECT remark FROM Visit WHERE visitId IN (SELECT MAX(visitId) FROM Visit)
[regular] SELECT 1, 'a' AS b, 1 + 1, NULL, PI()
[regular] WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, i * i AS sq FROM n
[regular] SELECT 1 FROM DUAL
[regular] SELECT filterName AS `a b`, width 'c d' FROM Filter WHERE filterName LIKE '_'
[aggregate] SELECT COUNT(*) FROM Object, Nothing
[local] SELECT objectId, x FROM Object LEFT JOIN Nothing ON x = kind WHERE kind = 0

-- found by generated statements
[local] SELECT FLOOR(objectId + decl), ROUND(flux * 1e20, 3) FROM Object
[aggregate] SELECT MAX(FLOOR(objectId + decl)), SUM(ROUND(flux * 1e20, 2)) FROM Object
[local] [ordered] SELECT objectId, 0, -1 FROM Object ORDER BY 3, 1, 2 LIMIT 5
[local] [ordered] SELECT DISTINCT kind, 0 FROM Object ORDER BY 2, 1 LIMIT 3
[aggregate] [ordered] SELECT kind, 7, COUNT(*) FROM Object GROUP BY 1, 2 ORDER BY 2, 1 LIMIT 3
[aggregate] SELECT COUNT(*) FROM Object GROUP BY 'x'

-- types of every sort, letters beyond ASCII
[local] SELECT objectId, day, clock, season, sort, marks, fine, wide, tiny, bin, bits FROM Object
[local] [ordered] SELECT day, clock, fine, sort, objectId FROM Object ORDER BY clock DESC, sort, objectId LIMIT 20
[local] [ordered] SELECT marks, season, objectId FROM Object ORDER BY marks, season DESC, objectId
[aggregate] SELECT MIN(day), MAX(clock), MIN(season), MAX(fine), MIN(wide), SUM(tiny), MAX(bin), MIN(marks), MAX(bits) FROM Object
[aggregate] SELECT sort, COUNT(*), MIN(clock), MAX(season) FROM Object GROUP BY sort
[aggregate] SELECT day, clock, COUNT(*) FROM Object GROUP BY day, clock
[aggregate] SELECT bits, bin, COUNT(*) FROM Object GROUP BY bits, bin
[local] SELECT DISTINCT sort, marks FROM Object
[local] SELECT name, HEX(name), LENGTH(name), UPPER(name), CONCAT(name, 'ü') FROM Object WHERE name LIKE 'é%'
[local] SELECT objectId FROM Object WHERE sort = 'é' AND name > 'É2'
[local] SELECT day + INTERVAL 1 MONTH, TIMEDIFF(clock, '01:00:00'), ADDTIME(fine, '0:0:0.5'), season + 1, sort + 0, marks + 0 FROM Object
[aggregate] SELECT sort, GROUP_CONCAT(DISTINCT marks ORDER BY marks), COUNT(DISTINCT day) FROM Object GROUP BY sort
[gather] SELECT day, clock, fine, season FROM Object WHERE day = (SELECT MAX(day) FROM Object)
[local] SELECT 1 FROM Object WHERE 0
[local] SELECT 1 FROM Object WHERE kind = 1 AND NULL
[local] SELECT o.ObjectID, `o`.`RA` FROM `Object` AS `o` WHERE `o`.KIND = 3
[local] SELECT objectId FROM Object WHERE objectId IN (4611686018427387904) AND qserv_areaspec_circle(0, 0, 180)
