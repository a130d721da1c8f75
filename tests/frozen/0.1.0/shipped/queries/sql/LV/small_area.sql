-- class: LV
-- description: Objects of a small area
-- why: the area should prune all chunks but one or two (KPM LV)
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   box: {type: box, width_deg: [0.01, 0.2], height_deg: [0.01, 0.2]}
-- lsdb:
--   table: Object
--   box: box
--   columns: [ra, decl, raVar, declVar, radeclCov, u_psfFlux, u_psfFluxSigma, u_apFlux]
SELECT {{ Object.ra }}, {{ Object.decl }}, {{ Object.raVar }}, {{ Object.declVar }}, {{ Object.radeclCov }},
  {{ Object.u_psfFlux }}, {{ Object.u_psfFluxSigma }}, {{ Object.u_apFlux }}
FROM {{ Object.table }}
WHERE qserv_areaspec_box({{ box.ra_min }}, {{ box.decl_min }}, {{ box.ra_max }}, {{ box.decl_max }})
