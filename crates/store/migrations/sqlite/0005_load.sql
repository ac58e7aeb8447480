-- What boards reported in the last hours: one row for each board and hour, to which lines are appended.
CREATE TABLE board_load (
    hour BIGINT NOT NULL,
    board TEXT NOT NULL,
    samples TEXT NOT NULL,
    PRIMARY KEY (hour, board)
);
