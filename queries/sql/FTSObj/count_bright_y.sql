-- class: FTSObj
-- description: Count of objects bright in y
-- why: the plainest scan; two-step COUNT (KPM FTSObj)
SELECT COUNT(*) FROM Object WHERE y_instFlux > 0.05
