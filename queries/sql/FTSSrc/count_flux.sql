-- class: FTSSrc
-- description: Count of sources with a flux from 1 to 2
-- why: full scan of Source (KPM FTSSrc)
SELECT COUNT(*) FROM Source WHERE flux_sinc BETWEEN 1 AND 2
