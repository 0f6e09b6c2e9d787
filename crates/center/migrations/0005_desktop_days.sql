-- How many Desktops had which version on which day, for the chart: whoever is forgotten later has been counted.
CREATE TABLE desktop_days (
    day      TEXT    NOT NULL, -- YYYY-MM-DD, where the server is
    version  TEXT    NOT NULL, -- empty before the first installation
    platform TEXT    NOT NULL,
    desktops INTEGER NOT NULL,
    PRIMARY KEY (day, version, platform)
) STRICT, WITHOUT ROWID;
