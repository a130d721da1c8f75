-- class: FTSFSrc
-- description: Count of forced sources with a flux from 0.1 to 0.2
-- why: full scan of the longest table (KPM FTSFSrc)
SELECT COUNT(*) FROM ForcedSource WHERE psfFlux BETWEEN 0.1 AND 0.2
