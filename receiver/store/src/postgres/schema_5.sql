-- Schema 5. Whose turn it is: counts as long as a delivery was never tried. Those of before are one flow, and so are those of programs
-- of schema 4.
alter table pending add column flow bigint not null default 0;
create index pending_by_flow on pending (sink, flow, seq) where due is null;
create index blocking_by_key on blocking (sink, key, seq);
