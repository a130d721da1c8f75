-- Statements over the databases of tests/support/plain_sky.py, asked of plain MariaDB in the very same words.
-- ``!`` in front: the order of the rows is total.

-- tables of two databases that are called alike
SELECT sa.Obj.id, sb.Obj.z FROM sa.Obj, sb.Obj WHERE sa.Obj.id = sb.Obj.id
SELECT sa.Obj.id, z FROM sa.Obj LEFT JOIN sb.Obj ON sa.Obj.id = sb.Obj.id AND sb.Obj.n = sa.Obj.n
SELECT Obj.z, Obj.dt, sb.Obj.n FROM Obj, sb.Obj WHERE sa.Obj.id = sb.Obj.id
SELECT o.z, o.dt, sb.o.n FROM sa.Obj o, sb.Obj o WHERE sa.o.id = sb.o.id
SELECT sb.Obj.*, sa.Obj.n FROM sa.Obj JOIN sb.Obj ON sa.Obj.id = sb.Obj.id
SELECT sa.Obj.*, sb.Obj.* FROM sb.Obj RIGHT JOIN sa.Obj ON sa.Obj.id = sb.Obj.id
SELECT * FROM sa.Band, sb.Band WHERE sa.Band.n = sb.Band.n
SELECT * FROM sb.Band JOIN Band USING (n)
! SELECT sa.Obj.id, sb.Obj.n FROM sa.Obj, sb.Obj WHERE sa.Obj.id = sb.Obj.id ORDER BY sb.Obj.n, sa.Obj.id LIMIT 7
SELECT sb.Obj.n, COUNT(*), MAX(sa.Obj.n) FROM sa.Obj, sb.Obj WHERE sa.Obj.id = sb.Obj.id GROUP BY sb.Obj.n HAVING MAX(sa.Obj.n) > 0
SELECT sa.Obj.id FROM sa.Obj WHERE EXISTS (SELECT 1 FROM sb.Obj WHERE sb.Obj.id = sa.Obj.id AND sb.Obj.n = sa.Obj.n)
SELECT sa.Obj.id, (SELECT COUNT(*) FROM sb.Obj WHERE sb.Obj.n = sa.Obj.n) AS c FROM sa.Obj
SELECT id FROM Obj WHERE n IN (SELECT Obj.n FROM sb.Obj WHERE sa.Obj.k < Obj.z)
SELECT sa.Band.n, sb.Band.name FROM Band, sb.Band WHERE sa.Band.n < sb.Band.n AND sa.Band.name IS NOT NULL

-- a name of GROUP BY that several tables have is that of an item
SELECT o.n, COUNT(*) FROM Obj o, Src s WHERE o.id = s.id GROUP BY n
SELECT s.n, COUNT(*), SUM(o.n) FROM Obj o JOIN Src s ON o.id = s.id GROUP BY n HAVING n IS NOT NULL
SELECT s.n, o.k, MAX(s.x) FROM Obj o JOIN Src s ON o.id = s.id GROUP BY k, n
SELECT s.m AS n, COUNT(*) FROM Obj o JOIN Src s ON o.id = s.id GROUP BY n
SELECT n % 2 AS n, COUNT(*) FROM Obj GROUP BY n

-- LIMIT without a merge
SELECT 7 AS c FROM Obj ORDER BY NULL LIMIT 5
SELECT 7 AS c FROM Obj WHERE id IS NOT NULL ORDER BY 1 + 1 LIMIT 5
SELECT o.id, s.sid FROM Obj o JOIN Src s ON o.id = s.id LIMIT 18446744073709551615
SELECT 7 AS c FROM Obj LIMIT 0
