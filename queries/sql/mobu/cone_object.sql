-- class: mobu
-- description: All columns of Object rows in a cone
-- why: the monitor's cone-object
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   cone: {type: cone, radius_deg: [0.02, 0.09], around: fresh}
-- lsdb: a form names its columns
SELECT * FROM {{ Object.table }} WHERE qserv_areaspec_circle({{ cone.ra }}, {{ cone.decl }}, {{ cone.radius_deg }})
