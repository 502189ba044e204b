-- The schema as migration 0001 first made it.
CREATE TABLE refs (
	repository VARCHAR(100) NOT NULL,
	ref VARCHAR(512) NOT NULL,
	commit_id VARCHAR(64) NOT NULL,
	seen_at VARCHAR(32) NOT NULL,
	PRIMARY KEY (repository, ref)
);
CREATE TABLE changes (
	id INTEGER NOT NULL,
	repository VARCHAR(100) NOT NULL,
	ref VARCHAR(512) NOT NULL,
	commit_id VARCHAR(64) NOT NULL,
	"before" VARCHAR(64),
	seen_by VARCHAR(10) NOT NULL,
	seen_at VARCHAR(32) NOT NULL,
	status VARCHAR(10) NOT NULL,
	message TEXT DEFAULT '' NOT NULL,
	attempts INTEGER DEFAULT '0' NOT NULL,
	next_attempt_at VARCHAR(32),
	PRIMARY KEY (id),
	CONSTRAINT change_status CHECK (status IN ('Pending', 'Acted', 'Ignored', 'Refused', 'Superseded'))
);
CREATE INDEX changes_pending ON changes (next_attempt_at) WHERE status = 'Pending';
CREATE TABLE applications (
	name VARCHAR(100) NOT NULL,
	platform VARCHAR(10) NOT NULL,
	repository VARCHAR(100),
	file VARCHAR(1024),
	considered_commit VARCHAR(64),
	created_at VARCHAR(32) NOT NULL,
	PRIMARY KEY (name)
);
CREATE TABLE repositories (
	name VARCHAR(100) NOT NULL,
	last_seen_at VARCHAR(32),
	failures INTEGER DEFAULT '0' NOT NULL,
	last_error TEXT,
	PRIMARY KEY (name)
);
CREATE TABLE deployment_groups (
	id VARCHAR(36) NOT NULL,
	application VARCHAR(100) NOT NULL,
	name VARCHAR(100) NOT NULL,
	settings TEXT NOT NULL,
	position INTEGER DEFAULT '0' NOT NULL,
	target_revision TEXT,
	last_attempted VARCHAR(20),
	last_successful VARCHAR(20),
	created_at VARCHAR(32) NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT group_name UNIQUE (application, name),
	FOREIGN KEY(application) REFERENCES applications (name)
);
CREATE TABLE releases (
	id INTEGER NOT NULL,
	application VARCHAR(100) NOT NULL,
	change_id INTEGER,
	revision TEXT NOT NULL,
	created_at VARCHAR(32) NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT release_once UNIQUE (application, change_id),
	FOREIGN KEY(application) REFERENCES applications (name),
	FOREIGN KEY(change_id) REFERENCES changes (id)
);
CREATE TABLE deployments (
	id VARCHAR(20) NOT NULL,
	number INTEGER NOT NULL,
	application VARCHAR(100) NOT NULL,
	group_name VARCHAR(100) NOT NULL,
	group_id VARCHAR(36) NOT NULL,
	release_id INTEGER,
	change_id INTEGER,
	revision TEXT NOT NULL,
	previous_revision TEXT,
	appspec VARCHAR(255) NOT NULL,
	settings TEXT NOT NULL,
	options TEXT NOT NULL,
	creator VARCHAR(30) NOT NULL,
	status VARCHAR(12) NOT NULL,
	error TEXT,
	"rollback" TEXT,
	waiting_for TEXT,
	waiting_until VARCHAR(32),
	stop_requested BOOLEAN DEFAULT '0' NOT NULL,
	stop_rollback BOOLEAN,
	continue_requested BOOLEAN DEFAULT '0' NOT NULL,
	preparing BOOLEAN DEFAULT '0' NOT NULL,
	prepared TEXT,
	"plan" TEXT,
	step INTEGER DEFAULT '0' NOT NULL,
	hold_until VARCHAR(32),
	created_at VARCHAR(32) NOT NULL,
	started_at VARCHAR(32),
	completed_at VARCHAR(32),
	dirty BOOLEAN DEFAULT '1' NOT NULL,
	wake_at VARCHAR(32),
	sequence INTEGER DEFAULT '0' NOT NULL,
	hash VARCHAR(64) NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT deployment_status CHECK (status IN ('Created', 'Queued', 'InProgress', 'Succeeded', 'Failed', 'Stopped')),
	UNIQUE (number),
	FOREIGN KEY(group_id) REFERENCES deployment_groups (id),
	FOREIGN KEY(release_id) REFERENCES releases (id),
	FOREIGN KEY(change_id) REFERENCES changes (id)
);
CREATE UNIQUE INDEX one_active_deployment_per_group ON deployments (group_id) WHERE status IN ('Queued', 'InProgress');
CREATE INDEX deployments_of_group ON deployments (group_id, number);
CREATE INDEX deployments_of_release ON deployments (release_id);
CREATE INDEX deployments_timers ON deployments (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX deployments_dirty ON deployments (dirty) WHERE dirty;
CREATE INDEX deployments_unfinished ON deployments (status) WHERE status IN ('Created', 'Queued', 'InProgress');
CREATE TABLE instance_health (
	group_id VARCHAR(36) NOT NULL,
	target VARCHAR(100) NOT NULL,
	healthy BOOLEAN NOT NULL,
	revision VARCHAR(10) NOT NULL,
	PRIMARY KEY (group_id, target),
	FOREIGN KEY(group_id) REFERENCES deployment_groups (id)
)
 WITHOUT ROWID;
CREATE TABLE targets (
	deployment_id VARCHAR(20) NOT NULL,
	target VARCHAR(100) NOT NULL,
	position INTEGER NOT NULL,
	healthy BOOLEAN NOT NULL,
	host TEXT NOT NULL,
	status VARCHAR(12) NOT NULL,
	event INTEGER DEFAULT '-1' NOT NULL,
	event_status VARCHAR(12) NOT NULL,
	attempt INTEGER DEFAULT '0' NOT NULL,
	updated_at VARCHAR(32),
	PRIMARY KEY (deployment_id, target),
	FOREIGN KEY(deployment_id) REFERENCES deployments (id)
)
 WITHOUT ROWID;
CREATE TABLE lifecycle_events (
	deployment_id VARCHAR(20) NOT NULL,
	target VARCHAR(100) NOT NULL,
	event INTEGER NOT NULL,
	name VARCHAR(40) NOT NULL,
	attempt INTEGER NOT NULL,
	status VARCHAR(12) NOT NULL,
	started_at VARCHAR(32),
	ended_at VARCHAR(32),
	diagnostics TEXT,
	PRIMARY KEY (deployment_id, target, event),
	FOREIGN KEY(deployment_id) REFERENCES deployments (id)
)
 WITHOUT ROWID;
CREATE TABLE journal (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	deployment_id VARCHAR(20) NOT NULL,
	sequence INTEGER NOT NULL,
	at VARCHAR(32) NOT NULL,
	kind VARCHAR(60) NOT NULL,
	target VARCHAR(100),
	lifecycle_event VARCHAR(40),
	attempt INTEGER,
	details JSON NOT NULL,
	previous_hash VARCHAR(64) NOT NULL,
	hash VARCHAR(64) NOT NULL,
	CONSTRAINT journal_sequence UNIQUE (deployment_id, sequence),
	FOREIGN KEY(deployment_id) REFERENCES deployments (id)
);
CREATE TABLE outbox (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	deployment_id VARCHAR(20) NOT NULL,
	"to" VARCHAR(512) NOT NULL,
	event VARCHAR(30) NOT NULL,
	subject TEXT NOT NULL,
	body JSON NOT NULL,
	created_at VARCHAR(32) NOT NULL,
	status VARCHAR(10) DEFAULT 'Pending' NOT NULL,
	attempts INTEGER DEFAULT '0' NOT NULL,
	next_attempt_at VARCHAR(32),
	last_error TEXT,
	sent_at VARCHAR(32),
	CONSTRAINT outbox_status CHECK (status IN ('Pending', 'Sent', 'Failed')),
	FOREIGN KEY(deployment_id) REFERENCES deployments (id)
);
CREATE INDEX outbox_due ON outbox (next_attempt_at) WHERE status = 'Pending';
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0001');
