-- Schema 3. What happened hour by hour; hours are counted from the Unix epoch. A program of an older schema counts none.
create table hour_words (
    hour bigint not null, endpoint int not null, word text not null, number bigint not null,
    primary key (hour, endpoint, word)
) with (fillfactor = 50);
create table hour_types (
    hour bigint not null, endpoint int not null, type text not null, number bigint not null,
    primary key (hour, endpoint, type)
) with (fillfactor = 50);
create table hour_routes (
    hour bigint not null, endpoint int not null, sink int not null, delivered bigint not null, parked bigint not null,
    skipped bigint not null, failed_attempts bigint not null, primary key (hour, endpoint, sink)
) with (fillfactor = 50);
create table hour_latencies (
    hour bigint not null, sink int not null, bucket int not null, number bigint not null,
    primary key (hour, sink, bucket)
) with (fillfactor = 50);
