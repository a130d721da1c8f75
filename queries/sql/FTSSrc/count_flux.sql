-- class: FTSSrc
-- description: Count of sources with a flux from 1 to 2
-- why: full scan of Source (KPM FTSSrc)
-- schemas: [synth, kpm, dp1, hsc]
SELECT COUNT(*) FROM {{ Source.table }} WHERE {{ Source.flux }} BETWEEN 1 AND 2
