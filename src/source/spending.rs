//! What requests that cost money may cost in a day. The sum is kept in the source's cursor, so that a restart does not
//! begin a new day's budget.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

/// Millionths of a dollar: sums of prices stay exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Micros(pub u64);

impl<'de> Deserialize<'de> for Micros {
    /// From dollars, 0 to a million.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let dollars = f64::deserialize(deserializer)?;
        if (0.0..=1e6).contains(&dollars) {
            Ok(Micros((dollars * 1e6).round() as u64))
        } else {
            Err(serde::de::Error::custom(format!("{dollars} is not within 0 and 1000000 dollars")))
        }
    }
}

/// What was spent on a day, in millionths of a dollar. Days are those of UTC. This is what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    pub day: NaiveDate,
    pub micros: u64,
}

/// A day's budget, and what of it is gone.
#[derive(Debug)]
pub struct Spending {
    a_day: u64,
    spent: Spent,
    /// For the request that is on its way; part of what is spent.
    reserved: u64,
}

impl Spending {
    pub fn new(a_day: Micros, stored: Option<Spent>) -> Spending {
        let spent = stored.unwrap_or(Spent { day: NaiveDate::MIN, micros: 0 });
        Spending { a_day: a_day.0, spent, reserved: 0 }
    }

    /// What is left of the day at `now`.
    pub fn left(&self, now: DateTime<Utc>) -> u64 {
        // A clock that was set back opens no new budget.
        let today = now.date_naive().max(self.spent.day);
        if today > self.spent.day { self.a_day } else { self.a_day.saturating_sub(self.spent.micros) }
    }

    /// When the next budget begins.
    pub fn renewed(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let today = now.date_naive().max(self.spent.day);
        let tomorrow = today.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
        tomorrow.and_time(NaiveTime::MIN).and_utc()
    }

    /// Spends what a request may cost at the most.
    pub fn reserve(&mut self, price: u64, now: DateTime<Utc>) {
        self.settle(0);
        let today = now.date_naive();
        if today > self.spent.day {
            self.spent = Spent { day: today, micros: 0 };
        }
        self.spent.micros += price;
        self.reserved = price;
    }

    /// Gives back what the request did not cost.
    pub fn settle(&mut self, price: u64) {
        let kept = price.min(self.reserved);
        self.spent.micros = self.spent.micros.saturating_sub(self.reserved - kept);
        self.reserved = 0;
    }

    /// Gives nothing back.
    pub fn keep(&mut self) {
        self.reserved = 0;
    }

    pub fn spent(&self) -> Spent {
        self.spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_new_day_is_a_new_budget_and_a_restart_is_not() {
        let (noon, next) = (at("2026-11-24T12:00:00Z"), at("2026-11-25T00:00:00Z"));
        let mut spending = Spending::new(Micros(100), None);
        spending.reserve(60, noon);
        assert_eq!((spending.left(noon), spending.renewed(noon)), (40, next));
        // The job is killed before the answer: what was reserved is gone.
        let mut again = Spending::new(Micros(100), Some(spending.spent()));
        assert_eq!((again.left(noon), again.left(next)), (40, 100));
        again.reserve(40, noon);
        again.settle(5);
        assert_eq!(again.left(noon), 35);
        assert_eq!(again.left(at("2026-11-23T12:00:00Z")), 35, "a clock that was set back");
    }

    proptest! {
        #[test]
        fn no_day_is_overspent(requests in prop::collection::vec((0i64..100_000, 1u64..50, 0u64..60), 1..80)) {
            let mut spending = Spending::new(Micros(100), None);
            let mut days = std::collections::BTreeMap::<NaiveDate, u64>::new();
            let mut now = at("2026-11-24T00:00:00Z");
            for (seconds, price, cost) in requests {
                now += chrono::TimeDelta::seconds(seconds);
                if spending.left(now) >= price {
                    spending.reserve(price, now);
                    *days.entry(now.date_naive()).or_default() += cost.min(price);
                    spending.settle(cost);
                }
            }
            prop_assert!(days.values().all(|sum| *sum <= 100), "{:?}", days);
        }
    }
}
