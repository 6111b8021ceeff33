//! Where users stand among all who have a measure, found out in one state.
//!
//! The measures of a band's ends are found exactly, at the moment of the question: those of an
//! attribute by halving the numbers between which they lie, with a count of users each; those of
//! events by going through the tables of the window once. What was found is kept for the
//! statement, and for others until there is a newer state: a portrait asks about one user, and all
//! are to be looked at only once for many portraits. Knows counts and shards. Does not know rules.

use std::{
    cell::{Cell, RefCell},
    cmp::Ordering,
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering as Memory},
    },
};

use tessera_query_lang::ast::Span;

use super::{
    behaviour::{Answers, Source},
    count::count,
    limits::QueryLimitError,
    planner,
    scan::Context,
};
use crate::{
    behaviour::{Behaviour, Figured},
    error::Error,
    plan::{
        ResolveError,
        logical::{Expr, Leaf, Range},
        quantity::Quantity,
        rank::{Border, Places, Ranked, Ranks, Shares, Stretch},
    },
};

/// Orders that are remembered between statements. There are as many as there are measures in rules,
/// and more where windows of hours move on.
const ORDERS_MAX: usize = 256;

/// What is known of the order of all who have a measure.
#[derive(Debug, Clone)]
struct Order {
    /// How many have it.
    count: u64,
    /// The measures at places in it.
    borders: HashMap<u64, Border>,
}

/// What was found out about the newest state that anybody asked about. What a measure's order is
/// follows from the state and the measure alone, whose windows have a first and a last moment.
#[derive(Debug, Default)]
pub(crate) struct KnownOrders(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    version: u64,
    orders: HashMap<Ranked, Order>,
}

/// What is known of a state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrdersOf<'a> {
    /// Of some states.
    pub(crate) known: &'a KnownOrders,
    /// Of this one: a later state has a greater number.
    pub(crate) version: u64,
}

impl OrdersOf<'_> {
    fn order(self, of: &Ranked) -> Option<Order> {
        let known = self.known.lock();
        match known.version == self.version {
            true => known.orders.get(of).cloned(),
            false => None,
        }
    }

    /// Remembers an order, and forgets those of older states.
    fn put(self, of: &Ranked, order: &Order) {
        let mut known = self.known.lock();
        if known.version > self.version {
            return;
        }
        if known.version < self.version || known.orders.len() >= ORDERS_MAX {
            known.orders.clear();
        }
        known.version = self.version;
        known.orders.insert(of.clone(), order.clone());
    }
}

impl KnownOrders {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds out where users stand, for one statement.
pub(crate) struct RankedUsers<'a> {
    context: Context<'a>,
    found: RefCell<HashMap<Ranked, Order>>,
    failure: Cell<Option<Error>>,
}

impl<'a> RankedUsers<'a> {
    /// Nothing known yet.
    pub(crate) fn new(context: Context<'a>) -> Self {
        Self {
            context,
            found: RefCell::default(),
            failure: Cell::new(None),
        }
    }

