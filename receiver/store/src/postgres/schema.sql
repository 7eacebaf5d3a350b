-- Schema 1. Times are Unix microseconds, by the database's clock where something expires.
-- One row: what there is, and the lock under which everything is written.
create table store (
    one boolean primary key default true check (one),
    -- The schema, and the schema of the oldest program that can work with it.
    schema int not null,
    readable_by int not null,
    last_seq bigint not null default 0,
    events bigint not null default 0
) with (fillfactor = 20);
-- Who may deliver, one row a partition. An outcome of another epoch than the last is refused.
create table leases (
    part int primary key,
    holder text not null,
    epoch bigint not null,
    ends timestamptz not null
) with (fillfactor = 20);
-- Endpoints and sinks.
create table names (id int generated always as identity primary key, name text not null unique);
-- sinks: the names of all its sinks, four bytes each, lowest byte first; the highest bit says whether the sink gets them in
-- the order of their keys. Bodies stay in their row up to 8 KiB, and are never compressed.
create table events (
    seq bigint primary key, uid uuid not null unique, endpoint int not null, received bigint not null, idx int not null,
    id text, type text, key text, tenant text, entity text, sinks bytea not null, head bytea not null, body bytea not null
) with (toast_tuple_target = 8160);
alter table events alter column body set storage external, alter column head set storage external;
create index events_by_endpoint on events (endpoint, seq);
-- What repetitions are known by; outlives the events. body is empty where it does not matter.
create table dedupe (
    hash bytea not null, body bytea not null, seq bigint not null, expires bigint not null, primary key (hash, body)
) partition by hash (hash);
create index dedupe_expired on dedupe (expires);
-- What is still to be delivered. due is null until the first attempt has failed; key is null where order is not kept.
create table pending (
    sink int not null, seq bigint not null, attempts int not null, due bigint, key text, replay int not null,
    primary key (sink, seq)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
create index pending_due on pending (sink, due, seq) where due is not null;
create index pending_by_key on pending (sink, key, seq) where key is not null;
-- outcome: delivered, already_there or why it was parked. A delivery that is delivered again has a row more, with the next
-- replay; at most the last one of a sink is parked, or pending.
create table deliveries (
    seq bigint not null, sink int not null, replay int not null, outcome text not null, attempts int not null,
    completed bigint not null, primary key (seq, sink, replay)
);
create index deliveries_parked on deliveries (seq) where outcome not in ('delivered', 'already_there');
create table failures (
    seq bigint not null, sink int not null, replay int not null, number int not null, started bigint not null,
    millis bigint not null, kind text not null, permanent boolean not null, status int, retry_after_millis bigint,
    message text not null, primary key (seq, sink, replay, number)
);
-- Totals.
create table words (
    endpoint int not null, word text not null, number bigint not null, primary key (endpoint, word)
) with (fillfactor = 20);
create table routes (
    endpoint int not null, sink int not null, delivered bigint not null, parked bigint not null, pending bigint not null,
    failed_attempts bigint not null, erased bigint not null, primary key (endpoint, sink)
) with (fillfactor = 20);
-- Requests that were refused.
create table rejected (
    number bigint generated always as identity primary key, endpoint int not null, received bigint not null,
    code text not null, status int not null, source text not null, diagnosis text not null
);
create index rejected_by_endpoint on rejected (endpoint, number);
-- The last commit of each writer that added counts: it tells, when an answer was lost, whether they are in.
create table writers (writer text primary key, number bigint not null, at timestamptz not null) with (fillfactor = 20);
