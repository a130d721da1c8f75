-- ADQL and the czar's SQL for it: statement, then what it becomes, or ! and the code of its refusal ('user': a mistake).
-- The tables: dp1.Object (objectId, ra, dec, size, flux), dp1.Source (sourceId, objectId, ra, dec), hsc.Object (id, ra),
-- TAP_SCHEMA.columns (table_name, column_name, size), which the server knows as skyshard_scratch.q_1_columns.

-- names: case matters to MariaDB's tables, not to ADQL; words that are MariaDB's are quoted
SELECT TOP 5 "size", dec, o.RA FROM DP1.object AS O
SELECT `size`, `dec`, `O`.`RA` FROM `dp1`.`Object` AS `O` LIMIT 5
SELECT OBJECT.ra, dp1.object.dec FROM dp1.Object
SELECT `Object`.`ra`, `dp1`.`Object`.`dec` FROM `dp1`.`Object` LIMIT 101
SELECT sourceId FROM Source
SELECT `sourceId` FROM `dp1`.`Source` LIMIT 101
SELECT ra AS "a`b""c" FROM dp1.Object -- a comment
SELECT `ra` AS `a``b"c` FROM `dp1`.`Object` LIMIT 101
SELECT table_name, "size" FROM tap_schema.COLUMNS WHERE columns.table_name = 'x' AND TAP_SCHEMA.columns."size" > 3
SELECT `table_name`, `size` FROM `skyshard_scratch`.`q_1_columns` AS `columns` WHERE `columns`.`table_name` = 'x' AND `columns`.`size` > 3 LIMIT 101
SELECT * FROM dp1.Object WHERE EXISTS (SELECT 1 FROM hsc.Object h WHERE H.ra = dp1.object.ra)
SELECT * FROM `dp1`.`Object` WHERE EXISTS(SELECT 1 FROM `hsc`.`Object` AS `h` WHERE `h`.`ra` = `dp1`.`Object`.`ra`) LIMIT 101

-- limits: one row more than asked for is let through, but totals are one row
SELECT TOP 1000 ra FROM dp1.Object
SELECT `ra` FROM `dp1`.`Object` LIMIT 101
SELECT COUNT(*) FROM dp1.Object
SELECT COUNT(*) FROM `dp1`.`Object`
SELECT DISTINCT TOP 4 ra FROM dp1.Object ORDER BY ra OFFSET 5
SELECT DISTINCT `ra` FROM `dp1`.`Object` ORDER BY `ra` LIMIT 4 OFFSET 5
SELECT TOP 0 ra FROM dp1.Object
SELECT `ra` FROM `dp1`.`Object` LIMIT 0

-- queries of queries
WITH q AS (SELECT TOP 2 ra FROM dp1.Object) SELECT Q.ra FROM Q UNION ALL SELECT TOP 3 ra FROM hsc.Object
WITH `q` AS (SELECT `ra` FROM `dp1`.`Object` LIMIT 2) SELECT `q`.`ra` FROM `q` UNION ALL (SELECT `ra` FROM `hsc`.`Object` LIMIT 3) LIMIT 101
SELECT TOP 3 ra FROM hsc.Object EXCEPT SELECT ra FROM dp1.Object
(SELECT `ra` FROM `hsc`.`Object` LIMIT 3) EXCEPT SELECT `ra` FROM `dp1`.`Object` LIMIT 101

-- units: a factor that is known from what tables say of their columns
SELECT IN_UNIT(flux, 'Jy'), in_unit(o.RA, 'arcmin') AS a FROM dp1.Object o WHERE IN_UNIT(O.flux, 'mJy') > 2
SELECT (`flux` * 1e-09), (`o`.`RA` * 60e0) AS `a` FROM `dp1`.`Object` AS `o` WHERE (`o`.`flux` * 1e-06) > 2 LIMIT 101
SELECT ra FROM dp1.Object o WHERE EXISTS (SELECT 1 FROM hsc.Object h WHERE h.ra < IN_UNIT(o.flux, 'uJy'))
SELECT `ra` FROM `dp1`.`Object` AS `o` WHERE EXISTS(SELECT 1 FROM `hsc`.`Object` AS `h` WHERE `h`.`ra` < (`o`.`flux` * 0.001e0)) LIMIT 101
SELECT ra FROM dp1.Object WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(10, 20, 1)) AND IN_UNIT(ra, 'deg') > 3
SELECT `ra` FROM `dp1`.`Object` WHERE 1 = scisql_s2PtInCircle(`ra`, `dec`, 10, 20, 1) AND (`ra` * 1e0) > 3 LIMIT 101

