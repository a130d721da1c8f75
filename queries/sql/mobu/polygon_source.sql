-- class: mobu
-- description: All columns of Source rows in a polygon of four corners
-- why: the monitor's polygon-source
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   polygon: {type: polygon, radius_deg: [0.02, 0.09], corners: 4, around: fresh}
-- lsdb: a form has no polygons
SELECT * FROM {{ Source.table }} WHERE qserv_areaspec_poly({{ polygon | join(', ') }})
