-- Statements that come again with other numbers, over the split sky: {k} {k2} {k3} are stars, {g} {g2} galaxies,
-- {n} {m} small numbers, {r} {d} positions, {area} a qserv_areaspec_ call. Each time, plan and answer are one server's.

SELECT * FROM Star WHERE starId = {k}
SELECT starId, ra FROM Star WHERE starId = {k} AND kind < {n}
SELECT starId, {k} FROM Star WHERE starId = {k}
SELECT starId, {k} AS x, {n} y FROM Star WHERE starId IN ({k}, {k2})
SELECT COUNT(*) FROM Star WHERE starId = {k}
SELECT COUNT(*), {n} FROM Epoch WHERE starId = {k}
SELECT COUNT(*) FROM Epoch WHERE starId = {k} OR starId = {k2}
SELECT COUNT(*) FROM Epoch WHERE starId IN ({k}, {k2}, {k3}) AND bandId = {n}
SELECT * FROM Epoch WHERE starId = {k} ORDER BY epochId LIMIT {n}
SELECT epochId FROM Epoch WHERE starId = {k} ORDER BY epochId
SELECT bandId, epochId FROM Epoch WHERE starId = {k} ORDER BY 2 LIMIT {n} OFFSET {m}
SELECT bandId, COUNT(*) FROM Epoch WHERE starId = {k} GROUP BY 1
SELECT bandId % 3, COUNT(*) FROM Epoch WHERE starId = {k} GROUP BY bandId % 3
SELECT s.starId, e.epochId FROM Star s, Epoch e WHERE s.starId = e.starId AND s.starId = {k}
SELECT s.starId, e.epochId FROM Star s, Epoch e WHERE s.starId = e.starId AND e.starId = {k}
SELECT s.starId, e.epochId FROM Star s LEFT JOIN Epoch e ON s.starId = e.starId WHERE s.starId = {k}
SELECT s.starId, e.epochId FROM Star s LEFT JOIN Epoch e ON s.starId = e.starId AND e.starId = {k}
SELECT s.starId, e.epochId FROM Epoch e LEFT JOIN Star s ON s.starId = e.starId WHERE e.starId = {k}
SELECT s.starId, e.epochId FROM Epoch e LEFT JOIN Star s ON s.starId = e.starId WHERE e.starId = {k} OR e.starId IS NULL
SELECT s.starId FROM Star s WHERE s.starId = {k} AND s.starId = {k2}
SELECT s.starId FROM Star s WHERE s.starId = {k} OR s.starId > {k2}
SELECT s.starId FROM Star s WHERE s.starId >= {k} AND s.starId <= {k2}
SELECT s.starId FROM Star s WHERE s.starId BETWEEN {k} AND {k2}
SELECT s.starId FROM Star s WHERE NOT s.starId = {k}
SELECT s.starId FROM Star s WHERE NOT s.starId <> {k}
SELECT s.starId FROM Star s WHERE s.starId = -{k}
SELECT s.starId FROM Star s WHERE s.starId = {k} + {n}
SELECT s.starId FROM Star s WHERE s.starId = {k} - {n}
SELECT s.starId FROM Star s WHERE s.starId = {k} * 1
SELECT s.starId FROM Star s WHERE s.starId = {k}.0
SELECT s.starId FROM Star s WHERE s.starId = '{k}'
SELECT s.starId FROM Star s WHERE s.starId <=> {k}
SELECT s.starId = {k}, s.starId FROM Star s WHERE s.starId = {k}
SELECT s.starId, 'k{k}' FROM Star s WHERE s.starId = {k}
SELECT s.starId, {k}e0, {k}.5 FROM Star s WHERE s.starId = {k}
SELECT s.starId AS `{k}` FROM Star s WHERE s.starId = {k}
SELECT s.starId /* {k} */ FROM Star s WHERE s.starId = {k} -- {k2}
SELECT {k} FROM Star s WHERE s.starId = {k}
SELECT {k} + 1, s.starId + {k} FROM Star s WHERE s.starId = {k}
SELECT MAX({k}) FROM Star s WHERE s.starId = {k}
SELECT kind, {k} FROM Star s WHERE s.starId = {k} GROUP BY kind
SELECT s.starId FROM Star s WHERE s.starId = {k} AND ra > {n}
SELECT s.starId FROM Star s WHERE s.starId IN ({k}, {k2}) AND qserv_areaspec_circle({r}, {d}, 40)
SELECT s.starId FROM Star s WHERE s.starId IN ({k}, {k2}) AND scisql_angSep(ra, decl, {r}, {d}) < 90
SELECT s.starId FROM Star s WHERE s.starId = {k} AND decl BETWEEN {d} AND 90
SELECT p.galaxyId FROM Pair p WHERE p.starId = {k}
SELECT p.galaxyId FROM Pair p WHERE p.galaxyId = {g}
SELECT p.galaxyId FROM Pair p WHERE p.galaxyId = {g} AND p.starId = {k}
SELECT p.galaxyId, s.kind FROM Pair p, Star s WHERE p.starId = s.starId AND p.starId = {k}
SELECT p.galaxyId, s.kind FROM Pair p, Star s WHERE p.starId = s.starId AND p.galaxyId = {g}
SELECT p.galaxyId, g.kind, s.kind FROM Pair p, Star s, Galaxy g WHERE p.starId = s.starId AND p.galaxyId = g.galaxyId AND s.starId = {k}
SELECT g.galaxyId, n.snr FROM Galaxy g JOIN Spectrum n USING (galaxyId) WHERE galaxyId = {g}
SELECT g.galaxyId FROM Galaxy g WHERE galaxyId = {k}
SELECT n.snr FROM Spectrum n WHERE galaxyId IN ({g}, {g2})
SELECT a.starId, b.starId FROM Star a, Star b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 1 AND a.starId = {k}
SELECT a.starId, b.starId FROM Star a, Star b WHERE a.starId = {k} AND b.starId = {k2}
SELECT a.starId FROM Star a WHERE a.starId = {k} UNION SELECT b.galaxyId FROM Galaxy b WHERE b.galaxyId = {g}
SELECT starId FROM Star WHERE starId IN (SELECT starId FROM Epoch WHERE starId = {k})
SELECT starId FROM Star s WHERE starId = {k} AND EXISTS (SELECT 1 FROM Epoch e WHERE e.starId = s.starId AND bandId = {n})
SELECT starId FROM Star s WHERE starId = {k} AND starId IN (SELECT starId FROM Pair)
SELECT starId, (SELECT COUNT(*) FROM Epoch e WHERE e.starId = s.starId AND e.bandId < {n}) FROM Star s WHERE starId = {k}
SELECT starId FROM Star s WHERE starId IN ({k}, {k2}, {k3}) ORDER BY starId DESC LIMIT 2
SELECT GROUP_CONCAT(epochId ORDER BY epochId) FROM Epoch WHERE starId = {k}
SELECT STD(flux), COUNT(DISTINCT bandId) FROM Epoch WHERE starId IN ({k}, {k2})
SELECT DISTINCT bandId FROM Epoch WHERE starId IN ({k}, {k2}) ORDER BY bandId
SELECT e.epochId FROM Epoch e, Epoch f WHERE e.starId = f.starId AND e.starId = {k} AND e.epochId <> f.epochId
SELECT e.epochId, r.runId FROM Epoch e, Run r WHERE e.bandId = r.bandId AND e.starId = {k} AND r.runId < {n}
SELECT COUNT(*) FROM Star WHERE {area}
SELECT starId FROM Star WHERE {area} AND kind = {n}
SELECT starId FROM Star s WHERE {area} AND s.starId < {k}
SELECT starId FROM Star s WHERE {area} AND s.starId = {k}
SELECT starId FROM Star s WHERE {area} ORDER BY starId LIMIT {n}
SELECT starId FROM Star s WHERE {area} = 1
SELECT starId FROM Star s WHERE {area} = 0
SELECT starId FROM Star s WHERE NOT {area}
SELECT starId FROM Star s WHERE {area} OR kind = {n}
SELECT starId, {area} FROM Star s
SELECT starId, {area} x FROM Star s WHERE kind = 1
SELECT SUM({area}) FROM Star s
SELECT kind, COUNT(*), AVG(mag) FROM Star WHERE {area} GROUP BY kind
SELECT kind, STD(mag), COUNT(DISTINCT name) FROM Star WHERE {area} GROUP BY kind HAVING COUNT(*) > {m}
SELECT s.starId, e.epochId FROM Star s, Epoch e WHERE {area} AND s.starId = e.starId
SELECT s.starId, e.epochId FROM Star s LEFT JOIN Epoch e ON s.starId = e.starId WHERE {area}
SELECT s.starId, e.epochId FROM Star s JOIN Epoch e ON s.starId = e.starId AND {area}
SELECT a.starId, b.starId FROM Star a, Star b WHERE {area} AND scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 1
SELECT COUNT(*) FROM Star a, Galaxy b WHERE {area} AND scisql_angSep(a.ra, a.decl, b.ra, b.dec_) < 1
SELECT g.galaxyId, n.snr FROM Galaxy g, Spectrum n WHERE g.galaxyId = n.galaxyId AND {area}
SELECT COUNT(*) FROM Epoch WHERE {area}
SELECT MIN(ra), MAX(ra), MIN(decl), MAX(decl) FROM Galaxy g, Star s WHERE g.kind = s.kind AND {area}
SELECT starId FROM Star WHERE starId IN (SELECT starId FROM Epoch WHERE {area})
SELECT COUNT(*) FROM (SELECT * FROM Star WHERE {area}) q
SELECT COUNT(*) FROM Pair p, Star s WHERE p.starId = s.starId AND {area}
SELECT GROUP_CONCAT(starId ORDER BY starId) FROM Star WHERE {area}
SELECT DISTINCT kind FROM Star WHERE {area} ORDER BY kind LIMIT {n}
SELECT starId, '{area}' FROM Star WHERE {area}
SELECT starId FROM Star WHERE {area} AND scisql_s2PtInCircle(ra, decl, {r}, {d}, 60) = 1
SELECT starId FROM Star WHERE {area} AND ra BETWEEN 0 AND {n}