-- areas and centroids
SELECT AREA(CIRCLE(1, 2, 3)), AREA(CIRCLE(ra, dec, size)), AREA(POLYGON(0, 0, 90, 0, 0, 90)), AREA(POINT(1, 2)) FROM dp1.Object
SELECT (41252.96124941928e0 * POWER(SIN(RADIANS(3) / 2), 2)), (41252.96124941928e0 * POWER(SIN(RADIANS(`size`) / 2), 2)), 5156.62015617741e0, 0 FROM `dp1`.`Object` LIMIT 101
-- divisions are DOUBLEs, as they were cut to four digits more than the dividend has: a radius of 1.0/3600 was 0.00028
SELECT size / 3, ra / size, SUM(size) / COUNT(*) FROM dp1.Object WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(10, 5, 2 * (1.0 / 3200)))
SELECT `size` / 3e0, `ra` * 1e0 / `size`, SUM(`size`) * 1e0 / COUNT(*) FROM `dp1`.`Object` WHERE 1 = scisql_s2PtInCircle(`ra`, `dec`, 10, 5, 0.000625e0)
-- so are those within others, and by negative numbers
SELECT (ra / size + 1) / dec, 1 / 3 * ra / size, ABS(ra / size) / -3, size * (-1 / 4) FROM dp1.Object
SELECT (`ra` * 1e0 / `size` + 1) * 1e0 / `dec`, 0.3333333333333333e0 * `ra` * 1e0 / `size`, ABS(`ra` * 1e0 / `size`) / -3e0, `size` * -0.25e0 FROM `dp1`.`Object` LIMIT 101
SELECT COORD1(CENTROID(CIRCLE(1, 2, 3))), COORD2(CENTROID(POLYGON(0, 0, 90, 0, 0, -90))), COORD1(CENTROID(POINT(ra, dec))) FROM dp1.Object
SELECT (1), (-35.264389682754654e0), (`ra`) FROM `dp1`.`Object` LIMIT 101
SELECT ra FROM dp1.Object WHERE 1 = CONTAINS(CENTROID(CIRCLE(ra, dec, 1)), CIRCLE(10, 20, 1)) AND DISTANCE(POINT(ra, dec), CENTROID(BOX(10, 0, 2, 2))) < 1
SELECT `ra` FROM `dp1`.`Object` WHERE 1 = scisql_s2PtInCircle(`ra`, `dec`, 10, 20, 1) AND scisql_angSep(`ra`, `dec`, 10, 0) < 1 LIMIT 101
SELECT CENTROID(CIRCLE(ra, dec, 1)) FROM dp1.Object
! geometry
SELECT AREA(POLYGON(ra, dec, 1, 2, 3, 4)) FROM dp1.Object
! geometry
SELECT AREA(POLYGON(1, 2, 3, 4)) FROM dp1.Object
! geometry
SELECT AREA(ra) FROM dp1.Object
! geometry
SELECT COORD1(CENTROID(ra)) FROM dp1.Object
! geometry

-- texts and casts: a backslash is a letter like others
SELECT ra || 'a\b''c' AS t FROM dp1.Object
SELECT CONCAT(`ra`, 'a\\b''c') AS `t` FROM `dp1`.`Object` LIMIT 101
SELECT ra FROM dp1.Object WHERE flux ILIKE 'X\%' AND flux NOT LIKE 'y_'
SELECT `ra` FROM `dp1`.`Object` WHERE LOWER(`flux`) LIKE LOWER('X\\\\%') AND `flux` NOT LIKE 'y_' LIMIT 101
SELECT CAST(ra AS INTEGER), CAST(ra AS REAL), CAST(ra AS DOUBLE PRECISION), CAST(ra AS VARCHAR(9)), CAST('2026-01-01' AS TIMESTAMP) FROM dp1.Object
SELECT CAST(`ra` AS SIGNED), CAST(`ra` AS FLOAT), CAST(`ra` AS DOUBLE), CAST(`ra` AS CHAR(9)), CAST('2026-01-01' AS DATETIME(6)) FROM `dp1`.`Object` LIMIT 101

-- functions
SELECT LOG(flux), LOG10(flux), TRUNCATE(flux), TRUNCATE(flux, 2), MOD(objectId, 3), COALESCE(flux, 0) FROM dp1.Object
SELECT LN(`flux`), LOG10(`flux`), TRUNCATE(`flux`, 0), TRUNCATE(`flux`, 2), MOD(`objectId`, 3), COALESCE(`flux`, 0) FROM `dp1`.`Object` LIMIT 101
SELECT scisql_nanojanskyToAbMag(flux) AS mag FROM dp1.Object
SELECT scisql_nanojanskyToAbMag(`flux`) AS `mag` FROM `dp1`.`Object` LIMIT 101

