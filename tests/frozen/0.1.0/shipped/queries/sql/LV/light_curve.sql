-- class: LV
-- description: The light curve of one object
-- why: time series by id (DMTR-21 LV2); a dependent table found through the director index
-- schemas: [synth, dp1]
-- parameters:
--   id: {type: id}
-- lsdb:
--   table: Object
--   id: id
--   join: {table: ForcedSource, columns: [visit, band, psfFlux, psfFluxSigma]}
SELECT {{ ForcedSource.visit }}, {{ ForcedSource.band }}, {{ ForcedSource.psfFlux }}, {{ ForcedSource.psfFluxSigma }}
FROM {{ ForcedSource.table }}
WHERE {{ ForcedSource.object }} = {{ id }}
