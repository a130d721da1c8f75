-- class: mobu
-- description: All columns of Source rows in a cone
-- why: the monitor's cone-source
-- schemas: [synth, kpm, dp1, hsc]
-- parameters:
--   cone: {type: cone, radius_deg: [0.02, 0.09], around: fresh}
-- lsdb: a form names its columns
SELECT * FROM {{ Source.table }} WHERE qserv_areaspec_circle({{ cone.ra }}, {{ cone.decl }}, {{ cone.radius_deg }})