-- geometry: constant regions are the czar's functions, circles about columns are separations
SELECT ra FROM dp1.Object WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 1, -2, 3))
SELECT `ra` FROM `dp1`.`Object` WHERE 1 = scisql_s2PtInCircle(`ra`, `dec`, 1, -2, 3) LIMIT 101
SELECT ra FROM dp1.Object WHERE CONTAINS(POINT(ra, dec), POLYGON(POINT(1, 1), POINT(2, 1), POINT(2, 2))) = 0
SELECT `ra` FROM `dp1`.`Object` WHERE scisql_s2PtInCPoly(`ra`, `dec`, 1, 1, 2, 1, 2, 2) = 0 LIMIT 101
SELECT o.ra FROM dp1.Object o, dp1.Source s WHERE 1 = CONTAINS(POINT(o.ra, o.dec), CIRCLE(s.ra, s.dec, 0.001))
SELECT `o`.`ra` FROM `dp1`.`Object` AS `o`, `dp1`.`Source` AS `s` WHERE (scisql_angSep(`o`.`ra`, `o`.`dec`, `s`.`ra`, `s`.`dec`) <= (0.001)) LIMIT 101
SELECT ra FROM dp1.Object WHERE 0 = INTERSECTS(CIRCLE(ra, dec, 0.1), POINT(10, 20))
SELECT `ra` FROM `dp1`.`Object` WHERE (NOT (scisql_angSep(10, 20, `ra`, `dec`) <= (0.1))) LIMIT 101
SELECT ra FROM dp1.Object WHERE 1 = INTERSECTS(CIRCLE(ra, dec, 0.1), CIRCLE(10, 20, 1))
SELECT `ra` FROM `dp1`.`Object` WHERE (scisql_angSep(`ra`, `dec`, 10, 20) <= (0.1 + 1)) LIMIT 101
SELECT DISTANCE(POINT(1, 2), POINT(ra, dec)) AS d, COORD1(POINT(ra, dec)) FROM dp1.Object
SELECT scisql_angSep(1, 2, `ra`, `dec`) AS `d`, (`ra`) FROM `dp1`.`Object` LIMIT 101

-- refused, each with a reason
SELECT ra FROM dp1.Object LIMIT 5
! not-adql
SELECT ra FROM dp1.Object FETCH FIRST 5 ROWS ONLY
! not-adql
SELECT ra % 2 FROM dp1.Object
! not-adql
SELECT SUM(ra) OVER () FROM dp1.Object
! not-adql
SELECT 0x41 FROM dp1.Object
! not-adql
SELECT @@version
! not-adql
SELECT ra FROM dp1.Object WHERE ra > DATE '2020-01-01'
! not-adql
SELECT ra % TIME '10:00' FROM dp1.Object
! not-adql
SELECT SLEEP(5) FROM dp1.Object
! not-adql
SELECT scisql_foo(ra) FROM dp1.Object
! not-adql
SELECT IN_UNIT(size, 'rad') FROM dp1.Object
! not-adql
SELECT IN_UNIT(flux, 'mag') FROM dp1.Object
! not-adql
SELECT IN_UNIT(flux, 'smoot') FROM dp1.Object
! not-adql
SELECT IN_UNIT(flux) FROM dp1.Object
! not-adql
SELECT IN_UNIT(ra + 1, 'rad') FROM dp1.Object
! not-adql
SELECT IN_UNIT(q.x, 'rad') FROM (SELECT ra AS x FROM dp1.Object) AS q
! not-adql
SELECT ROUND() FROM dp1.Object
! not-adql
SELECT ra FROM dp1.Object INTO OUTFILE 'x'
! not-adql
DELETE FROM dp1.Object
! not-adql
SELECT ra FROM dp1.Object o FULL OUTER JOIN hsc.Object h ON o.ra = h.ra
! not-adql
SELECT table_name FROM TAP_SCHEMA.columns, dp1.Object
! not-adql
SELECT CAST(ra AS DATE) FROM dp1.Object
! not-adql
SELECT ra FROM dp1.Object; SELECT 1
! several-statements
SELECT POINT(ra, dec) FROM dp1.Object
! geometry
SELECT ra FROM dp1.Object WHERE 1 = CONTAINS(POINT('FK4', ra, dec), CIRCLE(1, 2, 3))
! geometry
SELECT ra FROM dp1.Object WHERE 1 = CONTAINS(CIRCLE(ra, dec, 1), CIRCLE(1, 2, 3))
! geometry
SELECT ra FROM dp1.Object WHERE 1 = CONTAINS(POINT(ra, dec), BOX(ra, dec, 1, 1))
! geometry
SELECT ra FROM Object
! user
SELECT ra FROM dp1.Objct
! user
SELECT `ra` FROM dp1.Object
! user
SELECT ra FROM dp1.Object WHERE
! user
SELECT 'a FROM dp1.Object
! user
SELECT q.x, s.sourceId FROM ((SELECT ra AS x FROM dp1.Object) AS q JOIN DP1.source AS s ON s.ra = q.x)
SELECT `q`.`x`, `s`.`sourceId` FROM ((SELECT `ra` AS `x` FROM `dp1`.`Object`) AS `q` JOIN `dp1`.`Source` AS `s` ON `s`.`ra` = `q`.`x`) LIMIT 101
