-- class: FTSObj
-- description: Ids of the objects with the smallest u flux errors
-- why: the size of the answer is chosen by the window (KPM FTSObj)
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   sigma: {type: flux_window, table: Object, column: u_apFluxSigma, selectivity: [0.002, 0.01]}
SELECT {{ Object.id }}, {{ Object.u_apFluxSigma }} FROM {{ Object.table }} WHERE {{ Object.u_apFluxSigma }} BETWEEN {{ sigma.low }} AND {{ sigma.high }}
