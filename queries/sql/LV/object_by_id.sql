-- class: LV
-- description: One object by its id
-- why: the commonest query of all; the director index should lead to one chunk (KPM LV)
-- parameters:
--   id: {type: id}
SELECT ra, decl, raVar, declVar, radeclCov, u_psfFlux, u_psfFluxSigma, u_apFlux
FROM Object
WHERE objectId = {{ id }}
