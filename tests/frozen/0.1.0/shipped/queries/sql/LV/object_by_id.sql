-- class: LV
-- description: One object by its id
-- why: the commonest query of all; the director index should lead to one chunk (KPM LV)
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   id: {type: id}
-- lsdb:
--   table: Object
--   id: id
--   columns: [ra, decl, raVar, declVar, radeclCov, u_psfFlux, u_psfFluxSigma, u_apFlux]
SELECT {{ Object.ra }}, {{ Object.decl }}, {{ Object.raVar }}, {{ Object.declVar }}, {{ Object.radeclCov }},
  {{ Object.u_psfFlux }}, {{ Object.u_psfFluxSigma }}, {{ Object.u_apFlux }}
FROM {{ Object.table }}
WHERE {{ Object.id }} = {{ id }}
