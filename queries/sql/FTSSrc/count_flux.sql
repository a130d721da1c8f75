-- class: FTSSrc
-- description: Count of sources with a flux from 1 to 2
-- why: full scan of Source (KPM FTSSrc)
-- schemas: [synth, kpm, dp1, hsc]
-- lsdb: {table: Source, where: [{column: flux, at_least: 1, at_most: 2}], count: true}
SELECT COUNT(*) FROM {{ Source.table }} WHERE {{ Source.flux }} BETWEEN 1 AND 2
