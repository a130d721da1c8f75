-- class: LV
-- description: Objects of a small area
-- why: the area should prune all chunks but one or two (KPM LV)
-- parameters:
--   box: {type: box, width_deg: [0.01, 0.2], height_deg: [0.01, 0.2]}
SELECT ra, decl, raVar, declVar, radeclCov, u_psfFlux, u_psfFluxSigma, u_apFlux
FROM Object
WHERE qserv_areaspec_box({{ box.ra_min }}, {{ box.decl_min }}, {{ box.ra_max }}, {{ box.decl_max }})
