-- What upstream's API and its boards know and ours does not. `serial` is the order of creation, shown where upstream shows
-- its integer `id`; ids of imported rows are not in that order.

CREATE TABLE upstream_boards (
    board TEXT NOT NULL PRIMARY KEY REFERENCES boards (id) ON DELETE CASCADE,
    code TEXT UNIQUE,
    kind TEXT,
    mobile BIGINT NOT NULL,
    config TEXT NOT NULL,
    extra TEXT NOT NULL,
    connectivity TEXT NOT NULL,
    legacy BIGINT NOT NULL,
    connected_once BIGINT NOT NULL,
    agent TEXT
);

ALTER TABLE plugins ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';
ALTER TABLE services ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';
ALTER TABLE fleets ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';

ALTER TABLE projects ADD COLUMN allow_legacy BIGINT NOT NULL DEFAULT 0;

ALTER TABLE boards ADD COLUMN serial BIGINT NOT NULL DEFAULT 0;
ALTER TABLE plugins ADD COLUMN serial BIGINT NOT NULL DEFAULT 0;
ALTER TABLE services ADD COLUMN serial BIGINT NOT NULL DEFAULT 0;
ALTER TABLE fleets ADD COLUMN serial BIGINT NOT NULL DEFAULT 0;
UPDATE boards SET serial = counted.serial
    FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS serial FROM boards) AS counted WHERE counted.id = boards.id;
UPDATE plugins SET serial = counted.serial
    FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS serial FROM plugins) AS counted WHERE counted.id = plugins.id;
UPDATE services SET serial = counted.serial
    FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS serial FROM services) AS counted WHERE counted.id = services.id;
UPDATE fleets SET serial = counted.serial
    FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS serial FROM fleets) AS counted WHERE counted.id = fleets.id;
CREATE UNIQUE INDEX boards_by_serial ON boards (serial);
CREATE UNIQUE INDEX plugins_by_serial ON plugins (serial);
CREATE UNIQUE INDEX services_by_serial ON services (serial);
CREATE UNIQUE INDEX fleets_by_serial ON fleets (serial);
