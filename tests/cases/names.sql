-- Result column names as MariaDB gives them: statement => names, separated by |.
-- Checked against a real server in tests/integration/test_czar_dialect.py, without a server in tests/unit.

SELECT ra, t.ra, `ra`, t.RA FROM t => ra|ra|ra|RA
SELECT 1  +   2, COUNT(*), count( * ) FROM t => 1  +   2|COUNT(*)|count( * )
SELECT 'abc', '  x', NULL, null, -1, TRUE, 1.50, 1e3 FROM t => abc|x|NULL|NULL|-1|TRUE|1.50|1e3
SELECT (ra), ( ra + 1 ), ra+1 /* c */ , MAX(ra)   AS  mx, MIN(ra) 'q w', SUM(ra) "dd" FROM t => ra|( ra + 1 )|ra+1|mx|q w|dd
SELECT CASE WHEN ra THEN 2 END, x'41', 0x42, ROUND( ra ,2 ), NOT ra, ra IS NULL FROM t => CASE WHEN ra THEN 2 END|x'41'|0x42|ROUND( ra ,2 )|NOT ra|ra IS NULL
SELECT DISTINCT ra +1, id FROM t => ra +1|id
SELECT ra FROM t UNION SELECT id FROM t => ra
(SELECT ra, id AS x FROM t) UNION (SELECT id, ra FROM t) => ra|x
WITH w AS (SELECT 1 AS a, 2) SELECT a * 2, a FROM w => a * 2|a
SELECT CONCAT('a', 'b'), IF(ra > 1, 'x, y', '(') FROM t => CONCAT('a', 'b')|IF(ra > 1, 'x, y', '(')
SELECT (SELECT MAX(ra) FROM t), 1 FROM t => (SELECT MAX(ra) FROM t)|1
SELECT _latin1'z', N'x', 'a' 'b', DATE '2020-01-01' => z|x|ab|DATE '2020-01-01'
