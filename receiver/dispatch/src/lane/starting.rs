//! Which delivery of a lane goes next, and whether one may.
use std::time::Duration;

use boathook_event::{Flow, Seq};

use super::{Known, Lane, State};
use crate::{BreakerState, Command, Now, keys::Turn, limits::RETRIES_IN_A_ROW_MAX, turns::Turns};

/// What may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It was tried before.
    Retry,
    Fresh,
    /// It was armed again.
    Armed,
}

impl Lane {
    /// Starts what may go.
    pub(super) fn start(&mut self, now: Now, out: &mut Vec<Command>) {
        self.fall_due(now);
        while self.may_start(now.monotonic) {
            let Some(seq) = self.next(now) else { break };
            if self.end_if_over(seq, now, out) {
                continue;
            }
            let Some(known) = self.known.get_mut(&seq) else { continue };
            known.state = State::InFlight;
            self.in_flight += 1;
            self.breaker.started();
            self.rate.spend(now.monotonic, self.settings.attempts_per_minute);
            let per_tenant = self.settings.attempts_per_tenant_per_minute;
            if per_tenant.is_some() {
                self.tenants.spend(known.delivery.flow(), per_tenant, now.monotonic);
            }
            out.push(Command::Deliver {
                delivery: known.delivery.clone(),
                attempt: known.delivery.attempts + 1,
            });
        }
    }

    fn may_start(&mut self, now: Duration) -> bool {
        let may = self.starts_at().is_some_and(|at| at <= now);
        if may {
            self.breaker.admit();
        }
        may
    }

    /// From when another attempt may begin; a time that has passed: now. `None`: not before something happens.
    pub(super) fn starts_at(&self) -> Option<Duration> {
        let Self { settings, breaker, rate, .. } = self;
        let breaker = breaker.admits_at(self.in_flight, settings.concurrency.max(1))?;
        let rate = rate.next_at(settings.attempts_per_minute).unwrap_or_default();
        (!settings.suspend && !settings.paused).then_some(breaker.max(rate))
    }

    /// The next to go. What it finds on the way that must wait for others of its key is put aside.
    fn next(&mut self, now: Now) -> Option<Seq> {
        while let Some(seq) = self.candidate(now) {
            let Some(known) = self.known.get(&seq) else { continue };
            let Some(key) = known.delivery.lane_key() else { return Some(seq) };
            let (bytes, tried) = (known.delivery.event.body.len(), known.delivery.due.is_some());
            match self.keys.turn(key, seq, bytes, tried) {
                Turn::Go => return Some(seq),
                Turn::Wait => {}
                Turn::Leave | Turn::Full => _ = self.leave(seq),
            }
        }
        None
    }

    /// The next whose turn it is. What is of a tenant that is at its rate is put off.
    fn candidate(&mut self, now: Now) -> Option<Seq> {
        loop {
            let kind = self.next_kind(now.monotonic);
            let seq = self.turns(kind).pop(now.monotonic)?;
            // A read of its key may have shown it meanwhile.
            if !self.is_ready(seq) {
                continue;
            }
            let Some((flow, until)) = self.rests(seq, now) else {
                let retries = self.retries_in_a_row.saturating_add(1);
                self.retries_in_a_row = if kind == Kind::Retry { retries } else { 0 };
                return Some(seq);
            };
            self.turns(kind).rest(flow, seq, until);
        }
    }

    /// Due retries before fresh ones, but no more than a few in a row; what is armed again after both.
    fn next_kind(&mut self, now: Duration) -> Kind {
        // A probe tries another one than those that have failed, where there is one.
        let probes = self.breaker.state() == BreakerState::HalfOpen;
        let enough = probes || self.retries_in_a_row >= RETRIES_IN_A_ROW_MAX;
        match (self.retries.has_turn(now), self.fresh.has_turn(now)) {
            (true, true) if enough => Kind::Fresh,
            (true, _) => Kind::Retry,
            (false, true) => Kind::Fresh,
            (false, false) => Kind::Armed,
        }
    }

    /// Forgets the turns of what is not ready any more.
    pub(super) fn forget_turns(&mut self) {
        let Self { retries, fresh, armed, known, .. } = self;
        let is_ready = |seq: &Seq| known.get(seq).is_some_and(Known::is_ready);
        [retries, fresh, armed].into_iter().for_each(|turns| turns.retain(is_ready));
    }

    fn turns(&mut self, kind: Kind) -> &mut Turns {
        match kind {
            Kind::Retry => &mut self.retries,
            Kind::Fresh => &mut self.fresh,
            Kind::Armed => &mut self.armed,
        }
    }

    /// Until when it must wait, since its tenant is at its rate.
    fn rests(&self, seq: Seq, now: Now) -> Option<(Flow, Duration)> {
        let per_minute = self.settings.attempts_per_tenant_per_minute;
        per_minute?;
        let flow = self.known.get(&seq)?.delivery.flow();
        Some((flow, self.tenants.rests_until(flow, per_minute, now.monotonic)?))
    }

    pub(super) fn is_ready(&self, seq: Seq) -> bool {
        self.known.get(&seq).is_some_and(Known::is_ready)
    }
}
