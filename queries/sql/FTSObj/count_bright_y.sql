-- class: FTSObj
-- description: Count of objects bright in y
-- why: the plainest scan; two-step COUNT (KPM FTSObj)
-- schemas: [synth, kpm, dp1, hsc]
-- lsdb: {table: Object, where: [{column: y_instFlux, above: 0.05}], count: true}
SELECT COUNT(*) FROM {{ Object.table }} WHERE {{ Object.y_instFlux }} > 0.05
