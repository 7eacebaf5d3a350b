-- Schema 7. What was erased lately, for receivers that may have it in memory. A program of an older schema tells nobody.
create table erased (
    number bigint generated always as identity primary key,
    seq bigint not null,
    at timestamptz not null default now()
);
