-- The delegation on which something rests; it ends with it. Nothing where it was done by somebody's roles.
ALTER TABLE operations ADD COLUMN delegation TEXT;
CREATE INDEX operations_by_delegation ON operations (delegation)
    WHERE delegation IS NOT NULL AND state IN ('pending', 'running');
ALTER TABLE exposures ADD COLUMN delegation TEXT;
CREATE INDEX exposures_by_delegation ON exposures (delegation) WHERE delegation IS NOT NULL;
ALTER TABLE injections ADD COLUMN delegation TEXT;
CREATE INDEX injections_by_delegation ON injections (delegation) WHERE delegation IS NOT NULL;
ALTER TABLE injections ADD COLUMN run_delegation TEXT;
CREATE INDEX injections_by_run_delegation ON injections (run_delegation) WHERE run_delegation IS NOT NULL;
