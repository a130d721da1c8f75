-- class: lsdb
-- description: One object by its id
-- why: an index look-up (lsdb issue 1557)
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   id: {type: id}
SELECT {{ Object.ra }}, {{ Object.decl }}, {{ Object.raVar }}, {{ Object.declVar }}, {{ Object.radeclCov }},
  {{ Object.u_psfFlux }}, {{ Object.u_psfFluxSigma }}, {{ Object.u_apFlux }}
FROM {{ Object.table }}
WHERE {{ Object.id }} = {{ id }}
