-- The first shape: one table per noun of the domain. Documents that are only ever read whole are
-- `json` (not jsonb, which cannot hold the NUL characters that hostile text may carry).

CREATE TABLE app (
  name text PRIMARY KEY,
  default_branch text NOT NULL,
  created_at bigint NOT NULL
);

CREATE TABLE env_version (
  app text NOT NULL REFERENCES app,
  version integer NOT NULL,
  sealed bytea NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (app, version)
);

CREATE TABLE release (
  app text NOT NULL REFERENCES app,
  number integer NOT NULL,
  "commit" text NOT NULL,
  image_id text NOT NULL,
  config json NOT NULL,
  env_version integer NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (app, number)
);

CREATE SEQUENCE deployment_number;
CREATE TABLE deployment (
  id text PRIMARY KEY DEFAULT nextval('deployment_number')::text,
  ordinal bigint GENERATED ALWAYS AS IDENTITY,
  app text NOT NULL REFERENCES app,
  "commit" text NOT NULL,
  branch text NOT NULL,
  release_number integer,
  status text NOT NULL,
  reason text,
  started_at bigint NOT NULL,
  ended_at bigint
);
CREATE INDEX deployment_of_app ON deployment (app, ordinal DESC);

CREATE TABLE deployment_log (
  deployment_id text NOT NULL REFERENCES deployment,
  ordinal bigint GENERATED ALWAYS AS IDENTITY,
  line text NOT NULL,
  PRIMARY KEY (deployment_id, ordinal)
);

CREATE TABLE instance (
  id text PRIMARY KEY,
  app text NOT NULL REFERENCES app,
  release_number integer NOT NULL,
  deployment_id text NOT NULL,
  container_id text NOT NULL,
  anchor_id text NOT NULL,
  netns bigint NOT NULL,
  address text NOT NULL,
  port integer NOT NULL,
  started_at bigint NOT NULL,
  healthy_at bigint,
  ended_at bigint
);
CREATE INDEX instance_of_app ON instance (app, started_at DESC);
CREATE INDEX instance_live ON instance (app) WHERE ended_at IS NULL;

CREATE TABLE recording (
  id text PRIMARY KEY,
  ordinal bigint GENERATED ALWAYS AS IDENTITY,
  kind text NOT NULL,
  app text NOT NULL,
  release_number integer NOT NULL,
  instance_id text NOT NULL,
  "from" bigint NOT NULL,
  "to" bigint NOT NULL,
  trigger_exchange_id text,
  call_exchange_ids json NOT NULL,
  causality text NOT NULL,
  prefix_exchange_ids json NOT NULL,
  exit json,
  route text,
  completeness json NOT NULL,
  stored_bytes bigint NOT NULL
);
CREATE INDEX recording_of_app ON recording (app, kind, "from" DESC);
CREATE INDEX recording_of_instance ON recording (instance_id, kind, "from" DESC);

CREATE TABLE interruption (
  ordinal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "from" bigint NOT NULL,
  "to" bigint,
  reason text NOT NULL
);

CREATE TABLE issue (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app text NOT NULL REFERENCES app,
  fingerprint text NOT NULL,
  title text NOT NULL,
  kind text NOT NULL,
  route text,
  status text NOT NULL,
  reason text,
  first_seen_at bigint NOT NULL,
  last_seen_at bigint NOT NULL,
  first_release integer NOT NULL,
  last_release integer NOT NULL,
  count integer NOT NULL,
  regressed_in integer,
  resolved_at bigint,
  UNIQUE (app, fingerprint)
);

CREATE SEQUENCE occurrence_number;
CREATE TABLE occurrence (
  id text PRIMARY KEY DEFAULT nextval('occurrence_number')::text,
  ordinal bigint GENERATED ALWAYS AS IDENTITY,
  issue_id integer NOT NULL REFERENCES issue,
  app text NOT NULL,
  release_number integer NOT NULL,
  instance_id text NOT NULL,
  at bigint NOT NULL,
  failure json NOT NULL,
  recording_id text
);
CREATE INDEX occurrence_of_issue ON occurrence (issue_id, at DESC, ordinal DESC);

CREATE TABLE reproduction (
  issue_id integer PRIMARY KEY REFERENCES issue,
  document json NOT NULL
);

CREATE TABLE attempt (
  issue_id integer NOT NULL REFERENCES issue,
  number integer NOT NULL,
  candidate json NOT NULL,
  verdict json,
  started_at bigint NOT NULL,
  ended_at bigint,
  PRIMARY KEY (issue_id, number)
);

CREATE TABLE change_request (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app text NOT NULL REFERENCES app,
  issue_id integer NOT NULL REFERENCES issue,
  attempt_number integer NOT NULL,
  forge text NOT NULL,
  branch text NOT NULL,
  "commit" text NOT NULL,
  title text NOT NULL,
  body text NOT NULL,
  status text NOT NULL,
  url text,
  created_at bigint NOT NULL,
  ended_at bigint
);
CREATE UNIQUE INDEX one_open_change_per_issue ON change_request (issue_id) WHERE status = 'open';

-- Which key seals this database's secrets, so that a wrong key is told apart from a broken value.
CREATE TABLE seal (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  key_check bytea NOT NULL
);

-- How often a server died while it held a job; see jobs.ts.
CREATE TABLE job_takeover (
  job_id uuid PRIMARY KEY,
  count integer NOT NULL
);
