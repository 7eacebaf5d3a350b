-- Schema 2. Bytes that wait, counted; deliveries that are left out; parked ones that hold their keys. A program of schema 1
-- takes what was left out for parked, counts no bytes, and lets no key wait.
alter table pending
    -- Of the body.
    add column bytes bigint not null default 0,
    -- Once it is parked, it holds its key.
    add column blocks boolean not null default false;
alter table routes
    add column skipped bigint not null default 0,
    -- Of the bodies of what is pending.
    add column pending_bytes bigint not null default 0;
update pending p set bytes = octet_length(e.body) from events e where e.seq = p.seq;
update routes r set pending_bytes = waiting.bytes
from (
    select e.endpoint, p.sink, sum(p.bytes) as bytes from pending p join events e on e.seq = p.seq group by e.endpoint, p.sink
) waiting where waiting.endpoint = r.endpoint and waiting.sink = r.sink;
-- Parked deliveries that hold their keys, until they are delivered, skipped or gone, also while they are armed again.
create table blocking (seq bigint not null, sink int not null, key text not null, primary key (sink, seq));
create index blocking_by_event on blocking (seq);
-- outcome may be skipped, too. The older index stays for programs of schema 1.
create index deliveries_put_aside on deliveries (seq) where outcome not in ('delivered', 'already_there', 'skipped');
