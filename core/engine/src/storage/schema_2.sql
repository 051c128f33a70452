-- Schema 2. Rows of state carry the `seq` of the event that last changed them.

CREATE TABLE hub (
  one         INTEGER PRIMARY KEY CHECK (one = 1),
  format      INTEGER NOT NULL,
  min_reader  INTEGER NOT NULL,
  min_writer  INTEGER NOT NULL,
  hub_id      BLOB    NOT NULL,
  created_at  INTEGER NOT NULL,
  base_seq    INTEGER NOT NULL,   -- the last event that retention took; 0 while the log is whole
  base_hash   BLOB    NOT NULL
) STRICT;

-- The log: durable events, each hashed onto the one before.
CREATE TABLE event (
  seq         INTEGER PRIMARY KEY,
  kind        TEXT NOT NULL,
  time        INTEGER NOT NULL,
  principal   TEXT NOT NULL,
  subject     TEXT,               -- a memory key, the type of a published event, or the task at the top of a tree
  agent_id    TEXT,
  session_id  TEXT,
  task_id     TEXT,
  targets     TEXT,               -- JSON array of agent ids
  correlation TEXT,
  data        TEXT NOT NULL,
  hash        BLOB NOT NULL
) STRICT;

-- Relaxed events: unchained, kept for minutes, of the same count of `seq`.
CREATE TABLE pulse (
  seq         INTEGER PRIMARY KEY,
  kind        TEXT NOT NULL,
  time        INTEGER NOT NULL,
  principal   TEXT NOT NULL,
  subject     TEXT,
  agent_id    TEXT,
  session_id  TEXT,
  task_id     TEXT,
  targets     TEXT,
  correlation TEXT,
  data        TEXT NOT NULL
) STRICT;

