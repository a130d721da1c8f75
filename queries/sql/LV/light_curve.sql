-- class: LV
-- description: The light curve of one object
-- why: time series by id (DMTR-21 LV2); a dependent table found through the director index
-- parameters:
--   id: {type: id}
SELECT visitId, filterId, psfFlux, psfFluxSigma
FROM ForcedSource
WHERE objectId = {{ id }}
