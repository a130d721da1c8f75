-- class: FTSObj
-- description: Count of objects with more flux in y than in u
-- why: compares two columns of every row (KPM FTSObj)
-- schemas: [synth, kpm, dp1, hsc]
-- lsdb: {table: Object, where: [{column: y_instFlux, above_column: u_instFlux}], count: true}
SELECT COUNT(*) FROM {{ Object.table }} WHERE {{ Object.y_instFlux }} > {{ Object.u_instFlux }}