CREATE TABLE idem (
  principal   TEXT NOT NULL,
  op          TEXT NOT NULL,
  key         TEXT NOT NULL,
  input_hash  BLOB NOT NULL,
  answer      TEXT NOT NULL,
  time        INTEGER NOT NULL,
  PRIMARY KEY (principal, op, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idem_time ON idem (time);

-- One incarnation of a process that holds leases; one row renews all of them.
CREATE TABLE holder (
  holder      TEXT PRIMARY KEY,
  pid         INTEGER NOT NULL,
  ttl_ms      INTEGER NOT NULL,
  renewals    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE agent (
  agent_id    TEXT PRIMARY KEY,
  body        TEXT NOT NULL,
  seq         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- An agent is present while a counter moves: its own or its holder's. Counters are outside the fold.
CREATE TABLE presence (
  agent_id    TEXT PRIMARY KEY,
  status      TEXT NOT NULL,
  body        TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  holder      TEXT,
  renewals    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
  seq         INTEGER PRIMARY KEY,  -- of the event that sent it
  message_id  TEXT NOT NULL UNIQUE,
  sender_id   TEXT NOT NULL,
  thread_id   TEXT NOT NULL,
  type        TEXT NOT NULL,
  time        INTEGER NOT NULL,
  open        INTEGER NOT NULL,     -- 2: for all; 1: of a session; 0: for those it names
  session_id  TEXT,
  body        TEXT NOT NULL,
  changed     INTEGER NOT NULL      -- seq of the event that last changed it
) STRICT;
CREATE INDEX message_thread ON message (thread_id, seq);

-- Where a message is found: `*` or `agent:<id>` for whom it is, `session:<id>`, `channel:<session>\t<name>` and
-- `task:<id>` for what it is of.
CREATE TABLE delivery (
  audience    TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  PRIMARY KEY (audience, seq)
) STRICT, WITHOUT ROWID;

-- An agent's inbox: begins after `start` (when it registered); up to `upto` nothing is unread. Outside the fold.
CREATE TABLE inbox (
  agent_id    TEXT PRIMARY KEY,
  start       INTEGER NOT NULL,
  upto        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What an agent has read past `upto`, one row a message. Outside the fold.
CREATE TABLE read_mark (
  agent_id    TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  time        INTEGER NOT NULL,
  PRIMARY KEY (agent_id, seq)
) STRICT, WITHOUT ROWID;

-- What users record as done by agents; the engine's own entries of the feed are a view over `event`.
CREATE TABLE activity (
  seq         INTEGER PRIMARY KEY,  -- of the event that recorded it
  activity_id TEXT NOT NULL UNIQUE,
  agent_id    TEXT NOT NULL,
  open        INTEGER NOT NULL,     -- 1 until it is completed
  took_ms     INTEGER,              -- from its start to its completion
  body        TEXT NOT NULL,
  changed     INTEGER NOT NULL      -- seq of the event that last changed it
) STRICT;
CREATE INDEX activity_open ON activity (open) WHERE open = 1;
CREATE INDEX activity_open_of ON activity (agent_id) WHERE open = 1;

-- The feed, for finding: one row for each recorded activity and for each event that shows as one. Fed behind the log up
-- to `feed_upto`. Outside the fold.
CREATE TABLE feed (
  seq         INTEGER PRIMARY KEY,  -- of the event
  kind        TEXT,                 -- of the event; null for what was recorded
  time        INTEGER NOT NULL,
  agent_id    TEXT,
  department  TEXT,
  type        TEXT NOT NULL,
  session_id  TEXT,
  task_id     TEXT,
  key         TEXT,                 -- the event's subject: a memory key
  everyone    INTEGER NOT NULL,     -- 1 when the event is for all
  took_ms     INTEGER,
  body        TEXT                  -- null for what was recorded: that is in `activity`
) STRICT;
CREATE INDEX feed_agent ON feed (agent_id);
CREATE INDEX feed_type ON feed (type);
CREATE INDEX feed_department ON feed (department) WHERE department IS NOT NULL;
CREATE INDEX feed_session ON feed (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX feed_task ON feed (task_id) WHERE task_id IS NOT NULL;
CREATE TABLE feed_related (
  agent_id    TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  PRIMARY KEY (agent_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX feed_related_seq ON feed_related (seq);
CREATE VIRTUAL TABLE feed_fts USING fts5 (
  words, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TABLE feed_upto (
  one         INTEGER PRIMARY KEY CHECK (one = 1),
  seq         INTEGER NOT NULL
) STRICT;
INSERT INTO feed_upto VALUES (1, 0);

CREATE TABLE session (
  session_id  TEXT PRIMARY KEY,
  n           INTEGER NOT NULL,     -- seq of the event that started it: its age
  state       TEXT NOT NULL,
  open        INTEGER NOT NULL,     -- 1: active, and whoever wants may join
  body        TEXT NOT NULL,
  seq         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_age ON session (n);
CREATE INDEX session_active ON session (n) WHERE state = 'active';

-- Who is in a session; `joined = 0` for those who were only invited. Written anew with each event of the session.
CREATE TABLE member (
  session_id  TEXT NOT NULL,
  agent_id    TEXT NOT NULL,
  joined      INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  PRIMARY KEY (session_id, agent_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE channel (
  session_id  TEXT NOT NULL,
  channel     TEXT NOT NULL,
  body        TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  PRIMARY KEY (session_id, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE decision (
  session_id  TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  decision_id TEXT NOT NULL,
  body        TEXT NOT NULL,
  PRIMARY KEY (session_id, seq)
) STRICT, WITHOUT ROWID;

-- The newest shared state of each session; what older versions changed is in the log, linked by `previous_seq`.
CREATE TABLE session_state (
  session_id  TEXT PRIMARY KEY,
  version     INTEGER NOT NULL,
  body        TEXT NOT NULL,
  seq         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Clients that are connected to a session while their process beats. Outside the fold.
CREATE TABLE client (
  session_id  TEXT NOT NULL,
  client_id   TEXT NOT NULL,
  agent_id    TEXT,
  holder      TEXT NOT NULL,
  token       INTEGER NOT NULL,
  PRIMARY KEY (session_id, client_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX client_holder ON client (holder);

-- When a participant posted within the span of a rate: eight bytes each, milliseconds. Outside the fold.
CREATE TABLE session_rate (
  session_id  TEXT NOT NULL,
  agent_id    TEXT NOT NULL,
  times       BLOB NOT NULL,
  PRIMARY KEY (session_id, agent_id)
) STRICT, WITHOUT ROWID;

-- Distinct sets of required capabilities: a claim looks at the sets its agent satisfies.
CREATE TABLE reqset (
  reqset      INTEGER PRIMARY KEY,
  requires    TEXT NOT NULL UNIQUE  -- JSON array, sorted
) STRICT;

-- What the newest event of a task says is not repeated in its row: the view `task` reads it from the log.
CREATE TABLE task_row (
  n           INTEGER PRIMARY KEY,  -- seq of the event that created it: its age
  task_id     TEXT NOT NULL UNIQUE,
  status      TEXT NOT NULL,
  open        INTEGER NOT NULL,     -- 1: whoever is capable may claim it; 2: only its assignee may; 0: nobody
  reqset      INTEGER NOT NULL,
  priority    INTEGER NOT NULL,     -- and one more for each time that it was raised
  due         INTEGER NOT NULL,     -- milliseconds; the largest integer when there is none
  assignee    TEXT,                 -- who holds it or for whom it is reserved
  session_id  TEXT,
  parent_id   TEXT,
  wake_at     INTEGER,              -- when a back-off ends, or the due date passes
  took_ms     INTEGER,              -- from claim to completion
  token       INTEGER NOT NULL,
  auto        INTEGER NOT NULL,     -- 1: waits for the engine to choose its agent
  aside       TEXT,                 -- what its newest event says, once retention has taken that
  seq         INTEGER NOT NULL,
  -- A held task is leased while a counter moves: its own, its agent's or its agent's holder's. Outside the fold.
  lease_ms    INTEGER NOT NULL DEFAULT 0,
  renewals    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX task_open ON task_row (reqset, priority DESC, due, n) WHERE open = 1;
CREATE INDEX task_reserved ON task_row (assignee, priority DESC, due, n) WHERE open = 2;
CREATE INDEX task_status ON task_row (status, n);
CREATE INDEX task_agent ON task_row (assignee, status) WHERE assignee IS NOT NULL;
CREATE INDEX task_parent ON task_row (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX task_session ON task_row (session_id, n) WHERE session_id IS NOT NULL;
CREATE INDEX task_auto ON task_row (n) WHERE auto = 1;
CREATE INDEX task_wake ON task_row (wake_at) WHERE wake_at IS NOT NULL;
CREATE VIEW task AS
  SELECT t.*, ifnull(t.aside, (SELECT data FROM event e WHERE e.seq = t.seq)) AS body FROM task_row t;

CREATE TABLE dep (
  task_id     TEXT NOT NULL,
  depends_on  TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  PRIMARY KEY (task_id, depends_on)
) STRICT, WITHOUT ROWID;
CREATE INDEX dep_of ON dep (depends_on);

-- The head of each key; a deleted key's head has `gone = 1`. What it says is in the log (view `memory`), and so are the
-- older versions, linked by `previous_seq`.
CREATE TABLE memory_head (
  key         TEXT PRIMARY KEY,
  version     INTEGER NOT NULL,
  gone        INTEGER NOT NULL,
  expires_at  INTEGER,
  created_by  TEXT,
  created_at  INTEGER NOT NULL,
  seq         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX memory_expires ON memory_head (expires_at) WHERE expires_at IS NOT NULL;

-- Versions that are still kept although retention has taken their events.
CREATE TABLE memory_old (
  seq         INTEGER PRIMARY KEY,
  key         TEXT NOT NULL,
  version     INTEGER NOT NULL,
  body        TEXT NOT NULL
) STRICT;
CREATE VIEW memory AS
  SELECT m.*, ifnull((SELECT data FROM event e WHERE e.seq = m.seq),
                     (SELECT body FROM memory_old o WHERE o.seq = m.seq)) AS body FROM memory_head m;

-- Who may read and write the keys under a prefix; `exact` rules name one key.
CREATE TABLE acl (
  prefix      TEXT NOT NULL,
  exact       INTEGER NOT NULL,
  body        TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  PRIMARY KEY (prefix, exact)
) STRICT, WITHOUT ROWID;

CREATE TABLE consumer (
  name        TEXT PRIMARY KEY,
  filter      TEXT NOT NULL,
  acked       INTEGER NOT NULL,
  time        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Full-text indexes are fed behind the log, up to this `seq`.
CREATE TABLE fts_upto (
  one         INTEGER PRIMARY KEY CHECK (one = 1),
  seq         INTEGER NOT NULL
) STRICT;
CREATE VIRTUAL TABLE message_fts USING fts5 (content, tokenize = 'unicode61 remove_diacritics 2');
CREATE TABLE memory_doc (
  doc         INTEGER PRIMARY KEY,
  key         TEXT NOT NULL UNIQUE
) STRICT;
CREATE VIRTUAL TABLE memory_fts USING fts5 (key, value, tokenize = 'unicode61 remove_diacritics 2');
