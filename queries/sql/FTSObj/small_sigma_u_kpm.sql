-- class: FTSObj
-- description: Ids of the objects with a u flux error up to one of the four KPM bounds
-- why: the KPM constants, in erg/s/cm2/Hz, 29 MB to 2 MB of answer at 10 % of DR1
-- schemas: [kpm]
-- parameters:
--   bound: {type: choice, values: [1.75e-30, 1.8e-30, 1.81e-30, 1.5e-30]}
SELECT {{ Object.id }}, {{ Object.u_apFluxSigma }} FROM {{ Object.table }} WHERE {{ Object.u_apFluxSigma }} BETWEEN 0 AND {{ bound }}
