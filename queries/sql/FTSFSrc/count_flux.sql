-- class: FTSFSrc
-- description: Count of forced sources with a flux from 0.1 to 0.2
-- why: full scan of the longest table (KPM FTSFSrc)
-- schemas: [synth, kpm, dp1]
-- lsdb: {table: ForcedSource, where: [{column: psfFlux, at_least: 0.1, at_most: 0.2}], count: true}
SELECT COUNT(*) FROM {{ ForcedSource.table }} WHERE {{ ForcedSource.psfFlux }} BETWEEN 0.1 AND 0.2
