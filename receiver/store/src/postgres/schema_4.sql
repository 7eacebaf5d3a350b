-- Schema 4. Several receivers deliver at once, each some partitions. A program of schema 3 knows no partitions: it can neither
-- store nor deliver with this one.
alter table pending
    -- Whose it is.
    add column part int;
drop index pending_due;
create index pending_due on pending (sink, part, due, seq) where due is not null;
alter table store
    -- Rises when deliveries are armed again.
    add column armed bigint not null default 0;
-- Who lives and delivers, until when unless it says so again.
create table receivers (name text primary key, ends timestamptz not null) with (fillfactor = 20);
-- Who holds a partition: nobody where holder is empty, or lives no longer. Each claim has another epoch, over all partitions: an
-- outcome with one that is not here is refused.
alter table leases drop column ends;
