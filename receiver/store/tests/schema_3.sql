    create table meta (key text primary key, value integer not null) without rowid;
    create table names (id integer primary key, name text not null unique);
    create table events (
        seq integer primary key, uid blob not null unique, endpoint integer not null, received integer not null,
        idx integer not null, id text, type text, key text, tenant text, entity text,
        sinks blob not null, head blob not null, body blob not null
    );
    create index events_by_endpoint on events (endpoint);
    create table dedupe (
        hash blob not null, body blob not null, seq integer not null, expires integer not null,
        primary key (hash, body)
    ) without rowid;
    create table pending (
        sink integer not null, seq integer not null, attempts integer not null, due integer, key text,
        replay integer not null default 0, primary key (sink, seq)
    ) without rowid;
    create index pending_due on pending (sink, due) where due is not null;
    create index pending_by_key on pending (sink, key, seq) where key is not null;
    create table words (
        endpoint integer not null, word text not null, number integer not null, primary key (endpoint, word)
    ) without rowid;
    create table routes (
        endpoint integer not null, sink integer not null, delivered integer not null, parked integer not null,
        pending integer not null, failed_attempts integer not null, erased integer not null default 0,
        primary key (endpoint, sink)
    ) without rowid;
    insert into meta (key, value) values ('schema', 3), ('last_seq', 0), ('events', 0), ('epoch', 0);
    create table deliveries (
        seq integer not null, sink integer not null, replay integer not null, outcome text not null,
        attempts integer not null, completed integer not null, primary key (seq, sink, replay)
    ) without rowid;
    create index deliveries_parked on deliveries (seq) where outcome not in ('delivered', 'already_there');
    create table failures (
        seq integer not null, sink integer not null, replay integer not null, number integer not null,
        started integer not null, millis integer not null, kind text not null, permanent integer not null,
        status integer, retry_after_millis integer, message text not null,
        primary key (seq, sink, replay, number)
    ) without rowid;
    create table rejected (
        number integer primary key, endpoint integer not null, received integer not null, code text not null,
        status integer not null, source text not null, diagnosis text not null
    );
    create index rejected_by_endpoint on rejected (endpoint);
