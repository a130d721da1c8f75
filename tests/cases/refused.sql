-- What is refused, and by which code: code => statement. Error 'user' is a plain mistake (syntax, names).

writes => INSERT INTO Object VALUES (1)
writes => DELETE FROM Object
writes => UPDATE Object SET ra = 0
writes => DROP TABLE Object
writes => CREATE TABLE x (a INT)
writes => REPLACE INTO Object VALUES (1)
writes => TRUNCATE Object
writes => LOAD DATA INFILE 'x' INTO TABLE Object
writes => SELECT ra FROM Object INTO OUTFILE '/tmp/x'
writes => SELECT ra INTO @x FROM Object
writes => SELECT ra FROM Object FOR UPDATE
writes => SELECT ra FROM Object LOCK IN SHARE MODE
several-statements => SELECT 1; SELECT 2
several-statements => SET @a = 1; SELECT @a
not-a-query => SET @a = 1
not-a-query => CALL something()
not-a-query => EXPLAIN SELECT 1
not-a-query => USE Object
placeholder => SELECT ra FROM Object WHERE objectId = ?
placeholder => SELECT ra FROM Object WHERE objectId = :id
variable => SELECT @a
variable => SELECT @@version
variable => SELECT @a := 1
function => SELECT SLEEP(1)
function => SELECT BENCHMARK(1000, 1)
function => SELECT LOAD_FILE('/etc/passwd')
function => SELECT GET_LOCK('a', 1)
function => SELECT scisql_nosuch(ra) FROM Object
function => SELECT scisql_s2PtInNothing(ra, decl, 1) FROM Object
executable-comment => SELECT /*! 1 */ ra FROM Object
system-schema => SELECT * FROM mysql.user
system-schema => SELECT * FROM information_schema.tables
system-schema => SELECT x FROM ((SELECT 1 AS x) q, mysql.user)
system-schema => SELECT 1 UNION SELECT 2 ORDER BY (SELECT COUNT(*) FROM information_schema.tables)
table-source => SELECT * FROM Object PARTITION (p0)
set-operation => SELECT objectId FROM Object o WHERE EXISTS (SELECT s.t FROM Source s WHERE s.objectId = o.objectId INTERSECT ALL SELECT 2 EXCEPT ALL SELECT 5)
areaspec-table => SELECT filterId FROM Filter WHERE qserv_areaspec_box(0, 0, 1, 1)
areaspec-table => SELECT noteId FROM Note WHERE qserv_areaspec_box(0, 0, 1, 1)
areaspec-unknown => SELECT ra FROM Object WHERE qserv_areaspec_square(0, 0, 1, 1)
area-arguments => SELECT ra FROM Object WHERE qserv_areaspec_box(ra, 0, 1, 1)
area-arguments => SELECT scisql_s2PtInCPoly(ra, decl, ra, 0, 1, 0, 1, 1) FROM Object
pairs-beyond-overlap => SELECT a.objectId FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 1
pairs-beyond-overlap => SELECT a.objectId FROM Object a JOIN Object b ON scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 1 AND a.objectId <> b.objectId
pairs-beyond-overlap => SELECT a.objectId FROM Object a, Object b, Object c WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.1 AND scisql_angSep(b.ra, b.decl, c.ra, c.decl) < 2
user => SELECT ra FRM Object
user => SELECT 'abc
user => SELECT ra FROM Object WHERE ra BETWEEN 35 AND 35 .1
user => SELECT ra FROM Object WHERE
user => SELECT nosuch FROM Object
user => SELECT o.nosuch FROM Object o
user => SELECT x.ra FROM Object o
user => SELECT ra FROM object
user => SELECT ra FROM nosuch.Object
user => SELECT objectId FROM Object, Source
user => SELECT o.ra FROM Object o, Object o
user => SELECT ra FROM Object GROUP BY 3
user => SELECT ra FROM Object ORDER BY 0
user => SELECT ra FROM Object LIMIT ra
user => SELECT x.* FROM Object
user => SELECT ra AS r FROM Object WHERE r > 1
user => SELECT ra FROM Object WHERE qserv_areaspec_box(0, 0, 1)
user => SELECT ra FROM Object WHERE qserv_areaspec_circle(0, 95, 1)
user => SELECT scisql_angSep(ra, decl) FROM Object
user => SELECT a FROM Object FULL JOIN Source ON 1
