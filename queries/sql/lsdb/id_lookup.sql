-- class: lsdb
-- description: One object by its id
-- why: an index look-up (lsdb issue 1557)
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
