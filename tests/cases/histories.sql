-- Statements over tests/support/history_sky.py. <key> and <keys>: keys of stars, <gal>: of galaxies, as a history has them or
-- nearly; <where COLUMN>: a condition on such a key; <n>: a digit; <dec>: a declination; <near RA DEC RA DEC>: nearer than
-- some separation within the overlap; <area RA DEC, ...>: an area over these positions; <text>: a text.
-- keys
SELECT s.id, s.v FROM Star s WHERE <where s.id>
SELECT s.id, s.ra, s.decl, s.v, s.m, s.t FROM Star s WHERE s.id = <key>
SELECT s.id, s.t FROM Star s WHERE s.id IN (<keys>)
SELECT COUNT(*), SUM(s.v), MIN(s.m) FROM Star s WHERE <where s.id>
SELECT COUNT(DISTINCT s.id), COUNT(*) FROM Star s
SELECT o.sid, o.f FROM Src o WHERE <where o.id>
SELECT o.sid FROM Src o WHERE o.id = <key>
SELECT o.sid, o.t FROM Src o WHERE o.id IN (<keys>)
SELECT n.nid, n.t FROM Note n WHERE <where n.id>
SELECT p.w FROM Pair p WHERE <where p.id>
SELECT p.id, p.gid, p.w FROM Pair p WHERE p.gid = <gal>
SELECT g.gid, g.k FROM Gal g WHERE g.gid >= <gal>
-- positions
SELECT s.id, s.v FROM Star s WHERE <area s.ra s.decl>
SELECT COUNT(*) FROM Gal g WHERE <area g.gra g.gdec>
SELECT o.sid FROM Src o WHERE <area o.ora o.odec>
SELECT COUNT(*), SUM(o.f) FROM Star s JOIN Src o ON s.id = o.id WHERE <area s.ra s.decl, o.ora o.odec>
SELECT s.id FROM Star s WHERE s.decl >= <dec>
SELECT s.id FROM Star s WHERE s.decl BETWEEN <dec> AND <dec> OR s.id = <key>
SELECT o.sid FROM Src o WHERE o.odec < <dec> AND o.f > <n>
SELECT COUNT(*) FROM Star s WHERE s.ra BETWEEN 0 AND 180 AND s.decl < <dec>
SELECT s.id, g.gid FROM Star s, Gal g WHERE <near s.ra s.decl g.gra g.gdec>
SELECT COUNT(*) FROM Star a, Star b WHERE <near a.ra a.decl b.ra b.decl> AND a.v < <n>
SELECT a.id, b.id FROM Star a JOIN Star b ON <near a.ra a.decl b.ra b.decl> WHERE a.id <> b.id AND a.decl > <dec>
SELECT s.id, o.sid, g.gid FROM Star s JOIN Src o ON s.id = o.id JOIN Gal g ON <near s.ra s.decl g.gra g.gdec>
SELECT s.id, o.sid FROM Star s, Src o WHERE <near s.ra s.decl o.ora o.odec> AND s.v < <n>
SELECT s.id, COUNT(*) FROM Star s, Gal g WHERE <near s.ra s.decl g.gra g.gdec> GROUP BY s.id HAVING COUNT(*) > 1
-- joins by key
SELECT s.id, o.sid FROM Star s JOIN Src o USING (id)
SELECT s.v, o.sid FROM Star s JOIN Src o ON o.id = s.id WHERE <where s.id>
SELECT s.v, o.sid FROM Src o JOIN Star s ON o.id = s.id AND <where o.id>
SELECT s.id, n.nid, o.sid FROM Star s JOIN Src o ON s.id = o.id JOIN Note n ON n.id = s.id
SELECT n.nid, s.t FROM Note n JOIN Star s USING (id) WHERE s.v > <n>
SELECT o.sid, n.nid FROM Src o JOIN Note n ON o.id = n.id WHERE o.f < <n>
SELECT a.sid, b.sid FROM Src a JOIN Src b USING (id) WHERE a.sid < b.sid AND a.f = <n>
SELECT COUNT(*), SUM(a.v) FROM Star a JOIN Star b ON a.id = b.id
SELECT o.sid FROM Src o LEFT JOIN Star s ON s.id = o.id WHERE s.id IS NULL
SELECT s.id FROM Star s LEFT JOIN Src o ON o.id = s.id WHERE o.sid IS NULL
SELECT s.id, o.sid FROM Star s LEFT JOIN Src o ON o.id = s.id AND o.f > <n> WHERE s.v < <n>
SELECT s.id, COUNT(o.sid) FROM Star s LEFT JOIN Src o ON o.id = s.id GROUP BY s.id
SELECT n.nid FROM Note n LEFT JOIN Star s USING (id) WHERE s.v IS NULL
SELECT s.id, n.nid FROM Src o RIGHT JOIN Star s ON o.id = s.id LEFT JOIN Note n ON n.id = s.id WHERE o.sid IS NULL
SELECT o.sid, v.t FROM Src o JOIN Visit v ON v.visit = o.f
SELECT s.id, v.visit FROM Star s LEFT JOIN Visit v ON v.f = s.v AND v.visit > <n>
-- subqueries
SELECT s.id FROM Star s WHERE EXISTS (SELECT 1 FROM Src o WHERE o.id = s.id AND o.f > <n>)
SELECT COUNT(*) FROM Star s WHERE NOT EXISTS (SELECT 1 FROM Src o WHERE o.id = s.id)
SELECT o.sid FROM Src o WHERE NOT EXISTS (SELECT 1 FROM Star s WHERE s.id = o.id)
SELECT s.id, s.v FROM Star s WHERE s.id IN (SELECT o.id FROM Src o WHERE o.f = <n>)
SELECT s.id FROM Star s WHERE s.id NOT IN (SELECT n.id FROM Note n WHERE n.id IS NOT NULL)
SELECT o.sid FROM Src o WHERE o.id IN (SELECT s.id FROM Star s WHERE s.decl > <dec>)
SELECT s.id, (SELECT COUNT(*) FROM Src o WHERE o.id = s.id) AS n FROM Star s
SELECT s.id, (SELECT MAX(n.nid) FROM Note n WHERE n.id = s.id) AS last FROM Star s WHERE s.v <> <n>
SELECT s.id FROM Star s WHERE s.m > (SELECT AVG(t.m) FROM Star t)
SELECT g.gid FROM Gal g WHERE NOT EXISTS (SELECT 1 FROM Pair p WHERE p.gid = g.gid)
SELECT v.visit FROM Visit v WHERE v.f IN (SELECT o.f FROM Src o)
SELECT q.v, q.c FROM (SELECT s.v, COUNT(*) AS c FROM Star s JOIN Src o USING (id) GROUP BY s.v) q WHERE q.c > 1
WITH q AS (SELECT o.id, COUNT(*) AS c FROM Src o GROUP BY o.id) SELECT s.id, q.c FROM Star s JOIN q ON q.id = s.id
-- aggregates, order
SELECT COUNT(*), COUNT(o.id), COUNT(DISTINCT o.id), MIN(o.sid), MAX(o.x), AVG(o.f) FROM Src o
SELECT o.f, COUNT(*), SUM(o.x) FROM Src o GROUP BY o.f
SELECT s.t, COUNT(*) FROM Star s GROUP BY s.t
SELECT DISTINCT o.t FROM Src o
SELECT s.v, o.f, COUNT(*) FROM Star s JOIN Src o ON s.id = o.id GROUP BY s.v, o.f HAVING COUNT(*) > 1
SELECT s.v % 2 AS odd, COUNT(*), MAX(s.t) FROM Star s GROUP BY odd
SELECT o.sid, o.x FROM Src o ORDER BY o.x DESC, o.sid LIMIT 5
SELECT n.nid, n.f FROM Note n WHERE n.f > <n> ORDER BY n.f, n.nid DESC LIMIT 4 OFFSET 2
SELECT s.id, s.v, s.ra, s.decl FROM Star s ORDER BY s.id, s.v, s.ra, s.decl
SELECT s.v, COUNT(*) AS c FROM Star s GROUP BY s.v ORDER BY c DESC, s.v LIMIT 3
SELECT COUNT(*) FROM Star s WHERE s.t = <text>
SELECT o.sid FROM Src o WHERE o.t = <text> OR o.t IS NULL
SELECT s.id, o.sid FROM Star s JOIN Src o ON s.id = o.id AND s.t = o.t
SELECT COUNT(*) FROM Note n WHERE n.x > 1 AND n.id = <key>
-- regular tables, pairs, sets
SELECT COUNT(*), SUM(v.f) FROM Visit v
SELECT v.visit, v.t FROM Visit v WHERE v.f = <n>
SELECT COUNT(*), COUNT(p.id), COUNT(p.gid), SUM(p.w) FROM Pair p
SELECT p.id, p.gid, p.w FROM Pair p
SELECT p.w, s.v FROM Pair p JOIN Star s ON s.id = p.id
SELECT p.w, g.k FROM Pair p JOIN Gal g ON g.gid = p.gid
SELECT s.id, g.gid, p.w FROM Star s JOIN Pair p ON p.id = s.id JOIN Gal g ON g.gid = p.gid
SELECT COUNT(*), SUM(p.w) FROM Star s, Pair p, Gal g WHERE s.id = p.id AND g.gid = p.gid AND s.decl > <dec>
SELECT s.id, p.gid FROM Star s LEFT JOIN Pair p ON p.id = s.id
SELECT g.gid, COUNT(p.w) FROM Gal g LEFT JOIN Pair p ON p.gid = g.gid GROUP BY g.gid
SELECT p.w FROM Pair p LEFT JOIN Star s ON s.id = p.id LEFT JOIN Gal g ON g.gid = p.gid WHERE s.id IS NULL OR g.gid IS NULL
SELECT p.w, o.sid FROM Pair p JOIN Src o ON o.id = p.id
SELECT s.id FROM Star s WHERE s.id IN (SELECT p.id FROM Pair p WHERE p.w > <n>)
SELECT p.w FROM Pair p WHERE NOT EXISTS (SELECT 1 FROM Star s WHERE s.id = p.id)
SELECT s.v FROM Star s UNION SELECT o.f FROM Src o
SELECT s.id FROM Star s UNION ALL SELECT o.id FROM Src o WHERE o.f > <n>
SELECT v.visit FROM Visit v EXCEPT SELECT o.f FROM Src o
SELECT s.v FROM Star s WHERE <where s.id> UNION ALL SELECT p.w FROM Pair p WHERE <where p.id>
