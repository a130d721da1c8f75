-- class: FTSObj
-- description: Count of objects with more flux in y than in u
-- why: compares two columns of every row (KPM FTSObj)
-- schemas: [synth, kpm, dp1, hsc]
SELECT COUNT(*) FROM {{ Object.table }} WHERE {{ Object.y_instFlux }} > {{ Object.u_instFlux }}
