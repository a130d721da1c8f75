-- class: FTSObj
-- description: Extent of the objects faint in z
-- why: aggregates with a filter that most rows pass (KPM FTSObj)
SELECT MIN(ra), MAX(ra), MIN(decl), MAX(decl) FROM Object WHERE z_instFlux < 3
