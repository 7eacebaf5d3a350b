//! The rates of one sink's tenants: each may have so many attempts a minute, and one that has waits while the others go on.
use std::{collections::HashMap, num::NonZeroU32, time::Duration};

use boathook_event::Flow;

use crate::{
    limits::{TENANT_GROUPS, TENANTS_FORGET_PAUSE, TENANTS_MAX},
    rate::{Rate, between},
};

/// Their rates, by the number of the tenant. Who has not used any is not here.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    rates: HashMap<u64, Rate>,
    /// Not before that are those looked for again that are not used.
    forget_at: Duration,
}

impl Tenants {
    /// From when on another attempt of this flow's tenant may be made, if that is not now.
    pub(crate) fn rests_until(
        &self,
        flow: Flow,
        per_minute: Option<NonZeroU32>,
        now: Duration,
    ) -> Option<Duration> {
        let rate = self.rates.get(&self.place(flow)?)?;
        rate.next_at(per_minute).filter(|at| *at > now)
    }

    /// Whether one more of this flow may come into memory, where so many wait already: as many as can go at once. Else when it is
    /// worth while to look again: there is room for half as many as may go within a second.
    pub(crate) fn admit(
        &self,
        flow: Flow,
        waiting: usize,
        per_minute: Option<NonZeroU32>,
        now: Duration,
    ) -> Result<(), Duration> {
        let (Some(per_minute), Some(place)) = (per_minute, self.place(flow)) else { return Ok(()) };
        let idle = Rate::default();
        let rate = self.rates.get(&place).unwrap_or(&idle);
        let room = rate.room(now, per_minute);
        if waiting < room {
            return Ok(());
        }
        let half = (per_minute.get().div_ceil(60) / 2).max(1);
        let next = rate.next_at(Some(per_minute)).unwrap_or_default().max(now);
        Err(next + between(per_minute) * if room == 0 { half - 1 } else { half })
    }

    /// An attempt is made.
    pub(crate) fn spend(&mut self, flow: Flow, per_minute: Option<NonZeroU32>, now: Duration) {
        let Some(place) = self.place(flow).filter(|_| per_minute.is_some()) else { return };
        self.rates.entry(place).or_default().spend(now, per_minute);
        if self.rates.len() >= TENANTS_MAX && now >= self.forget_at {
            self.forget_at = now + TENANTS_FORGET_PAUSE;
            self.rates.retain(|_, rate| !rate.is_idle(now));
        }
    }

    /// Where its rate is. When too many tenants are known, those that are not share few.
    fn place(&self, flow: Flow) -> Option<u64> {
        let tenant = flow.tenant()?.get();
        let crowded = self.rates.len() >= TENANTS_MAX && !self.rates.contains_key(&tenant);
        Some(if crowded { tenant % TENANT_GROUPS } else { tenant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(tenant: u64) -> Flow {
        Flow::numbered(i64::try_from(tenant).unwrap())
    }

    const NOW: Duration = Duration::from_secs(1_000);

    #[test]
    fn a_tenant_that_has_used_its_rate_rests_and_another_does_not() {
        let (mut tenants, limit) = (Tenants::default(), NonZeroU32::new(60));
        assert_eq!(tenants.admit(flow(7), 0, limit, NOW), Ok(()));
        let later = NOW + Duration::from_secs(1);
        assert_eq!(tenants.admit(flow(7), 1, limit, NOW), Err(later));
        tenants.spend(flow(7), limit, NOW);
        assert_eq!(tenants.rests_until(flow(7), limit, NOW), Some(later));
        assert_eq!(tenants.admit(flow(7), 0, limit, NOW), Err(later));
        assert_eq!(
            (tenants.rests_until(flow(7), limit, later), tenants.admit(flow(7), 0, limit, later)),
            (None, Ok(()))
        );
        assert_eq!(
            (tenants.rests_until(flow(8), limit, NOW), tenants.admit(flow(8), 0, limit, NOW)),
            (None, Ok(()))
        );
    }

    #[test]
    fn who_has_no_tenant_and_a_sink_without_a_limit_never_rest() {
        let mut tenants = Tenants::default();
        for (of, limit) in [(flow(0), NonZeroU32::new(1)), (flow(7), None)] {
            (0..100).for_each(|_| tenants.spend(of, limit, NOW));
            assert_eq!(
                (tenants.rests_until(of, limit, NOW), tenants.admit(of, 99, limit, NOW)),
                (None, Ok(()))
            );
        }
    }

    #[test]
    fn the_rates_are_bounded_in_number_and_those_that_are_not_used_are_forgotten() {
        let (mut tenants, limit) = (Tenants::default(), NonZeroU32::new(1));
        let many = TENANTS_MAX as u64;
        (1..=2 * many).for_each(|tenant| tenants.spend(flow(tenant + TENANT_GROUPS), limit, NOW));
        assert!(tenants.rates.len() <= TENANTS_MAX + usize::try_from(TENANT_GROUPS).unwrap());
        assert!(tenants.rests_until(flow(2 * many + TENANT_GROUPS), limit, NOW).is_some());
        tenants.spend(flow(1), limit, NOW + Duration::from_secs(1_000_000));
        assert_eq!(tenants.rates.len(), 1);
    }
}
