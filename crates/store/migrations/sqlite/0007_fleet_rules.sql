-- A fleet may pick boards by a rule besides those that were put into it. Who is in is never stored: the view says it.
ALTER TABLE fleets ADD COLUMN rule TEXT;
CREATE INDEX fleets_with_rule ON fleets (project, id) WHERE rule IS NOT NULL;

-- The rule, term by term; `words` holds the values between bars (`|north|east|`), nothing when any value will do.
CREATE TABLE fleet_terms (
    fleet TEXT NOT NULL REFERENCES fleets (id) ON DELETE CASCADE,
    place BIGINT NOT NULL,
    key TEXT NOT NULL,
    words TEXT,
    wanted BIGINT NOT NULL,
    PRIMARY KEY (fleet, place)
);

CREATE VIEW fleet_members (fleet, board) AS
SELECT b.fleet, b.id FROM boards b WHERE b.fleet IS NOT NULL
UNION ALL
SELECT f.id, b.id FROM fleets f JOIN boards b ON b.project = f.project
WHERE f.rule IS NOT NULL AND (b.fleet IS NULL OR b.fleet <> f.id)
  AND NOT EXISTS (
    SELECT 1 FROM fleet_terms t WHERE t.fleet = f.id AND t.wanted <> (
      SELECT COUNT(*) FROM board_labels l WHERE l.board = b.id AND l.key = t.key
        AND (t.words IS NULL OR REPLACE(t.words, '|' || l.value || '|', '') <> t.words)));
