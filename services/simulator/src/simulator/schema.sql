-- What Twilio would know. Times are seconds since 1970 in UTC.

CREATE TABLE IF NOT EXISTS accounts (
    sid TEXT PRIMARY KEY,
    auth_token TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS api_keys (
    sid TEXT PRIMARY KEY,
    account_sid TEXT NOT NULL REFERENCES accounts (sid),
    secret TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS senders (
    address TEXT PRIMARY KEY,
    account_sid TEXT NOT NULL REFERENCES accounts (sid),
    webhook_url TEXT NOT NULL,
    status_callback TEXT,
    name TEXT,
    service_sid TEXT
) STRICT;

CREATE TABLE IF NOT EXISTS opt_outs (
    sender TEXT NOT NULL,
    contact TEXT NOT NULL,
    PRIMARY KEY (sender, contact)
) STRICT, WITHOUT ROWID;

-- `version` rises with every change of the row, over all rows: who has seen version n asks for what
-- came after it. A message is on Twilio's list only from `listed_at` on.
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL,
    sid TEXT NOT NULL UNIQUE,
    account_sid TEXT NOT NULL,
    direction TEXT NOT NULL,
    sender TEXT NOT NULL,
    contact TEXT NOT NULL,
    body TEXT NOT NULL,
    media TEXT NOT NULL,
    service_sid TEXT,
    status TEXT NOT NULL,
    error_code INTEGER,
    created_at REAL NOT NULL,
    sent_at REAL,
    updated_at REAL NOT NULL,
    listed_at REAL NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS messages_of_a_conversation ON messages (sender, contact, version);
CREATE INDEX IF NOT EXISTS messages_of_an_account ON messages (account_sid, seq);
CREATE INDEX IF NOT EXISTS messages_by_version ON messages (version);

-- What comes true at `due_at`: a customer's message or a new status, and the webhook that tells of
-- it (none without a URL). Within a message they come true in the order of their ids.
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    message_sid TEXT NOT NULL REFERENCES messages (sid),
    status TEXT NOT NULL,
    error_code INTEGER,
    url TEXT,
    form TEXT NOT NULL,
    token TEXT NOT NULL,
    fault TEXT,
    due_at REAL NOT NULL,
    finished_at REAL,
    status_code INTEGER,
    failure TEXT
) STRICT;

CREATE INDEX IF NOT EXISTS deliveries_pending ON deliveries (due_at) WHERE finished_at IS NULL;
CREATE INDEX IF NOT EXISTS deliveries_pending_of_a_message ON deliveries (message_sid, id)
WHERE finished_at IS NULL;
CREATE INDEX IF NOT EXISTS deliveries_of_a_message ON deliveries (message_sid, id);

CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery_id INTEGER NOT NULL REFERENCES deliveries (id),
    at REAL NOT NULL,
    seconds REAL NOT NULL,
    status_code INTEGER,
    failure TEXT
) STRICT;

CREATE INDEX IF NOT EXISTS attempts_of_a_delivery ON attempts (delivery_id, id);

-- Every POST to the Messages resource, whatever became of it.
CREATE TABLE IF NOT EXISTS create_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    account_sid TEXT NOT NULL,
    recipient TEXT NOT NULL,
    sender TEXT NOT NULL,
    body TEXT NOT NULL,
    status_callback TEXT,
    part TEXT,
    correlation TEXT,
    fault TEXT,
    status_code INTEGER,
    error_code INTEGER,
    message_sid TEXT
) STRICT;

CREATE TABLE IF NOT EXISTS fault_plan (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    plan TEXT NOT NULL
) STRICT;