    /// Why users could not be ranked, if that was so.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.failure.take()
    }

    /// The error of a statement that could not be resolved.
    pub(crate) fn reason(&self, error: ResolveError) -> Error {
        self.failure().unwrap_or_else(|| error.into())
    }

    fn find(&self, of: &Ranked, bands: &[Shares]) -> Result<Vec<Stretch>, Error> {
        let mut gathered = None;
        let mut order = match self.known(of) {
            Some(order) => order,
            None => {
                let count = match of {
                    Ranked::Attribute(of) | Ranked::Years { base: of, .. } => {
                        self.count(Leaf::Present(*of).into())?
                    }
                    Ranked::Events { .. } => gathered.insert(self.gather(of)?).len() as u64,
                };
                let borders = HashMap::new();
                Order { count, borders }
            }
        };
        let places: Vec<Places> = bands.iter().map(|band| band.places(order.count)).collect();
        let mut wanted: Vec<u64> = places.iter().flat_map(|places| ends(*places)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted.retain(|place| !order.borders.contains_key(place));
        if !wanted.is_empty() {
            let borders = self.borders(of, &wanted, gathered)?;
            order.borders.extend(wanted.into_iter().zip(borders));
        }
        let at = |place: Option<u64>| place.and_then(|place| order.borders.get(&place).copied());
        let stretch = |places| match places {
            Places::Nobody => Stretch::Nobody,
            Places::Between(above, up_to) => Stretch::Between(at(above), at(up_to)),
        };
        let stretches = places.into_iter().map(stretch).collect();
        self.remember(of, order);
        Ok(stretches)
    }

    /// What this statement, or another one about this state, found out.
    fn known(&self, of: &Ranked) -> Option<Order> {
        let found = self.found.borrow().get(of).cloned();
        found.or_else(|| self.context.orders?.order(of))
    }

    fn remember(&self, of: &Ranked, order: Order) {
        if let Some(orders) = self.context.orders {
            orders.put(of, &order);
        }
        self.found.borrow_mut().insert(of.clone(), order);
    }

    /// The measures at some places, rising. `gathered`: all figures, if that was done already.
    fn borders(
        &self,
        of: &Ranked,
        wanted: &[u64],
        gathered: Option<Vec<Figured>>,
    ) -> Result<Vec<Border>, Error> {
        match of {
            Ranked::Attribute(attribute) => self.numbers(wanted, |high| {
                let low = i64::MIN;
                Leaf::Range((*attribute).into(), Range { low, high }).into()
            }),
            Ranked::Years { base, unit, today } => self.numbers(wanted, |high| {
                let days = unit.years((i128::MIN, high.into()), *today);
                days.map_or(Expr::None, |days| Leaf::Range((*base).into(), days).into())
            }),
            Ranked::Events { .. } => {
                let mut figures = match gathered {
                    Some(gathered) => gathered,
                    None => self.gather(of)?,
                };
                self.context.checkpoint()?;
                let borders = wanted.iter().filter_map(|place| nth(&mut figures, *place));
                Ok(borders.collect())
            }
        }
    }

    fn count(&self, expr: Expr) -> Result<u64, Error> {
        count(self.context, &planner::plan(self.context, expr)?)
    }

    /// The numbers at some places of their order, rising: of each the least that is not below more
    /// users than stand before it. `at_most` says who has a number and none above one.
    fn numbers(&self, places: &[u64], at_most: impl Fn(i64) -> Expr) -> Result<Vec<Border>, Error> {
        let mut borders = Vec::with_capacity(places.len());
        let mut least = i64::MIN;
        for place in places {
            let (mut low, mut high) = (least, i64::MAX);
            while low < high {
                let middle = low.midpoint(high);
                // Rounded towards the lower one, so that the halves become smaller.
                let middle = if middle == high { high - 1 } else { middle };
                match self.count(at_most(middle))? > *place {
                    true => high = middle,
                    false => low = middle + 1,
                }
            }
            least = low;
            borders.push(Border {
                numerator: low.into(),
                denominator: 1,
            });
        }
        Ok(borders)
    }

    /// The figures of all who have one.
    fn gather(&self, of: &Ranked) -> Result<Vec<Figured>, Error> {
        let Ranked::Events {
            event,
            filter,
            window,
            figure,
        } = of
        else {
            return Ok(Vec::new());
        };
        let behaviour = Behaviour {
            event: *event,
            filter: filter.clone(),
            window: *window,
            question: figure.question(),
        };
        let everywhere = planner::plan(self.context, Expr::None)?;
        let max = self.context.limits.behaviour_bytes_max;
        let bytes = AtomicUsize::new(0);
        let shards = self.context.map_shards(&everywhere, |shard| {
            let answers = Answers::default();
            let source = Source {
                context: shard.context(),
                unit: shard.unit,
                answers: &answers,
            };
            let mut figures = Vec::new();
            source.figures(&behaviour, *figure, |_, figured| figures.push(figured))?;
            // Twice, for the moment at which they are put together.
            let more = 2 * figures.len() * size_of::<Figured>();
            match bytes.fetch_add(more, Memory::Relaxed) + more > max {
                true => Err(QueryLimitError::BehaviourBytes { max }.into()),
                false => Ok(figures),
            }
        })?;
        Ok(shards.concat())
    }
}

impl Ranks for RankedUsers<'_> {
    fn stretches(&self, of: &Ranked, bands: &[Shares]) -> Result<Vec<Stretch>, ResolveError> {
        self.find(of, bands).map_err(|error| {
            self.failure.set(Some(error));
            let span = Span::default();
            ResolveError::Unranked { span }
        })
    }
}

fn ends(places: Places) -> impl Iterator<Item = u64> {
    let (above, up_to) = match places {
        Places::Nobody => (None, None),
        Places::Between(above, up_to) => (above, up_to),
    };
    above.into_iter().chain(up_to)
}

/// What stands at a place when they are in order; they are put into another order.
fn nth(figures: &mut [Figured], place: u64) -> Option<Border> {
    let place = usize::try_from(place)
        .ok()
        .filter(|place| *place < figures.len())?;
    let (_, found, _) = figures.select_nth_unstable_by(place, |left, right| compare(*left, *right));
    Some(Border {
        numerator: found.numerator,
        denominator: found.denominator,
    })
}

fn compare(left: Figured, right: Figured) -> Ordering {
    if left.denominator == right.denominator {
        return left.numerator.cmp(&right.numerator);
    }
    let quotient = |of: Figured| Quantity::quotient(of.numerator, of.denominator.into());
    quotient(left).cmp(&quotient(right))
}
