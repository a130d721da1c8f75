-- class: FTSObj
-- description: Extent in right ascension of the objects north of +3 degrees
-- why: MIN and MAX over a scan; no spatial function, so no chunk may be pruned (KPM FTSObj)
SELECT MIN(ra), MAX(ra) FROM Object WHERE decl > 3
