-- The delegation by which somebody had a plugin of another project that they put on a board.
ALTER TABLE injections ADD COLUMN plugin_delegation TEXT;
CREATE INDEX injections_by_plugin_delegation ON injections (plugin_delegation) WHERE plugin_delegation IS NOT NULL;
