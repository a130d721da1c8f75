-- class: LV
-- description: Bright objects of a cone, brightest first
-- why: the portal's cone search with sorting and a limit
-- parameters:
--   cone: {type: cone, radius_deg: [0.02, 0.2]}
SELECT objectId, ra, decl, r_psfFlux
FROM Object
WHERE qserv_areaspec_circle({{ cone.ra }}, {{ cone.decl }}, {{ cone.radius_deg }})
ORDER BY r_psfFlux DESC, objectId
LIMIT 50
