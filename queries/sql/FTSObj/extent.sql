-- class: FTSObj
-- description: Extent of all objects
-- why: four aggregates over every row (KPM FTSObj)
SELECT MIN(ra), MAX(ra), MIN(decl), MAX(decl) FROM Object
