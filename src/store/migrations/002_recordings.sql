-- What lists and commands ask for stays fast with a million recordings.
CREATE INDEX recording_newest ON recording ("from" DESC, ordinal DESC);
CREATE INDEX recording_of_route ON recording (app, route, "from" DESC, ordinal DESC);
CREATE INDEX recording_by_prefix ON recording (id COLLATE "C");
